//! An endpoint that speaks Gemini's API, against a small server on loopback that is as strict as the API: it checks path, key and body, and
//! answers and refuses in the API's forms.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_domain::chat::{Finish, Message, OutputSchema, Price, Prompt, Request, Role};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use gristmill_endpoint::{Asked, BatchEndpoint, Endpoint, Key, Options, checks};
use gristmill_ports::check::State;
use gristmill_ports::model::{CallError, ChatModel, Scope};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "canary-key-5d19";
const MODEL: &str = "gemini-2.5-flash";
const PRICE: Price = Price {
    input: 300_000,
    cached_input: 75_000,
    output: 2_500_000,
    cache_write: None,
};

/// Starts the server; `answer` replies to requests that are as they should be.
async fn serve(answer: fn(&Value) -> (u16, Value)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(exchange(stream, answer));
        }
    });
    format!("http://{address}/v1beta")
}

/// Reads one request and answers it.
async fn exchange(mut stream: TcpStream, answer: fn(&Value) -> (u16, Value)) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, reply) = reply(&head, &body, answer);
    let reply = reply.to_string();
    let answer = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{reply}",
        reply.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn reply(head: &str, body: &str, answer: fn(&Value) -> (u16, Value)) -> (u16, Value) {
    if header(head, "x-goog-api-key") != Some(KEY) {
        let detail =
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"});
        let message = "API key not valid. Please pass a valid API key.";
        return (400, error(400, message, "INVALID_ARGUMENT", &json!([detail])));
    }
    let asked = head.lines().next().unwrap_or_default();
    if asked.starts_with("GET /v1beta/models ") || asked.starts_with("GET /v1beta/models?pageSize=1000 ") {
        return (200, json!({"models": [{"name": format!("models/{MODEL}")}]}));
    }
    if !asked.starts_with(&format!("POST /v1beta/models/{MODEL}:generateContent ")) {
        let message = format!("models/x is not found for API version v1beta: {asked}");
        return (404, error(404, &message, "NOT_FOUND", &json!([])));
    }
    let body: Value = serde_json::from_str(body).unwrap();
    match unknown_member(&body) {
        Some(name) => {
            let message = format!("Invalid JSON payload received. Unknown name \"{name}\".");
            (400, error(400, &message, "INVALID_ARGUMENT", &json!([])))
        }
        None => answer(&body),
    }
}

/// The API refuses members that it does not know.
fn unknown_member(body: &Value) -> Option<String> {
    let of = |object: &Value, known: &[&str]| {
        let members = object.as_object().into_iter().flat_map(|object| object.keys());
        members
            .into_iter()
            .find(|name| !known.contains(&name.as_str()))
            .cloned()
    };
    let body_members = [
        "contents",
        "systemInstruction",
        "generationConfig",
        "tools",
        "toolConfig",
        "safetySettings",
    ];
    let config_members = [
        "maxOutputTokens",
        "temperature",
        "topP",
        "seed",
        "stopSequences",
        "responseMimeType",
        "responseJsonSchema",
        "thinkingConfig",
    ];
    of(body, &body_members).or_else(|| of(&body["generationConfig"], &config_members))
}

fn error(code: u16, message: &str, status: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
}

/// Answers in the form that was asked for: as the arguments of the function, else as text.
fn answered(body: &Value) -> (u16, Value) {
    let reply = json!({"answer": "4"});
    let function = body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"][0].as_str();
    let part = match function {
        Some(name) => json!({"functionCall": {"name": name, "args": reply}}),
        None => {
            assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
            json!({"text": reply.to_string()})
        }
    };
    assert_eq!(body["contents"][0]["role"], "user");
    assert_eq!(
        body["systemInstruction"]["parts"][0]["text"],
        "You solve problems."
    );
    let candidate = json!({
        "content": {"parts": [{"text": "Two and two.", "thought": true}, part], "role": "model"},
        "finishReason": "STOP", "index": 0,
    });
    let usage = json!({
        "promptTokenCount": 20, "candidatesTokenCount": 8, "thoughtsTokenCount": 40, "totalTokenCount": 68,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    });
    (
        200,
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r"}),
    )
}

fn options(base_url: String, structured: Structured) -> Options {
    Options {
        api: Api::Gemini,
        base_url,
        model: MODEL.into(),
        key: Some(Key::new(KEY)),
        headers: BTreeMap::new(),
        body: serde_json::Map::new(),
        structured,
        token_limit_key: TokenLimitKey::MaxTokens,
        billed_on_error: false,
        link_local: false,
    }
}

fn request() -> Request {
    let said = |role, content: &str| Message {
        role,
        content: content.into(),
    };
    Request {
        prompt: Prompt::Chat(vec![
            said(Role::System, "You solve problems."),
            said(Role::User, "What is two and two?"),
        ]),
        max_tokens: 100,
        temperature: 0.8,
        top_p: 0.95,
        seed: 7,
        stop: vec!["END".into()],
        schema: Some(OutputSchema {
            name: "answer".into(),
            schema: json!({"type": "object", "properties": {"answer": {"type": "string"}}}),
        }),
    }
}

#[tokio::test]
async fn a_missing_version_is_named_with_the_address_to_write() {
    let url = serve(answered).await;
    let bare = url.trim_end_matches("/v1beta").to_owned();
    let endpoint = Endpoint::new(options(bare, Structured::JsonSchema)).unwrap();
    let refused = endpoint.complete(&request()).await.unwrap_err();
    let CallError::NotBilled { reason, scope, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(scope, Scope::Endpoint);
    assert!(reason.contains(&format!("write `base_url: {url}`")), "{reason}");
    assert!(reason.contains("(api: gemini)"), "{reason}");
    // With a version in it, another 404 is not blamed on the address.
    let mut other = options(url, Structured::JsonSchema);
    other.model = "gemini-0".into();
    let refused = Endpoint::new(other).unwrap();
    let refused = refused.complete(&request()).await.unwrap_err();
    assert!(!refused.to_string().contains("write `base_url"), "{refused}");
}

#[tokio::test]
async fn every_structure_is_answered_and_booked_with_its_thinking() {
    let url = serve(answered).await;
    for structured in [Structured::JsonSchema, Structured::JsonObject, Structured::Tool] {
        let mut options = options(url.clone(), structured);
        let thinking = json!({"thinkingConfig": {"includeThoughts": true}});
        options.body.insert("generationConfig".into(), thinking);
        let endpoint = Endpoint::new(options).unwrap();
        endpoint.probe().await.unwrap();
        let response = endpoint.complete(&request()).await.unwrap();
        assert_eq!(response.text, r#"{"answer":"4"}"#, "{structured:?}");
        assert_eq!(
            (
                response.thinking.as_str(),
                response.finish,
                response.model_version.as_str()
            ),
            ("Two and two.", Finish::Stop, MODEL)
        );
        let booked = PRICE.booked(&request(), &response);
        assert_eq!((booked.input_tokens, booked.output_tokens), (20, 48));
        assert!(PRICE.cost(booked).fits_in(PRICE.worst_case(&request())));
    }
}

#[tokio::test]
async fn an_address_is_reached_as_people_copy_it() {
    let url = serve(answered).await;
    for written in ["/", "/models", "/models/other-model:generateContent"] {
        let options = options(format!("{url}{written}"), Structured::JsonSchema);
        let endpoint = Endpoint::new(options).unwrap();
        let response = endpoint.complete(&request()).await;
        assert!(response.is_ok(), "{written}: {response:?}");
    }
}

#[tokio::test]
async fn a_blocked_prompt_is_an_answer_of_the_filter() {
    let url = serve(|_| {
        let usage = json!({"promptTokenCount": 20, "totalTokenCount": 20});
        (
            200,
            json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}),
        )
    })
    .await;
    let endpoint = Endpoint::new(options(url, Structured::JsonSchema)).unwrap();
    let response = endpoint.complete(&request()).await.unwrap();
    assert_eq!(
        (response.text.as_str(), response.finish),
        ("", Finish::ContentFilter)
    );
    let booked = PRICE.booked(&request(), &response);
    assert_eq!((booked.input_tokens, booked.output_tokens), (20, 0));
}

/// A used-up quota, whose message does not say which.
fn exhausted(quota: &str) -> (u16, Value) {
    let message = "You exceeded your current quota, please check your plan and billing details. For more information on this error, \
        head to: https://ai.google.dev/gemini-api/docs/rate-limits.";
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"},
    ]);
    (429, error(429, message, "RESOURCE_EXHAUSTED", &details))
}

#[tokio::test]
async fn refusals_say_whom_they_concern_and_how_long_to_wait() {
    type Answer = fn(&Value) -> (u16, Value);
    let minute: Answer = |_| exhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    let day: Answer = |_| exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    let overloaded: Answer = |_| {
        let message = "The model is overloaded. Please try again later.";
        (503, error(503, message, "UNAVAILABLE", &json!([])))
    };
    let failed: Answer = |_| {
        let message = "An internal error has occurred.";
        (500, error(500, message, "INTERNAL", &json!([])))
    };
    let region: Answer = |_| {
        let message = "User location is not supported for the API use.";
        (400, error(400, message, "FAILED_PRECONDITION", &json!([])))
    };
    let argument: Answer = |_| {
        let message = "Unable to submit request because it must have a text parameter.";
        (400, error(400, message, "INVALID_ARGUMENT", &json!([])))
    };
    let wait = Some(Duration::from_secs(17));
    for (answer, scope, retry_after) in [
        (minute, Scope::Throttled, wait),
        (day, Scope::Quota, wait),
        (overloaded, Scope::Throttled, None),
        (failed, Scope::Failed, None),
        (region, Scope::Endpoint, None),
        (argument, Scope::Request, None),
    ] {
        let url = serve(answer).await;
        let endpoint = Endpoint::new(options(url, Structured::JsonSchema)).unwrap();
        match endpoint.complete(&request()).await {
            Err(CallError::NotBilled {
                scope: said,
                retry_after: told,
                reason,
            }) => assert_eq!((said, told), (scope, retry_after), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_list_of_models_says_whether_key_and_model_are_right() {
    let url = serve(answered).await;
    let look = async |key: &str, model: &str| {
        let options = Options {
            key: Some(Key::new(key)),
            model: model.into(),
            ..options(url.clone(), Structured::None)
        };
        let found = checks(options, &Asked::default()).await;
        assert!(!format!("{found:?}").contains("canary"), "{found:#?}");
        let states = found.iter().map(|check| (check.name, check.state));
        states.collect::<BTreeMap<_, _>>()
    };
    let right = look(KEY, MODEL).await;
    assert_eq!((right["key"], right["model"]), (State::Ok, State::Ok));
    let copied = look(KEY, &format!("models/{MODEL}")).await;
    assert_eq!(copied["model"], State::Ok);
    let missing = look(KEY, "gemini-2.5-flesh").await;
    assert_eq!((missing["key"], missing["model"]), (State::Ok, State::Failed));
    let wrong = look("canary-wrong-0000", MODEL).await;
    assert_eq!((wrong["key"], wrong["model"]), (State::Failed, State::NotChecked));
}

#[tokio::test]
async fn a_wrong_key_fails_the_probe_and_is_shown_nowhere() {
    let url = serve(answered).await;
    let wrong = Options {
        key: Some(Key::new("canary-wrong-0000")),
        ..options(url, Structured::None)
    };
    let endpoint = Endpoint::new(wrong).unwrap();
    for refused in [
        endpoint.probe().await.unwrap_err(),
        endpoint.complete(&request()).await.unwrap_err(),
    ] {
        let told = format!("{refused} {refused:?} {endpoint:?}");
        assert!(
            told.contains("API key not valid") && !told.contains("canary"),
            "{told}"
        );
        assert!(
            matches!(
                refused,
                CallError::NotBilled {
                    scope: Scope::Endpoint,
                    ..
                }
            ),
            "{told}"
        );
    }
}

#[tokio::test]
async fn batches_are_refused_before_anything_is_sent() {
    let refused = BatchEndpoint::new(options("http://127.0.0.1:9/v1beta".into(), Structured::None));
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("is not asked in batches"), "{told}");
}
