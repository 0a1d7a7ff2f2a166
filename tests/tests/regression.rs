//! A regression set: questions beside the task, asked of the student and its base, with figures of their own and a rule of the gate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::PathBuf;

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::Config;
use gristmill_tests::tiny_model;
use serde_json::Value;

/// A tiny base in `base`, a student of it in `student`, and 40 sums in `general.csv` with columns of their own names.
fn bench() -> (Bench, String) {
    let bench = Bench::new(Config::default()).unwrap();
    tiny_model::write(&bench.folder.path().join("base")).unwrap();
    tiny_model::train(&bench, "student", &["max_steps=2"]).unwrap();
    let rows: String = (0..40)
        .map(|n| format!("What is {n} and {n}?,{}\n", 2 * n))
        .collect();
    bench
        .write("general.csv", &format!("prompt,solution\n{rows}"))
        .unwrap();
    (bench, tiny_model::stored_run().display().to_string())
}

fn evaluate(bench: &Bench, dataset: &str, more: &[&str]) -> Value {
    let usual = [
        "eval",
        dataset,
        "--student",
        "student",
        "--max-tokens",
        "4",
        "--formats",
        "plain",
        "--progress",
        "none",
    ];
    bench.json(&[&usual, more].concat()).unwrap()
}

fn said(bench: &Bench, args: &[&str]) -> (Option<i32>, String) {
    let output = bench.gristmill(args).unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_regression_set_has_figures_of_its_own_and_the_gate_looks_at_them() {
    let (bench, dataset) = bench();
    let alone = evaluate(&bench, &dataset, &[]);
    let regression = ["--regression", "general.csv"];
    let told = evaluate(&bench, &dataset, &regression);
    // The figures of the task are what they are without it.
    for member in ["run", "questions", "questions_hash", "models", "comparisons"] {
        assert_eq!(told[member], alone[member], "{member}");
    }
    let general = &told["regression"];
    assert_eq!(general["questions"], 40);
    assert_ne!(general["run"], told["run"]);
    let roles: Vec<&str> = general["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["student", "base"]);
    assert_eq!(general["comparisons"][0]["role"], "base");
    assert_eq!(general["comparisons"][0]["overall"]["items"], 40, "{general}");

    let (result, asked) = (
        told["result"].as_str().unwrap(),
        general["result"].as_str().unwrap(),
    );
    let gate = |more: &[&str]| {
        let args = [&["gate", result, "--output", "json", "--progress", "none"], more];
        let output = bench.gristmill(&args.concat()).unwrap();
        let first = String::from_utf8(output.stdout).unwrap();
        let told: Value = serde_json::from_str(first.lines().next().unwrap_or("null")).unwrap();
        (output.status.code(), told)
    };
    let rule = |told: &Value| {
        let checks = told["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["rule"] == "no_regression")
    };
    let (_, without) = gate(&[]);
    assert_eq!(rule(&without), None);
    let (code, with) = gate(&["--regression", asked]);
    let found = rule(&with).unwrap();
    let detail = found["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("On the regression set, against the base, accuracy changed by")
            && detail.contains("40 items"),
        "{detail}"
    );
    assert_eq!(code, Some(8), "40 questions do not decide: {with}");
    assert!(detail.contains("questions of that set would decide"), "{detail}");
    let (_, wanted) = gate(&["--set", "regression_asked=true"]);
    assert!(
        rule(&wanted).unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("No regression set")
    );

    // A set that another student was asked says nothing of this one.
    tiny_model::train(&bench, "other", &["max_steps=3"]).unwrap();
    let other = bench
        .json(&[
            "eval",
            &dataset,
            "--student",
            "other",
            "--max-tokens",
            "4",
            "--formats",
            "plain",
            "--progress",
            "none",
        ])
        .unwrap();
    let (code, refused) = said(
        &bench,
        &["gate", other["result"].as_str().unwrap(), "--regression", asked],
    );
    assert_eq!(code, Some(3), "{refused}");
    assert!(
        refused.contains("`base+other`") && refused.contains("--regression FILE"),
        "{refused}"
    );
}

#[test]
fn what_is_wrong_with_a_regression_set_is_told_before_anything_is_asked() {
    let (bench, dataset) = bench();
    bench
        .write("odd.csv", "left,right\nWhat is 1 and 1?,2\n")
        .unwrap();
    let refused = |more: &[&str]| {
        let args = [
            "eval",
            &dataset,
            "--max-tokens",
            "4",
            "--formats",
            "plain",
            "--progress",
            "none",
        ];
        let (code, said) = said(&bench, &[&args, more].concat());
        assert!(matches!(code, Some(2 | 3)), "{more:?}: {said}");
        assert!(!bench.folder.path().join("evaluations").exists(), "{more:?}");
        said
    };
    let columns = refused(&["--student", "student", "--regression", "odd.csv"]);
    assert!(
        columns.contains("cannot be told") && columns.contains("left"),
        "{columns}"
    );
    let nowhere = refused(&["--student", "student", "--regression", "nowhere.csv"]);
    assert!(nowhere.contains("nowhere.csv"), "{nowhere}");
    let no_student = refused(&["--base", "./base", "--regression", "general.csv"]);
    assert!(no_student.contains("--student"), "{no_student}");
    let no_base = refused(&["--student", "./base", "--regression", "general.csv"]);
    assert!(no_base.contains("--base"), "{no_base}");
    let named: PathBuf = bench.folder.path().join("odd.csv");
    let fields = [
        "--student",
        "student",
        "--regression",
        named.to_str().unwrap(),
        "--regression-field",
        "question=left",
        "--regression-field",
        "answer=right",
    ];
    let told = evaluate(&bench, &dataset, &fields[2..]);
    assert_eq!(told["regression"]["questions"], 1);
}
