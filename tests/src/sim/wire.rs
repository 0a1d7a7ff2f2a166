//! The OpenAI wire format, as far as a caller can see it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Config;

/// A refusal before any work: never billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_ms: None,
        }
    }

    pub(crate) fn body(&self) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        json!({ "error": { "message": self.message, "type": kind, "code": self.code } })
    }
}

#[derive(Deserialize)]
struct RawChat {
    #[serde(default)]
    model: String,
    messages: Vec<RawMessage>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    response_format: Option<RawFormat>,
    #[serde(default)]
    tools: Vec<RawTool>,
}

#[derive(Deserialize)]
struct RawTool {
    function: RawFunction,
}

#[derive(Deserialize)]
struct RawFunction {
    name: String,
    #[serde(default)]
    parameters: Value,
}

#[derive(Deserialize)]
struct RawMessage {
    role: String,
    content: Value,
}

#[derive(Deserialize)]
struct RawFormat {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    json_schema: Option<Value>,
}

/// A chat request, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chat {
    /// All messages' texts, in order.
    pub(crate) text: String,
    /// The request's `seed`; `None` where the API has none, and then each asking of a text is another sample.
    pub(crate) sample: Option<u64>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) schema: Option<Value>,
    /// The tool that takes what the schema describes; without one it is the answer's text.
    pub(crate) tool: Option<String>,
    pub(crate) input_tokens: u64,
}

/// A token for every four bytes, rounded up: near what real tokenizers make of English, and never above the bytes.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// Reads and checks a chat request.
pub(crate) fn chat(body: &[u8], config: &Config) -> Result<Chat, Refusal> {
    let invalid = |message: String| Refusal::new(400, "invalid_request", message);
    let raw: RawChat =
        serde_json::from_slice(body).map_err(|e| invalid(format!("not a chat request: {e}")))?;
    model(&raw.model, config)?;
    if raw.messages.is_empty() {
        return Err(invalid("`messages` is empty".to_owned()));
    }
    if raw.n.is_some_and(|n| n != 1) {
        return Err(invalid(
            "`n` must be 1: one request, one answer, one price".to_owned(),
        ));
    }
    if raw.stream == Some(true) {
        return Err(invalid("`stream` is not offered here".to_owned()));
    }
    if config.require_max_completion_tokens && raw.max_tokens.is_some() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Refusal::new(400, "unsupported_parameter", message));
    }
    let max_tokens = raw.max_completion_tokens.or(raw.max_tokens);
    if max_tokens == Some(0) {
        return Err(invalid("`max_tokens` must be at least 1".to_owned()));
    }
    let schema = raw
        .response_format
        .map(|format| schema(format, config))
        .transpose()?
        .flatten();
    // Whoever brings a tool wants it called: nothing else is asked for here.
    let (schema, tool) = match raw.tools.into_iter().next() {
        Some(RawTool { function }) => (Some(function.parameters), Some(function.name)),
        None => (schema, None),
    };
    let mut text = String::new();
    for message in &raw.messages {
        let content = content(&message.content).ok_or_else(|| {
            invalid(format!(
                "a message of role `{}` has no text content",
                message.role
            ))
        })?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&content);
    }
    let overhead = 4 * raw.messages.len() as u64;
    let input_tokens = tokens(&text) + overhead + schema.as_ref().map_or(0, |s| tokens(&s.to_string()));
    Ok(Chat {
        text,
        sample: Some(raw.seed.unwrap_or_default() as u64),
        max_tokens,
        schema,
        tool,
        input_tokens,
    })
}

/// Text content, plain or in parts.
pub(crate) fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| part.get("text").and_then(Value::as_str).map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn schema(format: RawFormat, config: &Config) -> Result<Option<Value>, Refusal> {
    if format.kind != "text" && !config.structured_output {
        return Err(Refusal::new(
            400,
            "unsupported_parameter",
            "`response_format` is not supported by this model",
        ));
    }
    match format.kind.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(json!({}))),
        "json_schema" => {
            let schema = format
                .json_schema
                .as_ref()
                .and_then(|named| named.get("schema"))
                .cloned();
            schema.map(Some).ok_or_else(|| {
                Refusal::new(
                    400,
                    "invalid_request",
                    "`response_format.json_schema.schema` is missing",
                )
            })
        }
        other => Err(Refusal::new(
            400,
            "invalid_request",
            format!("`response_format.type` cannot be `{other}`"),
        )),
    }
}

pub(crate) fn model(name: &str, config: &Config) -> Result<(), Refusal> {
    if config.strict_model && name != config.model {
        let message = format!(
            "The model `{name}` does not exist; this service has `{}`",
            config.model
        );
        return Err(Refusal::new(404, "model_not_found", message));
    }
    Ok(())
}

#[derive(Deserialize)]
struct RawEmbeddings {
    #[serde(default)]
    model: String,
    input: Value,
    #[serde(default)]
    encoding_format: Option<String>,
}

/// Reads and checks an embedding request: the texts to embed.
pub(crate) fn embeddings(body: &[u8], config: &Config) -> Result<Vec<String>, Refusal> {
    let invalid = |message: String| Refusal::new(400, "invalid_request", message);
    let raw: RawEmbeddings =
        serde_json::from_slice(body).map_err(|e| invalid(format!("not an embedding request: {e}")))?;
    model(&raw.model, config)?;
    if raw
        .encoding_format
        .as_deref()
        .is_some_and(|format| format != "float")
    {
        return Err(invalid("`encoding_format` must be `float`".to_owned()));
    }
    let texts: Option<Vec<String>> = match raw.input {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.into_iter().map(|t| t.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    texts
        .filter(|texts| !texts.is_empty())
        .ok_or_else(|| invalid("`input` must be a text or a non-empty list of texts".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<Chat, Refusal> {
        chat(body.to_string().as_bytes(), &Config::default())
    }

    #[test]
    fn requests_are_checked_with_reasons() {
        let message = json!([{ "role": "user", "content": "hello" }]);
        let good = read(json!({ "messages": message, "seed": 7, "max_completion_tokens": 9 })).unwrap();
        assert_eq!(
            (good.text.as_str(), good.sample, good.max_tokens),
            ("hello", Some(7), Some(9))
        );
        let refused = [
            (json!({ "messages": [] }), "empty"),
            (json!({ "messages": message, "n": 2 }), "`n`"),
            (json!({ "messages": message, "stream": true }), "stream"),
            (json!({ "messages": message, "max_tokens": 0 }), "max_tokens"),
            (
                json!({ "messages": message, "response_format": { "type": "json_schema" } }),
                "schema",
            ),
            (
                json!({ "messages": [{ "role": "user", "content": 3 }] }),
                "role `user`",
            ),
        ];
        for (body, part) in refused {
            let refusal = read(body).unwrap_err();
            assert!(
                refusal.status == 400 && refusal.message.contains(part),
                "{refusal:?}"
            );
        }
        let strict = Config {
            strict_model: true,
            require_max_completion_tokens: true,
            ..Config::default()
        };
        let body = |model: &str| json!({ "model": model, "messages": message, "max_tokens": 5 }).to_string();
        assert_eq!(chat(body("other").as_bytes(), &strict).unwrap_err().status, 404);
        assert_eq!(
            chat(body("sim").as_bytes(), &strict).unwrap_err().code,
            "unsupported_parameter"
        );
    }
}
