//! Endpoints and batches against the simulated service, by both APIs, with the service's own bill as the judge.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use gristmill_domain::chat::{Finish, Message, OutputSchema, Price, Prompt, Request, Response, Role};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use gristmill_endpoint::{Asked, BatchEndpoint, Endpoint, Key, Options, checks};
use gristmill_ports::batch::{BatchId, BatchModel, BatchRequest, BatchResult, BatchState};
use gristmill_ports::check::State;
use gristmill_ports::model::{CallError, ChatModel, Scope};
use gristmill_tests::sim::{Config, Faults, Quality, Sim};
use serde_json::json;

const KEY: &str = "sk-canary-71c0";
const PRICE: Price = Price {
    input: 150_000,
    cached_input: 150_000,
    output: 600_000,
    cache_write: None,
};

fn start(faults: Faults) -> Sim {
    Sim::start(Config {
        seed: 5,
        api_key: Some(KEY.to_owned()),
        quality: Quality::perfect(),
        faults,
        ..Config::default()
    })
    .unwrap()
}

fn options(sim: &Sim, api: Api, structured: Structured) -> Options {
    Options {
        api,
        base_url: sim.url(),
        model: "sim".into(),
        key: Some(Key::new(KEY)),
        headers: BTreeMap::new(),
        body: serde_json::Map::new(),
        structured,
        token_limit_key: TokenLimitKey::MaxTokens,
        billed_on_error: true,
        link_local: false,
    }
}

fn request(number: u32) -> Request {
    let question = format!("Nora has {number} pens and buys as many again. How many pens does she have?");
    let said = |role, content: String| Message { role, content };
    let schema = json!({
        "type": "object", "required": ["reasoning", "answer"], "additionalProperties": false,
        "properties": { "reasoning": { "type": "string" }, "answer": { "type": "string" } },
    });
    Request {
        prompt: Prompt::Chat(vec![
            said(Role::System, "You solve problems.".into()),
            said(
                Role::User,
                format!("Answer the question. <question>{question}</question>"),
            ),
        ]),
        max_tokens: 400,
        temperature: 0.8,
        top_p: 0.95,
        seed: number,
        stop: Vec::new(),
        schema: Some(OutputSchema {
            name: "answer".into(),
            schema,
        }),
    }
}

/// The reply has the asked members.
fn is_whole(response: &Response) -> bool {
    let reply: serde_json::Value = serde_json::from_str(&response.text).unwrap();
    ["reasoning", "answer"]
        .iter()
        .all(|name| reply[name].as_str().is_some_and(|text| !text.is_empty()))
}

#[tokio::test]
async fn both_apis_answer_in_both_structures_within_the_worst_case() {
    for api in [Api::Openai, Api::Anthropic] {
        for structured in [Structured::JsonSchema, Structured::Tool] {
            let sim = start(Faults::default());
            let endpoint = Endpoint::new(options(&sim, api, structured)).unwrap();
            endpoint.probe().await.unwrap();
            let mut spent = 0;
            for number in 1..=20 {
                let request = request(number);
                let response = endpoint.complete(&request).await.unwrap();
                assert!(is_whole(&response), "{api:?} {structured:?}: {}", response.text);
                assert_eq!(
                    (response.finish, response.model_version.as_str()),
                    (Finish::Stop, "sim")
                );
                let cost = PRICE.cost(PRICE.booked(&request, &response));
                assert!(cost.fits_in(PRICE.worst_case(&request)));
                spent += cost.usd.0;
            }
            assert_eq!(spent, sim.bill().total.micro_usd, "{api:?} {structured:?}");
        }
    }
}

#[tokio::test]
async fn failures_say_what_they_cost() {
    type Expected = fn(&CallError) -> bool;
    let throttled: Expected = |error| {
        let CallError::NotBilled {
            retry_after, scope, ..
        } = error
        else {
            return false;
        };
        *scope == Scope::Throttled && *retry_after == Some(Duration::from_secs(1))
    };
    let quota: Expected = |error| {
        matches!(
            error,
            CallError::NotBilled {
                scope: Scope::Quota,
                ..
            }
        )
    };
    let unknown: Expected = |error| matches!(error, CallError::Unknown { .. });
    let none = Faults::default;
    let cases: [(Faults, Expected); 6] = [
        (
            Faults {
                too_many: 1.0,
                ..none()
            },
            throttled,
        ),
        (
            Faults {
                overloaded: 1.0,
                ..none()
            },
            throttled,
        ),
        (
            Faults {
                quota_calls: Some(0),
                ..none()
            },
            quota,
        ),
        (
            Faults {
                server_error: 1.0,
                ..none()
            },
            unknown,
        ),
        (Faults { reset: 1.0, ..none() }, unknown),
        (Faults { cut: 1.0, ..none() }, unknown),
    ];
    for api in [Api::Openai, Api::Anthropic] {
        let sim = start(Faults::default());
        let endpoint = Endpoint::new(options(&sim, api, Structured::JsonSchema)).unwrap();
        for (faults, expected) in &cases {
            sim.set_faults(faults.clone()).unwrap();
            let before = sim.bill().total.calls;
            let error = endpoint.complete(&request(1)).await.unwrap_err();
            assert!(expected(&error), "{api:?} {faults:?}: {error:?}");
            let billed = sim.bill().total.calls > before;
            assert_eq!(billed, matches!(error, CallError::Unknown { .. }), "{faults:?}");
        }
        let wrong = Options {
            key: Some(Key::new("sk-wrong-0000")),
            ..options(&sim, api, Structured::None)
        };
        let wrong = Endpoint::new(wrong).unwrap();
        for error in [
            wrong.probe().await.unwrap_err(),
            wrong.complete(&request(1)).await.unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    CallError::NotBilled {
                        scope: Scope::Endpoint,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        assert!(!format!("{endpoint:?}").contains(KEY));
    }
}

fn batch_of(count: u32) -> Vec<BatchRequest> {
    (1..=count)
        .map(|number| BatchRequest {
            custom_id: format!("task-{number}"),
            request: request(number),
        })
        .collect()
}

async fn ended(batches: &BatchEndpoint, id: &BatchId) -> BatchState {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match batches.poll(id).await.unwrap() {
            BatchState::Working { total, .. } => assert!(total > 0 && Instant::now() < deadline),
            state @ (BatchState::Ended { .. } | BatchState::Refused { .. }) => return state,
        }
        tokio::task::yield_now().await;
    }
}

async fn read(batches: &BatchEndpoint, id: &BatchId) -> BTreeMap<String, Result<Response, CallError>> {
    let results: Vec<BatchResult> = batches.results(id).await.unwrap().try_collect().await.unwrap();
    let count = results.len();
    let by_id: BTreeMap<_, _> = results.into_iter().map(|r| (r.custom_id, r.result)).collect();
    assert_eq!(by_id.len(), count, "each request has one result");
    by_id
}

#[tokio::test]
async fn a_batch_ends_later_with_a_result_for_each_request_at_half_the_price() {
    for api in [Api::Openai, Api::Anthropic] {
        let sim = start(Faults {
            batch_ms: 400,
            batch_errored: 0.1,
            batch_expired: 0.1,
            ..Faults::default()
        });
        let batches = BatchEndpoint::new(options(&sim, api, Structured::JsonSchema)).unwrap();
        let id = batches.submit("tag", &batch_of(300)).await.unwrap();
        let working = batches.poll(&id).await.unwrap();
        assert_eq!(working, BatchState::Working { ended: 0, total: 300 });
        assert_eq!(sim.bill().total.calls, 0);
        let state = ended(&batches, &id).await;
        let results = read(&batches, &id).await;
        assert_eq!(results.len(), 300);
        let (mut answered, mut spent) = (0, 0);
        for number in 1..=300 {
            match &results[&format!("task-{number}")] {
                Ok(response) => {
                    assert!(is_whole(response));
                    answered += 1;
                    let booked = PRICE.booked(&request(number), response);
                    spent += PRICE.cost(booked).usd.0.div_ceil(2);
                }
                Err(error) => {
                    assert!(
                        matches!(
                            error,
                            CallError::NotBilled {
                                scope: Scope::Throttled,
                                ..
                            }
                        ),
                        "{error:?}"
                    );
                }
            }
        }
        assert_eq!(state, BatchState::Ended { answered, total: 300 });
        assert!((200..290).contains(&answered), "{answered}");
        assert_eq!(
            (sim.bill().total.calls, sim.bill().total.micro_usd),
            (answered, spent)
        );
        assert_eq!(
            read(&batches, &id).await,
            results,
            "reading again costs nothing and says the same"
        );
        assert_eq!(sim.bill().total.calls, answered);
    }
}

#[tokio::test]
async fn a_cancelled_batch_is_not_billed_and_says_so() {
    for api in [Api::Openai, Api::Anthropic] {
        let sim = start(Faults {
            batch_ms: 3_600_000,
            ..Faults::default()
        });
        let batches = BatchEndpoint::new(options(&sim, api, Structured::Tool)).unwrap();
        let id = batches.submit("tag", &batch_of(3)).await.unwrap();
        batches.cancel(&id).await.unwrap();
        assert_eq!(
            ended(&batches, &id).await,
            BatchState::Ended {
                answered: 0,
                total: 3
            }
        );
        let results = read(&batches, &id).await;
        assert!(
            results.len() == 3
                && results
                    .values()
                    .all(|result| matches!(result, Err(CallError::NotBilled { .. })))
        );
        assert_eq!(sim.bill().total.calls, 0);
        let unknown = BatchId("../files".into());
        assert!(matches!(
            batches.poll(&unknown).await,
            Err(CallError::NotBilled {
                scope: Scope::Request,
                ..
            })
        ));
    }
}

#[tokio::test]
async fn what_no_provider_takes_is_not_sent_and_what_one_refuses_is_told() {
    let sim = start(Faults::default());
    for api in [Api::Openai, Api::Anthropic] {
        let batches = BatchEndpoint::new(options(&sim, api, Structured::None)).unwrap();
        let mut named = batch_of(2);
        named[1].custom_id = "two words".into();
        for requests in [Vec::new(), named] {
            let error = batches.submit("tag", &requests).await.unwrap_err();
            assert!(
                matches!(
                    error,
                    CallError::NotBilled {
                        scope: Scope::Request,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        let mut twice = batch_of(2);
        twice[1].custom_id = twice[0].custom_id.clone();
        // OpenAI looks at the file later, Anthropic at once.
        let reason = match batches.submit("tag", &twice).await {
            Ok(id) => match ended(&batches, &id).await {
                BatchState::Refused { reason } => reason,
                other => panic!("{other:?}"),
            },
            Err(CallError::NotBilled {
                reason,
                scope: Scope::Request,
                ..
            }) => reason,
            Err(other) => panic!("{other:?}"),
        };
        assert!(reason.contains("stands twice"), "{reason}");
    }
    assert_eq!(sim.bill().total.calls, 0);
}

#[tokio::test]
async fn a_batch_whose_receipt_was_lost_is_found_by_its_name_where_it_has_one() {
    let faults = Faults {
        batch_lost: 1.0,
        ..Faults::default()
    };
    let sim = start(faults.clone());
    for (api, named) in [(Api::Openai, true), (Api::Anthropic, false)] {
        let batches = BatchEndpoint::new(options(&sim, api, Structured::None)).unwrap();
        batches.probe().await.unwrap();
        sim.set_faults(faults.clone()).unwrap();
        let lost = batches.submit("mine", &batch_of(5)).await.unwrap_err();
        assert!(matches!(lost, CallError::Unknown { .. }), "{lost:?}");
        sim.set_faults(Faults::default()).unwrap();
        batches.submit("other", &batch_of(2)).await.unwrap();
        assert_eq!(batches.find("nobodys").await.unwrap(), None);
        let found = batches.find("mine").await.unwrap();
        assert_eq!(found.is_some(), named);
        if let Some(id) = found {
            assert_eq!(
                ended(&batches, &id).await,
                BatchState::Ended {
                    answered: 5,
                    total: 5
                }
            );
        }
    }
}

#[tokio::test]
async fn addresses_are_reached_however_they_are_written() {
    let sim = start(Faults::default());
    for written in [
        "?api-version=2024-06-01",
        "/",
        "/chat/completions",
        "/chat/completions?api-version=2024-06-01",
    ] {
        let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
        options.base_url.push_str(written);
        let endpoint = Endpoint::new(options).unwrap();
        endpoint.probe().await.unwrap();
        assert!(
            is_whole(&endpoint.complete(&request(1)).await.unwrap()),
            "{written}"
        );
    }
    let mut options = options(&sim, Api::Anthropic, Structured::JsonSchema);
    options.base_url.push_str("/messages?beta=true");
    let endpoint = Endpoint::new(options).unwrap();
    assert!(is_whole(&endpoint.complete(&request(1)).await.unwrap()));
}

#[tokio::test]
async fn failures_that_an_endpoint_does_not_bill_cost_nothing() {
    let failing = Faults {
        server_error: 1.0,
        ..Faults::default()
    };
    let sim = start(failing);
    let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
    let unknown = Endpoint::new(options.clone())
        .unwrap()
        .complete(&request(1))
        .await;
    assert!(matches!(unknown, Err(CallError::Unknown { .. })), "{unknown:?}");
    options.billed_on_error = false;
    let free = Endpoint::new(options).unwrap().complete(&request(1)).await;
    let Err(CallError::NotBilled { scope, .. }) = free else {
        panic!("{free:?}");
    };
    assert_eq!(scope, Scope::Failed);
}

#[tokio::test]
async fn checks_cost_nothing_and_show_no_key_by_either_api() {
    let sim = start(Faults::default());
    for api in [Api::Openai, Api::Anthropic] {
        for (key, model, name, state) in [
            (KEY, "sim", "key", State::Ok),
            (KEY, "sim", "model", State::Ok),
            (KEY, "sin", "model", State::Failed),
            ("sk-canary-wrong", "sim", "key", State::Failed),
        ] {
            let options = Options {
                key: Some(Key::new(key)),
                model: model.into(),
                ..options(&sim, api, Structured::None)
            };
            let found = checks(options, &Asked::default()).await;
            let check = found.iter().find(|check| check.name == name).unwrap();
            assert_eq!(check.state, state, "{api:?}: {found:#?}");
            assert!(!format!("{found:?}").contains("canary"), "{found:#?}");
        }
    }
    assert_eq!(sim.bill().total.calls, 0);
}

#[tokio::test]
async fn an_endpoint_is_judged_by_what_it_answers() {
    const LLAMA: &str = r#"{"object": "list", "data": [{"id": "qwen.gguf", "owned_by": "llamacpp"}]}"#;
    const PRICED: &str =
        r#"{"data": [{"id": "sim", "pricing": {"prompt": "0.0000005", "completion": "0.000002"}}]}"#;
    for (status, body, name, state, said) in [
        (
            "200 OK",
            LLAMA,
            "model",
            State::Warning,
            "its one model, `qwen.gguf`",
        ),
        (
            "200 OK",
            PRICED,
            "listed price",
            State::Warning,
            "the job reckons with $0.5000 and $1.0000",
        ),
        (
            "200 OK",
            "<html>hello</html>",
            "model",
            State::NotChecked,
            "does not list its models",
        ),
        ("503 Unavailable", "{}", "endpoint", State::Failed, "503"),
        (
            "404 Not Found",
            "{}",
            "model",
            State::NotChecked,
            "has no list of models",
        ),
        (
            "429 Too Many",
            r#"{"error": {"message": "quota", "code": "insufficient_quota"}}"#,
            "key",
            State::Failed,
            "insufficient_quota",
        ),
    ] {
        let options = Options {
            base_url: says(status, body).await,
            ..options(&start(Faults::default()), Api::Openai, Structured::None)
        };
        let asked = Asked {
            price: Some((0.5, 1.0)),
            ..Asked::default()
        };
        let found = checks(options, &asked).await;
        let check = found.iter().find(|check| check.name == name);
        let check = check.unwrap_or_else(|| panic!("no {name}: {found:#?}"));
        assert!(
            check.state == state && check.found.contains(said),
            "{status}: {found:#?}"
        );
    }
}

/// A service on loopback that answers every request with this status and body, which may repeat the request: `{request}`.
async fn says(status: &'static str, body: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                let read = stream.read(&mut bytes).await.unwrap_or_default();
                let head: String = String::from_utf8_lossy(&bytes[..read]).replace(['\r', '\n', '"'], " ");
                let body = body.replace("{request}", &head);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn a_wait_that_only_the_words_tell_is_heard() {
    for (body, seconds) in [
        (
            r#"{"error": {"message": "Rate limit reached. Please try again in 7m12s.", "code": "rate_limit_exceeded"}}"#,
            432.0,
        ),
        (
            r#"{"error": {"details": [{"retryDelay": "17s"}], "message": "Resource has been exhausted"}}"#,
            17.0,
        ),
    ] {
        let sim = start(Faults::default());
        let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
        options.base_url = says("429 Too Many Requests", body).await;
        let refused = Endpoint::new(options).unwrap().complete(&request(1)).await;
        let Err(CallError::NotBilled {
            retry_after, scope, ..
        }) = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(scope, Scope::Throttled);
        assert_eq!(retry_after, Some(Duration::from_secs_f64(seconds)), "{body}");
    }
}

#[tokio::test]
async fn nothing_secret_that_a_provider_repeats_is_shown() {
    let sim = start(Faults::default());
    let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
    options.base_url = says(
        "400 Bad Request",
        r#"{"error": {"message": "I was sent {request}"}}"#,
    )
    .await;
    options.base_url.push_str("?sig=canary-in-address&api-version=1");
    options
        .headers
        .insert("X-Custom".into(), "canary-in-header".into());
    let endpoint = Endpoint::new(options).unwrap();
    let refused = endpoint.complete(&request(1)).await.unwrap_err();
    let told = format!("{refused} {refused:?} {endpoint:?}");
    assert!(
        told.contains("I was sent POST /v1/chat/completions?sig=[redacted]&api-version=1"),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn a_redirect_says_where_it_leads_and_that_nobody_follows_it() {
    let sim = start(Faults::default());
    let asked = async |status: &'static str| {
        let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
        options.base_url = says(status, "<html>moved</html>").await;
        let refused = Endpoint::new(options).unwrap().complete(&request(1)).await;
        let Err(CallError::NotBilled { reason, scope, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(scope, Scope::Endpoint);
        reason
    };
    for (status, told) in [
        (
            "302 Found\r\nLocation: https://ann:canary@example.com/v1/chat/completions?sig=canary#here",
            "answered 302: a redirect to https://example.com/v1/chat/completions: redirects are not followed",
        ),
        (
            "308 Permanent Redirect\r\nLocation: /v2/chat/completions",
            "/v2/chat/completions: redirects are not followed",
        ),
        (
            "301 Moved Permanently",
            "a redirect that does not say where to: redirects are not followed",
        ),
    ] {
        let reason = asked(status).await;
        assert!(reason.contains(told) && !reason.contains("canary"), "{reason}");
    }
}

#[tokio::test]
async fn a_name_that_stands_for_a_link_local_address_is_not_reached() {
    let sim = start(Faults::default());
    let mut options = options(&sim, Api::Openai, Structured::JsonSchema);
    options.base_url = "http://169.254.169.254.nip.invalid/v1".into();
    let refused = Endpoint::new(options).unwrap().complete(&request(1)).await;
    assert!(
        matches!(refused, Err(CallError::NotBilled { .. })),
        "a name that cannot be resolved was never asked: {refused:?}"
    );
}
