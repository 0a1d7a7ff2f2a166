//! A run's journal is counted as it grows, and comes to the same as a count from its beginning.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_domain::ledger::Account;
use gristmill_ports::blob::{Blobs, Create, Error};
use gristmill_runs::{RunFolder, SoFar, manifest_so_far};

/// A store that says what was read of it.
struct Watched {
    blobs: LocalBlobs,
    read: Mutex<Vec<String>>,
}

impl Watched {
    fn at(path: &Path) -> Self {
        Self {
            blobs: LocalBlobs::new(path),
            read: Mutex::default(),
        }
    }

    /// Segments of rows that were read since the last look.
    fn rows_read(&self) -> Vec<String> {
        let mut read = std::mem::take(&mut *self.read.lock().unwrap());
        read.retain(|name| name.starts_with("rows/"));
        read
    }
}

#[async_trait]
impl Blobs for Watched {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        self.blobs.create(name, bytes).await
    }
    async fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        self.blobs.put_file(name, file).await
    }
    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.read.lock().unwrap().push(name.to_owned());
        self.blobs.read(name).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.blobs.list(prefix).await
    }
    async fn folders(&self) -> Result<Vec<String>, Error> {
        self.blobs.folders().await
    }
    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.blobs.remove(name).await
    }
}

fn stored() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run")
}

/// Copies what the stored run has under a prefix.
async fn bring(to: &Watched, prefix: &str) {
    let from = LocalBlobs::new(stored().join("state"));
    for name in from.list(prefix).await.unwrap() {
        let bytes = from.read(&name).await.unwrap();
        to.create(&name, bytes).await.unwrap();
    }
}

async fn run() -> (Start, Account) {
    let folder = RunFolder::open(&stored()).unwrap();
    let start = folder.start().unwrap();
    let account = folder.account(&start).await.unwrap().unwrap();
    (start, account)
}

#[tokio::test]
async fn each_segment_is_read_once_and_the_sums_are_those_of_all() {
    let (start, account) = run().await;
    let folder = tempfile::tempdir().unwrap();
    let state = Watched::at(folder.path());
    bring(&state, "seeds/").await;
    let seeds = SeedStore::load(&state).await.unwrap().unwrap();
    let mut so_far = SoFar::default();
    let json = |manifest: gristmill_runs::Manifest| serde_json::to_value(manifest).unwrap();
    for round in 0..4 {
        bring(&state, &format!("plans/{round:08}")).await;
        bring(&state, &format!("rows/{round:08}-")).await;
        state.rows_read();
        so_far.catch_up(&state, &start).await.unwrap();
        assert_eq!(state.rows_read().len(), 1, "what is new in round {round}");
        let counted = so_far.manifest(&start, &seeds, &account, "so far".into());
        let anew = manifest_so_far(&state, &start, &seeds, &account, "so far".into());
        assert_eq!(json(counted), json(anew.await.unwrap()), "round {round}");
    }
    // What the run said of itself when it ended.
    let told = RunFolder::open(&stored()).unwrap().manifest().unwrap().unwrap();
    let told = json(serde_json::from_value(told).unwrap());
    let counted = json(so_far.manifest(&start, &seeds, &account, "so far".into()));
    for name in ["rows", "rejected", "candidates", "by_strategy"] {
        assert_eq!(counted[name], told[name], "{name}");
    }
    // A journal that lacks what was counted is another one.
    let first = state.list("rows/").await.unwrap().remove(0);
    state.remove(&first).await.unwrap();
    so_far.catch_up(&state, &start).await.unwrap();
    let anew = manifest_so_far(&state, &start, &seeds, &account, "so far".into());
    let counted = so_far.manifest(&start, &seeds, &account, "so far".into());
    assert_eq!(json(counted), json(anew.await.unwrap()));
}
