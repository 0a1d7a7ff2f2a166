//! What a plan promises and what a run makes of it: no call for rows that cannot count, an end where nothing can come of more calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, Quality};
use serde_json::{Value, json};

fn seeds(rows: usize) -> String {
    let names = ["Tom", "Ada", "Lin", "Omar", "Eva", "Juan", "Mia"];
    let things = ["apples", "pencils", "marbles", "stamps", "coins"];
    (0..rows)
        .map(|n| {
            let (name, thing) = (names[n % names.len()], things[n % things.len()]);
            let row = json!({
                "question": format!("{name} has {n} {thing} and buys {} more. How many {thing} does {name} have now?", n + 2),
                "answer": format!("{name} has {n} + {} = {}.\n#### {}", n + 2, 2 * n + 2, 2 * n + 2),
            });
            format!("{row}\n")
        })
        .collect()
}

/// A job over a few sums; `generate` and `budget` are what it says of those.
fn bench(rows: usize, quality: Quality, generate: &str, budget: &str) -> Bench {
    let config = Config {
        seed: 3,
        quality,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&seeds(rows), config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: {}, model: sim, price: {{input: 0.5, output: 1.5}}}}\nembed: {{model: off}}\n\
         generate: {{{generate}}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{{budget}}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

/// Runs a job to whatever end; returns its summary and what it said on standard error.
fn run(bench: &Bench) -> (Value, String) {
    let args = ["run", "job.yaml", "--output", "json", "--progress", "none"];
    let output = bench.gristmill(&args).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    (summary, said)
}

fn rounds(bench: &Bench) -> Vec<Value> {
    let path = bench.run_folder().unwrap().join("dataset/manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    manifest["rounds"].as_array().unwrap().clone()
}

#[test]
fn rephrasings_are_asked_only_of_seeds_with_room() {
    let quality = Quality {
        near_duplicate: 0.0,
        ..Quality::default()
    };
    let bench = bench(20, quality, "strategy: rephrasing", "calls: 3000");
    let planned = bench.gristmill(&["plan", "job.yaml"]).unwrap();
    let planned = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(
        planned.contains("ends by    the seeds") && planned.contains("raise `generate.rephrasings_per_seed`"),
        "{planned}"
    );
    let (summary, said) = run(&bench);
    assert!(
        summary["rejected"].get("parent_cap").is_none(),
        "{summary} {said}"
    );
    assert!(
        !summary["rejected"].to_string().contains("parent_cap"),
        "{summary}"
    );
    let made = summary["rows"]["train_synthetic"].as_u64().unwrap();
    let calls = bench.sim.bill().total.calls;
    // Two calls a candidate, of which about three in five are kept.
    assert!(made >= 50 && calls <= 6 * made, "{made} rows of {calls} calls");
    assert!(rounds(&bench).len() <= 14, "{} rounds", rounds(&bench).len());
}

#[test]
fn replies_that_are_all_cut_off_end_the_run_and_name_the_key() {
    let quality = Quality {
        truncated: 1.0,
        refusal: 0.0,
        malformed: 0.0,
        ..Quality::default()
    };
    let bench = bench(100, quality, "strategy: answer_augmentation", "calls: 900");
    let (summary, said) = run(&bench);
    assert_eq!(summary["rows"]["train_synthetic"], 0);
    assert!(
        said.contains("`generate.max_tokens`") && said.contains("`truncated`"),
        "{said}"
    );
    assert!(!said.contains("larger budget"), "{said}");
    let calls = bench.sim.bill().total.calls;
    assert!(calls <= 60, "the pilot alone: {calls} calls");
}

#[test]
fn wanted_rows_are_there_exactly_in_a_few_rounds() {
    let bench = bench(
        100,
        Quality::default(),
        "strategy: answer_augmentation, rows: 90",
        "calls: 3000",
    );
    let (summary, said) = run(&bench);
    assert_eq!(summary["rows"]["train_synthetic"], 90, "{said}");
    let rounds = rounds(&bench);
    let planned: Vec<u64> = rounds
        .iter()
        .map(|round| round["decided"].as_u64().unwrap())
        .collect();
    // A pilot that might bring all of them, and what it left open.
    assert!(planned.len() <= 3 && planned[1] >= 10, "{planned:?}");
}

#[test]
fn a_plan_states_one_figure_and_the_card_compares_it_with_the_outcome() {
    let bench = bench(40, Quality::default(), "strategy: auto, rows: 60", "usd: 1");
    let planned = bench.gristmill(&["plan", "job.yaml"]).unwrap();
    let planned = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(planned.contains("expected   60 rows"), "{planned}");
    assert!(
        planned.contains("unused     $") && planned.contains("raise `generate.rows`"),
        "{planned}"
    );
    let (summary, _) = run(&bench);
    assert_eq!(summary["rows"]["train_synthetic"], 60);
    let card = std::fs::read_to_string(bench.run_folder().unwrap().join("dataset/README.md")).unwrap();
    assert!(
        card.contains("## Forecast and outcome") && card.contains("| before round 0 | 60 ["),
        "{card}"
    );
    assert!(card.contains("| outcome | 60 |"), "{card}");
}

#[test]
fn progress_counts_what_is_decided_and_shows_the_time_left() {
    let mut quality = Quality::perfect();
    quality.near_duplicate = 0.0;
    let bench = bench(
        60,
        quality,
        "strategy: answer_augmentation, pilot: 0",
        "calls: 300",
    );
    let mut faults = bench.sim.faults();
    (faults.latency_ms_mean, faults.latency_ms_spread) = (400.0, 50.0);
    bench.sim.set_faults(faults).unwrap();
    let job = std::fs::read_to_string(bench.folder.path().join("job.yaml")).unwrap();
    bench
        .write(
            "job.yaml",
            &job.replace("model: sim,", "model: sim, concurrency: 4,"),
        )
        .unwrap();
    let output = bench
        .gristmill(&["run", "job.yaml", "--progress", "plain"])
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said
        .lines()
        .find(|line| line.contains("eta="))
        .unwrap_or_else(|| panic!("no line tells the time left:\n{said}"));
    let field = |name: &str| {
        let found = line
            .split(' ')
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name} in {line}")).to_owned()
    };
    assert_ne!(field("calls_rate"), "0.0/s");
    let decided: u64 = field("decided").parse().unwrap();
    assert!(decided > 0, "{line}");
    assert!(field("expected").contains(".."), "{line}");
}
