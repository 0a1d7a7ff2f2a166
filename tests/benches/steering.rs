//! Steering against no steering, on the medicine set: the same seeds, budget and service, by our own count and by the service's key.
//!
//!     cargo bench -p gristmill-tests --bench steering [-- RUNS [PICTURE.svg]]
//!
//! 200 articles are seeds, the other 300 are held back by the service, which gives some of them out as new questions. The concepts are the
//! twenty subject headings that most of the articles carry, apart from check tags and methods; 30 rows are wanted of each, for 2,500 calls.
//! The service ignores the wanted concept one time in ten and has 25 ideas a concept, to which it comes back unless it is shown that they
//! were asked before. A row counts by the key when a heading of its question says so; of made-up questions, when they name it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use gristmill_picture::bars::{BarRow, Part, svg};
use gristmill_tests::harness::{Bench, data, synthetic};
use gristmill_tests::sim::{AnswerKey, Config, KeyFiles, Quality};
use serde_json::Value;

/// Articles that are seeds.
const SEEDS: usize = 200;
/// Rows wanted of each concept.
const TARGET: u64 = 30;
/// Calls of a run.
const CALLS: u64 = 2_500;
/// Subject headings of diseases, procedures and what becomes of patients, each carried by some articles of either part.
const CONCEPTS: [&str; 20] = [
    "Breast Neoplasms",
    "Quality of Life",
    "Laparoscopy",
    "Body Mass Index",
    "Postoperative Complications",
    "Pregnancy",
    "Magnetic Resonance Imaging",
    "Tomography, X-Ray Computed",
    "Depression",
    "Obesity",
    "Stroke",
    "Neoplasm Staging",
    "Comorbidity",
    "Length of Stay",
    "Anti-Bacterial Agents",
    "Myocardial Infarction",
    "Ultrasonography",
    "Smoking",
    "Lymphatic Metastasis",
    "Patient Satisfaction",
];
/// Ways to run.
const WAYS: [(&str, &str); 3] = [
    ("no steering", ", steer: false"),
    ("embedding", ""),
    ("model", ", assign: model"),
];

/// What a run came to.
struct Run {
    way: usize,
    seed: u64,
    /// Concepts at target by our count, and by the key.
    ours: u64,
    key: u64,
    rows: u64,
    new_questions: u64,
    unassigned: u64,
    /// Of the new questions that count, how many the key confirms.
    counted: u64,
    right: u64,
    rephrasings: u64,
    duplicates: u64,
    given_up: u64,
    calls: u64,
}

fn bench(data: &Path, seed: u64, settings: &str) -> Bench {
    let text = std::fs::read_to_string(data.join("pubmedqa/train.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, lines: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    };
    let (seeds, held_back) = lines.split_at(SEEDS);
    let bench = Bench::new(Config {
        key: KeyFiles {
            pubmedqa: vec![part("seeds.jsonl", seeds)],
            new_from: vec![part("held-back.jsonl", held_back)],
            ..KeyFiles::default()
        },
        seed,
        quality: Quality {
            wrong_concept: 0.1,
            ideas: 25,
            ..Quality::default()
        },
        ..Config::default()
    })
    .unwrap();
    bench.write("seeds.jsonl", &seeds.join("\n")).unwrap();
    let list: Vec<String> = CONCEPTS.iter().map(|name| format!("\"{name}\"")).collect();
    let job = format!(
        "seeds:\n  path: seeds.jsonl\n  fields: {{answer: long_answer, references: final_decision, context: contexts, concept: meshes, source: pmid}}\n\
         teacher: {{base_url: {}, model: sim}}\n\
         concepts: {{list: [{}], target: {TARGET}, accept: narrow{settings}}}\n\
         generate: {{subject: medicine, reasoning: false}}\nfilter: {{validator: {{kind: label, labels: [yes, no, maybe]}}}}\n\
         anchor: {{max_synthetic_share: 0.98}}\nbudget: {{calls: {CALLS}}}\noutput: {{context: false}}\n",
        bench.url(),
        list.join(", ")
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

/// Concepts at target by the key: real rows by their headings, synthetic ones as the key knows their questions, those that are nearly
/// another's words once.
fn by_key(bench: &Bench, key: &AnswerKey) -> u64 {
    let mut kept: BTreeMap<&str, Vec<HashSet<String>>> = BTreeMap::new();
    for row in bench.rows("train").unwrap() {
        let provenance = &row["provenance"];
        let question = match synthetic(&row) {
            // Further answers to a question are no further question.
            Some((strategy, ..)) if strategy == "answer_augmentation" => continue,
            Some((_, question, _)) => question,
            None => {
                let messages = row["messages"].as_array().unwrap();
                let user = messages.iter().find(|message| message["role"] == "user").unwrap();
                assert_eq!(provenance["origin"], "human");
                user["content"].as_str().unwrap().to_owned()
            }
        };
        let shape = pairs(&question);
        for concept in CONCEPTS {
            if key.is_about(&question, &[concept]) == Some(true) {
                let kept = kept.entry(concept).or_default();
                if !kept.iter().any(|other| jaccard(other, &shape) >= 0.8) {
                    kept.push(shape.clone());
                }
            }
        }
    }
    kept.values().filter(|rows| rows.len() as u64 >= TARGET).count() as u64
}

fn run(data: &Path, seed: u64, way: usize) -> Run {
    let bench = bench(data, seed, WAYS[way].1);
    let output = bench
        .gristmill(&["run", "job.yaml", "--output", "json", "--progress", "none"])
        .unwrap();
    // A run that ends short of its targets says so with 4.
    assert!(
        matches!(output.status.code(), Some(0 | 4)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = bench.sim.key();
    let concepts = summary["concepts"].as_array().unwrap();
    let number = |concept: &Value, name: &str| concept[name].as_u64().unwrap();
    let full = |concept: &&Value| number(concept, "real") + number(concept, "synthetic") >= TARGET;
    let mut run = Run {
        way,
        seed,
        ours: concepts.iter().filter(full).count() as u64,
        key: by_key(&bench, key),
        rows: 0,
        new_questions: 0,
        unassigned: 0,
        counted: 0,
        right: 0,
        rephrasings: 0,
        duplicates: summary["rejected"]["semantic_duplicate"]["rows"]
            .as_u64()
            .unwrap_or(0)
            + summary["rejected"]["exact_duplicate"]["rows"]
                .as_u64()
                .unwrap_or(0)
            + summary["rejected"]["near_duplicate"]["rows"]
                .as_u64()
                .unwrap_or(0),
        given_up: concepts
            .iter()
            .filter(|concept| !concept["given_up"].is_null())
            .count() as u64,
        calls: bench.sim.bill().total.calls,
    };
    for row in bench.rows("train").unwrap() {
        let Some((strategy, question, _)) = synthetic(&row) else {
            continue;
        };
        run.rows += 1;
        run.rephrasings += u64::from(strategy == "rephrasing");
        if strategy == "new_question" {
            let assigned = row["provenance"]["concepts"].as_array().unwrap();
            run.new_questions += 1;
            run.unassigned += u64::from(assigned.is_empty());
            for concept in assigned {
                run.counted += 1;
                run.right += u64::from(key.is_about(&question, &[concept.as_str().unwrap()]) == Some(true));
            }
        }
    }
    run
}

fn show(run: &Run) {
    println!(
        "{:<12} {:>4} {:>5} {:>5} {:>6} {:>6} {:>6} {:>9} {:>13} {:>6} {:>8} {:>6}",
        WAYS[run.way].0,
        run.seed,
        run.ours,
        run.key,
        run.rows,
        run.rephrasings,
        run.new_questions,
        run.unassigned,
        format!("{} of {}", run.right, run.counted),
        run.duplicates,
        run.given_up,
        run.calls
    );
}

/// A bar for each run's concepts at target: the upper one by our count, the lower one by the key.
fn picture(runs: &[Run]) -> String {
    let all = CONCEPTS.len() as f64;
    let bar = |concepts: u64, faint: bool, colour| {
        vec![Part {
            share: concepts as f64 / all,
            colour,
            faint,
        }]
    };
    let row = |run: &Run| BarRow {
        name: format!("{}, service {}", WAYS[run.way].0, run.seed),
        bars: vec![bar(run.ours, false, run.way), bar(run.key, true, run.way)],
        goal: None,
        number: format!("{} · {}", run.ours, run.key),
    };
    svg(
        &format!(
            "Concepts at {TARGET} rows of {}, for {CALLS} calls: by our count (upper) and by the key (lower)",
            CONCEPTS.len()
        ),
        &runs.iter().map(row).collect::<Vec<_>>(),
    )
}

fn main() {
    let data = data().expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let runs = args
        .next()
        .map_or(5, |runs| runs.parse().expect("a number of runs"));
    println!(
        "{:<12} {:>4} {:>5} {:>5} {:>6} {:>6} {:>6} {:>9} {:>13} {:>6} {:>8} {:>6}",
        "steering",
        "seed",
        "ours",
        "key",
        "rows",
        "reph.",
        "new",
        "no concept",
        "right",
        "dupl.",
        "given up",
        "calls"
    );
    let mut all: Vec<Run> = Vec::new();
    for (way, (name, _)) in WAYS.iter().enumerate() {
        for seed in 1..=runs {
            let run = run(&data, seed, way);
            show(&run);
            all.push(run);
        }
        let of_way = || all.iter().filter(|run| run.way == way);
        let mean =
            |of: fn(&Run) -> u64| of_way().map(of).sum::<u64>() as f64 / of_way().count().max(1) as f64;
        println!(
            "{name:<12} mean {:>5.1} {:>5.1}",
            mean(|run| run.ours),
            mean(|run| run.key)
        );
    }
    if let Some(path) = args.next() {
        std::fs::write(&path, picture(&all)).expect("the picture can be written");
        println!("picture: {path}");
    }
}

fn pairs(text: &str) -> HashSet<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.windows(2).map(|pair| pair.join(" ")).collect()
}

fn jaccard(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    let common = a.intersection(b).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}
