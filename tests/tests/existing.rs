//! Runs that know the rows of earlier datasets: they make none of them again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::HashSet;

use gristmill_tests::facts::World;
use gristmill_tests::study::Study;
use serde_json::Value;

/// A teacher with few ideas, and real questions beside them.
fn study() -> Study {
    let world = World::new(3, 1);
    Study::new(&world.zipf(0, 8, 6), &world.zipf(10, 10, 0), 1).unwrap()
}

/// A job of new questions, by another draw and with more settings.
fn job(study: &Study, draw: u64, filter: &str) -> String {
    let model = format!(
        "{{base_url: {}, model: t, price: {{input: 0, output: 0}}}}",
        study.bench.url()
    );
    format!(
        "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nteacher: {model}\njudge: {model}\nembed: {{model: off}}\n\
         generate: {{recipes: [./asked.yaml], reasoning: false, pilot: 0, rounds: 1, max_tokens: 64, seed: {draw}}}\n\
         filter: {{validator: {{kind: text}}{filter}}}\nanchor: {{max_synthetic_share: 0.98}}\nbudget: {{calls: 120}}\n"
    )
}

fn name(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

/// Questions of a run's synthetic rows.
fn questions(study: &Study, run: &str) -> Vec<String> {
    let rows = synthetic(study, run).into_iter();
    rows.map(|row| row["messages"][0]["content"].as_str().unwrap().to_owned())
        .collect()
}

fn synthetic(study: &Study, run: &str) -> Vec<Value> {
    let rows = study.lines(&format!("{run}/dataset/jsonl/train.jsonl")).unwrap();
    rows.into_iter()
        .filter(|row| row["provenance"]["origin"] == "synthetic")
        .collect()
}

/// Questions that both have.
fn shared(a: &[String], b: &[String]) -> usize {
    let a: HashSet<&String> = a.iter().collect();
    b.iter().filter(|question| a.contains(question)).count()
}

#[test]
fn no_row_of_an_earlier_dataset_is_made_again_but_those_that_are_taken_out() {
    let study = study();
    let first = study.run("first", &job(&study, 0, "")).unwrap();
    let made = questions(&study, &first);
    assert!(made.len() >= 20, "{}", made.len());
    let alone = questions(&study, &study.run("alone", &job(&study, 1, "")).unwrap());
    assert!(
        shared(&made, &alone) >= 10,
        "a run that knows nothing of the first repeats it: {} of {}",
        shared(&made, &alone),
        alone.len()
    );
    let knows = format!(", existing: {{datasets: {first}}}");
    let second = study.run("second", &job(&study, 1, &knows)).unwrap();
    let new = questions(&study, &second);
    println!(
        "first {}, alone {} ({} again), knowing {}",
        made.len(),
        alone.len(),
        shared(&made, &alone),
        new.len()
    );
    assert_eq!(shared(&made, &new), 0, "{new:?}");
    assert!(!new.is_empty());
    let manifest = std::fs::read(study.path(&second).join("dataset/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        manifest["seeds"]["existing"],
        made.len(),
        "{:#}",
        manifest["seeds"]
    );
    let rejected = manifest["rejected"].to_string();
    assert!(rejected.contains("duplicate_of_existing"), "{rejected}");

    // What is taken out may be asked again.
    let taken_out: Vec<String> = synthetic(&study, &first).iter().map(name).collect();
    study.bench.write("out.txt", &taken_out.join("\n")).unwrap();
    let without = format!(", existing: {{datasets: {first}, without: out.txt}}");
    let third = questions(&study, &study.run("third", &job(&study, 1, &without)).unwrap());
    assert!(
        shared(&made, &third) >= 8,
        "{} of {}",
        shared(&made, &third),
        third.len()
    );
}

#[test]
fn what_is_no_dataset_is_named_before_anything_is_spent() {
    let study = study();
    for (filter, told) in [
        (
            "existing: {datasets: seeds.jsonl}",
            "seeds.jsonl is not a dataset",
        ),
        ("existing: {datasets: []}", "no dataset is named"),
        ("existing: {datasets: base, without: nowhere.txt}", "nowhere.txt"),
        ("existing: {dataset: first}", "did you mean `datasets`"),
    ] {
        study
            .bench
            .write("job.yaml", &job(&study, 0, &format!(", {filter}")))
            .unwrap();
        let output = study.bench.gristmill(&["plan", "job.yaml"]).unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}");
        assert!(text.contains(told), "{filter}: {text}");
    }
    assert_eq!(study.bench.sim.bill().total.calls, 0);
}
