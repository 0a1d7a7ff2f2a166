//! What decontamination misses and what it drops for nothing, by domain, on paraphrases that chose no threshold.
//!
//!     cargo bench -p gristmill-tests --bench leaks
//!
//! Half of the questions of each kind are held out. Leaks are those in other words, by the simulated service's rules and by rules
//! that share nothing with them; clean rows are the other half. `gristmill decontaminate` is run as a user would run it, once with a
//! cosine of .95, once with the one that it chooses. That choice sees held-out questions alone, and no paraphrase.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::process::Command;

use gristmill_tests::harness::{data, program};
use gristmill_tests::paraphrase::paraphrased;
use gristmill_tests::sim::rephrased;
use serde_json::{Value, json};

/// Questions of a domain that are used.
const MOST: usize = 400;

fn main() {
    let Some(data) = data() else {
        println!("no real data: see GRISTMILL_DATA");
        return;
    };
    println!("domain     paraphrases by    cosine   missed of leaks  [95 %]           dropped of clean");
    for (domain, file) in [
        ("numbers", "gsm8k/train.jsonl"),
        ("labels", "pubmedqa/train.jsonl"),
        ("sql", "text2sql/questions.jsonl"),
    ] {
        let questions = questions(&data.join(file));
        let (clean, held_out) = questions.split_at(questions.len() / 2);
        for (by, leaks) in [
            (
                "service",
                held_out
                    .iter()
                    .zip(0..)
                    .map(|(q, n)| rephrased(q, n))
                    .collect::<Vec<_>>(),
            ),
            ("other rules", held_out.iter().map(|q| paraphrased(q)).collect()),
        ] {
            for cosine in ["0.95", "auto"] {
                let (cosine, left) = kept(&leaks, held_out, cosine);
                let (_, clean_left) = kept(clean, held_out, &cosine.to_string());
                let (low, high) = wilson(left, leaks.len());
                println!(
                    "{domain:10} {by:15} {cosine:8.3} {left:8} of {:4}   [{:.1} to {:.1} %] {:8} of {}",
                    leaks.len(),
                    100.0 * low,
                    100.0 * high,
                    clean.len() - clean_left,
                    clean.len()
                );
            }
        }
    }
}

fn questions(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let row = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["question"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    text.lines().take(MOST).map(row).collect()
}

/// The cosine used, and how many rows are kept.
fn kept(rows: &[String], held_out: &[String], cosine: &str) -> (f64, usize) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, questions: &[String]| {
        let lines: String = questions
            .iter()
            .map(|question| format!("{}\n", json!({"question": question})))
            .collect();
        std::fs::write(folder.path().join(name), lines).unwrap();
    };
    write("rows.jsonl", rows);
    write("test.jsonl", held_out);
    let arguments = [
        "decontaminate",
        "rows.jsonl",
        "--against",
        "test.jsonl",
        "--out",
        "clean.jsonl",
        "--output",
        "json",
        "--cosine",
        cosine,
    ];
    let output = Command::new(program().unwrap())
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used = said["settings"]["cosine"].as_f64().unwrap();
    (used, usize::try_from(said["kept"].as_u64().unwrap()).unwrap())
}

/// Wilson's interval for a share.
fn wilson(count: usize, all: usize) -> (f64, f64) {
    let (z, n) = (1.96, all.max(1) as f64);
    let share = count as f64 / n;
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((centre - half) / scale, (centre + half) / scale)
}
