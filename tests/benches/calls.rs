//! Many calls of 200 ms with 256 open: the whole program beside a bare HTTP loop, on the same service in the same run.
//!
//!     cargo bench -p gristmill-tests --bench calls -- [CALLS]
//!
//! The service is a process of its own, so that its work is in nobody's figures. The program runs with rules, exact and MinHash duplicates
//! on; pilot, judge and embedder off; each further answer is a call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::sync::Arc;
use std::time::Instant;

use nix::sys::resource::UsageWho;
use service::{Ran, Service, usage};

mod service;

const OPEN: usize = 256;
const LATENCY_MS: u64 = 200;

/// The least that any client does: send, wait, read.
fn bare(url: &str, calls: usize, question: &str) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();
        let slots = Arc::new(tokio::sync::Semaphore::new(OPEN));
        let start = Instant::now();
        let mut open = tokio::task::JoinSet::new();
        for i in 0..calls {
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            let content = format!("Answer the question.\n<question>\n{question}\n</question>");
            let body = serde_json::json!({"model": "sim", "max_tokens": 1024, "seed": i, "messages": [{"role": "user", "content": content}]});
            let request = client.post(format!("{url}/chat/completions")).json(&body);
            open.spawn(async move {
                request.send().await.unwrap().bytes().await.unwrap();
                drop(slot);
            });
            while open.try_join_next().is_some() {}
        }
        while open.join_next().await.is_some() {}
        start.elapsed().as_secs_f64()
    })
}

fn main() {
    let calls: usize = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(5_000);
    let data = gristmill_tests::harness::data()
        .expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let key = data.join("gsm8k/train.jsonl");
    let service = Service::start(&key, LATENCY_MS);
    let ideal = (calls as f64 / OPEN as f64).ceil() * LATENCY_MS as f64 / 1e3;
    let question = std::fs::read_to_string(&key)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let question: serde_json::Value = serde_json::from_str(&question).unwrap();

    let before = usage(UsageWho::RUSAGE_SELF).0;
    let bare_wall = bare(&service.url, calls, question["question"].as_str().unwrap());
    let (after, bare_rss) = usage(UsageWho::RUSAGE_SELF);

    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, concurrency: {OPEN}}}\nembed: {{model: off}}\n\
         generate: {{strategy: answer_augmentation, pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\n\
         budget: {{calls: {calls}}}\nanchor: {{max_synthetic_share: 0.99}}\n",
        key.display(),
        service.url
    );
    let Ran { wall, cpu, summary } = service::run(&job);
    let (_, rss) = usage(UsageWho::RUSAGE_CHILDREN);

    println!("{calls} calls of {LATENCY_MS} ms, {OPEN} open; ideal {ideal:.1} s");
    println!(
        "  bare loop  wall {bare_wall:6.2} s  cpu {:6.2} s  peak {bare_rss:6.0} MB",
        after - before
    );
    println!(
        "  gristmill  wall {wall:6.2} s  cpu {cpu:6.2} s  peak {rss:6.0} MB  {} rows of {} candidates",
        summary["rows"]["train_synthetic"], summary["candidates"]
    );
    println!(
        "  ratio      wall {:6.2}    cpu {:6.2}    to ideal {:.2}",
        wall / bare_wall,
        cpu / (after - before),
        wall / ideal
    );
}
