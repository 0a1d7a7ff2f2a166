//! Reads folders of documents, one folder a row: what came of them, how long it took, how much memory it held.
//!
//!     cargo run --release -p gristmill-documents --example corpus -- FOLDER... [--show N]
//!
//! `--show N` prints N passages of each folder, evenly spread.
#![allow(clippy::print_stdout, reason = "a tool whose output is this table")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use gristmill_documents::{Event, Options, Reader};
use gristmill_domain::passage::Passage;

fn main() -> ExitCode {
    if gristmill_documents::is_child() {
        return gristmill_documents::child_main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut folders: Vec<String> = std::env::args().skip(1).collect();
    let show = match folders.iter().position(|argument| argument == "--show") {
        Some(at) => {
            let count = folders.get(at + 1).ok_or("--show needs a number")?.parse()?;
            folders.drain(at..at + 2);
            count
        }
        None => 0,
    };
    for folder in &folders {
        read(folder, show)?;
    }
    Ok(())
}

fn read(folder: &str, show: usize) -> Result<(), Box<dyn Error>> {
    let before = Instant::now();
    let mut reader = Reader::open(&[folder], &Options::default())?;
    let mut passages: Vec<Passage> = Vec::new();
    let mut child_kib = 0;
    for event in reader.by_ref() {
        match event {
            Event::Passage(passage) if show > 0 => passages.push(passage),
            Event::Passage(_) => {}
            Event::Document(document) => {
                child_kib = child_kib.max(child_peak_kib());
                let file = document.source.file.rsplit('/').next().unwrap_or_default();
                let dropped: Vec<String> = document
                    .dropped
                    .iter()
                    .map(|(why, amount)| format!("{} {}/{}", why.name(), amount.pieces, amount.words))
                    .collect();
                println!(
                    "  {file}: {} KiB, {} passages, {} words; dropped (pieces/words): {}",
                    document.bytes >> 10,
                    document.passages,
                    document.words,
                    dropped.join(", ")
                );
            }
            Event::Skipped(skipped) => println!("  {}: SKIPPED: {}", skipped.file.display(), skipped.reason),
        }
    }
    let took = before.elapsed();
    let summary = reader.summary();
    let documents: u64 = summary.documents.values().sum();
    println!(
        "{folder}: {documents} documents, {} skipped, {} passages, {} words in {:.2} s; peak {} MiB here and {} MiB in the child",
        summary.skipped,
        summary.passages,
        summary.words,
        took.as_secs_f64(),
        peak_kib("self") >> 10,
        child_kib >> 10,
    );
    for (why, amount) in summary.dropped.iter() {
        println!(
            "    dropped as {}: {} pieces, {} words",
            why.name(),
            amount.pieces,
            amount.words
        );
    }
    let step = (passages.len() / show.max(1)).max(1);
    for passage in passages.iter().skip(step / 2).step_by(step).take(show) {
        println!(
            "--- {} · {} · {}\n{}\n",
            passage.source.file,
            passage.place,
            passage.headings.join(" › "),
            passage.text
        );
    }
    Ok(())
}

fn status(process: &str, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':')
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The most memory a process held so far.
fn peak_kib(process: &str) -> u64 {
    status(process, "VmHWM").unwrap_or(0)
}

/// That of the child that reads.
fn child_peak_kib() -> u64 {
    let own = u64::from(std::process::id());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && status(name, "PPid") == Some(own))
        .map(|name| peak_kib(&name))
        .max()
        .unwrap_or(0)
}
