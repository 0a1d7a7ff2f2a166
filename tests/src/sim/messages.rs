//! Anthropic's Messages wire format, as far as a caller can see it. Strict where the real API is: unknown members, both of
//! temperature and `top_p`, and blank stop texts are refused.

use serde::Deserialize;
use serde_json::{Value, json};

use super::books::Amounts;
use super::config::Config;
use super::reply::Reply;
use super::wire::{self, Chat, Refusal};

/// Tokens that the API adds to explain a forced tool: its documentation names 313 to 346 for recent models.
const TOOL_TOKENS: u64 = 346;
/// Tokens added to explain an output format, of which the documentation says that there are some.
const FORMAT_TOKENS: u64 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessages {
    #[serde(default)]
    model: String,
    messages: Vec<RawMessage>,
    max_tokens: u64,
    #[serde(default)]
    system: Option<Value>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    stop_sequences: Vec<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    output_config: Option<RawOutput>,
    #[serde(default)]
    tools: Vec<RawTool>,
    #[serde(default)]
    tool_choice: Option<RawChoice>,
    #[serde(default, rename = "metadata")]
    _metadata: Option<Value>,
}

#[derive(Deserialize)]
struct RawMessage {
    role: String,
    content: Value,
}

#[derive(Deserialize)]
struct RawOutput {
    #[serde(default)]
    format: Option<RawFormat>,
}

#[derive(Deserialize)]
struct RawFormat {
    #[serde(rename = "type")]
    kind: String,
    schema: Value,
}

#[derive(Deserialize)]
struct RawTool {
    name: String,
    input_schema: Value,
}

#[derive(Deserialize)]
struct RawChoice {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
}

/// Reads and checks a request.
pub(crate) fn chat(body: &[u8], config: &Config) -> Result<Chat, Refusal> {
    let raw: RawMessages = serde_json::from_slice(body).map_err(|e| invalid(e.to_string()))?;
    wire::model(&raw.model, config)?;
    check(&raw)?;
    let mut texts = Vec::new();
    if let Some(system) = &raw.system {
        texts.push(wire::content(system).ok_or_else(|| invalid("system: no text"))?);
    }
    for message in &raw.messages {
        if !matches!(message.role.as_str(), "user" | "assistant") {
            return Err(invalid(format!("messages: Unexpected role \"{}\"", message.role)));
        }
        let text = wire::content(&message.content).filter(|text| !text.trim().is_empty());
        texts.push(text.ok_or_else(|| invalid("messages: text content blocks must be non-empty"))?);
    }
    let (schema, tool) = schema(&raw, config)?;
    let added = match (&schema, &tool) {
        (_, Some(_)) => TOOL_TOKENS,
        (Some(_), None) => FORMAT_TOKENS,
        (None, None) => 0,
    };
    let text = texts.join("\n");
    let input_tokens = wire::tokens(&text)
        + 4 * texts.len() as u64
        + added
        + schema
            .as_ref()
            .map_or(0, |schema| wire::tokens(&schema.to_string()));
    Ok(Chat {
        text,
        sample: None,
        max_tokens: Some(raw.max_tokens),
        schema,
        tool,
        input_tokens,
    })
}

fn check(raw: &RawMessages) -> Result<(), Refusal> {
    let temperature = raw.temperature.unwrap_or(1.0);
    if raw.messages.is_empty() {
        Err(invalid("messages: at least one message is required"))
    } else if raw.max_tokens == 0 {
        Err(invalid("max_tokens: must be greater than or equal to 1"))
    } else if raw.stream == Some(true) {
        Err(invalid("stream: not offered here"))
    } else if !(0.0..=1.0).contains(&temperature) {
        Err(invalid("temperature: range: 0..1"))
    } else if raw.temperature.is_some() && raw.top_p.is_some() {
        Err(invalid(
            "`temperature` and `top_p` cannot both be specified for this model.",
        ))
    } else if raw.stop_sequences.iter().any(|text| text.trim().is_empty()) {
        Err(invalid(
            "stop_sequences: each stop sequence must contain non-whitespace",
        ))
    } else {
        Ok(())
    }
}

/// The schema asked for, and the tool that takes it, if one does.
fn schema(raw: &RawMessages, config: &Config) -> Result<(Option<Value>, Option<String>), Refusal> {
    let format = raw
        .output_config
        .as_ref()
        .and_then(|output| output.format.as_ref());
    if let Some(format) = format {
        return match (config.structured_output, format.kind.as_str()) {
            (true, "json_schema") => Ok((Some(format.schema.clone()), None)),
            (true, _) => Err(invalid(
                "output_config.format.type: Input should be 'json_schema'",
            )),
            (false, _) => Err(invalid("output_config.format: not supported by this model")),
        };
    }
    let Some(tool) = raw.tools.first() else {
        return Ok((None, None));
    };
    match &raw.tool_choice {
        Some(choice) if choice.kind == "tool" && choice.name.as_ref() == Some(&tool.name) => {
            Ok((Some(tool.input_schema.clone()), Some(tool.name.clone())))
        }
        _ => Err(invalid(
            "tool_choice: must name the tool: no other choice is offered here",
        )),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request", message)
}

/// The answer's body.
pub(crate) fn answer(
    model: &str,
    request: u64,
    reply: &Reply,
    tool: Option<&str>,
    usage: Option<Amounts>,
) -> Value {
    let input = tool.and_then(|name| Some((name, serde_json::from_str::<Value>(&reply.content).ok()?)));
    let (content, natural) = match input {
        Some((name, input)) => {
            let id = format!("toolu_{request:016x}");
            (
                json!({ "type": "tool_use", "id": id, "name": name, "input": input }),
                "tool_use",
            )
        }
        None => (json!({ "type": "text", "text": reply.content }), "end_turn"),
    };
    let mut body = json!({
        "id": format!("msg_{request:016x}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [content],
        "stop_reason": if reply.cut { "max_tokens" } else { natural },
        "stop_sequence": null,
    });
    if let Some(usage) = usage {
        body["usage"] = json!({
            "input_tokens": usage.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": usage.output_tokens,
        });
    }
    body
}

/// Status and body of a refusal. A used-up quota is called a low credit balance here, with 400.
pub(crate) fn refusal(refusal: &Refusal) -> (u16, Value) {
    let (status, message) = match refusal.code {
        "insufficient_quota" => (
            400,
            "Your credit balance is too low to access the API. Please go to Plans & Billing to purchase credits.",
        ),
        _ => (refusal.status, refusal.message.as_str()),
    };
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    (
        status,
        json!({ "type": "error", "error": { "type": kind, "message": message } }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_does_not_take_is_refused() {
        let messages = json!([{ "role": "user", "content": "hello" }]);
        let base = json!({ "model": "sim", "max_tokens": 9, "messages": messages });
        let read = |change: Value| {
            let mut body = base.clone();
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            chat(body.to_string().as_bytes(), &Config::default())
        };
        let good = read(json!({ "system": "Be brief.", "temperature": 0.5 })).unwrap();
        assert_eq!((good.text.as_str(), good.sample), ("Be brief.\nhello", None));
        let tool = json!({ "name": "reply", "input_schema": { "type": "object" } });
        let choice = json!({ "type": "tool", "name": "reply" });
        assert_eq!(
            read(json!({ "tools": [tool], "tool_choice": choice }))
                .unwrap()
                .tool
                .as_deref(),
            Some("reply")
        );
        for (change, part) in [
            (json!({ "seed": 7 }), "seed"),
            (json!({ "temperature": 1.5 }), "temperature"),
            (json!({ "temperature": 0.5, "top_p": 0.9 }), "top_p"),
            (
                json!({ "messages": [{ "role": "system", "content": "x" }] }),
                "role",
            ),
            (
                json!({ "messages": [{ "role": "user", "content": " " }] }),
                "non-empty",
            ),
            (json!({ "stop_sequences": ["\n\n"] }), "stop_sequences"),
            (json!({ "max_tokens": 0 }), "max_tokens"),
            (json!({ "tools": [tool] }), "tool_choice"),
        ] {
            let refused = read(change).unwrap_err();
            assert!(
                refused.status == 400 && refused.message.contains(part),
                "{refused:?}"
            );
        }
    }
}
