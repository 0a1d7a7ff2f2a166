//! Anthropic's Messages (API version 2023-06-01).
//!
//! | here | there |
//! |---|---|
//! | system messages | `system`, apart from the conversation |
//! | `seed` | nothing: the API has none |
//! | temperature, `top_p` | one of the two, which is all that newer models take: the temperature, kept at 1 or below, or at temperature 1 a `top_p` below 1 |
//! | schema | `output_config.format`, or a tool that must be called |
//! | prompt tokens | `input_tokens`, those read from a cache, and those written to one: the first counts only what no cache had |

use gristmill_domain::chat::{Message, Prompt, Request, Response, Role};
use gristmill_domain::job::Structured;
use reqwest::header::HeaderName;
use serde_json::{Map, Value, json};

use super::{Protocol, Unread, Wire, anthropic_answer, rounded};
use crate::key::Key;

/// The version of the API that is spoken.
const VERSION: &str = "2023-06-01";

/// Anthropic's API.
#[derive(Debug)]
pub(super) struct Anthropic;

impl Protocol for Anthropic {
    fn provider(&self) -> &'static str {
        "anthropic"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", VERSION)]
    }

    fn key(&self, key: &Key) -> (HeaderName, String) {
        (HeaderName::from_static("x-api-key"), key.expose().to_owned())
    }

    fn request(&self, wire: &Wire, request: &Request) -> Result<(String, Map<String, Value>), &'static str> {
        let Prompt::Chat(messages) = &request.prompt else {
            return Err("Anthropic's API takes messages only, no raw text");
        };
        Ok(("/messages".to_owned(), body(wire, request, messages)))
    }

    fn response(&self, bytes: &[u8], model: &str) -> Result<Response, Unread> {
        anthropic_answer::response(bytes, model)
    }

    fn models_path(&self) -> &'static str {
        "/models?limit=1000"
    }
}

/// The body of a request.
fn body(wire: &Wire, request: &Request, messages: &[Message]) -> Map<String, Value> {
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
    body
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
}
