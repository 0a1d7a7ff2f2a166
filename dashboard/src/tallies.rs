//! Rows of runs in folders, counted in the background: the first count of a large journal takes longer than a page should.

use std::time::Duration;

use gristmill_blob::LocalBlobs;
use gristmill_domain::id::RunId;
use gristmill_runs::{RowTally, RunFolder};

use crate::background::{Background, Wait};

/// How long a count is waited for; after that, the one before is shown.
const WAIT: Duration = Duration::from_millis(250);
/// Runs whose rows are counted.
const RUNS_MAX: usize = 256;
/// Counts at once.
const AT_ONCE: usize = 4;

/// The counts of all runs.
pub(crate) struct Tallies(Background<RowTally>);

impl Default for Tallies {
    fn default() -> Self {
        Self(Background::new(RUNS_MAX, AT_ONCE))
    }
}

impl Tallies {
    /// What a run's journal holds now, or held when it was last counted; `None` while it is counted for the first time.
    pub(crate) async fn of(&self, folder: &RunFolder, run: RunId) -> Option<RowTally> {
        let (name, state) = (run.to_string(), folder.state());
        let last = self.0.of(
            &name,
            (0, Wait::Next(WAIT)),
            |_| true,
            |before| async move {
                let mut tally = before.map_or_else(RowTally::default, |before| RowTally::clone(&before));
                if let Err(error) = tally.catch_up(&LocalBlobs::new(state)).await {
                    // What was counted before it is kept; the page of the run says what is wrong with its journal.
                    tracing::warn!(error = format!("{error:#}"), "a journal cannot be counted");
                }
                Ok(Some(tally))
            },
        );
        last.await.value.map(|tally| RowTally::clone(&tally))
    }
}
