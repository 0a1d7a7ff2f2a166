//! OpenAI's chat completions, and the older completions for raw text.

use gristmill_domain::chat::{Message, Prompt, Request, Response};
use gristmill_domain::job::{Structured, TokenLimitKey};
use reqwest::header::{AUTHORIZATION, HeaderName};
use serde_json::{Map, Value, json};

use super::{Protocol, Unread, Wire, openai_answer, rounded};
use crate::key::Key;

/// OpenAI's API, and those of others that speak it.
#[derive(Debug)]
pub(super) struct Openai;

impl Protocol for Openai {
    fn provider(&self) -> &'static str {
        "openai"
    }

    fn key(&self, key: &Key) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {}", key.expose()))
    }

    fn request(&self, wire: &Wire, request: &Request) -> Result<(String, Map<String, Value>), &'static str> {
        let (path, body) = body(wire, request);
        Ok((path.to_owned(), body))
    }

    fn response(&self, bytes: &[u8], model: &str) -> Result<Response, Unread> {
        openai_answer::response(bytes, model)
    }
}

/// The request's path below the base URL, and its body.
fn body(wire: &Wire, request: &Request) -> (&'static str, Map<String, Value>) {
    let mut body = Map::new();
    body.insert("model".into(), json!(wire.model));
    let path = match &request.prompt {
        Prompt::Chat(messages) => {
            let messages: Vec<Value> = messages
                .iter()
                .map(|Message { role, content }| json!({"role": role, "content": content}))
                .collect();
            body.insert("messages".into(), Value::Array(messages));
            "/chat/completions"
        }
        Prompt::Raw(text) => {
            body.insert("prompt".into(), json!(text));
            "/completions"
        }
    };
    let limit_key = match wire.token_limit_key {
        TokenLimitKey::MaxTokens => "max_tokens",
        TokenLimitKey::MaxCompletionTokens => "max_completion_tokens",
    };
    body.insert(limit_key.into(), json!(request.max_tokens));
    body.insert("temperature".into(), json!(rounded(request.temperature)));
    body.insert("top_p".into(), json!(rounded(request.top_p)));
    body.insert("seed".into(), json!(request.seed));
    if !request.stop.is_empty() {
        body.insert("stop".into(), json!(request.stop));
    }
    match (wire.structured, &request.schema) {
        (Structured::JsonSchema, Some(schema)) => {
            let schema = json!({"name": schema.name, "strict": true, "schema": schema.schema});
            body.insert(
                "response_format".into(),
                json!({"type": "json_schema", "json_schema": schema}),
            );
        }
        (Structured::Tool, Some(schema)) => {
            let function = json!({"name": schema.name, "parameters": schema.schema});
            body.insert(
                "tools".into(),
                json!([{"type": "function", "function": function}]),
            );
            let choice = json!({"type": "function", "function": {"name": schema.name}});
            body.insert("tool_choice".into(), choice);
        }
        (Structured::JsonObject, _) => {
            body.insert("response_format".into(), json!({"type": "json_object"}));
        }
        (Structured::JsonSchema | Structured::Tool, None) | (Structured::None, _) => {}
    }
    (path, body)
}
