//! OpenAI's chat completions, and the older completions for raw text.

use gristmill_domain::chat::{Finish, Message, Prompt, Request, Response, Usage};
use gristmill_domain::job::{Structured, TokenLimitKey};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Wire, rounded};

/// The request's path below the base URL, and its body.
pub(super) fn body(wire: &Wire, request: &Request) -> (&'static str, Map<String, Value>) {
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

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    model: Option<String>,
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<WireMessage>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct WireMessage {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    arguments: String,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: u64,
}

impl WireMessage {
    /// What was said: as the input of the tool that was asked for, as text, or as a refusal.
    fn text(self) -> String {
        let call = self.tool_calls.and_then(|calls| calls.into_iter().next());
        call.map(|call| call.function.arguments)
            .or(self.content)
            .filter(|text| !text.is_empty())
            .or(self.refusal)
            .unwrap_or_default()
    }
}

/// Reads a completion; the error says what is missing.
pub(super) fn response(bytes: &[u8], model: &str) -> Result<Response, String> {
    let completion: Completion =
        serde_json::from_slice(bytes).map_err(|e| format!("its answer is no completion: {e}"))?;
    let choice = completion
        .choices
        .into_iter()
        .next()
        .ok_or("its answer has no choice")?;
    let text = match (choice.message, choice.text) {
        (Some(message), _) => message.text(),
        (None, Some(text)) => text,
        (None, None) => return Err("its answer has neither a message nor a text".into()),
    };
    let finish = match choice.finish_reason.as_deref() {
        Some("stop" | "tool_calls") | None => Finish::Stop,
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        Some(_) => Finish::Other,
    };
    let usage = completion.usage.map(|usage| Usage {
        input_tokens: usage.prompt_tokens,
        cached_input_tokens: usage
            .prompt_tokens_details
            .map_or(0, |details| details.cached_tokens),
        output_tokens: usage.completion_tokens,
    });
    Ok(Response {
        text,
        finish,
        usage,
        model_version: completion.model.unwrap_or_else(|| model.to_owned()),
    })
}
