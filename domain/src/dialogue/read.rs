//! Reads messages and tools as a model wrote them: in the shape that it was asked for, or in the one that most models know.

use serde_json::{Map, Value};

use super::{Speaker, Tool, ToolCall, Turn};

/// The messages of a list. Arguments may be an object or its JSON text, calls may be wrapped as `{"type": "function", "function": {…}}`;
/// ids that are missing are numbered, and what a tool returned answers the calls in their order.
///
/// # Errors
/// The first thing that cannot be read, in words. Whether the messages make a dialogue is for [`super::check`] to say.
pub fn turns(list: &Value) -> Result<Vec<Turn>, String> {
    let items = list.as_array().ok_or("it is not a list of messages")?;
    let mut read: Vec<Turn> = Vec::with_capacity(items.len());
    // Calls that nothing has answered yet, and calls so far.
    let (mut open, mut calls): (Vec<(String, String)>, usize) = (Vec::new(), 0);
    for (number, item) in (1..).zip(items) {
        let role = item.get("role").and_then(Value::as_str).unwrap_or_default();
        let role = Speaker::named(role).ok_or_else(|| {
            format!("message {number} has the role `{role}`, and not system, user, assistant or tool")
        })?;
        let mut turn = Turn::new(role, text(item, "content").unwrap_or_default());
        for call in list_of(item, "tool_calls") {
            calls += 1;
            let call = tool_call(call, calls).map_err(|fault| format!("message {number}: {fault}"))?;
            open.push((call.id.clone(), call.name.clone()));
            turn.tool_calls.push(call);
        }
        if role == Speaker::Tool {
            let id = text(item, "tool_call_id").filter(|id| !id.is_empty());
            let answers = match &id {
                Some(id) => open.iter().position(|(call, _)| call == id),
                None => (!open.is_empty()).then_some(0),
            };
            let (call, name) = match answers.map(|place| open.remove(place)) {
                Some((call, name)) => (Some(call), Some(name)),
                None => (id, text(item, "name")),
            };
            (turn.tool_call_id, turn.name) = (call, name);
        }
        read.push(turn);
    }
    Ok(read)
}

/// The tools of a list. Parameters may be an object or its JSON text, and a tool may be wrapped as `{"type": "function", "function": {…}}`.
///
/// # Errors
/// The first tool that cannot be read or used, in words.
pub fn tools(list: &Value) -> Result<Vec<Tool>, String> {
    let items = list.as_array().ok_or("it is not a list of tools")?;
    let mut read: Vec<Tool> = Vec::with_capacity(items.len());
    for item in items {
        let item = item.get("function").unwrap_or(item);
        let tool = Tool {
            name: text(item, "name").ok_or("a tool has no `name`")?,
            description: text(item, "description").unwrap_or_default(),
            parameters: Value::Object(object(item, "parameters")?),
        };
        if let Some((_, fault)) = tool.fault() {
            return Err(fault);
        }
        if read.iter().any(|other| other.name == tool.name) {
            return Err(format!("two tools are named `{}`", tool.name));
        }
        read.push(tool);
    }
    match read.is_empty() {
        true => Err("there are no tools".to_owned()),
        false => Ok(read),
    }
}

fn tool_call(item: &Value, number: usize) -> Result<ToolCall, String> {
    let function = item.get("function").unwrap_or(item);
    Ok(ToolCall {
        id: text(item, "id")
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("call_{number}")),
        name: text(function, "name").ok_or("a tool call has no `name`")?,
        arguments: object(function, "arguments")?,
    })
}

fn text(item: &Value, member: &str) -> Option<String> {
    Some(item.get(member)?.as_str()?.to_owned())
}

fn list_of<'a>(item: &'a Value, member: &str) -> &'a [Value] {
    item.get(member)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// An object, or the JSON text of one.
fn object(item: &Value, member: &str) -> Result<Map<String, Value>, String> {
    let wrong = || format!("`{member}` is not a JSON object");
    match item.get(member) {
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong()),
        Some(_) | None => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_of_calls_and_tools_are_read_alike() {
        let plain = json!([{"role": "assistant", "content": "", "tool_calls": [{"id": "", "name": "f", "arguments": {"x": 1}}]},
            {"role": "tool", "content": "2"}]);
        let wrapped = json!([{"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
            {"role": "tool", "content": "2", "tool_call_id": "call_1"}]);
        let read = turns(&plain).unwrap();
        assert_eq!(read, turns(&wrapped).unwrap());
        assert_eq!(read[1].tool_call_id.as_deref(), Some("call_1"));
        let tool = json!({"name": "f", "description": "Adds.", "parameters": {"type": "object"}});
        assert_eq!(
            tools(&json!([tool])),
            tools(&json!([{"type": "function", "function": tool}]))
        );
        assert_eq!(
            tools(&json!([tool, tool])).unwrap_err(),
            "two tools are named `f`"
        );
        assert_eq!(tools(&json!([])).unwrap_err(), "there are no tools");
    }

    #[test]
    fn what_is_stored_is_read_back_unchanged() {
        let list = json!([{"role": "user", "content": "1 + 1?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "name": "f", "arguments": {"x": 1}}]},
            {"role": "tool", "content": "2", "tool_call_id": "a", "name": "f"}, {"role": "assistant", "content": "2"}]);
        let read = turns(&list).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), list);
        assert_eq!(serde_json::from_value::<Vec<Turn>>(list).unwrap(), read);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let fault = |list: Value| turns(&list).unwrap_err();
        assert_eq!(fault(json!({})), "it is not a list of messages");
        assert!(
            fault(json!([{"role": "human", "content": "x"}])).starts_with("message 1 has the role `human`")
        );
        let call =
            json!([{"role": "assistant", "tool_calls": [{"id": "a", "name": "f", "arguments": "x: 1"}]}]);
        assert_eq!(fault(call), "message 1: `arguments` is not a JSON object");
    }
}
