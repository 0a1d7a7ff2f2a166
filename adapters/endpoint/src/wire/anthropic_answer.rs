//! Reading Anthropic's messages. Text and usage are read apart, member by member: one that is odd costs nothing but itself.

use gristmill_domain::chat::{Finish, Reported, Response};
use serde_json::Value;

use super::lenient::{self, Content};
use super::{Unread, events};

/// Reads an answer.
pub(super) fn response(bytes: &[u8], model: &str) -> Result<Response, Unread> {
    let answer = if events::is_stream(bytes) {
        events::message(bytes)
    } else {
        lenient::body(bytes)
    };
    let answer = answer.map_err(|error| Unread::garbled("message", &error))?;
    let Some(content) = answer
        .get("content")
        .filter(|content| content.is_array() || content.is_string())
    else {
        return Err(super::stated_error(&answer).unwrap_or_else(|| "its answer has no content".into()));
    };
    let input = content
        .as_array()
        .into_iter()
        .flatten()
        .filter(|block| block["type"] == "tool_use")
        .find_map(|block| lenient::arguments(&block["input"]));
    let Content { text, thinking } = lenient::content(content);
    let finish = match answer["stop_reason"].as_str() {
        Some("end_turn" | "stop_sequence" | "tool_use") | None => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => Finish::ContentFilter,
        Some(_) => Finish::Other,
    };
    Ok(Response {
        text: input.unwrap_or(text),
        thinking,
        finish,
        usage: reported(&answer["usage"]),
        model_version: answer["model"].as_str().unwrap_or(model).to_owned(),
    })
}

/// The report of tokens. Prompt tokens are those that no cache had, those read from it, and those written to it: these at what they cost in
/// other prompt tokens, 1.25 for five minutes and 2 for an hour (Anthropic's documentation, "Prompt caching", pricing).
fn reported(usage: &Value) -> Reported {
    let largest = |paths: &[&str]| lenient::largest(usage, paths);
    let read = largest(&["/cache_read_input_tokens"]);
    let creation = largest(&["/cache_creation_input_tokens"]);
    let written = creation.unwrap_or(0);
    let minutes = largest(&["/cache_creation/ephemeral_5m_input_tokens"]).unwrap_or(0);
    // What is not known to be written for minutes may be written for an hour.
    let hour = largest(&["/cache_creation/ephemeral_1h_input_tokens"])
        .unwrap_or(0)
        .max(written.saturating_sub(minutes));
    let fresh = largest(&["/input_tokens"]);
    Reported {
        input_tokens: fresh.map(|fresh| fresh + read.unwrap_or(0) + 2 * hour + (minutes * 5).div_ceil(4)),
        cached_input_tokens: read.or(Some(0)).filter(|_| fresh.is_some()),
        written_tokens: creation.map(|_| hour.saturating_add(minutes)),
        output_tokens: largest(&["/output_tokens"]),
        // Thinking is among the output tokens, and apart from them nowhere.
        reasoning_tokens: None,
        total_tokens: None,
        cost: None,
    }
}
