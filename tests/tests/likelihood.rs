//! Rows by how likely they are to a model of this machine: real figures of a tiny model, bounds, and refusals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::Config;
use gristmill_tests::tiny_model;
use serde_json::{Value, json};

/// A tiny base in `base`, and rows whose answers have different lengths.
fn bench() -> Bench {
    let bench = Bench::new(Config::default()).unwrap();
    tiny_model::write(&bench.folder.path().join("base")).unwrap();
    let rows: String = (0..20)
        .map(|n| {
            let row = json!({"question": format!("What is {n} and {n}?"), "answer": format!("It is {}.", n * n * n)});
            format!("{row}\n")
        })
        .collect();
    bench.write("rows.jsonl", &rows).unwrap();
    bench
}

fn lines(bench: &Bench, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(bench.folder.path().join(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn filter(bench: &Bench, more: &[&str]) -> Value {
    let usual = [
        "filter",
        "rows.jsonl",
        "--out",
        "kept.jsonl",
        "--kind",
        "short",
        "--overwrite",
        "--progress",
        "none",
    ];
    bench.json(&[&usual, more].concat()).unwrap()
}

/// What is said of a wrong command, which ends with 3 and leaves nothing behind.
fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = bench
        .gristmill(&[&["filter"], args, &["--out", "none.jsonl", "--progress", "none"]].concat())
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
    for name in ["none.jsonl", "none.dropped.jsonl", "none.likelihood.jsonl"] {
        assert!(!bench.folder.path().join(name).exists(), "{args:?}: {name}");
    }
    said
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name}: {value}"))
}

#[test]
fn rows_are_scored_and_those_outside_the_bounds_are_dropped() {
    let bench = bench();
    let all = filter(&bench, &["--base", "base"]);
    assert_eq!(
        (all["kept"].as_u64(), all["dropped"].as_u64()),
        (Some(20), Some(0)),
        "without a bound: {all}"
    );
    let figures = lines(&bench, "kept.likelihood.jsonl");
    assert_eq!(figures.len(), 20);
    for figure in &figures {
        // A token of this model is a byte.
        assert_eq!(figure["tokens"], figure["bytes"]);
        let bits = number(figure, "bits_per_byte");
        assert!(
            (number(figure, "perplexity").log2() - bits).abs() < 1e-9,
            "{figure}"
        );
        assert!((2.0..14.0).contains(&bits), "{figure}");
    }
    let told = &all["likelihood"];
    let bytes: f64 = figures.iter().map(|figure| number(figure, "bytes")).sum();
    let pooled: f64 = figures
        .iter()
        .map(|figure| number(figure, "bits_per_byte") * number(figure, "bytes"))
        .sum::<f64>()
        / bytes;
    assert!((number(told, "bits_per_byte") - pooled).abs() < 1e-9, "{told}");
    let bins = told["histogram"].as_array().unwrap();
    assert_eq!(
        bins.iter().map(|bin| bin["rows"].as_u64().unwrap()).sum::<u64>(),
        20
    );
    let mut bits: Vec<f64> = figures
        .iter()
        .map(|figure| number(figure, "bits_per_byte"))
        .collect();
    bits.sort_by(f64::total_cmp);

    // Between two rows on either side.
    let (min, max) = ((bits[2] + bits[3]) / 2.0, (bits[17] + bits[18]) / 2.0);
    let bounded = filter(
        &bench,
        &[
            "--base",
            "base",
            "--min-bits-per-byte",
            &min.to_string(),
            "--max-bits-per-byte",
            &max.to_string(),
        ],
    );
    assert_eq!(bounded["by_reason"], json!({"too_likely": 3, "too_unlikely": 2}));
    let dropped = lines(&bench, "kept.dropped.jsonl");
    assert!(
        dropped
            .iter()
            .all(|row| row["detail"].as_str().unwrap().contains("bits per byte")),
        "{dropped:?}"
    );
    let kept_by_figure = lines(&bench, "kept.likelihood.jsonl")
        .iter()
        .filter(|figure| figure["kept"] == true)
        .count();
    assert_eq!((lines(&bench, "kept.jsonl").len(), kept_by_figure), (15, 15));

    let shares = filter(
        &bench,
        &[
            "--base",
            "base",
            "--drop-likeliest",
            "0.1",
            "--drop-unlikeliest",
            "0.2",
        ],
    );
    assert_eq!(shares["by_reason"], json!({"too_likely": 2, "too_unlikely": 4}));
    let text = bench.gristmill(&[
        "filter",
        "rows.jsonl",
        "--out",
        "kept.jsonl",
        "--kind",
        "short",
        "--overwrite",
        "--base",
        "base",
        "--max-perplexity",
        "1e9",
    ]);
    let text = String::from_utf8(text.unwrap().stdout).unwrap();
    assert!(
        text.contains("20 answers behind their questions") && text.contains('█'),
        "{text}"
    );
}

#[test]
fn a_student_finds_what_it_was_trained_on_likelier_and_questions_count() {
    let bench = bench();
    let told = |more: &[&str]| filter(&bench, more)["likelihood"].clone();
    let untrained = told(&["--base", "base"]);
    // The same answers behind other questions are other answers.
    let other: String = lines(&bench, "rows.jsonl")
        .iter()
        .map(|row| {
            format!(
                "{}\n",
                json!({"question": "Why is it so?", "answer": row["answer"]})
            )
        })
        .collect();
    bench.write("others.jsonl", &other).unwrap();
    let args = [
        "filter",
        "others.jsonl",
        "--out",
        "others.kept.jsonl",
        "--kind",
        "short",
        "--base",
        "base",
    ];
    let others = bench.json(&args).unwrap();
    assert_ne!(others["likelihood"]["bits_per_byte"], untrained["bits_per_byte"]);
    // A conversation is scored as the messages that it is.
    let messages: String = lines(&bench, "rows.jsonl")
        .iter()
        .map(|row| {
            let turns = json!([{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]);
            format!("{}\n", json!({ "messages": turns }))
        })
        .collect();
    bench.write("messages.jsonl", &messages).unwrap();
    let args = [
        "filter",
        "messages.jsonl",
        "--out",
        "messages.kept.jsonl",
        "--kind",
        "short",
        "--base",
        "base",
    ];
    let conversations = bench.json(&args).unwrap();
    assert_eq!(
        conversations["likelihood"]["bits_per_byte"],
        untrained["bits_per_byte"]
    );
    // A student is found by its folder, and an adapter put on its base is the same model.
    tiny_model::train(&bench, "student", &["max_steps=6"]).unwrap();
    let trained = told(&["--student", "student"]);
    let adapted = told(&["--base", "base", "--adapter", "student"]);
    assert_eq!(trained["bits_per_byte"], adapted["bits_per_byte"]);
    println!("{untrained} {trained}");
    assert!(
        number(&trained, "bits_per_byte") < number(&untrained, "bits_per_byte"),
        "{trained}"
    );
}

#[test]
fn whole_rows_need_the_bits_that_an_evaluation_finds() {
    let bench = Bench::new(Config::default()).unwrap();
    tiny_model::write(&bench.folder.path().join("base")).unwrap();
    let dataset = tiny_model::stored_run().join("dataset");
    let asked = [
        "eval",
        dataset.to_str().unwrap(),
        "--base",
        "base",
        "--max-tokens",
        "2",
        "--formats",
        "plain",
        "--progress",
        "none",
    ];
    let evaluated = bench.json(&asked).unwrap();
    let expected = &evaluated["models"][0]["perplexity"];
    let test = format!("{}/data/test-*.parquet", dataset.display());
    let args = [
        "filter",
        &test,
        "--out",
        "kept.jsonl",
        "--kind",
        "label",
        "--base",
        "base",
        "--likelihood-of",
        "row",
        "--progress",
        "none",
    ];
    let scored = bench.json(&args).unwrap();
    let found = &scored["likelihood"];
    assert_eq!(found["rows"], expected["texts"], "{scored}");
    assert!(
        (number(found, "bits_per_byte") - number(expected, "bits_per_byte")).abs() < 1e-9,
        "{found} {expected}"
    );
    assert!(
        (number(found, "perplexity") / number(expected, "per_token") - 1.0).abs() < 1e-9,
        "{found} {expected}"
    );
}

#[test]
fn what_cannot_be_scored_is_refused_with_the_row_and_the_way_out() {
    let bench = bench();
    let rows = ["rows.jsonl", "--kind", "short"];
    let with = |more: &[&str]| refused(&bench, &[&rows[..], more].concat());
    let unnamed = with(&["--max-perplexity", "9"]);
    assert!(
        unnamed.contains("no model is named") && unnamed.contains("--base"),
        "{unnamed}"
    );
    let nowhere = with(&["--base", "./nowhere"]);
    assert!(
        nowhere.contains("./nowhere") && nowhere.contains("help: "),
        "{nowhere}"
    );
    let endpoint = with(&["--student", "https://one.example/v1"]);
    assert!(endpoint.contains("--base"), "{endpoint}");
    let crossed = with(&["--base", "base", "--min-perplexity", "9", "--max-perplexity", "3"]);
    assert!(crossed.contains("--min-perplexity 9"), "{crossed}");

    // A row without an answer, and one that is longer than the model's window.
    let words: Vec<String> = (0..800).map(|n| format!("step{n}")).collect();
    let words = words.join(" ");
    let (short, long) = (
        json!({"question": "Why did it come to this?", "answer": "So it is."}),
        json!({"question": "Why did it come to this?", "answer": words}),
    );
    bench.write("long.jsonl", &format!("{short}\n{long}\n")).unwrap();
    bench
        .write("unanswered.jsonl", "{\"question\": \"Who was it?\"}\n")
        .unwrap();
    let unanswered = refused(&bench, &["unanswered.jsonl", "--kind", "short", "--base", "base"]);
    assert!(
        unanswered.contains("unanswered.jsonl:1") && unanswered.contains("--answer"),
        "{unanswered}"
    );
    let too_long = refused(&bench, &["long.jsonl", "--kind", "label", "--base", "base"]);
    assert!(
        too_long.contains("long.jsonl:2") && too_long.contains("4096") && too_long.contains("--skip-bad"),
        "{too_long}"
    );
    let args = [
        "filter",
        "long.jsonl",
        "--out",
        "short.jsonl",
        "--kind",
        "label",
        "--base",
        "base",
        "--skip-bad",
    ];
    let left = bench.json(&args).unwrap();
    assert_eq!(
        (left["kept"].as_u64(), left["left_out"].as_u64()),
        (Some(1), Some(1)),
        "{left}"
    );
}
