//! Three domains against a teacher that is right four times in five: what is accepted must be right.
//!
//! Thresholds are the product's defaults; the bounds are those of the promise. Rows with a reference and rows without are
//! graded apart, by the service's own key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;

use gristmill_tests::harness::{Bench, synthetic};
use gristmill_tests::questions::{self, first_lines};
use gristmill_tests::sim::{Config, KeyFiles};
use serde_json::Value;

/// Accepted rows, and those of them that are right, by whether a reference was there.
#[derive(Debug, Default)]
struct Grades {
    with: (u64, u64),
    without: (u64, u64),
    unknown: u64,
}

fn grade(bench: &Bench) -> Grades {
    let mut grades = Grades::default();
    for row in bench.rows("train").unwrap() {
        let Some((strategy, question, answer)) = synthetic(&row) else {
            continue;
        };
        match bench.sim.key().is_right(&question, &answer) {
            None => grades.unknown += 1,
            Some(right) => {
                let part = if strategy == "new_question" {
                    &mut grades.without
                } else {
                    &mut grades.with
                };
                part.0 += 1;
                part.1 += u64::from(right);
            }
        }
    }
    grades
}

fn report(name: &str, grades: &Grades, summary: &Value) {
    let share = |(all, right): (u64, u64)| 100.0 * right as f64 / all.max(1) as f64;
    println!(
        "{name}: with reference {} of {} right ({:.2} %), without {} of {} right ({:.2} %), unknown {}",
        grades.with.1,
        grades.with.0,
        share(grades.with),
        grades.without.1,
        grades.without.0,
        share(grades.without),
        grades.unknown
    );
    println!("  rejected: {}", summary["rejected"]);
    println!("  by reference: {}", summary["by_reference"]);
}

/// Rows accepted for every 1,000 wrong ones that may be among them, with room for chance in a small run.
fn holds(grades: &Grades) {
    let wrong = |(all, right): (u64, u64)| all - right;
    let allowed = |all: u64, share: f64| {
        let mean = all as f64 * share;
        (mean + 3.0 * mean.sqrt()).ceil() as u64
    };
    assert!(
        wrong(grades.with) <= allowed(grades.with.0, 0.005),
        "with a reference at least 99.5 % must be right: {grades:?}"
    );
    assert!(
        wrong(grades.without) <= allowed(grades.without.0, 0.04),
        "without one at least 96 % must be right: {grades:?}"
    );
    assert!(grades.with.0 >= 20, "too few rows to grade: {grades:?}");
}

fn run(name: &str, key: KeyFiles, job: impl Fn(&str) -> String) {
    let bench = Bench::new(Config {
        key,
        seed: 11,
        ..Config::default()
    })
    .unwrap();
    bench.write("job.yaml", &job(&bench.url())).unwrap();
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    let grades = grade(&bench);
    report(name, &grades, &summary);
    holds(&grades);
    let bill = bench.sim.bill();
    assert_eq!(bill.repeated_calls, 0, "nothing is paid twice");
    let counted: BTreeMap<String, u64> =
        bench
            .rows("train")
            .unwrap()
            .iter()
            .fold(BTreeMap::new(), |mut counts, row| {
                let origin = row["provenance"]["origin"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                *counts.entry(origin).or_default() += 1;
                counts
            });
    assert_eq!(
        summary["rows"]["train_synthetic"].as_u64(),
        counted.get("synthetic").copied(),
        "the summary counts what is there"
    );
    assert_eq!(
        summary["rows"]["train_human"].as_u64(),
        counted.get("human").copied()
    );
}

#[test]
fn numbers() {
    let data = questions::folder().unwrap();
    let path = data.join("gsm8k/train.jsonl");
    let key = KeyFiles {
        gsm8k: vec![path.clone()],
        ..KeyFiles::default()
    };
    // A part of the questions are seeds; the rest are what the teacher's new questions are drawn from.
    let folder = tempfile::tempdir().unwrap();
    let seeds = folder.path().join("seeds.jsonl");
    let half = std::fs::read_to_string(&path).unwrap().lines().count() / 2;
    std::fs::write(&seeds, first_lines(&path, half.min(300)).unwrap()).unwrap();
    for strategy in ["answer_augmentation", "rephrasing", "new_question"] {
        let seeds = seeds.clone();
        run_numbers(strategy, key.clone(), &seeds);
    }
}

fn run_numbers(strategy: &str, key: KeyFiles, seeds: &std::path::Path) {
    let bench = Bench::new(Config {
        key,
        seed: 5,
        ..Config::default()
    })
    .unwrap();
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
         generate: {{strategy: {strategy}, pilot: 0, subject: grade-school mathematics}}\nfilter: {{validator: {{kind: number}}}}\n\
         budget: {{calls: 1500}}\n",
        seeds.display(),
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    let grades = grade(&bench);
    report(&format!("numbers, {strategy}"), &grades, &summary);
    let (all, right) = if strategy == "new_question" {
        grades.without
    } else {
        grades.with
    };
    let least = if strategy == "new_question" { 0.96 } else { 0.995 };
    assert!(all >= 100, "{grades:?}");
    assert!(
        right as f64 >= least * all as f64 - 3.0 * (all as f64 * (1.0 - least)).sqrt(),
        "{grades:?}"
    );
    assert_eq!(bench.sim.bill().repeated_calls, 0, "nothing is paid twice");
}

#[test]
fn labels() {
    let data = questions::folder().unwrap();
    let path = data.join("pubmedqa/train.jsonl");
    let key = KeyFiles {
        pubmedqa: vec![path.clone()],
        ..KeyFiles::default()
    };
    run("labels", key, |url| {
        format!(
            "seeds:\n  path: {}\n  fields: {{answer: long_answer, references: final_decision, context: contexts, concept: meshes, source: pmid}}\n\
             teacher: {{base_url: {url}, model: sim}}\nembed: {{model: off}}\n\
             generate: {{subject: medicine}}\nfilter: {{validator: {{kind: label, labels: [yes, no, maybe]}}}}\n\
             budget: {{calls: 1500}}\noutput: {{context: false}}\n",
            path.display()
        )
    });
}

#[test]
fn queries() {
    let data = questions::folder().unwrap();
    let folder = data.join("text2sql");
    let key = KeyFiles {
        sql_questions: vec![folder.join("questions.jsonl")],
        ..KeyFiles::default()
    };
    run("queries", key, |url| {
        format!(
            "seeds:\n  path: {0}/questions.jsonl\n  fields: {{answer: accepted_queries, references: accepted_queries, database: db, concept: concept}}\n\
             teacher: {{base_url: {url}, model: sim}}\nembed: {{model: off}}\n\
             filter: {{validator: {{kind: sql, databases: {0}}}}}\nbudget: {{calls: 600}}\n",
            folder.display()
        )
    });
}
