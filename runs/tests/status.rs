//! Where a run in a folder stands, by what is stored of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;

use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Events, reopen};
use gristmill_domain::amount::Limit;
use gristmill_runs::{RowTally, RunFolder};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What `gristmill status` says of a run, for programs and for people.
async fn told(folder: &RunFolder) -> (serde_json::Value, String) {
    let mut tally = RowTally::default();
    tally.catch_up(&LocalBlobs::new(folder.state())).await.unwrap();
    let start = folder.start().unwrap();
    let (status, state, concepts) = folder.status(start, false, &tally).await.unwrap();
    (status.json(&state, &concepts), status.text(&state, &concepts))
}

#[tokio::test]
async fn a_run_that_was_resumed_shows_its_stored_rows_and_no_earlier_end() {
    let place = tempfile::tempdir().unwrap();
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run"),
        place.path(),
    );
    let folder = RunFolder::open(place.path()).unwrap();
    let (before, text) = told(&folder).await;
    assert_eq!(before["end"], "the budget is spent");
    assert_eq!(before["rows"]["train_synthetic"], 33);
    assert!(text.contains("\nended      the budget is spent\n"), "{text}");
    let dataset = before["dataset"].clone();
    assert!(dataset.is_string() && before["earlier_dataset"].is_null());

    let state = LocalBlobs::new(folder.state());
    let mut events = folder.events().await.unwrap();
    let limit = Limit {
        usd: None,
        calls: Some(600),
    };
    reopen(&state, &mut events, limit).await.unwrap();
    let (resumed, text) = told(&folder).await;
    assert_eq!(resumed["state"], "stopped", "nobody works on it");
    assert_eq!((&resumed["end"], &resumed["dataset"]), (&"".into(), &().into()));
    assert_eq!(resumed["earlier_dataset"], dataset);
    assert_eq!(
        resumed["rows"],
        serde_json::json!({"accepted": 33, "decided": 72}),
        "by the journal"
    );
    assert!(
        text.contains("\nrows       33 accepted, 72 decided\n")
            && text.contains("\nearlier    ")
            && !text.contains("\nended "),
        "{text}"
    );
    assert!(!Events::load(&state).await.unwrap().over());
}
