//! The service over HTTP: its bill, its faults, its cost.
#![allow(clippy::unwrap_used, reason = "a test's own helper fails its test")]

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use gristmill_tests::sim::{Bill, BillPage, Config, Delivery, Faults, Sim, Stats};
use proptest::prelude::*;
use serde_json::{Value, json};

fn start(faults: Faults) -> Sim {
    Sim::start(Config {
        seed: 21,
        faults,
        ..Config::default()
    })
    .unwrap()
}

fn body(i: u64) -> Value {
    let question = format!("Nora has {i} pens and buys as many again. How many pens does she have?");
    json!({ "model": "sim", "max_tokens": 400, "seed": i, "messages": [{ "role": "user", "content": format!("Answer the question. <question>{question}</question>") }] })
}

async fn post(
    client: &reqwest::Client,
    sim: &Sim,
    body: &Value,
) -> Result<(u16, Value, Option<u64>), reqwest::Error> {
    let reply = client
        .post(format!("{}/chat/completions", sim.url()))
        .json(body)
        .send()
        .await?;
    let status = reply.status().as_u16();
    let retry_after = reply
        .headers()
        .get("retry-after")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    Ok((status, reply.json().await?, retry_after))
}

fn usage(reply: &Value) -> Option<(u64, u64)> {
    let usage = reply.get("usage")?;
    Some((
        usage["prompt_tokens"].as_u64()?,
        usage["completion_tokens"].as_u64()?,
    ))
}

#[tokio::test]
async fn the_bill_equals_what_was_answered_plus_what_was_lost() {
    let shares = Faults {
        too_many: 0.1,
        overloaded: 0.05,
        server_error: 0.1,
        reset: 0.1,
        cut: 0.1,
        missing_usage: 0.1,
        over_report: 0.1,
        ..Faults::default()
    };
    let sim = start(shares);
    let client = reqwest::Client::new();
    let (mut answered, mut refused, mut failed, mut broken) = (0, 0, 0, 0);
    let (mut input, mut output) = (0, 0);
    for i in 0..1200 {
        match post(&client, &sim, &body(i)).await {
            Ok((200, reply, _)) => {
                answered += 1;
                let used = usage(&reply);
                input += used.map_or(0, |u| u.0);
                output += used.map_or(0, |u| u.1);
            }
            Ok((429 | 529, _, retry_after)) => {
                assert_eq!(retry_after, Some(1));
                refused += 1;
            }
            Ok((500, ..)) => failed += 1,
            Ok(other) => panic!("{other:?}"),
            Err(_) => broken += 1,
        }
    }
    assert!(
        answered > 500 && refused > 100 && failed > 60 && broken > 150,
        "{answered} {refused} {failed} {broken}"
    );
    let page = sim.bill_page(0, 10_000);
    let by = |delivery| page.calls.iter().filter(|c| c.delivery == delivery).count() as u64;
    assert_eq!(by(Delivery::Answered), answered);
    assert_eq!(
        by(Delivery::ServerError),
        failed,
        "a 500 was worked on, and is billed"
    );
    assert_eq!(
        by(Delivery::Reset) + by(Delivery::Cut),
        broken,
        "a reset comes after the billing"
    );
    let bill = sim.bill();
    assert_eq!(bill.total.calls, answered + failed + broken);
    assert_eq!(
        bill.total.micro_usd,
        page.calls.iter().map(|c| c.amounts.micro_usd).sum::<u64>()
    );
    let unseen = page
        .calls
        .iter()
        .filter(|c| c.delivery != Delivery::Answered)
        .map(|c| c.amounts.input_tokens)
        .sum::<u64>();
    assert!(
        bill.total.input_tokens > input + unseen,
        "answers without usage are billed as well"
    );
    assert!(output > 0 && bill.repeated_calls == 0);
}

#[tokio::test]
async fn a_retry_of_a_transient_failure_can_succeed_and_a_second_paid_call_shows() {
    let sim = start(Faults {
        too_many: 0.5,
        ..Faults::default()
    });
    let client = reqwest::Client::new();
    for i in 0..40 {
        let mut tries = 0;
        while post(&client, &sim, &body(i)).await.unwrap().0 != 200 {
            tries += 1;
            assert!(tries < 30, "the draw depends on the attempt");
        }
    }
    assert_eq!((sim.bill().total.calls, sim.bill().repeated_calls), (40, 0));
    sim.set_faults(Faults::default()).unwrap();
    let (_, again, _) = post(&client, &sim, &body(3)).await.unwrap();
    let (_, third, _) = post(&client, &sim, &body(3)).await.unwrap();
    assert_eq!(
        again["choices"], third["choices"],
        "the answer does not depend on the attempt"
    );
    assert_eq!(sim.bill().repeated_calls, 2);
}

#[tokio::test]
async fn usage_can_be_missing_or_far_too_high_and_limits_are_kept() {
    let sim = start(Faults::default());
    let client = reqwest::Client::new();
    let (_, plain, _) = post(&client, &sim, &body(1)).await.unwrap();
    sim.set_faults(Faults {
        over_report: 1.0,
        over_report_factor: 50.0,
        ..Faults::default()
    })
    .unwrap();
    let before = sim.bill().total;
    let (_, high, _) = post(&client, &sim, &body(1)).await.unwrap();
    assert_eq!(usage(&high).unwrap().0, 50 * usage(&plain).unwrap().0);
    assert_eq!(
        sim.bill().total.input_tokens - before.input_tokens,
        usage(&high).unwrap().0,
        "billed as reported"
    );
    sim.set_faults(Faults {
        missing_usage: 1.0,
        ..Faults::default()
    })
    .unwrap();
    assert_eq!(usage(&post(&client, &sim, &body(1)).await.unwrap().1), None);

    sim.set_faults(Faults {
        requests_per_minute: Some(5),
        ..Faults::default()
    })
    .unwrap();
    let mut statuses = Vec::new();
    for i in 0..7 {
        let (status, _, wait) = post(&client, &sim, &body(100 + i)).await.unwrap();
        statuses.push(status);
        assert!(
            status == 200 || wait.is_some_and(|s| (50..=60).contains(&s)),
            "{status} {wait:?}"
        );
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    sim.set_faults(Faults {
        quota_calls: Some(1),
        ..Faults::default()
    })
    .unwrap();
    let (status, refusal, _) = post(&client, &sim, &body(1)).await.unwrap();
    assert_eq!(
        (status, &refusal["error"]["code"]),
        (429, &json!("insufficient_quota"))
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_has_paid_and_a_hang_lets_go() {
    let sim = start(Faults {
        hang: 1.0,
        ..Faults::default()
    });
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    assert!(post(&client, &sim, &body(1)).await.unwrap_err().is_timeout());
    assert_eq!(sim.bill().total.calls, 1);
    drop(client);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while sim.stats().open > 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "the hanging call is still open"
        );
        tokio::task::yield_now().await;
    }
    assert_eq!(sim.stats().open_max, 1);
}

#[tokio::test]
async fn harnesses_look_and_steer_over_http() {
    let sim = start(Faults::default());
    let client = reqwest::Client::new();
    let root = sim.url().replace("/v1", "");
    post(&client, &sim, &body(1)).await.unwrap();
    let faults = client
        .post(format!("{root}/sim/faults"))
        .json(&json!({ "overloaded": 1.0 }))
        .send()
        .await
        .unwrap();
    assert_eq!(
        faults.json::<Faults>().await.unwrap(),
        Faults {
            overloaded: 1.0,
            ..Faults::default()
        }
    );
    assert_eq!(post(&client, &sim, &body(2)).await.unwrap().0, 529);
    for bad in [json!({ "overloaded": 2 }), json!({ "overlord": 1 }), json!([])] {
        assert_eq!(
            client
                .post(format!("{root}/sim/faults"))
                .json(&bad)
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
            400
        );
    }
    let get = async |path: &str| client.get(format!("{root}{path}")).send().await.unwrap();
    assert_eq!(get("/sim/bill").await.json::<Bill>().await.unwrap(), sim.bill());
    let stats = get("/sim/stats").await.json::<Stats>().await.unwrap();
    assert_eq!(
        (
            stats.requests,
            stats.count("status.529"),
            stats.count("delivery.answered")
        ),
        (2, 1, 1)
    );
    let page = get("/sim/bill/calls?offset=0&limit=1")
        .await
        .json::<BillPage>()
        .await
        .unwrap();
    assert_eq!((page.total, page.calls.len(), page.calls[0].sample), (1, 1, 1));
    assert_eq!(
        get("/v1/models").await.json::<Value>().await.unwrap()["data"][0]["id"],
        "sim"
    );
    assert_eq!(get("/nowhere").await.status().as_u16(), 404);
    client.post(format!("{root}/sim/reset")).send().await.unwrap();
    assert_eq!(sim.bill(), Bill::default());
}

#[tokio::test]
async fn embeddings_are_billed_and_keys_checked() {
    let sim = Sim::start(Config {
        api_key: Some("right".to_owned()),
        ..Config::default()
    })
    .unwrap();
    let client = reqwest::Client::new();
    let call = |key: &'static str| {
        let request = client.post(format!("{}/embeddings", sim.url())).bearer_auth(key);
        request
            .json(&json!({ "model": "sim", "input": ["one text", "another text"] }))
            .send()
    };
    assert_eq!(call("wrong").await.unwrap().status().as_u16(), 401);
    let reply: Value = call("right").await.unwrap().json().await.unwrap();
    assert_eq!(reply["data"].as_array().unwrap().len(), 2);
    assert_eq!(reply["data"][1]["embedding"].as_array().unwrap().len(), 256);
    assert_eq!(
        sim.bill().by_kind["embed"].input_tokens,
        reply["usage"]["prompt_tokens"].as_u64().unwrap()
    );
}

#[test]
fn bad_settings_and_keys_are_refused_by_name() {
    let bad = Config {
        faults: Faults {
            reset: 0.7,
            hang: 0.6,
            ..Faults::default()
        },
        ..Config::default()
    };
    assert!(
        Sim::start(bad)
            .unwrap_err()
            .to_string()
            .contains("sum of the fault shares")
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{{\"question\": \"What?\"}}").unwrap();
    let mut config = Config::default();
    config.key.gsm8k = vec![file.path().to_owned()];
    assert!(Sim::start(config).unwrap_err().to_string().contains("line 1"));
    let taken = start(Faults::default());
    let again = Config {
        listen: taken.address().to_string(),
        ..Config::default()
    };
    assert!(
        Sim::start(again)
            .unwrap_err()
            .to_string()
            .contains("cannot listen on")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn answers_do_not_depend_on_arrival(order in Just((0..60_u64).collect::<Vec<_>>()).prop_shuffle(), open in 1..32_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answers = |order: &[u64], open: usize| -> HashMap<u64, Value> {
            let faults = Faults { latency_ms_mean: 3.0, latency_ms_spread: 4.0, ..Faults::default() };
            let sim = start(faults);
            let client = reqwest::Client::new();
            runtime.block_on(async {
                let mut answers = HashMap::new();
                for batch in order.chunks(open) {
                    let mut set = tokio::task::JoinSet::new();
                    for &i in batch {
                        let (client, url) = (client.clone(), format!("{}/chat/completions", sim.url()));
                        set.spawn(async move {
                            let reply: Value = client.post(url).json(&body(i)).send().await.unwrap().json().await.unwrap();
                            (i, reply)
                        });
                    }
                    answers.extend(set.join_all().await);
                }
                answers
            })
        };
        let sorted: Vec<u64> = (0..60).collect();
        prop_assert_eq!(answers(&order, open), answers(&sorted, 1));
    }
}
