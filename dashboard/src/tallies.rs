//! Rows of runs in folders, counted in the background: the first count of a large journal takes longer than a page should.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_blob::LocalBlobs;
use gristmill_domain::id::RunId;
use gristmill_runs::{RowTally, RunFolder};
use tokio::sync::Notify;

/// How long a count is waited for; after that, the one before is shown.
const WAIT: Duration = Duration::from_millis(250);
/// Runs whose rows are counted; beyond, counting starts anew.
const RUNS_MAX: usize = 256;

#[derive(Default)]
struct Entry {
    /// `None` until the first count has ended.
    counted: Mutex<Option<RowTally>>,
    under_way: AtomicBool,
    done: Notify,
}

/// The counts of all runs.
#[derive(Default)]
pub(crate) struct Tallies {
    runs: Mutex<HashMap<RunId, Arc<Entry>>>,
}

impl Tallies {
    /// What a run's journal holds now, or held when it was last counted; `None` while it is counted for the first time.
    pub(crate) async fn of(&self, folder: &RunFolder, run: RunId) -> Option<RowTally> {
        let entry = self.entry(run);
        let done = entry.done.notified();
        if !entry.under_way.swap(true, Ordering::AcqRel) {
            let (entry, state) = (Arc::clone(&entry), folder.state());
            // Decoding holds up the thread that it is done on.
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(catch_up(&entry, LocalBlobs::new(state))));
        }
        // Late is not wrong: it is counted on, and the next page shows it.
        let _late = tokio::time::timeout(WAIT, done).await;
        entry
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn entry(&self, run: RunId) -> Arc<Entry> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= RUNS_MAX && !runs.contains_key(&run) {
            runs.clear();
        }
        Arc::clone(runs.entry(run).or_default())
    }
}

async fn catch_up(entry: &Entry, state: LocalBlobs) {
    let counted = entry
        .counted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut tally = counted.unwrap_or_default();
    if let Err(error) = tally.catch_up(&state).await {
        // What was counted before it is kept; the page of the run says what is wrong with its journal.
        tracing::warn!(error = format!("{error:#}"), "a journal cannot be counted");
    }
    *entry.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(tally);
    entry.under_way.store(false, Ordering::Release);
    entry.done.notify_waiters();
}
