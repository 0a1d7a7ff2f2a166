//! Dialogues of the simulated model: what was asked and answered becomes a first exchange, and a second follows it; with tools, one is called
//! in between.

use serde_json::{Map, Value, json};

use super::draw::Draw;

/// What follows the first answer.
const SECOND: [&str; 4] = [
    "How did you get there?",
    "Is there a shorter way?",
    "Which step is easiest to get wrong?",
    "Can you check it once more?",
];

/// Whether a schema asks for messages, and if so, whether tools may be called in them.
pub(super) fn wanted(schema: Option<&Value>) -> Option<bool> {
    let messages = schema?.pointer("/properties/messages/items/properties")?;
    Some(messages.get("tool_calls").is_some())
}

/// The messages of a dialogue. `misfit` is a call that does not fit: of a tool that is not there.
pub(super) fn messages(
    question: &str,
    answer: &str,
    tools: Option<&[Value]>,
    misfit: bool,
    draw: Draw,
) -> Value {
    let said = |role: &str, content: &str| message(role, content, json!([]), "");
    let mut messages = vec![said("user", question)];
    if let Some([first, ..]) = tools {
        let name = match misfit {
            true => "no_such_tool",
            false => first["name"].as_str().unwrap_or_default(),
        };
        let arguments = arguments(&first["parameters"], question).to_string();
        let call = json!([{"id": "call_a", "name": name, "arguments": arguments}]);
        messages.push(message("assistant", "", call, ""));
        messages.push(message(
            "tool",
            &json!({"result": answer}).to_string(),
            json!([]),
            "call_a",
        ));
    }
    messages.push(said("assistant", answer));
    messages.push(said("user", SECOND[draw.of("second").below(SECOND.len())]));
    messages.push(said("assistant", &format!("Step by step. {answer}")));
    Value::Array(messages)
}

/// Messages as tools are written where a schema asks for them, every member there.
fn message(role: &str, content: &str, tool_calls: Value, tool_call_id: &str) -> Value {
    json!({"role": role, "content": content, "tool_calls": tool_calls, "tool_call_id": tool_call_id})
}

/// Something for each argument that a tool requires.
fn arguments(parameters: &Value, question: &str) -> Value {
    let required = parameters["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let one = |name: &str| match parameters["properties"][name]["type"].as_str() {
        Some("number" | "integer") => json!(question.len()),
        Some("boolean") => json!(true),
        _ => json!(question),
    };
    Value::Object(
        required
            .map(|name| (name.to_owned(), one(name)))
            .collect::<Map<_, _>>(),
    )
}

/// The tools that a prompt shows, as JSON between `<tools>` and `</tools>`.
pub(super) fn tools_shown(text: &str) -> Vec<Value> {
    let shown = text
        .split_once("<tools>")
        .and_then(|(_, rest)| rest.split_once("</tools>"));
    let shown = shown
        .map_or("[]", |(shown, _)| shown)
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    serde_json::from_str(&shown.replace("&quot;", "\"").replace("&amp;", "&")).unwrap_or_default()
}

/// Tools as a model makes some up.
pub(super) fn tools() -> Value {
    let parameters = json!({"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]});
    json!([{"name": "calculator", "description": "Works out an expression.", "parameters": parameters.to_string()}])
}
