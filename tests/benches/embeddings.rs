//! What embeddings cost a run: the same calls with and without them, and the embedder alone on the same questions, in one run.
//!
//!     cargo bench -p gristmill-tests --bench embeddings -- [CALLS]
//!
//! Every call asks for a new question with its answer, so that every candidate is embedded: the most that a run can ask of the embedder. A call takes
//! 15 ms, less than any model needs. Rules, exact and MinHash duplicates are on; pilot and judge are off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;

use service::{Ran, Service};

mod service;

const OPEN: usize = 256;
const LATENCY_MS: u64 = 15;

fn job(service: &Service, key: &Path, calls: usize, embed: &str) -> String {
    format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, concurrency: {OPEN}}}\nembed: {embed}\n\
         generate: {{strategy: new_question, pilot: 0, rounds: 1, verify: false}}\nfilter: {{validator: {{kind: number}}}}\n\
         budget: {{calls: {calls}}}\nanchor: {{max_synthetic_share: 0.99}}\n",
        key.display(),
        service.url
    )
}

fn main() {
    let calls: usize = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(20_000);
    let data = gristmill_tests::harness::data()
        .expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let all = std::fs::read_to_string(data.join("gsm8k/train.jsonl")).unwrap();
    // Few seeds, so that it is the candidates whose embedding is measured.
    let folder = tempfile::tempdir().unwrap();
    let seeds = folder.path().join("seeds.jsonl");
    let some: String = all.lines().take(400).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(&seeds, some).unwrap();
    let service = Service::start(&data.join("gsm8k/train.jsonl"), LATENCY_MS);
    println!("{calls} calls of {LATENCY_MS} ms, {OPEN} open, each for a new question");
    for (name, embed) in [("without", "{model: off}"), ("with", "{}")] {
        let Ran { wall, cpu, summary } = service::run(&job(&service, &seeds, calls, embed));
        println!(
            "  {name:<8} embeddings  wall {wall:7.2} s  cpu {cpu:7.2} s  {:6.0} calls/s  {} candidates",
            calls as f64 / wall,
            summary["candidates"]
        );
    }
}
