//! Reading OpenAI's completions, and what others send in their name.
//!
//! Text and usage are read apart, member by member: one that is odd costs nothing but itself.

use gristmill_domain::chat::{Finish, Reported, Response};
use serde_json::Value;

use super::lenient::{self, Content};
use super::{Unread, events};

/// Reads a completion.
pub(super) fn response(bytes: &[u8], model: &str) -> Result<Response, Unread> {
    let completion = if events::is_stream(bytes) {
        events::completion(bytes)
    } else {
        lenient::body(bytes)
    };
    let completion = completion.map_err(|error| Unread::garbled("completion", &error))?;
    let choices = completion.get("choices");
    let choice = match choices {
        Some(Value::Array(choices)) => choices.first(),
        one => one,
    };
    let Some(choice @ Value::Object(_)) = choice else {
        return Err(super::stated_error(&completion).unwrap_or_else(|| "its answer has no choice".into()));
    };
    let message = choice.get("message").or_else(|| choice.get("delta"));
    let Content { text, mut thinking } = match (message, choice.get("text")) {
        (Some(message @ Value::Object(_)), _) => said(message),
        (Some(Value::String(text)), _) | (_, Some(Value::String(text))) => Content {
            text: text.clone(),
            thinking: String::new(),
        },
        _ => {
            let error = super::stated_error(choice).or_else(|| super::stated_error(&completion));
            return Err(error.unwrap_or_else(|| "its answer has neither a message nor a text".into()));
        }
    };
    for name in ["reasoning_content", "reasoning"] {
        let apart = message.and_then(|message| message.get(name)?.as_str());
        if let Some(apart) = apart.filter(|_| thinking.is_empty()) {
            thinking.push_str(apart);
        }
    }
    let usage = [completion.get("usage"), choice.get("usage")]
        .into_iter()
        .flatten()
        .find(|usage| usage.is_object());
    Ok(Response {
        text,
        thinking,
        finish: finish(choice.get("finish_reason").and_then(Value::as_str)),
        usage: usage.map(reported).unwrap_or_default(),
        model_version: completion
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or(model)
            .to_owned(),
    })
}

/// What was said: as the input of the tool that was asked for, as text, or as a refusal.
fn said(message: &Value) -> Content {
    let calls = match message.get("tool_calls") {
        Some(Value::Array(calls)) => calls.first(),
        one => one,
    };
    let called = calls
        .and_then(|call| call.pointer("/function/arguments"))
        .or_else(|| message.pointer("/function_call/arguments"))
        .and_then(lenient::arguments);
    let mut content = message.get("content").map(lenient::content).unwrap_or_default();
    if let Some(called) = called {
        content.text = called;
    }
    if content.text.is_empty() {
        let refusal = message.get("refusal").and_then(Value::as_str);
        content.text = refusal.unwrap_or_default().to_owned();
    }
    content
}

/// Why it ended, in the words of OpenAI and of those that kept their own.
fn finish(reason: Option<&str>) -> Finish {
    let Some(reason) = reason else {
        return Finish::Stop;
    };
    match reason.to_ascii_lowercase().as_str() {
        "stop" | "tool_calls" | "function_call" | "eos" | "eos_token" | "end_turn" | "stop_sequence" => {
            Finish::Stop
        }
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
        "content_filter" | "safety" | "recitation" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

/// The report of tokens. Where a number is there under two names, the larger one counts.
fn reported(usage: &Value) -> Reported {
    let largest = |paths: &[&str]| lenient::largest(usage, paths);
    let input_tokens = largest(&["/prompt_tokens", "/input_tokens"]);
    // Tokens written to a cache cost up to twice the price of others, at the providers that count them.
    let written = largest(&[
        "/cache_creation_input_tokens",
        "/prompt_tokens_details/cache_creation_tokens",
        "/prompt_tokens_details/cache_write_tokens",
    ]);
    Reported {
        input_tokens: input_tokens.map(|tokens| tokens.saturating_add(2 * written.unwrap_or(0))),
        cached_input_tokens: largest(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/cache_read_input_tokens",
        ]),
        written_tokens: written,
        output_tokens: largest(&["/completion_tokens", "/output_tokens"]),
        reasoning_tokens: largest(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/reasoning_tokens",
        ]),
        total_tokens: largest(&["/total_tokens"]),
        cost: usage
            .pointer("/cost")
            .and_then(Value::as_f64)
            .filter(|usd| usd.is_finite() && *usd > 0.0)
            .map(|usd| (1e6 * usd).ceil() as u64),
    }
}
