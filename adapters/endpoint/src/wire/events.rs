//! An answer that came as a stream of events, though none was asked for: some gateways send nothing else. Its pieces are put together to the
//! body that a single answer would have had.

use serde_json::{Map, Value, json};

use super::lenient;

/// True when a body is a stream of events, not one answer.
pub(super) fn is_stream(bytes: &[u8]) -> bool {
    let head = bytes.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b": ", b":\n"]
        .iter()
        .any(|start| head.starts_with(start))
}

/// The events' data, one JSON value each; comments and the end mark are left out.
fn data(bytes: &[u8]) -> Result<(Vec<Value>, bool), String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let (mut events, mut ended) = (Vec::new(), false);
    for event in text.split("\n\n") {
        let lines: Vec<&str> = event
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        // Most servers write one line an event; some leave out the blank line between two.
        let joined = lines.join("\n");
        let parts = match lenient::body(joined.as_bytes()) {
            Ok(value) => {
                events.push(value);
                continue;
            }
            Err(_) => lines,
        };
        for part in parts.iter().map(|part| part.trim()) {
            match part {
                "" => {}
                "[DONE]" => ended = true,
                part => events.push(
                    lenient::body(part.as_bytes())
                        .map_err(|error| format!("an event of its stream is not JSON ({error})"))?,
                ),
            }
        }
    }
    Ok((events, ended))
}

/// The events of a stream whose every piece has the form of a whole answer, as Gemini's have.
pub(super) fn pieces(bytes: &[u8]) -> Result<Vec<Value>, String> {
    data(bytes).map(|(events, _)| events)
}

/// One completion out of OpenAI's chunks.
pub(super) fn completion(bytes: &[u8]) -> Result<Value, String> {
    let (events, mut ended) = data(bytes)?;
    let mut whole = Map::new();
    let mut said = Said::default();
    let mut finish = Value::Null;
    for event in &events {
        for name in ["model", "usage", "error"] {
            if let Some(value) = event.get(name).filter(|value| !value.is_null()) {
                whole.insert(name.to_owned(), value.clone());
            }
        }
        let Some(choice) = event.pointer("/choices/0") else {
            continue;
        };
        if let Some(usage) = choice.get("usage").filter(|usage| usage.is_object()) {
            whole.entry("usage").or_insert_with(|| usage.clone());
        }
        let piece = choice.get("delta").or_else(|| choice.get("message"));
        if let Some(piece) = piece {
            said.add(piece);
        }
        if let Some(text) = choice.get("text").and_then(Value::as_str) {
            said.content.push_str(text);
        }
        if let Some(reason) = choice.get("finish_reason").filter(|reason| reason.is_string()) {
            (finish, ended) = (reason.clone(), true);
        }
    }
    if whole.contains_key("error") && said == Said::default() {
        return Ok(Value::Object(whole));
    }
    if !ended {
        return Err("its stream of events ends in the middle of the answer".to_owned());
    }
    let mut message = json!({
        "content": said.content, "reasoning_content": said.reasoning, "refusal": said.refusal,
    });
    if !said.arguments.is_empty() {
        message["tool_calls"] = json!([{"function": {"arguments": said.arguments}}]);
    }
    whole.insert(
        "choices".to_owned(),
        json!([{"message": message, "finish_reason": finish}]),
    );
    Ok(Value::Object(whole))
}

/// What the chunks of one message add up to.
#[derive(Default, PartialEq)]
struct Said {
    content: String,
    reasoning: String,
    refusal: String,
    arguments: String,
}

impl Said {
    fn add(&mut self, piece: &Value) {
        if let Some(content) = piece.get("content") {
            let content = lenient::content(content);
            self.content.push_str(&content.text);
            self.reasoning.push_str(&content.thinking);
        }
        let text = |name: &str| piece.get(name).and_then(Value::as_str);
        self.reasoning.push_str(
            text("reasoning_content")
                .or_else(|| text("reasoning"))
                .unwrap_or_default(),
        );
        self.refusal.push_str(text("refusal").unwrap_or_default());
        // Further tools are nothing that was asked for.
        let first = |call: &&Value| call.get("index").is_none_or(|index| *index == 0);
        let calls = piece.get("tool_calls").and_then(Value::as_array);
        for call in calls.into_iter().flatten().filter(first) {
            match call.pointer("/function/arguments") {
                Some(Value::String(part)) => self.arguments.push_str(part),
                Some(whole @ Value::Object(_)) => self.arguments = whole.to_string(),
                _ => {}
            }
        }
    }
}

/// One message out of Anthropic's events.
pub(super) fn message(bytes: &[u8]) -> Result<Value, String> {
    let (events, _) = data(bytes)?;
    let mut whole = json!({"content": []});
    let mut blocks: Vec<Block> = Vec::new();
    let mut ended = false;
    for event in &events {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                whole["model"] = event["message"]["model"].clone();
                merge(&mut whole["usage"], &event["message"]["usage"]);
            }
            "content_block_start" => blocks.push(Block {
                start: event["content_block"].clone(),
                text: String::new(),
            }),
            "content_block_delta" => {
                let delta = &event["delta"];
                let part = ["text", "partial_json", "thinking"]
                    .iter()
                    .find_map(|name| delta[*name].as_str());
                if let (Some(block), Some(part)) = (blocks.last_mut(), part) {
                    block.text.push_str(part);
                }
            }
            "message_delta" => {
                ended |= event["delta"]["stop_reason"].is_string();
                whole["stop_reason"] = event["delta"]["stop_reason"].clone();
                merge(&mut whole["usage"], &event["usage"]);
            }
            "message_stop" => ended = true,
            "error" => whole["error"] = event["error"].clone(),
            // Pings, ends of blocks, and what may come.
            _ => {}
        }
    }
    if whole.get("error").is_some() && blocks.is_empty() {
        return Ok(whole);
    }
    if !ended {
        return Err("its stream of events ends in the middle of the answer".to_owned());
    }
    whole["content"] = blocks.into_iter().map(Block::whole).collect();
    Ok(whole)
}

/// A block as it began, and what was added to it.
struct Block {
    start: Value,
    text: String,
}

impl Block {
    fn whole(mut self) -> Value {
        let kind = self.start["type"].as_str().unwrap_or_default().to_owned();
        let name = match kind.as_str() {
            "tool_use" => "input",
            "thinking" => "thinking",
            _ => "text",
        };
        if !self.text.is_empty() && self.start.is_object() {
            let before = self.start[name].as_str().unwrap_or_default();
            self.start[name] = Value::String(format!("{before}{}", self.text));
        }
        self.start
    }
}

/// Later counts replace earlier ones: Anthropic's are of all that came before.
fn merge(usage: &mut Value, more: &Value) {
    let Some(more) = more.as_object() else {
        return;
    };
    if !usage.is_object() {
        *usage = json!({});
    }
    for (name, value) in more {
        if !value.is_null() {
            usage[name.as_str()] = value.clone();
        }
    }
}
