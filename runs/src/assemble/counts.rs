//! What is counted of a run's rows.

pub use gristmill_domain::by_recipe::{Loss, Yield};
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
