//! Counts of a run's rows while it goes on, kept up with its journal: each segment is read once.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_coordinator::Journal;
use gristmill_domain::by_recipe::{self, RecipeYield};
use gristmill_domain::filter::Reason;
use gristmill_domain::row::Row;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

/// Rows of a run, counted by what became of them.
#[derive(Debug, Clone, Default)]
pub struct RowTally {
    read: BTreeSet<String>,
    /// Rows that are decided.
    pub decided: u64,
    /// Those of them that are accepted.
    pub accepted: u64,
    /// Rejected rows by reason; those that nobody was asked for are not among them.
    pub rejected: BTreeMap<Reason, u64>,
    /// What each recipe brought, in the order of their names.
    pub recipes: Vec<RecipeYield>,
}

impl RowTally {
    /// Counts what the journal has that was not counted yet. One segment is in memory at a time.
    ///
    /// # Errors
    /// A segment that is damaged or cannot be read. What was counted before it stays counted.
    pub async fn catch_up(&mut self, state: &dyn Blobs) -> anyhow::Result<()> {
        let journal = Journal::new(state);
        for name in journal.all_segments(SegmentKind::Rows).await? {
            if self.read.contains(&name) {
                continue;
            }
            for record in journal.rows(&name).await? {
                self.count(&record.value);
            }
            self.read.insert(name);
        }
        Ok(())
    }

    fn count(&mut self, row: &Row) {
        self.decided += 1;
        by_recipe::note(&mut self.recipes, row);
        match &row.rejection {
            None => self.accepted += 1,
            Some(_) if row.unasked() => {}
            Some(rejection) => *self.rejected.entry(rejection.reason).or_default() += 1,
        }
    }
}
