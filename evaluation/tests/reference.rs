//! The same as the reference implementations, on inputs that `reference.py` drew and that are stored with their outputs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_domain::stats::{
    clustered_mean, holm, kappa, mcnemar, paired_score_interval, sign_flip, wilson,
};
use gristmill_evaluation::Confidence;
use gristmill_evaluation::grade::{NumberRule, TextRule, by_likelihood, by_number, by_text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const TOLERANCE: f64 = 1e-6;

/// The rows of a table, of which there must be some.
fn rows<Row: DeserializeOwned>(table: &str) -> Vec<Row> {
    let stored: Value = serde_json::from_str(include_str!("data/reference.json")).unwrap();
    let rows: Vec<Row> = serde_json::from_value(stored[table].clone()).unwrap();
    assert!(rows.len() > 5, "the table `{table}` has {} rows", rows.len());
    rows
}

#[track_caller]
fn near(got: f64, want: f64, what: impl std::fmt::Debug) {
    assert!(
        (got - want).abs() <= TOLERANCE,
        "got {got}, want {want}: {what:?}"
    );
}

#[derive(Debug, Deserialize)]
struct Wilson {
    successes: u64,
    trials: u64,
    level: f64,
    low: f64,
    high: f64,
}

#[test]
fn wilson_is_that_of_statsmodels() {
    for row in rows::<Wilson>("wilson") {
        let found = wilson(row.successes, row.trials, Confidence::new(row.level).unwrap().z()).unwrap();
        near(found.low, row.low, &row);
        near(found.high, row.high, &row);
    }
}

#[derive(Debug, Deserialize)]
struct Mcnemar {
    lost: u64,
    gained: u64,
    p: f64,
}

#[test]
fn mcnemar_is_that_of_statsmodels() {
    for row in rows::<Mcnemar>("exact_mcnemar") {
        near(mcnemar(row.lost, row.gained), row.p, &row);
    }
}

#[derive(Debug, Deserialize)]
struct Holm {
    p_values: Vec<f64>,
    adjusted: Vec<f64>,
}

#[test]
fn holm_is_that_of_statsmodels() {
    for row in rows::<Holm>("holm") {
        for (got, want) in holm(&row.p_values).iter().zip(&row.adjusted) {
            near(*got, *want, &row);
        }
    }
}

#[derive(Debug, Deserialize)]
struct Kappa {
    table: [[u64; 2]; 2],
    kappa: f64,
}

#[test]
fn kappa_is_that_of_scikit_learn() {
    for row in rows::<Kappa>("kappa") {
        near(kappa(&row.table).unwrap(), row.kappa, &row);
    }
}

#[derive(Debug, Deserialize)]
struct Squad {
    answer: String,
    golds: Vec<String>,
    exact: bool,
    f1: f64,
}

#[test]
fn exact_match_and_token_f1_are_those_of_torchmetrics() {
    for row in rows::<Squad>("squad") {
        let exact = by_text(&row.answer, &row.golds, TextRule::Exact);
        assert_eq!(exact.is_correct(), row.exact, "{row:?}");
        let partial = by_text(&row.answer, &row.golds, TextRule::F1 { min: 1.0 });
        near(partial.score(), row.f1, &row);
    }
}

#[derive(Debug, Deserialize)]
struct Gsm8k {
    answer: String,
    gold: String,
    strict: bool,
    flexible: bool,
}

#[test]
fn numbers_are_graded_as_lm_eval_grades_gsm8k() {
    let rows = rows::<Gsm8k>("gsm8k");
    for row in &rows {
        for (rule, correct) in [
            (NumberRule::Strict, row.strict),
            (NumberRule::Flexible, row.flexible),
        ] {
            assert_eq!(
                by_number(&row.answer, &row.gold, rule).is_correct(),
                correct,
                "{rule:?} {row:?}"
            );
        }
    }
    assert!(
        rows.iter().filter(|row| row.strict).count() > 10,
        "right answers are among them"
    );
}

#[derive(Debug, Deserialize)]
struct Choice {
    log_likelihoods: Vec<f64>,
    choices: Vec<String>,
    gold: usize,
    acc: bool,
    acc_norm: bool,
}

#[test]
fn choices_are_graded_as_lm_eval_grades_them() {
    for row in rows::<Choice>("choice") {
        let found = by_likelihood(&row.log_likelihoods, &row.choices, row.gold).unwrap();
        assert_eq!(
            (found.plain.is_correct(), found.normalized.is_correct()),
            (row.acc, row.acc_norm),
            "{row:?}"
        );
    }
}

#[derive(Debug, Deserialize)]
struct Clustered {
    values: Vec<f64>,
    clusters: Vec<usize>,
    mean: f64,
    standard_error: f64,
    low: f64,
    high: f64,
}

#[test]
fn clustered_errors_are_those_of_statsmodels() {
    for row in rows::<Clustered>("clustered") {
        let found = clustered_mean(&row.values, &row.clusters).unwrap();
        let error = found.standard_error.unwrap();
        near(found.mean, row.mean, &row);
        near(error, row.standard_error, &row);
        let half = error * Confidence::default().t(found.clusters as f64 - 1.0).unwrap();
        near(found.mean - half, row.low, &row);
        near(found.mean + half, row.high, &row);
    }
}

#[derive(Debug, Deserialize)]
struct PairedScore {
    items: f64,
    lost: f64,
    gained: f64,
    low: f64,
    high: f64,
}

#[test]
fn the_score_interval_is_that_of_a_numeric_search() {
    for row in rows::<PairedScore>("paired_score") {
        let found =
            paired_score_interval(row.items, row.lost, row.gained, Confidence::default().z()).unwrap();
        near(found.low, row.low, &row);
        near(found.high, row.high, &row);
    }
}

#[derive(Debug, Deserialize)]
struct SignFlip {
    changes: Vec<i64>,
    p: f64,
}

#[test]
fn the_sign_flip_test_is_that_of_scipy() {
    for row in rows::<SignFlip>("sign_flip") {
        near(sign_flip(&row.changes), row.p, &row);
    }
}

#[derive(Debug, Deserialize)]
struct Quantiles {
    level: f64,
    freedom: usize,
    z: f64,
    t: f64,
}

#[test]
fn quantiles_are_those_of_scipy() {
    for row in rows::<Quantiles>("quantiles") {
        let confidence = Confidence::new(row.level).unwrap();
        near(confidence.z(), row.z, &row);
        // Relative: with one degree of freedom they go into the hundreds.
        near(confidence.t(row.freedom as f64).unwrap() / row.t, 1.0, &row);
    }
}
