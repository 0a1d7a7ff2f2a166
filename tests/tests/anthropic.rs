//! A whole run whose teacher speaks Anthropic's Messages: the books agree with the bill, and the key stays where it was.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::fmt::Write;
use std::path::Path;

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::Config;
use serde_json::json;

const KEY: &str = "sk-canary-3e7b";

/// Every file below a folder that holds the text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(text.len())
            .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn run(structured: &str) {
    let seeds = (3..40).fold(String::new(), |mut lines, number| {
        let question = format!("Nora has {number} pens and buys as many again. How many pens does she have?");
        let answer = format!("She has {number} and {number}.\n#### {}", 2 * number);
        writeln!(lines, "{}", json!({ "question": question, "answer": answer })).unwrap();
        lines
    });
    let config = Config {
        seed: 7,
        api_key: Some(KEY.to_owned()),
        ..Config::default()
    };
    let bench = Bench::with_numbers(&seeds, config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: {}, api: anthropic, model: sim, key_env: TEACHER_KEY, structured: {structured}, \
         price: {{input: 0.15, output: 0.60}}}}\nembed: {{model: off}}\n\
         generate: {{strategy: answer_augmentation, pilot: 0, rows: 30}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{usd: 1}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let output = bench
        .command(&["run", "job.yaml", "--output", "json"])
        .unwrap()
        .env("TEACHER_KEY", KEY)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        summary["rows"]["train_synthetic"].as_u64().unwrap() >= 20,
        "{summary}"
    );
    let bill = bench.sim.bill().total;
    let booked = &summary["by_reference"]["with_reference"];
    assert_eq!(
        (booked["calls"].as_u64(), booked["usd_micros"].as_u64()),
        (Some(bill.calls), Some(bill.micro_usd)),
        "{structured}"
    );
    assert_eq!(holding(bench.folder.path(), KEY), Vec::<String>::new());
    assert!(!String::from_utf8_lossy(&output.stderr).contains(KEY));
}

#[test]
fn answers_in_an_output_format() {
    run("json_schema");
}

#[test]
fn answers_through_a_tool() {
    run("tool");
}
