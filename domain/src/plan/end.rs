//! Why runs end.

use serde::{Deserialize, Serialize};

use crate::concept::{self, Standing};

/// Why a run has reached its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All rows that may be accepted are there; the words say what bounds them.
    RowsReached(String),
    /// What is left does not pay for another candidate.
    BudgetSpent,
    /// The last round brought nothing.
    NothingGained,
    /// Every rephrasing that may be kept is there, and nothing else is allowed.
    SeedsUsedUp,
    /// Every concept has the rows that are wanted of it.
    TargetsMet,
    /// Aiming at what is open does not bring enough any more: so many candidates were aimed, so many counted.
    GainTooSmall {
        /// Candidates.
        aimed: u64,
        /// Rows that count towards a target.
        counted: u64,
    },
    /// The job requires an accuracy of rows without a reference that the teacher cannot give.
    AccuracyOutOfReach {
        /// What the job requires.
        target: f64,
        /// What is expected of the best rule that is worth its price.
        best: f64,
    },
}

/// What a run has that ended before what its job wants was there, in words: `27 of 1000 rows`. `rows` are those that the job wants, `steers`
/// says whether it aims at concepts.
pub fn short(rows: Option<u64>, steers: bool, accepted: u64, concepts: &[Standing]) -> Option<String> {
    let (met, wanted) = concept::at_target(concepts);
    match rows {
        Some(rows) if accepted < rows => Some(format!("{accepted} of {rows} rows")),
        None if steers && met < wanted => Some(format!("{met} of {wanted} concepts at their target")),
        None if accepted == 0 => Some("no new row".to_owned()),
        Some(_) | None => None,
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RowsReached(bound) => write!(f, "all rows are there: {bound}"),
            Self::BudgetSpent => write!(f, "the budget is spent"),
            Self::NothingGained => write!(f, "the last round brought no new row"),
            Self::SeedsUsedUp => write!(f, "every rephrasing that may be kept is there"),
            Self::TargetsMet => write!(f, "every concept has the rows that are wanted of it"),
            Self::AccuracyOutOfReach { target, best } => write!(
                f,
                "`generate.agreement.accuracy` requires {:.1} % right, and {:.1} % is the best that this teacher can be expected to give",
                100.0 * target,
                100.0 * best
            ),
            Self::GainTooSmall { aimed, counted } => write!(
                f,
                "only {counted} of {aimed} candidates that were aimed at open concepts count: another round is not worth its cost"
            ),
        }
    }
}
