//! Verbalized sampling: five questions from one call, beside questions that are asked for one by one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;

use gristmill_tests::harness::{Bench, synthetic};
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Quality};
use serde_json::Value;

/// A run of one recipe by a teacher that often comes back to the same few questions.
struct Ran {
    bench: Bench,
    summary: Value,
    plan: Value,
}

fn ran(recipe: &str) -> Ran {
    let config = Config {
        seed: 21,
        quality: Quality {
            accuracy: 0.95,
            near_duplicate: 0.3,
            ..Quality::default()
        },
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(0..120), config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: {}, model: sim, price: {{input: 0.5, output: 1.5}}}}\nembed: {{model: off}}\n\
         generate: {{recipes: [{recipe}], rows: 100}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 1500}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let plan = bench
        .gristmill(&["plan", "job.yaml", "--output", "json"])
        .unwrap();
    let plan = serde_json::from_slice(&plan.stdout).unwrap();
    let summary = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    Ran { bench, summary, plan }
}

impl Ran {
    fn kept(&self) -> u64 {
        self.summary["rows"]["train_synthetic"].as_u64().unwrap()
    }

    fn calls(&self) -> u64 {
        self.bench.sim.bill().total.calls
    }

    fn rejected(&self, reason: &str) -> u64 {
        let all = self.summary["rejected"].as_array().unwrap();
        let of = all.iter().filter(|loss| loss[0] == reason);
        of.filter_map(|loss| loss[1]["rows"].as_u64()).sum()
    }

    fn candidates(&self) -> u64 {
        self.summary["candidates"].as_u64().unwrap() - self.rejected("calibration")
    }

    fn duplicates(&self) -> u64 {
        ["exact_duplicate", "near_duplicate", "duplicate_of_seed"]
            .map(|reason| self.rejected(reason))
            .iter()
            .sum()
    }
}

#[test]
fn five_questions_come_of_one_call_and_each_is_a_row_of_its_own() {
    let (diverse, alone) = (ran("diverse_questions"), ran("new_question"));
    for (name, ran) in [("diverse_questions", &diverse), ("new_question", &alone)] {
        println!(
            "{name}: {} candidates, {} kept, {} calls, {:.2} a kept row; {:.1} % of the candidates repeat a question; {} calls were expected",
            ran.candidates(),
            ran.kept(),
            ran.calls(),
            ran.calls() as f64 / ran.kept() as f64,
            100.0 * ran.duplicates() as f64 / ran.candidates() as f64,
            ran.plan["forecast"]["calls"]["expected"],
        );
        assert!(ran.kept() >= 90, "{name}: {}", ran.summary);
    }
    // A group asks once: the calls that ask for questions are a fifth of the candidates, and one more for each round's last group.
    let asked = diverse.bench.sim.bill();
    let questions = asked.by_kind.get("new_question").map_or(0, |billed| billed.calls);
    let candidates = diverse.candidates();
    assert!(
        questions >= candidates / 5 && questions <= candidates.div_ceil(5) + 8,
        "{questions} calls asked for the questions of {candidates} candidates"
    );
    // What a call costs is shared out: the rows and the rejected ones together paid for every call, and no call twice.
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in diverse
        .bench
        .rows("train")
        .unwrap()
        .iter()
        .filter(|row| synthetic(row).is_some())
    {
        let provenance = &row["provenance"];
        let first = provenance["task_ids"][0].as_str().unwrap().to_owned();
        groups
            .entry(first)
            .or_default()
            .push(provenance["seed_id"].to_string());
    }
    assert!(
        groups.values().any(|rows| rows.len() > 1),
        "siblings name the one task that asked for them"
    );
    assert!(
        groups
            .values()
            .all(|seeds| seeds.iter().all(|seed| *seed == seeds[0]))
    );
    let expected = diverse.plan["forecast"]["calls"]["expected"].as_f64().unwrap();
    let spent = diverse.calls() as f64;
    assert!(
        (0.6..1.6).contains(&(spent / expected)),
        "{spent} calls, {expected} were expected"
    );
}
