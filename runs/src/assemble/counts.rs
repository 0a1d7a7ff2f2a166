//! What is counted of a run's rows.

use gristmill_domain::row::Row;
use serde::{Deserialize, Serialize};

/// Rows of the dataset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows to train on.
    pub train: u64,
    /// Of them, real ones; a repeated one counts as often as it is there.
    pub train_human: u64,
    /// Of them, synthetic ones.
    pub train_synthetic: u64,
    /// Of the synthetic ones, preference pairs, which have files of their own.
    #[serde(default)]
    pub pairs: u64,
    /// Of the synthetic ones, texts to train on as they stand, which have files of their own.
    #[serde(default)]
    pub texts: u64,
    /// Of the synthetic ones, dialogues, which have files of their own.
    #[serde(default)]
    pub dialogues: u64,
    /// Of the synthetic ones, dialogues whose assistant may call tools, which have files of their own.
    #[serde(default)]
    pub tool_uses: u64,
    /// Real rows held out to validate.
    pub validation: u64,
    /// Real rows held out to test.
    pub test: u64,
    /// Candidates that were rejected.
    pub rejected: u64,
    /// Share of the rows to train on that is synthetic, 0 to 1.
    pub synthetic_share: f64,
}

/// Candidates whose calls failed for good alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedCalls {
    /// The provider's words for the first of them.
    pub words: String,
    /// How many there are.
    pub rows: u64,
}

/// Rephrasings that were tried against the seeds that they were made from, as if those had been held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeakTrials {
    /// Cosine from which a question counts as a held-out one.
    pub cosine: f64,
    /// Rephrasings that were tried.
    pub rephrasings: u64,
    /// Those of them that would not have been recognised.
    pub missed: u64,
}

/// Candidates lost for one reason, and what they cost.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Loss {
    /// Candidates.
    pub rows: u64,
    /// Their calls.
    pub calls: u64,
    /// What they cost, micro-dollars.
    pub usd_micros: u64,
    /// Of them, those that nothing was asked for: the budget ended before their first call.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasked: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Loss {
    /// Counts a rejected row.
    pub(crate) fn add(&mut self, row: &Row) {
        let cost = row.cost();
        self.rows += 1;
        self.calls += cost.calls;
        self.usd_micros += cost.usd.0;
        self.unasked += u64::from(row.unasked());
    }
}

/// What became of candidates of one sort.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Yield {
    /// Candidates that were decided.
    pub candidates: u64,
    /// Of them, accepted ones.
    pub accepted: u64,
    /// Their calls.
    pub calls: u64,
    /// What they cost, micro-dollars.
    pub usd_micros: u64,
}

impl Yield {
    /// Counts a decided row.
    pub(crate) fn add(&mut self, row: &Row) {
        let cost = row.cost();
        self.candidates += 1;
        self.accepted += u64::from(row.accepted());
        self.calls += cost.calls;
        self.usd_micros += cost.usd.0;
    }
}
