//! A teacher that is related to the student: refused unless it is allowed by name, and then measured on validation rows first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::time::{Duration, Instant};

use gristmill_tests::cluster::{Cluster, LONG, balanced};
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Faults, Quality};
use serde_json::Value;

/// 200 sums, of which a fifth are validation rows, and a teacher of this accuracy that is the student.
fn bench(accuracy: f64, faults: Faults, more: &str) -> Bench {
    let config = Config {
        seed: 5,
        quality: Quality {
            accuracy,
            ..Quality::default()
        },
        faults,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(0..200), config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nholdout: {{validation: 0.2, test: 0.05}}\n\
         teacher: {{base_url: {}, model: sim, price: {{input: 0.5, output: 1.5}}}}\n\
         student: {{model: org/sim, min_accuracy: 0.7}}\nembed: {{model: off}}\n\
         generate: {{strategy: rephrasing, rows: 20}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 400}}\n{more}",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

const ALLOWED: &str = "anchor: {self_improvement: true, max_synthetic_share: 0.7}\n";

fn said(bench: &Bench, args: &[&str]) -> (Option<i32>, String, String) {
    let output = bench.gristmill(args).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn billed(bench: &Bench) -> u64 {
    bench.sim.bill().total.calls
}

fn file(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.run_folder().unwrap().join("dataset").join(name)).unwrap()
}

/// What was measured, as a summary, a status or a manifest tells it.
fn check(told: &Value) -> (u64, u64) {
    let check = &told["teacher_checks"][0];
    assert_eq!(check["teacher"], "sim", "{told}");
    (check["right"].as_u64().unwrap(), check["wrong"].as_u64().unwrap())
}

#[test]
fn a_teacher_that_is_the_student_is_refused_until_it_is_allowed_by_name() {
    let bench = bench(0.95, Faults::default(), "");
    let (code, _, why) = said(&bench, &["run", "job.yaml", "--progress", "none"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(
        why.contains("the teacher `sim` is the student itself")
            && why.contains("anchor: {self_improvement: true, max_synthetic_share: 0.7}"),
        "{why}"
    );
    assert_eq!(billed(&bench), 0);
}

#[test]
fn too_few_validation_rows_are_told_before_anything_is_spent() {
    let bench = bench(0.95, Faults::default(), ALLOWED);
    let few = [
        "run",
        "job.yaml",
        "--progress",
        "none",
        "--set",
        "holdout.validation=0.02",
    ];
    let (code, _, why) = said(&bench, &few);
    assert!(code.is_some_and(|code| code != 0), "{why}");
    assert!(
        why.contains("at least 9 are needed to show that 70 % of its answers are right")
            && why.contains("holdout.validation"),
        "{why}"
    );
    assert_eq!(billed(&bench), 0);
}

#[test]
fn a_good_teacher_is_measured_first_and_then_makes_rows() {
    let bench = bench(0.95, Faults::default(), ALLOWED);
    let (_, plan, _) = said(&bench, &["plan", "job.yaml"]);
    assert!(
        plan.contains("related to the student: asked") && plan.contains("at least 70 % right is shown"),
        "{plan}"
    );
    let summary = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    let (right, wrong) = check(&summary);
    let asked = right + wrong;
    assert!((30..=50).contains(&asked) && right > wrong, "{summary}");
    assert!(
        summary["rows"]["train_synthetic"].as_u64().unwrap() >= 20,
        "{summary}"
    );
    // Card, report and status tell the same figures.
    let sentence = format!("sim answered {right} of {asked} validation questions right");
    let folder = bench.run_folder().unwrap();
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for (name, text) in [("card", file(&bench, "README.md")), ("report", report)] {
        assert!(text.contains(&sentence), "{name}");
    }
    let (_, status, _) = said(&bench, &["status", folder.to_str().unwrap()]);
    assert!(status.contains(&sentence), "{status}");
    let manifest: Value = serde_json::from_str(&file(&bench, "manifest.json")).unwrap();
    assert_eq!(check(&manifest), (right, wrong));
    // No row is made from what was asked.
    let asked_for = manifest["rounds"][0]["plan"]["teacher_checks"][0]["right"].as_u64();
    assert_eq!(asked_for, Some(right));
    let validation: Vec<String> = bench
        .rows("validation")
        .unwrap()
        .iter()
        .map(|row| row["provenance"]["seed_id"].to_string())
        .collect();
    let train = bench.rows("train").unwrap();
    assert!(
        train
            .iter()
            .all(|row| !validation.contains(&row["provenance"]["seed_id"].to_string()))
    );
    // Started again, it is told and asks nothing.
    let before = billed(&bench);
    let again = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    assert_eq!((check(&again), billed(&bench)), ((right, wrong), before));
}

#[test]
fn a_weak_teacher_ends_the_run_before_it_makes_a_row() {
    let bench = bench(0.5, Faults::default(), ALLOWED);
    let args = ["run", "job.yaml", "--output", "json", "--progress", "none"];
    let (code, summary, why) = said(&bench, &args);
    assert_eq!(code, Some(4), "{why}");
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let (right, wrong) = check(&summary);
    let end = summary["end"].as_str().unwrap();
    assert!(
        end.contains(&format!(
            "sim answered {right} of {} validation questions right",
            right + wrong
        )) && end.contains("student.min_accuracy"),
        "{end}"
    );
    assert_eq!(summary["candidates"], 0);
    assert_eq!(
        billed(&bench),
        right + wrong,
        "nothing but the validation rows was asked"
    );
    // It is over, however large its budget; nothing is asked again.
    let more = [
        "run",
        "job.yaml",
        "--output",
        "json",
        "--progress",
        "none",
        "--set",
        "budget.calls=900",
    ];
    assert_eq!(said(&bench, &more).0, Some(4));
    assert_eq!(billed(&bench), right + wrong);
}

#[test]
fn a_cluster_measures_the_teacher_as_one_machine_does() {
    let bench = bench(0.5, Faults::default(), ALLOWED);
    let args = ["run", "job.yaml", "--output", "json", "--progress", "none"];
    let (_, alone, _) = said(&bench, &args);
    let alone: Value = serde_json::from_str(&alone).unwrap();
    let billed_alone = billed(&bench);

    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&[]).unwrap();
    let run = cluster.submit(&bench.folder.path().join("job.yaml")).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    assert_eq!(check(&status), check(&alone));
    assert_eq!(status["end"], alone["end"]);
    assert_eq!(
        billed(&bench) - billed_alone,
        billed_alone,
        "nothing but the validation rows was asked"
    );
    balanced(&status, billed_alone, 400).unwrap();
}

#[test]
fn killed_while_the_teacher_is_measured_the_run_asks_no_question_twice() {
    let faults = Faults {
        latency_ms_mean: 60.0,
        ..Faults::default()
    };
    let bench = bench(0.95, faults, ALLOWED);
    let job = std::fs::read_to_string(bench.folder.path().join("job.yaml")).unwrap();
    let slow = job.replace("model: sim, price", "model: sim, concurrency: 2, price");
    bench.write("job.yaml", &slow).unwrap();
    let mut child = bench.start_job("job.yaml").unwrap();
    let begun = Instant::now();
    while billed(&bench) < 12 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!((12..30).contains(&billed(&bench)), "{} asked", billed(&bench));
    let summary = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    let (right, wrong) = check(&summary);
    assert!(right + wrong >= 30, "{summary}");
    // Only the calls in flight at the kill are made once more: their end is unknown, and they are booked at their worst case.
    let repeated = bench.sim.bill().repeated_calls;
    assert!(repeated <= 2, "{repeated} calls were made twice: {summary}");
    let folder = bench.run_folder().unwrap();
    let (_, budget, _) = said(&bench, &["budget", folder.to_str().unwrap(), "--output", "json"]);
    let budget: Value = serde_json::from_str(&budget).unwrap();
    let stages = budget["counts"].as_object().unwrap().values();
    let planned: u64 = stages.filter_map(|counts| counts["planned"].as_u64()).sum();
    assert!(
        billed(&bench) <= planned + 2,
        "{} billed, {planned} planned: {budget}",
        billed(&bench)
    );
}
