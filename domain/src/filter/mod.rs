//! What keeps a row out of the dataset, and why.
//!
//! Everything here is a pure decision on texts and on neighbours that others found: searching an index, embedding and asking a
//! judge happen elsewhere and only report back a [`Reason`]. Thresholds are settings with the defaults of their source.

mod copied;
pub mod decontaminate;
pub mod dedup_policy;
mod facts;
mod form;
pub mod language;
pub mod leak;
pub mod prose;
pub mod refusal;
pub mod repetition;
mod rules;
pub mod text;
pub mod truncation;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use copied::copied;
pub use refusal::Starts;
pub use rules::{Rules, Text, Words};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $label:literal;)*) => {
        /// Why a planned row is not in the dataset. One row has one reason: the first test it failed.
        ///
        /// The names are stored in `rejected.parquet`, the manifest and the ledger: they never change their meaning.
        /// The order is that of the funnel, cheapest test first, and is the order reports list them in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, in funnel order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, as stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// A few words for a person.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

reasons! {
    /// The call itself brought no answer within its attempts.
    CallFailed => "call_failed", "the call failed";
    /// The budget could not pay for a step that the row still needed.
    Unfunded => "unfunded", "the budget ended first";
    /// The teacher declined to answer.
    Refusal => "refusal", "refused by the teacher";
    /// The model used up `generate.max_tokens` before it said anything.
    OutOfTokens => "out_of_tokens", "thinking used up generate.max_tokens";
    /// The answer stops before its end.
    Truncated => "truncated", "cut off";
    /// The answer is not in the form that was asked for, or is empty.
    Format => "format", "wrong form";
    /// The answer repeats itself.
    Repetition => "repetition", "repeats itself";
    /// Fewer or more words than allowed.
    Length => "length", "too short or too long";
    /// Open text that does not read like prose: symbols, few words, odd word lengths.
    Quality => "quality", "does not read like prose";
    /// Not in one of the languages asked for.
    Language => "language", "wrong language";
    /// A rephrasing differs from its seed in a fact (a number, a name, the opposite), so it has another answer; or an answer in other words
    /// from the answer that it was made from.
    Changed => "changed", "other words changed a fact";
    /// The same text as a row accepted before.
    ExactDuplicate => "exact_duplicate", "exact duplicate";
    /// Almost the same words as a row accepted before.
    NearDuplicate => "near_duplicate", "near-duplicate in words";
    /// The same meaning as a row accepted before.
    SemanticDuplicate => "semantic_duplicate", "duplicate in meaning";
    /// The same as one of the seeds.
    DuplicateOfSeed => "duplicate_of_seed", "duplicate of a seed";
    /// The same as a row of one of the datasets that `filter.existing` names.
    DuplicateOfExisting => "duplicate_of_existing", "duplicate of an existing row";
    /// Too close to a validation or test item.
    Contaminated => "contaminated", "too close to held-out data";
    /// A validator compared it with the reference and found another result.
    Wrong => "wrong", "differs from the reference";
    /// The passage does not support the answer.
    Ungrounded => "ungrounded", "not supported by the passage";
    /// Several answers to one question do not agree enough.
    Disagreement => "disagreement", "answers disagree";
    /// The question cannot be answered as it stands.
    Unanswerable => "unanswerable", "unanswerable question";
    /// The judge's score is below the threshold.
    JudgedLow => "judged_low", "judged too low";
    /// A condition of the recipe does not hold.
    Recipe => "recipe", "failed a condition of its recipe";
    /// Its parent already has as many rows as one parent may have.
    ParentCap => "parent_cap", "enough rows from its parent";
    /// It would be accepted, but all rows that are wanted, or that the ceiling allows, are there.
    Surplus => "surplus", "more than wanted";
    /// A seed's own question, answered several times to measure how often the teacher is right: never meant as a row.
    Calibration => "calibration", "asked to measure the teacher";
}

impl Reason {
    /// True of a row that repeats what is there, whatever it is like.
    pub const fn is_duplicate(self) -> bool {
        matches!(
            self,
            Self::ExactDuplicate
                | Self::NearDuplicate
                | Self::SemanticDuplicate
                | Self::DuplicateOfSeed
                | Self::DuplicateOfExisting
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored reason is not one this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rejection reason: expected one of those that `rejected.parquet` is documented to hold")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;
    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

/// A row was kept out: why, and the particulars a person needs to check it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {detail}", .reason.label())]
pub struct Rejection {
    /// The test that failed.
    pub reason: Reason,
    /// What was measured, against which threshold, or which row it collided with.
    pub detail: String,
}

impl Rejection {
    /// A rejection with its particulars.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// What sort of answer a text is. Tests for prose would drop "yes", a number or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Prose: every test applies.
    Open,
    /// A word or a phrase.
    Short,
    /// Ends in, or is, a number.
    Number,
    /// One of a fixed set.
    Label,
    /// A database query.
    Query,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_and_serde_names_are_the_same() {
        for &reason in Reason::ALL {
            assert_eq!(
                serde_json::to_string(&reason).unwrap(),
                format!("\"{reason}\""),
                "one spelling in JSON and in columns"
            );
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert!("refused".parse::<Reason>().is_err());
    }

    #[test]
    fn a_rejection_is_told_in_words() {
        let rejection = Rejection::new(Reason::OutOfTokens, "512 tokens");
        assert_eq!(
            rejection.to_string(),
            "thinking used up generate.max_tokens: 512 tokens"
        );
    }
}
