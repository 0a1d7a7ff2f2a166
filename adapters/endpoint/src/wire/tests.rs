//! Bodies as providers send them, to the byte, and what is read from them.

use gristmill_domain::chat::{Finish, Reported, Response};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use serde_json::{Map, Value, json};

use super::{Unread, Wire};

fn read(api: Api, body: &str) -> Result<Response, Unread> {
    let wire = Wire {
        api,
        model: "asked".into(),
        structured: Structured::None,
        token_limit_key: TokenLimitKey::MaxTokens,
        body: Map::new(),
    };
    wire.response(body.as_bytes())
}

fn openai(body: &str) -> Response {
    read(Api::Openai, body).unwrap()
}

fn anthropic(body: &Value) -> Response {
    read(Api::Anthropic, &body.to_string()).unwrap()
}

/// A completion with this usage, as text.
fn with_usage(usage: &str) -> Reported {
    let response = openai(&format!(
        r#"{{"choices":[{{"message":{{"content":"four"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    ));
    assert_eq!(response.text, "four", "the answer is kept whatever the usage is");
    response.usage
}

fn tokens(input: Option<u64>, output: Option<u64>) -> Reported {
    Reported {
        input_tokens: input,
        output_tokens: output,
        ..Reported::default()
    }
}

#[test]
fn usage_is_read_member_by_member() {
    let both = tokens(Some(223), Some(45));
    for (usage, wanted) in [
        (r#"{"prompt_tokens":223,"completion_tokens":45}"#, both),
        (r#"{"prompt_tokens":223.0,"completion_tokens":"45"}"#, both),
        (r#"{"input_tokens":223,"output_tokens":45}"#, both),
        (
            r#"{"prompt_tokens":223,"completion_tokens":45,"prompt_tokens_details":{"cached_tokens":null}}"#,
            both,
        ),
        (
            r#"{"prompt_tokens":223,"completion_tokens":45,"prompt_tokens_details":null,"completion_tokens_details":[]}"#,
            both,
        ),
        (
            r#"{"prompt_tokens":223,"completion_tokens":null}"#,
            tokens(Some(223), None),
        ),
        (
            r#"{"prompt_tokens":-1,"completion_tokens":45}"#,
            tokens(None, Some(45)),
        ),
        (
            r#"{"prompt_tokens":NaN,"completion_tokens":45}"#,
            tokens(None, Some(45)),
        ),
        ("{}", Reported::default()),
        ("null", Reported::default()),
        ("\"none\"", Reported::default()),
        ("[]", Reported::default()),
    ] {
        assert_eq!(with_usage(usage), wanted, "{usage}");
    }
    let apart = r#"{"prompt_tokens":223,"completion_tokens":45,"total_tokens":568,"completion_tokens_details":{"reasoning_tokens":300}}"#;
    assert_eq!(
        with_usage(apart),
        Reported {
            reasoning_tokens: Some(300),
            total_tokens: Some(568),
            ..both
        }
    );
    let cached = r#"{"prompt_tokens":223,"completion_tokens":45,"prompt_cache_hit_tokens":128,"cache_creation_input_tokens":10}"#;
    assert_eq!(
        with_usage(cached),
        Reported {
            cached_input_tokens: Some(128),
            written_tokens: Some(10),
            ..tokens(Some(243), Some(45))
        }
    );
    let routed = r#"{"prompt_tokens":223,"completion_tokens":45,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":10}}"#;
    assert_eq!(
        with_usage(routed),
        Reported {
            cached_input_tokens: Some(0),
            written_tokens: Some(10),
            ..tokens(Some(243), Some(45))
        }
    );
}

fn said(message: &str) -> String {
    openai(&format!(r#"{{"choices":[{{"message":{message}}}]}}"#)).text
}

#[test]
fn content_and_arguments_are_read_in_every_form() {
    assert_eq!(
        said(r#"{"content":[{"type":"text","text":"fo"},{"type":"text","text":"ur"}]}"#),
        "four"
    );
    assert_eq!(said(r#"{"content":{"answer":"4"}}"#), r#"{"answer":"4"}"#);
    assert_eq!(said(r#"{"content":null,"refusal":"No."}"#), "No.");
    assert_eq!(
        said(r#"{"content":"","tool_calls":[{"function":{"name":"a","arguments":{"answer":"4"}}}]}"#),
        r#"{"answer":"4"}"#
    );
    assert_eq!(
        said(r#"{"tool_calls":[{"function":{"arguments":"{\"answer\":\"4\"}"}}]}"#),
        r#"{"answer":"4"}"#
    );
    assert_eq!(said(r#"{"tool_calls":[],"content":"four"}"#), "four");
    assert_eq!(said(r#"{"tool_calls":null,"content":"four"}"#), "four");
    assert_eq!(
        said(r#"{"tool_calls":[{"function":{"arguments":""}}],"content":"four"}"#),
        "four"
    );
    assert_eq!(
        said(r#"{"function_call":{"arguments":{"answer":"4"}}}"#),
        r#"{"answer":"4"}"#
    );
    assert_eq!(said(r#"{"content":"half \ud83d of it"}"#), "half \u{fffd} of it");
    assert_eq!(
        openai(r#"{"choices":[{"text":"four"}],"model":"m-1"}"#).model_version,
        "m-1"
    );
    assert_eq!(
        openai(r#"{"choices":[{"text":"four","logprobs":{"a":-Infinity}}],"model":5}"#).model_version,
        "asked"
    );
    let thought = openai(
        r#"{"choices":[{"message":{"content":null,"reasoning_content":"hm"},"finish_reason":"length"}]}"#,
    );
    assert_eq!(
        (thought.text.as_str(), thought.thinking.as_str(), thought.finish),
        ("", "hm", Finish::Length)
    );
    for (reason, finish) in [
        ("\"stop\"", Finish::Stop),
        ("\"STOP\"", Finish::Stop),
        ("\"MAX_TOKENS\"", Finish::Length),
        ("\"content_filter\"", Finish::ContentFilter),
        ("null", Finish::Stop),
        ("5", Finish::Stop),
        ("\"abort\"", Finish::Other),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":{reason}}}]}}"#);
        assert_eq!(openai(&body).finish, finish, "{reason}");
    }
}

#[test]
fn a_stream_that_nobody_asked_for_is_put_together() {
    let stream = concat!(
        ": PROCESSING\n\n",
        "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"fo\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ur\"},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":223,\"completion_tokens\":45}}\n\n",
        "data: [DONE]\n\n",
    );
    for stream in [
        stream.to_owned(),
        stream.replace('\n', "\r\n"),
        stream.replace("\n\n", "\n"),
    ] {
        let response = openai(&stream);
        assert_eq!(
            (response.text.as_str(), response.thinking.as_str()),
            ("four", "hm")
        );
        assert_eq!(
            (response.finish, response.model_version.as_str()),
            (Finish::Length, "m-1")
        );
        assert_eq!(response.usage, tokens(Some(223), Some(45)));
    }
    let tool = concat!(
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"a\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"4}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
    );
    assert_eq!(openai(tool).text, "{\"a\":4}");
    let cut = "data: {\"choices\":[{\"delta\":{\"content\":\"fo\"}}]}\n\n";
    assert!(read(Api::Openai, cut).unwrap_err().what.contains("in the middle"));
    let failed = "data: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n";
    assert_eq!(read(Api::Openai, failed).unwrap_err().status, Some(529));
}

#[test]
fn anthropics_events_are_put_together() {
    let stream = [
        json!({"type": "message_start", "message": {"model": "claude-1", "content": [], "usage": {"input_tokens": 20, "cache_read_input_tokens": 7, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "reply", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "4}"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 15}}),
        json!({"type": "message_stop"}),
    ];
    let stream: String = stream
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect();
    let response = read(Api::Anthropic, &stream).unwrap();
    assert_eq!(
        (response.text.as_str(), response.thinking.as_str()),
        ("{\"a\":4}", "hm")
    );
    assert_eq!(response.model_version, "claude-1");
    assert_eq!(
        response.usage,
        Reported {
            cached_input_tokens: Some(7),
            ..tokens(Some(27), Some(15))
        }
    );
    let cut = &stream[..stream.find("event: message_delta").unwrap()];
    assert!(read(Api::Anthropic, cut).is_err());
}

#[test]
fn anthropics_answers_are_read_with_all_that_was_billed() {
    let text = json!([
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "Be"}, {"type": "text", "text": "cause."},
    ]);
    let answer = |stop: &str, usage: Value| {
        anthropic(&json!({"model": "claude-1", "content": text, "stop_reason": stop, "usage": usage}))
    };
    let whole = answer(
        "end_turn",
        json!({"input_tokens": 10, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 0, "output_tokens": 5}),
    );
    assert_eq!(
        (whole.text.as_str(), whole.thinking.as_str(), whole.finish),
        ("Because.", "hm", Finish::Stop)
    );
    let cached = |input, cached| Reported {
        cached_input_tokens: Some(cached),
        ..tokens(Some(input), Some(5))
    };
    let written = |input, cached_tokens, written| Reported {
        written_tokens: Some(written),
        ..cached(input, cached_tokens)
    };
    assert_eq!(whole.usage, written(40, 30, 0));
    for (usage, wanted) in [
        (
            json!({"input_tokens": 10, "cache_creation_input_tokens": 2000, "output_tokens": 5}),
            written(4010, 0, 2000),
        ),
        (
            json!({"input_tokens": 10, "cache_creation_input_tokens": 2000, "output_tokens": 5,
                   "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 0}}),
            written(2510, 0, 2000),
        ),
        (
            json!({"input_tokens": 10.0, "cache_read_input_tokens": null, "output_tokens": "5"}),
            cached(10, 0),
        ),
        (json!({"output_tokens": 5}), tokens(None, Some(5))),
        (json!(null), Reported::default()),
    ] {
        assert_eq!(answer("end_turn", usage.clone()).usage, wanted, "{usage}");
    }
    let plain = json!({"input_tokens": 10, "output_tokens": 5});
    for (stop, finish) in [
        ("stop_sequence", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("refusal", Finish::ContentFilter),
        ("pause_turn", Finish::Other),
    ] {
        assert_eq!(answer(stop, plain.clone()).finish, finish, "{stop}");
    }
    let tool = json!([{"type": "text", "text": "Here:"}, {"type": "tool_use", "id": "t", "name": "reply", "input": {"a": 1}}]);
    let tool = anthropic(&json!({"content": tool, "stop_reason": "tool_use"}));
    assert_eq!(tool.text, "{\"a\":1}");
}

#[test]
fn what_cannot_be_read_says_what_it_is() {
    let wrong = |api, body: &str| read(api, body).unwrap_err();
    assert!(
        wrong(Api::Openai, "<html>")
            .what
            .starts_with("its answer is not a completion")
    );
    assert!(
        wrong(Api::Openai, "")
            .what
            .starts_with("its answer is not a completion")
    );
    assert_eq!(wrong(Api::Openai, "{}").what, "its answer has no choice");
    assert_eq!(
        wrong(Api::Openai, r#"{"choices":[]}"#).what,
        "its answer has no choice"
    );
    assert!(
        wrong(Api::Openai, r#"{"choices":[{"index":0}]}"#)
            .what
            .contains("neither a message")
    );
    let stated = wrong(Api::Openai, r#"{"error":{"message":"slow down","code":429}}"#);
    assert_eq!((stated.what.as_str(), stated.status), ("slow down", Some(429)));
    let stated = wrong(Api::Openai, r#"{"error":"model not loaded"}"#);
    assert_eq!(
        (stated.what.as_str(), stated.status),
        ("its answer is an error: model not loaded", None)
    );
    assert_eq!(
        wrong(Api::Anthropic, r#"{"content": 3}"#).what,
        "its answer has no content"
    );
}
