//! How likely rows are to a model, and which of them are likelier or less likely than wanted.

mod bounds;
mod histogram;
mod score;

use std::path::PathBuf;

use gristmill_domain::job::LocalModel;

pub use bounds::LikelihoodBounds;
pub(crate) use bounds::RowDecision;
pub(crate) use score::{Scored, Scorer};

/// What rows are scored by, and the bounds of what is kept.
#[derive(Debug, Clone)]
pub struct LikelihoodOptions {
    /// The model.
    pub model: LocalModel,
    /// What of a row is scored.
    pub of: LikelihoodOf,
    /// Rows outside are dropped.
    pub bounds: LikelihoodBounds,
    /// File for the figures of each row; `NAME.likelihood.jsonl` beside the kept rows where there is none.
    pub figures: Option<PathBuf>,
}

/// What of a row is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikelihoodOf {
    /// Its answer, behind its question: of a conversation, the last message of the assistant behind those before it.
    Answer,
    /// The whole row, by itself and as one text: its question and its answer.
    Row,
}

impl LikelihoodOf {
    /// As the command line names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Row => "row",
        }
    }
}

/// How likely a text is to a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LikelihoodFigure {
    /// Bits that the model needs for a byte of it.
    pub(crate) bits_per_byte: f64,
    /// Perplexity per token.
    pub(crate) perplexity: f64,
    pub(crate) tokens: u32,
    pub(crate) bytes: u64,
}
