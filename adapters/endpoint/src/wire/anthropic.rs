//! Anthropic's Messages (API version 2023-06-01).
//!
//! | here | there |
//! |---|---|
//! | system messages | `system`, apart from the conversation |
//! | `seed` | nothing: the API has none |
//! | temperature, `top_p` | one of the two, which is all that newer models take: the temperature, kept at 1 or below, or at temperature 1 a `top_p` below 1 |
//! | schema | `output_config.format`, or a tool that must be called |
//! | prompt tokens | `input_tokens` + `cache_read_input_tokens`: the former counts only what no cache had |
//!
//! Tokens written to the prompt cache cost more than input tokens. Nothing here asks for such writing; where an answer reports it
//! all the same, its usage counts as unsaid, and the worst case is booked.

use gristmill_domain::chat::{Finish, Message, Prompt, Request, Response, Role, Usage};
use gristmill_domain::job::Structured;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Wire, rounded};

/// The request's path below the base URL, and its body; `None` for raw text, which the API does not take.
pub(super) fn body(wire: &Wire, request: &Request) -> Option<(&'static str, Map<String, Value>)> {
    let Prompt::Chat(messages) = &request.prompt else {
        return None;
    };
    let mut body = Map::new();
    body.insert("model".into(), json!(wire.model));
    body.insert("max_tokens".into(), json!(request.max_tokens));
    let (system, said): (Vec<&Message>, Vec<&Message>) =
        messages.iter().partition(|message| message.role == Role::System);
    let framing: Vec<&str> = system.iter().map(|message| message.content.as_str()).collect();
    // A conversation needs somebody who speaks.
    let (system, said) = if said.is_empty() {
        (
            String::new(),
            vec![json!({"role": "user", "content": framing.join("\n\n")})],
        )
    } else {
        let said = said
            .iter()
            .map(|m| json!({"role": m.role, "content": m.content}))
            .collect();
        (framing.join("\n\n"), said)
    };
    if !system.is_empty() {
        body.insert("system".into(), json!(system));
    }
    body.insert("messages".into(), Value::Array(said));
    let temperature = rounded(request.temperature).min(1.0);
    let top_p = rounded(request.top_p);
    if temperature == 1.0 && top_p < 1.0 {
        body.insert("top_p".into(), json!(top_p));
    } else {
        body.insert("temperature".into(), json!(temperature));
    }
    // Stop texts of nothing but white space are refused there.
    let stop: Vec<&String> = request
        .stop
        .iter()
        .filter(|text| !text.trim().is_empty())
        .collect();
    if !stop.is_empty() {
        body.insert("stop_sequences".into(), json!(stop));
    }
    match (wire.structured, &request.schema) {
        (Structured::JsonSchema, Some(schema)) => {
            let format = json!({"type": "json_schema", "schema": schema.schema});
            body.insert("output_config".into(), json!({ "format": format }));
        }
        (Structured::Tool, Some(schema)) => {
            let tool = json!({
                "name": schema.name,
                "description": "Takes the reply.",
                "input_schema": schema.schema,
            });
            body.insert("tools".into(), json!([tool]));
            body.insert("tool_choice".into(), json!({"type": "tool", "name": schema.name}));
        }
        (Structured::JsonSchema | Structured::Tool, None)
        | (Structured::JsonObject | Structured::None, _) => {}
    }
    Some(("/messages", body))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: Option<String>,
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        input: Value,
    },
    /// Thinking, and what may come.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct WireUsage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
}

impl WireUsage {
    fn usage(self) -> Option<Usage> {
        let cached_input_tokens = self.cache_read_input_tokens.unwrap_or(0);
        (self.cache_creation_input_tokens.unwrap_or(0) == 0).then(|| Usage {
            input_tokens: self.input_tokens.saturating_add(cached_input_tokens),
            cached_input_tokens,
            output_tokens: self.output_tokens,
        })
    }
}

/// Reads an answer; the error says what is missing.
pub(super) fn response(bytes: &[u8], model: &str) -> Result<Response, String> {
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|e| format!("its answer is no message: {e}"))?;
    let (mut text, mut input) = (String::new(), None);
    for block in answer.content {
        match block {
            Block::Text { text: part } => text.push_str(&part),
            Block::ToolUse { input: given } => input = input.or(Some(given)),
            Block::Other => {}
        }
    }
    let finish = match answer.stop_reason.as_deref() {
        Some("end_turn" | "stop_sequence" | "tool_use") | None => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => Finish::ContentFilter,
        Some(_) => Finish::Other,
    };
    Ok(Response {
        text: input.map_or(text, |input| input.to_string()),
        finish,
        usage: answer.usage.and_then(WireUsage::usage),
        model_version: answer.model.unwrap_or_else(|| model.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use gristmill_domain::chat::OutputSchema;
    use gristmill_domain::job::{Api, TokenLimitKey};

    use super::*;

    fn wire(structured: Structured, body: Value) -> Wire {
        Wire {
            api: Api::Anthropic,
            model: "claude".into(),
            structured,
            token_limit_key: TokenLimitKey::MaxTokens,
            body: body.as_object().cloned().unwrap_or_default(),
        }
    }

    fn request(temperature: f32, top_p: f32) -> Request {
        let said = |role, content: &str| Message {
            role,
            content: content.into(),
        };
        Request {
            prompt: Prompt::Chat(vec![said(Role::System, "Be brief."), said(Role::User, "Why?")]),
            max_tokens: 99,
            temperature,
            top_p,
            seed: 7,
            stop: vec!["\n".into(), "END".into()],
            schema: Some(OutputSchema {
                name: "reply".into(),
                schema: json!({"type": "object"}),
            }),
        }
    }

    fn sent(wire: &Wire, request: &Request) -> Value {
        wire.request(request, "here").unwrap().1
    }

    #[test]
    fn requests_take_the_form_of_messages() {
        assert_eq!(
            sent(&wire(Structured::JsonSchema, Value::Null), &request(0.8, 0.95)),
            json!({
                "model": "claude", "max_tokens": 99, "system": "Be brief.", "temperature": 0.8,
                "messages": [{"role": "user", "content": "Why?"}], "stop_sequences": ["END"],
                "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            })
        );
        let tool = sent(&wire(Structured::Tool, Value::Null), &request(1.4, 1.0));
        assert_eq!(tool["temperature"], 1.0, "the API's highest");
        assert_eq!(tool["tool_choice"], json!({"type": "tool", "name": "reply"}));
        assert_eq!(tool["tools"][0]["input_schema"], json!({"type": "object"}));
        let own = wire(
            Structured::None,
            json!({"top_p": null, "temperature": 0.1, "thinking": {"type": "disabled"}}),
        );
        let own = sent(&own, &request(1.0, 0.5));
        assert_eq!(own.get("top_p"), None);
        assert_eq!(
            (&own["temperature"], &own["thinking"]["type"]),
            (&json!(0.1), &json!("disabled"))
        );
        let nucleus = sent(&wire(Structured::None, Value::Null), &request(1.0, 0.5));
        assert_eq!(
            (nucleus.get("temperature"), &nucleus["top_p"]),
            (None, &json!(0.5))
        );
        let raw = Request {
            prompt: Prompt::Raw("Q:".into()),
            ..request(0.0, 1.0)
        };
        assert!(matches!(
            wire(Structured::None, Value::Null).request(&raw, "here"),
            Err(gristmill_ports::model::CallError::NotBilled { .. })
        ));
    }

    fn read(content: Value, stop: &str, usage: Value) -> Response {
        let body = json!({"model": "claude-1", "content": content, "stop_reason": stop, "usage": usage});
        response(body.to_string().as_bytes(), "claude").unwrap()
    }

    #[test]
    fn answers_are_read_with_all_that_was_billed() {
        let text = json!([
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "Be"}, {"type": "text", "text": "cause."},
        ]);
        let usage = json!({"input_tokens": 10, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 0, "output_tokens": 5});
        let answer = read(text.clone(), "end_turn", usage);
        assert_eq!((answer.text.as_str(), answer.finish), ("Because.", Finish::Stop));
        assert_eq!(
            answer.usage,
            Some(Usage {
                input_tokens: 40,
                cached_input_tokens: 30,
                output_tokens: 5
            })
        );
        let written = json!({"input_tokens": 10, "cache_creation_input_tokens": 2000, "output_tokens": 5});
        assert_eq!(
            read(text.clone(), "end_turn", written).usage,
            None,
            "dearer than any price here"
        );
        let plain = json!({"input_tokens": 10, "output_tokens": 5});
        for (stop, finish) in [
            ("stop_sequence", Finish::Stop),
            ("max_tokens", Finish::Length),
            ("model_context_window_exceeded", Finish::Length),
            ("refusal", Finish::ContentFilter),
            ("pause_turn", Finish::Other),
        ] {
            assert_eq!(read(text.clone(), stop, plain.clone()).finish, finish, "{stop}");
        }
        let tool = json!([{"type": "text", "text": "Here:"}, {"type": "tool_use", "id": "t", "name": "reply", "input": {"a": 1}}]);
        assert_eq!(read(tool, "tool_use", plain).text, "{\"a\":1}");
        assert!(
            response(b"{\"content\": 3}", "claude")
                .unwrap_err()
                .contains("no message")
        );
    }
}
