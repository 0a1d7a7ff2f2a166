//! Answers: how the final one is read out of a completion, put into one canonical form, compared with a reference, and
//! counted against other answers to the same question.
//!
//! Every reader prefers silence to a guess: a completion that names two different final answers has none. Wrong rows cost
//! a student more than lost ones.

pub mod choice;
pub mod grounding;
pub mod label;
pub mod meaning;
pub mod number;
pub mod sql;
pub(crate) mod structured;
pub mod text;
mod token;

/// Why a completion has no usable final answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing in the text reads as an answer of the wanted kind.
    #[error("no final {kind} found")]
    Missing {
        /// What was looked for.
        kind: &'static str,
    },
    /// Two different final answers stand in equally final places.
    #[error("the final {kind} is ambiguous: `{first}` and `{second}`")]
    Ambiguous {
        /// What was looked for.
        kind: &'static str,
        /// One reading.
        first: String,
        /// Another.
        second: String,
    },
}
