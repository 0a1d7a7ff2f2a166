//! Makes a lineage of two generations with many rows, and says how long each takes and what memory it needs.
//!
//!     cargo run --release -p gristmill-lineage --example many_rows -- [ROWS]
//!
//! Half of the rows of each dataset are new; a tenth of all are real; nothing is compared by meaning.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "an example fails by panicking, and says what it measured"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use gristmill_dataset::{DatasetRow, Options, Origin, Provenance, Split, Writer};
use gristmill_datasets::{Counting, Host, Task};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_domain::job::LocalModel;
use gristmill_lineage::{Additions, LeakOptions, Lineage};
use gristmill_ports::model::{ChatModel, Embedder};
use tokio_util::sync::CancellationToken;

struct Quiet;

impl Counting for Quiet {
    fn at(&mut self, _: u64, _: Option<u64>) {}
}

#[async_trait]
impl Host for Quiet {
    fn counting(&self, _: &str) -> Box<dyn Counting> {
        Box::new(Self)
    }

    async fn embedder(&self, name: &str) -> anyhow::Result<Arc<dyn Embedder>> {
        anyhow::bail!("there is no model `{name}` here")
    }

    async fn scorer(&self, model: &LocalModel) -> anyhow::Result<Arc<dyn ChatModel>> {
        anyhow::bail!("there is no model `{}` here", model.name())
    }
}

/// SplitMix64: the example needs numbers that are the same each time, not good ones.
fn draw(at: u64) -> u64 {
    let z = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

fn row(number: u64, origin: Origin) -> DatasetRow {
    let words: Vec<String> = (0..40_u64)
        .map(|place| format!("w{}", draw(number * 64 + place) % 9_973))
        .collect();
    DatasetRow {
        id: format!("{number:032x}"),
        messages: vec![
            Turn::new(Speaker::User, words.join(" ")),
            Turn::new(Speaker::Assistant, format!("{} {number}", words[..20].join(" "))),
        ],
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Provenance {
            origin,
            depth: u8::from(origin == Origin::Synthetic),
            concepts: vec![format!("concept {}", number % 50)],
            ..Provenance::default()
        },
    }
}

fn dataset(folder: &Path, name: &str, numbers: std::ops::Range<u64>) -> PathBuf {
    let path = folder.join(name);
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    for number in numbers {
        let (split, origin) = match number {
            0..1_000 => (Split::Test, Origin::Human),
            number if number % 10 == 0 => (Split::Train, Origin::Human),
            _ => (Split::Train, Origin::Synthetic),
        };
        writer.push(split, row(number, origin)).unwrap();
    }
    writer.finish().unwrap().publish().unwrap();
    path
}

/// Most memory of the process so far, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
    kib.unwrap_or(0_u64) / 1024
}

fn main() {
    let rows: u64 = std::env::args()
        .nth(1)
        .map_or(1_000_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let datasets = [
        dataset(folder.path(), "first", 0..rows),
        dataset(folder.path(), "second", rows / 2..rows + rows / 2),
    ];
    println!("{rows} rows a dataset, {} MiB before", peak());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let task = Task::new(
        Arc::new(Quiet),
        runtime.handle().clone(),
        CancellationToken::new(),
    );
    let place = folder.path().join("lineage");
    for dataset in datasets {
        let begun = Instant::now();
        let additions = Additions {
            datasets: vec![dataset],
            ..Additions::default()
        };
        let made = Lineage::add(&place, &additions, &task).unwrap_or_else(|error| panic!("{error}"));
        println!(
            "generation {}: {} rows in {:.1} s, at most {} MiB",
            made.number,
            made.rows(),
            begun.elapsed().as_secs_f64(),
            peak()
        );
    }
    let begun = Instant::now();
    let lineage = Lineage::open(&place).unwrap();
    let checked = lineage.checked(2, &LeakOptions::default(), &task).unwrap();
    println!(
        "checked in {:.1} s: whole {}, at most {} MiB",
        begun.elapsed().as_secs_f64(),
        checked.is_whole(),
        peak()
    );
}
