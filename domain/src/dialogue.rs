//! Dialogues: the messages of a row that is a conversation, and the tools that its assistant may call.
//!
//! Every row can be written as messages; rows of the forms `dialogue` and `tool_use` are stored as them. Owns their shape, how they are read
//! from what a model wrote, and what must hold of them. Messages that are *sent* to a model are [`crate::chat::Message`]: those have no tools.

mod read;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chat::strict_object;
use crate::validator::json_schema::Compiled;

pub use read::{tools, turns};

/// Characters of a tool's name, as providers allow them.
const NAME_CHARS_MAX: usize = 64;

/// Who speaks in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Instructions that frame the dialogue.
    System,
    /// The asking side.
    User,
    /// The answering side, which may call tools.
    Assistant,
    /// What a tool returned.
    Tool,
}

impl Speaker {
    /// The name, as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The speaker of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::System, Self::User, Self::Assistant, Self::Tool];
        all.into_iter().find(|speaker| speaker.name() == name)
    }
}

/// One message of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Speaker,
    /// What is said; may be empty where tools are called.
    pub content: String,
    /// Tools that the assistant calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of what a tool returned: the id of the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of what a tool returned: the tool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Turn {
    /// A message that calls no tool.
    pub fn new(role: Speaker, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
        }
    }

    /// Bytes of text in the message.
    pub fn text_bytes(&self) -> usize {
        let calls = self.tool_calls.iter();
        let calls: usize = calls
            .map(|call| call.id.len() + call.name.len() + call.arguments_text().len())
            .sum();
        let of_tool = [&self.tool_call_id, &self.name].into_iter().flatten();
        self.content.len() + calls + of_tool.map(String::len).sum::<usize>()
    }
}

impl fmt::Display for Turn {
    /// `user: Rain in Oslo?`, `assistant: calls weather({"city":"Oslo"})`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.role.name(), self.content)?;
        for (place, call) in self.tool_calls.iter().enumerate() {
            let before = if self.content.is_empty() && place == 0 {
                ""
            } else {
                "; "
            };
            write!(f, "{before}calls {}({})", call.name, call.arguments_text())?;
        }
        Ok(())
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its id, unique in its dialogue.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments by name.
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// The arguments as JSON text.
    pub fn arguments_text(&self) -> String {
        json!(self.arguments).to_string()
    }
}

/// A tool that an assistant may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// The JSON Schema of its arguments: an object.
    pub parameters: Value,
}

impl Tool {
    /// The tool as trainers and providers describe it: `{"type": "function", "function": {…}}`.
    pub fn as_function(&self) -> Value {
        json!({"type": "function", "function": {
            "name": self.name, "description": self.description, "parameters": self.parameters,
        }})
    }

    /// Why it cannot be used, with the member that is wrong.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if self.name.is_empty() || self.name.len() > NAME_CHARS_MAX || !self.name.chars().all(fits) {
            let fault = format!(
                "`{}` cannot be the name of a tool: use at most {NAME_CHARS_MAX} letters, digits, `_` and `-`",
                self.name
            );
            return Some(("name", fault));
        }
        if self.parameters.get("type").and_then(Value::as_str) != Some("object") {
            let fault = format!(
                "the parameters of the tool `{}` are not a JSON Schema with `type: object`",
                self.name
            );
            return Some(("parameters", fault));
        }
        let fault = Compiled::new(&self.parameters).err()?;
        Some((
            "parameters",
            format!(
                "the parameters of the tool `{}` cannot be used: {fault}",
                self.name
            ),
        ))
    }
}

/// Whether messages make a dialogue: after a system message, if there is one, user and assistant take turns, the user begins, and the
/// assistant has the last word. What tools returned stands between the message that calls them and the assistant's next one, an answer for
/// each call in the order of the calls.
///
/// # Errors
/// The first thing that is wrong, in words.
pub fn check(turns: &[Turn]) -> Result<(), String> {
    let system = turns.first().is_some_and(|turn| turn.role == Speaker::System);
    let start = usize::from(system);
    let mut awaited = Speaker::User;
    let mut open: VecDeque<&ToolCall> = VecDeque::new();
    let mut ids: Vec<&str> = Vec::new();
    for (place, turn) in turns.iter().enumerate().skip(start) {
        let number = place + 1;
        if turn.role != awaited {
            return Err(format!(
                "message {number} is the {}'s, where the {}'s is due",
                turn.role.name(),
                awaited.name()
            ));
        }
        if turn.role != Speaker::Assistant && !turn.tool_calls.is_empty() {
            return Err(format!(
                "message {number} calls a tool, and is not the assistant's"
            ));
        }
        if turn.role == Speaker::Tool {
            let next = open
                .pop_front()
                .filter(|call| turn.tool_call_id.as_ref() != Some(&call.id));
            if let Some(call) = next {
                return Err(format!(
                    "message {number} does not answer the call `{}`, which is next",
                    call.id
                ));
            }
        } else if turn.content.trim().is_empty() && turn.tool_calls.is_empty() {
            return Err(format!("message {number} is empty"));
        }
        for call in &turn.tool_calls {
            if ids.contains(&call.id.as_str()) {
                return Err(format!("two tool calls have the id `{}`", call.id));
            }
            ids.push(&call.id);
            open.push_back(call);
        }
        awaited = match turn.role {
            Speaker::User => Speaker::Assistant,
            _ if !open.is_empty() => Speaker::Tool,
            Speaker::Tool => Speaker::Assistant,
            Speaker::Assistant | Speaker::System => Speaker::User,
        };
    }
    match turns.len() - start {
        0 => Err("there are no messages".to_owned()),
        _ if awaited == Speaker::User => Ok(()),
        _ => Err("the last message is not the assistant's".to_owned()),
    }
}

/// Whether every call names one of the tools, with arguments that fit its parameters.
///
/// # Errors
/// The first call that does not, in words.
pub fn check_calls(turns: &[Turn], tools: &[Tool]) -> Result<(), String> {
    let mut schemas: BTreeMap<&str, Result<Compiled, String>> = BTreeMap::new();
    for call in turns.iter().flat_map(|turn| &turn.tool_calls) {
        let Some(tool) = tools.iter().find(|tool| tool.name == call.name) else {
            let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
            return Err(format!(
                "`{}` is not one of the tools ({})",
                call.name,
                names.join(", ")
            ));
        };
        let arguments = Value::Object(call.arguments.clone());
        let schema = schemas
            .entry(&tool.name)
            .or_insert_with(|| Compiled::new(&tool.parameters));
        schema
            .as_ref()
            .map_err(String::clone)
            .and_then(|schema| schema.check(&arguments))
            .map_err(|fault| {
                format!(
                    "the arguments of the call `{}` of `{}` do not fit: {fault}",
                    call.id, call.name
                )
            })?;
    }
    Ok(())
}

/// All that the user says: what a dialogue is compared by with other rows.
pub fn asked(turns: &[Turn]) -> String {
    let of_user = turns.iter().filter(|turn| turn.role == Speaker::User);
    of_user
        .map(|turn| turn.content.as_str())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The assistant's last message.
pub fn answered(turns: &[Turn]) -> &str {
    let last = turns.iter().rfind(|turn| turn.role == Speaker::Assistant);
    last.map_or("", |turn| turn.content.as_str())
}

/// The JSON Schema of messages that a model is asked for. Strict endpoints want every member required and none beside them, so arguments,
/// whose members depend on the tool, are JSON text.
pub(crate) fn turns_schema(with_tools: bool) -> Value {
    let roles = match with_tools {
        false => json!({"type": "string", "enum": ["system", "user", "assistant"]}),
        true => json!({"type": "string", "enum": ["system", "user", "assistant", "tool"]}),
    };
    let calls = json!({"type": "array", "items": texts(&["id", "name", "arguments"])});
    let mut members = vec![("role", roles), ("content", text())];
    if with_tools {
        members.extend([("tool_calls", calls), ("tool_call_id", text())]);
    }
    let members = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema));
    json!({"type": "array", "items": strict_object(members.collect())})
}

/// The JSON Schema of tools that a model is asked for; parameters are JSON text, as arguments are.
pub(crate) fn tools_schema() -> Value {
    json!({"type": "array", "items": texts(&["name", "description", "parameters"])})
}

fn text() -> Value {
    json!({"type": "string"})
}

/// The schema of an object whose members are texts.
fn texts(names: &[&str]) -> Value {
    strict_object(names.iter().map(|name| ((*name).to_owned(), text())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather() -> Tool {
        Tool {
            name: "weather".into(),
            description: "The weather in a city.".into(),
            parameters: json!({
                "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false,
            }),
        }
    }

    fn read(text: &str) -> Result<Vec<Turn>, String> {
        turns(&serde_json::from_str(text).unwrap())
    }

    const CALLED: &str = r#"[
        {"role": "user", "content": "Rain in Oslo?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "name": "weather", "arguments": "{\"city\": \"Oslo\"}"}]},
        {"role": "tool", "content": "{\"rain\": true}", "tool_call_id": "a"},
        {"role": "assistant", "content": "Yes."}]"#;

    #[test]
    fn roles_take_turns_and_the_assistant_has_the_last_word() {
        let said = |roles: &str| {
            let turn = |c: char| match c {
                's' => Turn::new(Speaker::System, "Be brief."),
                'u' => Turn::new(Speaker::User, "Why?"),
                't' => Turn::new(Speaker::Tool, "{}"),
                'e' => Turn::new(Speaker::Assistant, " "),
                _ => Turn::new(Speaker::Assistant, "Because."),
            };
            check(&roles.chars().map(turn).collect::<Vec<_>>())
                .err()
                .unwrap_or_default()
        };
        for sound in ["ua", "sua", "uaua", "suauaua"] {
            assert_eq!(said(sound), "", "{sound}");
        }
        assert_eq!(said(""), "there are no messages");
        assert_eq!(said("s"), "there are no messages");
        assert_eq!(
            said("au"),
            "message 1 is the assistant's, where the user's is due"
        );
        assert_eq!(
            said("uu"),
            "message 2 is the user's, where the assistant's is due"
        );
        assert_eq!(
            said("usa"),
            "message 2 is the system's, where the assistant's is due"
        );
        assert_eq!(
            said("ut"),
            "message 2 is the tool's, where the assistant's is due"
        );
        assert_eq!(said("uau"), "the last message is not the assistant's");
        assert_eq!(said("ue"), "message 2 is empty");
    }

    #[test]
    fn tool_calls_are_answered_in_their_order_and_fit_their_tool() {
        let turns = read(CALLED).unwrap();
        assert_eq!(check(&turns), Ok(()));
        assert_eq!(check_calls(&turns, &[weather()]), Ok(()));
        assert_eq!(
            turns[2].name.as_deref(),
            Some("weather"),
            "the answer names its tool"
        );
        assert_eq!(
            (asked(&turns), answered(&turns)),
            ("Rain in Oslo?".into(), "Yes.")
        );
        assert_eq!(
            turns[1].to_string(),
            r#"assistant: calls weather({"city":"Oslo"})"#
        );
        let fault = |from: &str, to: &str| {
            let turns = read(&CALLED.replacen(from, to, 1)).unwrap();
            check(&turns)
                .and_then(|()| check_calls(&turns, &[weather()]))
                .unwrap_err()
        };
        assert_eq!(
            fault("\"weather\"", "\"wether\""),
            "`wether` is not one of the tools (weather)"
        );
        assert!(fault("city", "town").starts_with("the arguments of the call `a` of `weather` do not fit: "));
        assert_eq!(
            fault("_id\": \"a\"", "_id\": \"b\""),
            "message 3 does not answer the call `a`, which is next"
        );
        assert_eq!(
            check(&turns[..3]),
            Err("the last message is not the assistant's".into())
        );
        assert_eq!(
            check(&[turns[0].clone(), turns[1].clone(), turns[3].clone()]),
            Err("message 3 is the assistant's, where the tool's is due".into())
        );
    }

    #[test]
    fn a_tool_that_cannot_be_called_says_what_is_wrong() {
        assert_eq!(weather().fault(), None);
        let spoilt = |spoil: fn(&mut Tool)| {
            let mut tool = weather();
            spoil(&mut tool);
            tool.fault().map(|(member, _)| member)
        };
        assert_eq!(spoilt(|tool| tool.name = "the weather".into()), Some("name"));
        assert_eq!(
            spoilt(|tool| tool.parameters = json!({"type": "string"})),
            Some("parameters")
        );
        assert_eq!(
            spoilt(|tool| tool.parameters["properties"] = json!(3)),
            Some("parameters")
        );
    }
}
