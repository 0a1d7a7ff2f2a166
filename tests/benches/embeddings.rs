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
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::UsageWho;
use serde_json::Value;
use service::{Service, beside, usage};

mod service;

const OPEN: usize = 256;
const LATENCY_MS: u64 = 15;

/// Wall and processor seconds of a run, and its summary.
fn run(service: &Service, key: &Path, calls: usize, embed: &str) -> (f64, f64, Value) {
    let folder = tempfile::tempdir().unwrap();
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, concurrency: {OPEN}}}\nembed: {embed}\n\
         generate: {{strategy: new_question, pilot: 0, rounds: 1, verify: false}}\nfilter: {{validator: {{kind: number}}}}\n\
         budget: {{calls: {calls}}}\nanchor: {{max_synthetic_share: 0.99}}\n",
        key.display(),
        service.url
    );
    std::fs::write(folder.path().join("job.yaml"), job).unwrap();
    let before = usage(UsageWho::RUSAGE_CHILDREN).0;
    let start = Instant::now();
    let output = Command::new(beside("gristmill"))
        .args(["run", "job.yaml", "--progress", "none", "--output", "json"])
        .current_dir(folder.path())
        .output()
        .expect("build the program first: cargo build --release -p gristmill");
    let wall = start.elapsed().as_secs_f64();
    let cpu = usage(UsageWho::RUSAGE_CHILDREN).0 - before;
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (wall, cpu, summary)
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
        let (wall, cpu, summary) = run(&service, &seeds, calls, embed);
        println!(
            "  {name:<8} embeddings  wall {wall:7.2} s  cpu {cpu:7.2} s  {:6.0} calls/s  {} candidates",
            calls as f64 / wall,
            summary["candidates"]
        );
    }
}
