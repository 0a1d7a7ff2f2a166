//! A run that tests index.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, SeedStore, Start};
use gristmill_domain::row::{Position, Row};
use gristmill_ports::blob::Blobs;
use gristmill_proto::{Record, Segment, SegmentKind};
use gristmill_rowindex::{Filter, RowIndex, Source};
use tokio::runtime::Runtime;

/// A copy of the stored run of version 0.1, which rows are added to.
pub(crate) struct Run {
    pub(crate) runtime: Runtime,
    _folder: tempfile::TempDir,
    pub(crate) scratch: tempfile::TempDir,
    pub(crate) blobs: LocalBlobs,
    pub(crate) start: Start,
    pub(crate) seeds: SeedStore,
}

impl Run {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run/state"),
            folder.path(),
        );
        let blobs = LocalBlobs::new(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let start = serde_json::from_slice(&std::fs::read(folder.path().join("run.json")).unwrap()).unwrap();
        let seeds = runtime.block_on(SeedStore::load(&blobs)).unwrap().unwrap();
        Self {
            runtime,
            _folder: folder,
            scratch: tempfile::tempdir().unwrap(),
            blobs,
            start,
            seeds,
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            state: &self.blobs,
            start: &self.start,
            seeds: &self.seeds,
            runtime: self.runtime.handle().clone(),
        }
    }

    pub(crate) fn open(&self) -> RowIndex {
        RowIndex::open(self.scratch.path(), self.start.run).unwrap()
    }

    pub(crate) fn follow(&self, index: &RowIndex) -> u64 {
        loop {
            let progress = index.update(&self.source()).unwrap();
            if progress.is_done() {
                return progress.rows;
            }
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let journal = Journal::new(&self.blobs);
        let names = self
            .runtime
            .block_on(journal.all_segments(SegmentKind::Rows))
            .unwrap();
        let read = |name: &String| self.runtime.block_on(journal.rows(name)).unwrap();
        names.iter().flat_map(read).map(|record| record.value).collect()
    }

    /// Adds a segment of rows like those that there are, changed by the caller.
    pub(crate) fn add(&self, round: u32, rows: Vec<Row>) {
        self.add_records(round, &rows.into_iter().map(Record::plain).collect::<Vec<_>>());
    }

    /// Adds a segment of rows with their vectors.
    pub(crate) fn add_records(&self, round: u32, records: &[Record<Row>]) {
        let bytes = Segment::encode(SegmentKind::Rows, records).unwrap();
        let prefix = format!("rows/{round:08}-");
        let number = self.runtime.block_on(self.blobs.list(&prefix)).unwrap().len();
        self.runtime
            .block_on(self.blobs.create(&format!("{prefix}{number:08}.seg"), bytes))
            .unwrap();
    }

    /// Rows of a round of their own, each like a stored one.
    pub(crate) fn more(&self, round: u32, from: u64, count: u64, usd: impl Fn(u64) -> u64) -> Vec<Row> {
        let like = self.rows();
        let made = |index: u64| {
            let mut row = like[(index as usize * 7) % like.len()].clone();
            row.position = Position { round, index };
            row.id = row.position.row_id(self.start.run);
            for (_, amount) in &mut row.costs {
                amount.usd.0 = 0;
            }
            if let Some((_, amount)) = row.costs.first_mut() {
                amount.usd.0 = usd(index);
            }
            row
        };
        (from..from + count).map(made).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) fn of(pairs: &[(&str, &str)]) -> Filter {
    Filter::of(pairs.iter().copied()).unwrap()
}
