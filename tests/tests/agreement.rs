//! Rows without a reference: right as often as the job wants, at a price that the plan said, or not made at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::{Bench, synthetic};
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Quality};
use serde_json::Value;

/// A job for new questions about sums, by a teacher whose wrong answers agree half of the time and some of whose questions have no answer.
fn bench(accuracy: f64, fields: &str, generate: &str, calls: u32) -> Bench {
    let config = Config {
        seed: 12,
        quality: Quality {
            accuracy,
            repeated_error: 0.5,
            unanswerable: 0.05,
            ..Quality::default()
        },
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(0..200), config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{{fields}}}}}\nteacher: {{base_url: {}, model: sim, price: {{input: 0.5, output: 1.5}}}}\n\
         embed: {{model: off}}\ngenerate: {{{generate}}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {calls}}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

/// Accepted synthetic rows, and those of them that are right.
fn graded(bench: &Bench) -> (usize, usize) {
    let key = bench.sim.key();
    let rows = bench.rows("train").unwrap();
    let rows: Vec<_> = rows.iter().filter_map(synthetic).collect();
    let right = rows
        .iter()
        .filter(|(_, question, answer)| key.is_right(question, answer) == Some(true))
        .count();
    (rows.len(), right)
}

/// Answers that agree with the one that was kept: `3 of 4 answers agree`.
fn agreeing(row: &Value) -> u32 {
    let verdicts = row["provenance"]["verdicts"].as_array().unwrap().iter();
    let reasons = verdicts.filter_map(|verdict| verdict["reason"].as_str());
    let votes = reasons.filter_map(|reason| reason.strip_suffix(" answers agree"));
    let votes = votes.filter_map(|votes| votes.split(' ').next()?.parse().ok());
    votes.max().unwrap_or(0)
}

fn card(bench: &Bench) -> String {
    std::fs::read_to_string(bench.run_folder().unwrap().join("dataset/README.md")).unwrap()
}

#[test]
fn new_questions_are_answered_as_rightly_as_the_plan_says_and_the_card_tells_how() {
    let bench = bench(0.8, "", "strategy: new_question", 1_500);
    let plan = bench.gristmill(&["plan", "job.yaml"]).unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(
        plan.contains("99.0 % right is wanted")
            && plan.contains("a teacher that is right 80 % of the time: 99."),
        "{plan}"
    );
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    let (rows, right) = graded(&bench);
    // A goal of 99 %; of 150 rows, one in a hundred runs has more than five wrong ones.
    assert!(
        rows >= 120 && right * 100 >= rows * 96,
        "{right} of {rows}: {summary}"
    );
    assert!(
        summary["rejected"].to_string().contains("calibration"),
        "{summary}"
    );
    let card = card(&bench);
    assert!(
        card.contains("rows have no reference and were decided by the agreement of several answers")
            && card.contains("estimated from 11 questions with a reference"),
        "{card}"
    );
    // Each row says what it rests on, the answer that came with the question among it.
    let train = bench.rows("train").unwrap();
    for row in train.iter().filter(|row| synthetic(row).is_some()) {
        assert!(agreeing(row) >= 2, "{row}");
    }
}

#[test]
fn a_required_accuracy_that_is_out_of_reach_ends_the_run_after_the_pilot() {
    let bench = bench(
        0.5,
        "",
        "strategy: new_question, agreement: {required: true, max_samples: 2}",
        1_500,
    );
    let plan = bench.gristmill(&["plan", "job.yaml"]).unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(
        plan.contains("(misses the target)") && plan.contains("strategy   none after the pilot"),
        "{plan}"
    );
    let args = ["run", "job.yaml", "--output", "json", "--progress", "none"];
    let output = bench.gristmill(&args).unwrap();
    assert_eq!(
        output.status.code(),
        Some(4),
        "it is short of what its job requires"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("generate.agreement.max_samples"), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let end = summary["end"].as_str().unwrap();
    assert!(
        end.starts_with("`generate.agreement.accuracy` requires 99.0 % right"),
        "{summary}"
    );
    assert!(
        bench.sim.bill().total.calls < 300,
        "the rest of the budget is kept"
    );
}

#[test]
fn without_references_answers_to_the_seeds_own_questions_vote() {
    let bench = bench(0.8, "references: none", "strategy: answer_augmentation", 600);
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    let (rows, right) = graded(&bench);
    assert!(
        rows >= 80 && right * 100 >= rows * 96,
        "{right} of {rows}: {summary}"
    );
    assert!(
        !summary["rejected"].to_string().contains("calibration"),
        "{summary}"
    );
}

#[test]
fn a_fixed_lead_is_kept() {
    let bench = bench(0.8, "", "strategy: new_question, agreement: {lead: 3}", 800);
    bench.run_job("job.yaml", &[]).unwrap();
    let train = bench.rows("train").unwrap();
    let rows: Vec<&Value> = train.iter().filter(|row| synthetic(row).is_some()).collect();
    assert!(rows.len() >= 50, "{}", rows.len());
    assert!(rows.iter().all(|row| agreeing(row) >= 3));
    assert!(card(&bench).contains("a fixed lead of 3 votes"));
}
