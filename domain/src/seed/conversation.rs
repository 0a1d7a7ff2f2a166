//! Conversations as tables hold them: lists of messages, in the words of several tools.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::chat::Role;
use crate::json;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks; `None` for a tool and whoever else there may be.
    pub role: Option<Role>,
    /// What is said.
    pub text: String,
}

/// The first question of a conversation and its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// What the system says before it.
    pub system: String,
    /// What the user says before the first answer.
    pub question: String,
    /// What the assistant says before the user speaks again.
    pub answer: String,
    /// Messages behind the answer.
    pub later: usize,
}

/// The role that a name stands for: OpenAI's names, ShareGPT's, and others in use.
pub fn role(name: &str) -> Option<Role> {
    match name.to_lowercase().as_str() {
        "user" | "human" | "prompter" | "question" => Some(Role::User),
        "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "chatbot" | "bing" | "bard" | "answer" => {
            Some(Role::Assistant)
        }
        "system" | "developer" => Some(Role::System),
        _ => None,
    }
}

/// The messages of a value: a list of objects with a speaker and a text (`role` and `content`, or ShareGPT's `from` and `value`), or such a list
/// as JSON in a text, as CSV files have it. `None` for any other value.
pub fn turns(value: &Value) -> Option<Vec<Turn>> {
    let value = match value {
        Value::String(text) if text.trim_start().starts_with('[') => Cow::Owned(json::parse(text).ok()?),
        value => Cow::Borrowed(value),
    };
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(|item| turn(item.as_object()?)).collect()
}

fn turn(message: &Map<String, Value>) -> Option<Turn> {
    let speaker = ["role", "from", "speaker", "author"]
        .iter()
        .find_map(|name| message.get(*name)?.as_str())?;
    let said = ["content", "value", "text", "message"]
        .iter()
        .find_map(|name| message.get(*name))?;
    Some(Turn {
        role: role(speaker),
        text: text(said)?,
    })
}

/// A message's text: itself, or that of its parts.
fn text(said: &Value) -> Option<String> {
    match said {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Null => Some(String::new()),
        Value::Array(parts) => {
            let parts = parts.iter().filter_map(|part| match part {
                Value::String(text) => Some(text.as_str()),
                part => part.get("text")?.as_str(),
            });
            Some(parts.collect::<Vec<_>>().join("\n").trim().to_owned())
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The first exchange of a conversation.
pub fn exchange(turns: &[Turn]) -> Exchange {
    let mut exchange = Exchange::default();
    for (at, turn) in turns.iter().enumerate() {
        let part = match turn.role {
            Some(Role::User) if !exchange.answer.is_empty() => {
                exchange.later = turns.len() - at;
                break;
            }
            Some(Role::User) => &mut exchange.question,
            Some(Role::Assistant) => &mut exchange.answer,
            Some(Role::System) => &mut exchange.system,
            None => continue,
        };
        if !part.is_empty() && !turn.text.is_empty() {
            part.push_str("\n\n");
        }
        part.push_str(&turn.text);
    }
    exchange
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conversations_are_read_in_every_form() {
        let openai = json!([
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": " Why? "},
            {"role": "assistant", "content": [{"type": "text", "text": "So."}]},
        ]);
        let sharegpt = json!([
            {"from": "system", "value": "Be brief."}, {"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."},
        ]);
        let text = json!(sharegpt.to_string());
        for value in [openai, sharegpt, text] {
            let read = exchange(&turns(&value).unwrap());
            assert_eq!(
                (
                    read.system.as_str(),
                    read.question.as_str(),
                    read.answer.as_str(),
                    read.later
                ),
                ("Be brief.", "Why?", "So.", 0),
                "{value}"
            );
        }
        for other in [
            json!("Why?"),
            json!([]),
            json!(["a"]),
            json!([{"a": 1}]),
            json!({"role": "user"}),
            json!("[1, 2]"),
        ] {
            assert_eq!(turns(&other), None, "{other}");
        }
    }

    #[test]
    fn the_first_exchange_ends_where_the_user_speaks_again() {
        let said = |role, text: &str| Turn {
            role,
            text: text.into(),
        };
        let (user, assistant) = (Some(Role::User), Some(Role::Assistant));
        let read = exchange(&[
            said(user, "Why?"),
            said(user, "And how?"),
            said(assistant, ""),
            said(None, "tool output"),
            said(assistant, "So."),
            said(user, "More?"),
            said(assistant, "No."),
        ]);
        assert_eq!(
            (read.question.as_str(), read.answer.as_str()),
            ("Why?\n\nAnd how?", "So.")
        );
        assert_eq!(read.later, 2);
    }
}
