//! Thirty concepts of medicine, seeds narrowed to three of them, and a teacher that ignores the wanted concept three times in ten: the
//! audit says so, steered rounds fill the targets, and the same budget without steering does not.
//!
//! What counts is judged twice: by the product, through its own embedding model, and here, by the texts alone: a question that counts for
//! a concept names it or one of its labels, and no two that count for one concept are alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use gristmill_tests::harness::{Bench, data, synthetic};
use gristmill_tests::sim::{Config, KeyFiles, Quality};
use serde_json::Value;

const CONCEPTS: &str = include_str!("../data/medicine-concepts.yaml");
/// The concepts that seeds are left of.
const LEFT: [&str; 3] = ["breast cancer", "depression", "diabetes"];
/// Rows wanted of each concept.
const TARGET: u64 = 20;
/// Calls of either run.
const CALLS: u64 = 9_000;

/// Labels by concept, read as far as this file goes.
fn labels() -> BTreeMap<String, Vec<String>> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in CONCEPTS.lines() {
        if let Some(found) = line.strip_prefix("- name: ") {
            name = found.to_owned();
        } else if let Some(list) = line
            .trim()
            .strip_prefix("labels: [")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let quoted = list.split('"').enumerate().flat_map(|(i, part)| {
                let parts: Vec<&str> = if i % 2 == 1 {
                    vec![part]
                } else {
                    part.split(',').collect()
                };
                parts.into_iter().map(|part| part.trim().to_owned())
            });
            labels.insert(name.clone(), quoted.filter(|label| !label.is_empty()).collect());
        }
    }
    labels
}

/// The medicine set's rows that carry labels of the three concepts, and of no other.
fn narrowed(path: &Path) -> String {
    let labels = labels();
    let of_row = |line: &str| -> HashSet<String> {
        let row: Value = serde_json::from_str(line).unwrap();
        let headings: HashSet<&str> = row["meshes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let named = labels
            .iter()
            .filter(|(_, labels)| labels.iter().any(|label| headings.contains(label.as_str())));
        named.map(|(name, _)| name.clone()).collect()
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| {
            let concepts = of_row(line);
            !concepts.is_empty() && concepts.iter().all(|concept| LEFT.contains(&concept.as_str()))
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A folder with the narrowed seeds and the job, and a service that ignores the wanted concept three times in ten.
fn bench(data: &Path, concepts: &str) -> Bench {
    let path = data.join("pubmedqa/train.jsonl");
    let bench = Bench::new(Config {
        key: KeyFiles {
            pubmedqa: vec![path.clone()],
            ..KeyFiles::default()
        },
        seed: 3,
        quality: Quality {
            wrong_concept: 0.3,
            ..Quality::default()
        },
        ..Config::default()
    })
    .unwrap();
    bench.write("seeds.jsonl", &narrowed(&path)).unwrap();
    bench.write("concepts.yaml", CONCEPTS).unwrap();
    let job = format!(
        "seeds:\n  path: seeds.jsonl\n  fields: {{answer: long_answer, references: final_decision, context: contexts, concept: meshes, source: pmid}}\n\
         holdout: {{validation: 0, test: 0}}\n\
         teacher: {{base_url: {}, model: sim}}\n\
         concepts: {{file: concepts.yaml, target: {TARGET}, confidence: {}{concepts}}}\n\
         generate: {{subject: medicine}}\nfilter: {{validator: {{kind: label, labels: [yes, no, maybe]}}}}\n\
         anchor: {{max_synthetic_share: 0.98}}\nbudget: {{calls: {CALLS}}}\noutput: {{context: false}}\n",
        bench.url(), std::env::var("CONF").unwrap_or("0.6".into())
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

#[test]
fn narrow_seeds_are_caught_before_anything_is_spent() {
    let Some(data) = data() else {
        return println!("skipped: no real data beside the repository");
    };
    let bench = bench(&data, "");
    let audit = bench
        .gristmill(&["audit", "job.yaml", "--output", "json"])
        .unwrap();
    assert!(
        audit.status.success(),
        "{}",
        String::from_utf8_lossy(&audit.stderr)
    );
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    let covered = audit["concepts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|concept| concept["covered"] == true)
        .count();
    println!("audit: {covered} of 30 covered; {}", audit["warnings"]);
    assert_eq!(covered, LEFT.len());
    assert_eq!(audit["stops"], true);
    assert!(audit["missing"].as_u64().unwrap() >= 27 * TARGET);
    let refused = bench.gristmill(&["run", "job.yaml"]).unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(
        told.contains("the seeds are narrow: 27 of 30 concepts") && told.contains("concepts.accept=narrow"),
        "{told}"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
    let plain = bench.gristmill(&["audit", "job.yaml"]).unwrap();
    println!("{}", String::from_utf8_lossy(&plain.stdout));
}

/// Rows by concept as a run's manifest has them: real, synthetic.
fn counted(summary: &Value) -> BTreeMap<String, (u64, u64)> {
    let concepts = summary["concepts"].as_array().unwrap().iter();
    concepts
        .map(|concept| {
            let number = |key: &str| concept[key].as_u64().unwrap();
            (
                concept["concept"].as_str().unwrap().to_owned(),
                (number("real"), number("synthetic")),
            )
        })
        .collect()
}

#[test]
fn steered_rounds_fill_the_targets() {
    let Some(data) = data() else {
        return println!("skipped: no real data beside the repository");
    };
    let steered = bench(&data, ", accept: narrow");
    let with = steered.run_job("job.yaml", &[]).unwrap();
    let free = bench(&data, ", accept: narrow, steer: false");
    let without = free.run_job("job.yaml", &[]).unwrap();
    let (a, b) = (counted(&with), counted(&without));
    println!(
        "{:<36} {:>6} {:>6} {:>9} {:>9}",
        "concept", "target", "real", "steered", "unsteered"
    );
    for (concept, (real, synthetic)) in &a {
        println!(
            "{concept:<36} {TARGET:>6} {real:>6} {synthetic:>9} {:>9}",
            b[concept].1
        );
    }
    let filled = |counts: &BTreeMap<String, (u64, u64)>| {
        let met = counts
            .values()
            .filter(|(real, synthetic)| real + synthetic >= TARGET)
            .count();
        let open: u64 = counts
            .values()
            .map(|(real, synthetic)| TARGET.saturating_sub(real + synthetic))
            .sum();
        (met, open)
    };
    let ((met, open), (free_met, free_open)) = (filled(&a), filled(&b));
    println!(
        "targets met: {met} of 30 steered, {free_met} of 30 without; rows still open: {open} and {free_open}"
    );
    for (name, summary) in [("steered", &with), ("unsteered", &without)] {
        println!("{name}: {}; {}", summary["end"], summary["rows"]);
        println!("  rejected: {}", summary["rejected"]);
    }
    let judged = named_and_distinct(&steered, &a);
    println!("by the texts alone: {judged} of 30 at their target");
    assert!(met >= 27, "at least 90 % of the targets");
    assert!(judged >= 27, "and by the texts alone too");
    assert!(
        free_met <= 6 && free_open > 10 * open.max(1),
        "without steering far more stays open"
    );
    assert_eq!(with["end"], "every concept has the rows that are wanted of it");
    let status = steered
        .gristmill(&["status", &steered.run_folder().unwrap().display().to_string()])
        .unwrap();
    assert!(
        String::from_utf8_lossy(&status.stdout).contains(&format!("coverage   {met}/30 concepts at target"))
    );
}

/// Words that stand in the name or the labels of one concept alone.
fn vocabulary() -> BTreeMap<String, HashSet<String>> {
    let of = |(name, labels): (&String, &Vec<String>)| {
        let text = format!("{name} {}", labels.join(" ")).to_lowercase();
        let words = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() >= 4);
        (
            name.clone(),
            words.map(str::to_owned).collect::<HashSet<String>>(),
        )
    };
    let all: BTreeMap<String, HashSet<String>> = labels().iter().map(of).collect();
    let mut own = all.clone();
    for (name, words) in &mut own {
        words.retain(|word| {
            !all.iter()
                .any(|(other, words)| other != name && words.contains(word))
        });
    }
    own
}

/// Concepts that reach their target by real rows and by synthetic ones whose words name them, no two of them alike.
fn named_and_distinct(bench: &Bench, counts: &BTreeMap<String, (u64, u64)>) -> usize {
    let vocabulary = vocabulary();
    let mut kept: BTreeMap<String, Vec<HashSet<String>>> = BTreeMap::new();
    let (mut all, mut named) = (0, 0);
    for row in bench.rows("train").unwrap() {
        let Some((strategy, question, _)) = synthetic(&row) else {
            continue;
        };
        let text = question.to_lowercase();
        let words: HashSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        for concept in row["provenance"]["concepts"].as_array().unwrap() {
            let concept = concept.as_str().unwrap();
            // A rephrasing is about what its seed is about, which people have labelled.
            if strategy == "new_question" {
                all += 1;
                if !vocabulary[concept]
                    .iter()
                    .any(|word| words.contains(word.as_str()))
                {
                    println!("NOT {concept}: {question}");
                    continue;
                }
                named += 1;
            }
            let pairs = pairs(&text);
            let kept = kept.entry(concept.to_owned()).or_default();
            if !kept.iter().any(|other| jaccard(other, &pairs) >= 0.8) {
                kept.push(pairs);
            }
        }
    }
    println!("of {all} new questions assigned, {named} say so in their own words");
    assert!(named * 100 >= all * 85, "few assignments are wrong");
    let there = |(concept, (real, _)): (&String, &(u64, u64))| {
        real + kept.get(concept).map_or(0, |kept| kept.len() as u64)
    };
    for c in counts { println!("{} {}", c.0, there(c)); }
    counts.iter().filter(|count| there(*count) >= TARGET).count()
}

fn pairs(text: &str) -> HashSet<String> {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).map(|pair| pair.join(" ")).collect()
}

fn jaccard(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    let common = a.intersection(b).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}
