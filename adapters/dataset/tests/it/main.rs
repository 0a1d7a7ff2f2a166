//! What is written is what is read, and a dataset is in its place whole or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its files should fail"
)]

mod contents;
mod dialogues;
mod places;

use std::fs;
use std::path::{Path, PathBuf};

use gristmill_dataset::{DatasetRow, Origin, Provenance, Rejected, Verdict};
use gristmill_domain::dialogue::{Speaker, Turn};

/// A synthetic row with every field set.
fn row(id: &str, question: &str, answer: &str) -> DatasetRow {
    let text = |text: &str| Some(text.to_owned());
    DatasetRow {
        id: id.to_owned(),
        messages: vec![
            Turn::new(Speaker::User, question),
            Turn::new(Speaker::Assistant, answer),
        ],
        tools: Vec::new(),
        rejected: None,
        reasoning: text("because"),
        provenance: Provenance {
            origin: Origin::Synthetic,
            seed_id: text("seed"),
            seed_source: text("handbook.md"),
            source_place: text("seeds.jsonl:7"),
            strategy: text("rephrase"),
            recipe: text("rephrasing 1 (0123abcd)"),
            mutators: vec!["persona:a nurse".to_owned(), "style:plain".to_owned()],
            prompt_versions: vec!["rephrase/2".to_owned(), "answer/1".to_owned()],
            teacher: text("teacher"),
            teacher_version: text("teacher-2026-01"),
            run: text("0123456789ab"),
            task_ids: vec!["t1".to_owned(), "t2".to_owned()],
            parents: vec![],
            concepts: vec!["units".to_owned()],
            verdicts: vec![
                Verdict {
                    judge: "j/1".to_owned(),
                    score: 0.1,
                    reason: "fine".to_owned(),
                },
                Verdict {
                    judge: "j/2".to_owned(),
                    score: -5.0,
                    reason: String::new(),
                },
            ],
            cost_usd_micros: u64::MAX,
            depth: 255,
            passage_chars: 7,
        },
    }
}

/// A real row with hardly any field set.
fn real(id: &str) -> DatasetRow {
    DatasetRow {
        id: id.to_owned(),
        messages: vec![Turn::new(Speaker::User, "q"), Turn::new(Speaker::Assistant, "a")],
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Provenance::default(),
    }
}

fn rejected(id: &str) -> Rejected {
    Rejected {
        id: id.to_owned(),
        reason: "refusal".to_owned(),
        stage: "rules".to_owned(),
        detail: Some("I cannot".to_owned()),
        question: "q\0".to_owned(),
        cost_usd_micros: 12,
        calls: 2,
        task_ids: vec!["t".to_owned()],
        mutators: vec!["style:plain".to_owned()],
        ..Rejected::default()
    }
}

/// All files below a folder, relative, sorted.
fn tree(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into)
            } else {
                into.push(path)
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, &mut files);
    let mut names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(folder).unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
