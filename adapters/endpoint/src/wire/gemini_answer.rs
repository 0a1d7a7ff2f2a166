//! Reading Gemini's answers. Text and usage are read apart, member by member: one that is odd costs nothing but itself.

use gristmill_domain::chat::{Finish, Reported, Response};
use serde_json::Value;

use super::{Unread, events, lenient};

/// Reads an answer. Some gateways stream, though no stream was asked for: as events, or as one list of pieces.
pub(super) fn response(bytes: &[u8], model: &str) -> Result<Response, Unread> {
    let garbled = |error: String| Unread::garbled("Gemini answer", &error);
    let (pieces, streamed) = if events::is_stream(bytes) {
        (events::pieces(bytes).map_err(garbled)?, true)
    } else {
        match lenient::body(bytes).map_err(garbled)? {
            Value::Array(pieces) => (pieces, true),
            whole => (vec![whole], false),
        }
    };
    let candidates: Vec<&Value> = pieces
        .iter()
        .filter_map(|piece| piece.pointer("/candidates/0"))
        .filter(|candidate| candidate.is_object())
        .collect();
    let is_blocked = pieces
        .iter()
        .any(|piece| piece["promptFeedback"]["blockReason"].is_string());
    if candidates.is_empty() && !is_blocked {
        let stated = pieces.iter().find_map(super::stated_error);
        return Err(stated.unwrap_or_else(|| "its answer has no candidate".into()));
    }
    let reason = candidates
        .iter()
        .rev()
        .find_map(|candidate| candidate["finishReason"].as_str());
    if streamed && reason.is_none() && !is_blocked {
        return Err("its stream ends in the middle of the answer".into());
    }
    let Said {
        text,
        thinking,
        arguments,
    } = said(&candidates);
    let last = |name: &str| {
        let mut values = pieces.iter().rev().filter_map(|piece| piece.get(name));
        values.find(|value| !value.is_null())
    };
    Ok(Response {
        text: arguments.unwrap_or(text),
        thinking,
        finish: if is_blocked {
            Finish::ContentFilter
        } else {
            finish(reason)
        },
        usage: last("usageMetadata").map(reported).unwrap_or_default(),
        model_version: last("modelVersion")
            .and_then(Value::as_str)
            .unwrap_or(model)
            .to_owned(),
    })
}

/// What the parts of an answer add up to.
#[derive(Default)]
struct Said {
    text: String,
    thinking: String,
    /// Those of the first function that is called.
    arguments: Option<String>,
}

fn said(candidates: &[&Value]) -> Said {
    let mut said = Said::default();
    let parts = candidates
        .iter()
        .filter_map(|candidate| candidate["content"]["parts"].as_array())
        .flatten();
    for part in parts {
        let text = part["text"].as_str().unwrap_or_default();
        if part["thought"] == true {
            said.thinking.push_str(text);
        } else {
            said.text.push_str(text);
        }
        if said.arguments.is_none() {
            said.arguments = lenient::arguments(&part["functionCall"]["args"]);
        }
    }
    said
}

/// Why it ended. Filters have several names; those of pictures and tools that were not asked for are among the rest.
fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("STOP") | None => Finish::Stop,
        Some("MAX_TOKENS") => Finish::Length,
        Some("SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII") => Finish::ContentFilter,
        Some(_) => Finish::Other,
    }
}

/// The report of tokens. A count of zero is left out of it.
fn reported(usage: &Value) -> Reported {
    let count = |name: &str| usage.get(name).and_then(lenient::count);
    let thoughts = count("thoughtsTokenCount");
    let results = count("toolUsePromptTokenCount").unwrap_or(0);
    Reported {
        input_tokens: count("promptTokenCount").map(|tokens| tokens.saturating_add(results)),
        cached_input_tokens: count("cachedContentTokenCount"),
        written_tokens: None,
        // Without a count of the answer, the total says more than the thoughts alone.
        output_tokens: count("candidatesTokenCount")
            .map(|tokens| tokens.saturating_add(thoughts.unwrap_or(0))),
        reasoning_tokens: thoughts,
        total_tokens: count("totalTokenCount"),
        cost: None,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::chat::{Message, Price, Prompt, Request, Role, Usage};
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Response {
        response(body.to_string().as_bytes(), "asked").unwrap()
    }

    fn wrong(body: &str) -> Unread {
        response(body.as_bytes(), "asked").unwrap_err()
    }

    #[test]
    fn answers_are_read_with_all_that_was_billed() {
        let whole = read(&json!({
            "candidates": [{
                "content": {"parts": [
                    {"text": "hm", "thought": true},
                    {"text": "Be", "thoughtSignature": "x"}, {"text": "cause."},
                ], "role": "model"},
                "finishReason": "STOP", "index": 0, "avgLogprobs": -0.1,
            }],
            "usageMetadata": {
                "promptTokenCount": 40, "cachedContentTokenCount": 30, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 120, "totalTokenCount": 165,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            },
            "modelVersion": "gemini-2.5-flash", "responseId": "r",
        }));
        assert_eq!(
            (whole.text.as_str(), whole.thinking.as_str(), whole.finish),
            ("Because.", "hm", Finish::Stop)
        );
        assert_eq!(whole.model_version, "gemini-2.5-flash");
        assert_eq!(
            whole.usage,
            Reported {
                input_tokens: Some(40),
                cached_input_tokens: Some(30),
                written_tokens: None,
                output_tokens: Some(125),
                reasoning_tokens: Some(120),
                total_tokens: Some(165),
                cost: None,
            }
        );
        let call = json!({"name": "reply", "args": {"a": 1}});
        let tool = read(&json!({"candidates": [{
            "content": {"parts": [{"text": "Here:"}, {"functionCall": call}]}, "finishReason": "STOP",
        }]}));
        assert_eq!(
            (tool.text.as_str(), tool.usage),
            ("{\"a\":1}", Reported::default())
        );
        for (reason, finish) in [
            ("MAX_TOKENS", Finish::Length),
            ("SAFETY", Finish::ContentFilter),
            ("RECITATION", Finish::ContentFilter),
            ("PROHIBITED_CONTENT", Finish::ContentFilter),
            ("MALFORMED_FUNCTION_CALL", Finish::Other),
            ("OTHER", Finish::Other),
        ] {
            // An answer that a filter took, and one that thinking used up, have no parts.
            let empty =
                read(&json!({"candidates": [{"content": {"role": "model"}, "finishReason": reason}]}));
            assert_eq!((empty.text.as_str(), empty.finish), ("", finish), "{reason}");
        }
    }

    /// What an answer is booked at, with 100 completion tokens at most.
    fn booked(candidate: &Value, usage: &Value) -> Usage {
        let request = Request {
            prompt: Prompt::Chat(vec![Message {
                role: Role::User,
                content: "Why?".into(),
            }]),
            max_tokens: 100,
            temperature: 1.0,
            top_p: 1.0,
            seed: 0,
            stop: Vec::new(),
            schema: None,
        };
        let price = Price {
            input: 1,
            cached_input: 1,
            output: 4,
            cache_write: None,
        };
        price.booked(
            &request,
            &read(&json!({"candidates": [candidate], "usageMetadata": usage})),
        )
    }

    #[test]
    fn reports_that_leave_counts_out_are_not_believed_downwards() {
        let answer = json!({"content": {"parts": [{"text": "Because."}]}, "finishReason": "STOP"});
        let thought = json!({"content": {"role": "model"}, "finishReason": "MAX_TOKENS"});
        for (candidate, usage, output) in [
            // Thinking is booked without a total, too.
            (
                &answer,
                json!({"promptTokenCount": 4, "candidatesTokenCount": 20, "thoughtsTokenCount": 10}),
                30,
            ),
            (
                &answer,
                json!({"promptTokenCount": 4, "candidatesTokenCount": 20, "totalTokenCount": 54}),
                50,
            ),
            // No count of the answer: the total has it, or else the limit.
            (
                &answer,
                json!({"promptTokenCount": 4, "thoughtsTokenCount": 10, "totalTokenCount": 34}),
                30,
            ),
            (
                &answer,
                json!({"promptTokenCount": 4, "thoughtsTokenCount": 10}),
                100,
            ),
            (
                &thought,
                json!({"promptTokenCount": 4, "thoughtsTokenCount": 97, "totalTokenCount": 101}),
                100,
            ),
            (&answer, json!(null), 100),
        ] {
            assert_eq!(booked(candidate, &usage).output_tokens, output, "{usage}");
        }
    }

    #[test]
    fn a_blocked_prompt_is_a_filtered_answer_that_cost_its_prompt() {
        let blocked = read(&json!({
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
            "modelVersion": "gemini-2.5-flash",
        }));
        assert_eq!(
            (blocked.text.as_str(), blocked.finish),
            ("", Finish::ContentFilter)
        );
        assert_eq!(blocked.usage.input_tokens, Some(12));
    }

    #[test]
    fn a_stream_that_nobody_asked_for_is_put_together() {
        let pieces = [
            json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}]}}], "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}),
            json!({"candidates": [{"content": {"parts": [{"text": "fo"}]}}], "modelVersion": "g-1"}),
            json!({"candidates": [{"content": {"parts": [{"text": "ur"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}}),
        ];
        let events: String = pieces
            .iter()
            .map(|piece| format!("data: {piece}\r\n\r\n"))
            .collect();
        for body in [events.clone(), json!(pieces).to_string()] {
            let whole = response(body.as_bytes(), "asked").unwrap();
            assert_eq!((whole.text.as_str(), whole.thinking.as_str()), ("four", "hm"));
            assert_eq!(
                (whole.model_version.as_str(), whole.usage.output_tokens),
                ("g-1", Some(2))
            );
        }
        let cut = &events[..events
            .find("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ur\"")
            .unwrap()];
        assert!(wrong(cut).what.contains("in the middle"));
    }

    #[test]
    fn what_cannot_be_read_says_what_it_is() {
        assert!(
            wrong("<html>")
                .what
                .starts_with("its answer is not a Gemini answer")
        );
        assert_eq!(wrong("{}").what, "its answer has no candidate");
        let stated = wrong(r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#);
        assert_eq!((stated.what.as_str(), stated.status), ("overloaded", Some(503)));
        let listed = wrong(r#"[{"error":{"code":429,"message":"slow down"}}]"#);
        assert_eq!(listed.status, Some(429));
    }
}
