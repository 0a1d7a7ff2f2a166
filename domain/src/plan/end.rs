//! Why runs end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BARREN_CANDIDATES, Policy, Snapshot};
use crate::concept::{self, ConceptProgress};
use crate::filter::Reason;
use crate::self_improvement::TeacherCheck;

/// Rejected candidates from which a single cause of all of them ends a run: were a fifth of them usually accepted, as many in a row would
/// be rejected once in a hundred times.
const CAUSE_CANDIDATES: u64 = 20;
/// Share of the rejected candidates that a single cause must have.
const CAUSE_SHARE: f64 = 0.9;

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
    /// All that was tried since a row was last accepted was rejected, nearly all of it for one reason. More of the same would be too.
    OneCause {
        /// The reason.
        reason: Reason,
        /// Candidates that were rejected for it.
        rejected: u64,
        /// Candidates that were tried.
        tried: u64,
    },
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
    /// The job requires an accuracy of rows without a reference that the teacher cannot give, or none of its rows would be kept.
    AccuracyOutOfReach {
        /// What the job requires.
        target: f64,
        /// What is expected of the best rule that is worth its price; 0 where no row is likelier right than wrong.
        best: f64,
    },
    /// A teacher that is related to the student is not shown to be right as often as the job wants.
    TeacherNotProven(TeacherCheck),
    /// Every question of an evaluation was asked.
    QuestionsAsked,
    /// A person cancelled it, in the middle of a round or between two.
    Cancelled,
}

/// The end that finished rounds have reached, whatever might be planned.
pub(super) fn reached(snapshot: &Snapshot, policy: &Policy) -> Option<End> {
    let accepted: u64 = snapshot.tallies.values().map(|tally| tally.accepted).sum();
    if accepted >= policy.rows_max {
        return Some(End::RowsReached(policy.rows_max_reason.clone()));
    }
    let last = snapshot.last.as_ref()?;
    // A call costs less than its worst case, so that little is left over which expected costs still find affordable.
    // Should the limit be raised, it pays for more.
    if 2 * last.unfunded > last.candidates && last.limit.is_none_or(|limit| limit == snapshot.limit) {
        return Some(End::BudgetSpent);
    }
    if last.accepted > 0 {
        return None;
    }
    one_cause(&snapshot.barren)
        .or_else(|| (last.candidates >= BARREN_CANDIDATES).then_some(End::NothingGained))
}

/// The one cause for which nearly all candidates were rejected, if there is one. No money left is the budget's end, not a cause.
fn one_cause(barren: &BTreeMap<Reason, u64>) -> Option<End> {
    let causes = || barren.iter().filter(|(reason, _)| **reason != Reason::Unfunded);
    let tried: u64 = causes().map(|(_, rejected)| rejected).sum();
    let (reason, rejected) = causes().max_by_key(|(_, rejected)| **rejected)?;
    let alone = *rejected as f64 >= CAUSE_SHARE * tried as f64;
    (tried >= CAUSE_CANDIDATES && alone).then_some(End::OneCause {
        reason: *reason,
        rejected: *rejected,
        tried,
    })
}

/// What to change in a job whose candidates are all rejected for one reason: the keys to look at.
fn way_out(reason: Reason) -> &'static str {
    match reason {
        Reason::Truncated | Reason::OutOfTokens => {
            "replies end before their answer does: raise `generate.max_tokens`. A model that reasons first spends most of it on that; \
             its reasoning may be limited through the `body` of the `teacher`"
        }
        Reason::Format => {
            "replies cannot be read, or hold what no row may: the rejected rows say what it is and what may help against it"
        }
        Reason::CallFailed => "no call succeeds: the rejected rows hold what the endpoint answered",
        Reason::Refusal => {
            "the teacher declines: give it the field that the questions are about with `generate.subject`, or use another"
        }
        Reason::Language => {
            "replies are in another language: see `filter.rules.language`, or name it in your own prompts (`generate.prompts`)"
        }
        Reason::Length => {
            "replies are shorter or longer than the filter lets through: see `filter.rules.answer_words` and `filter.rules.question_words`"
        }
        Reason::Wrong => {
            "answers differ from the references: see whether `filter.validator` suits the data and whether the references are right, or \
             use a stronger teacher"
        }
        Reason::Disagreement | Reason::Unanswerable => {
            "the teacher does not answer its own questions reliably: use a stronger one, or `generate.strategy: rephrasing`"
        }
        Reason::ExactDuplicate
        | Reason::NearDuplicate
        | Reason::SemanticDuplicate
        | Reason::DuplicateOfSeed => {
            "nothing new comes of these seeds: raise `generate.temperature`, set another `generate.strategy`, or give more seeds"
        }
        Reason::DuplicateOfExisting => {
            "nothing new comes beside the rows that there are: raise `generate.temperature`, aim at other concepts, give more seeds, or name \
             fewer datasets in `filter.existing.datasets`"
        }
        Reason::Contaminated => {
            "all of it is too close to the held-out rows: see `holdout` and `filter.decontaminate`"
        }
        Reason::Changed => {
            "rephrasings do not keep the numbers and names of their seeds: use a stronger teacher, or another `generate.strategy`"
        }
        Reason::Ungrounded => {
            "the passages do not support the answers: see `filter.grounding`, and whether seeds and passages belong together"
        }
        Reason::Recipe => {
            "a condition of the recipe never holds: the rejected rows say which, and `gristmill preview` shows what was said"
        }
        Reason::JudgedLow => {
            "the judge lets nothing through: see `judge.accept_at` and the judge's reasons in the rejected rows"
        }
        Reason::ParentCap => {
            "every seed has its rephrasings: raise `generate.rephrasings_per_seed`, or set another `generate.strategy`"
        }
        Reason::Repetition | Reason::Quality => {
            "replies are not usable text: use another teacher, or look at the rejected rows"
        }
        Reason::Unfunded | Reason::Surplus | Reason::Calibration => {
            "the budget and the rows that are wanted do not fit together"
        }
    }
}

/// What a run has that ended before what its job wants was there, in words: `27 of 1000 rows`. `rows` are those that the job wants, `steers`
/// says whether it aims at concepts, `end` why it ended, where that is known. A run that gave up an accuracy which its job requires is short
/// however many rows it has.
pub fn short(
    rows: Option<u64>,
    steers: bool,
    accepted: u64,
    concepts: &[ConceptProgress],
    end: Option<&End>,
) -> Option<String> {
    let (met, wanted) = concept::at_target(concepts);
    match rows {
        Some(rows) if accepted < rows => Some(format!("{accepted} of {rows} rows")),
        None if steers && met < wanted => Some(format!("{met} of {wanted} concepts at their target")),
        None if accepted == 0 => Some("no new row".to_owned()),
        _ if matches!(end, Some(End::AccuracyOutOfReach { .. })) => Some(format!(
            "{accepted} {}, and not the accuracy that it wants",
            if accepted == 1 { "row" } else { "rows" }
        )),
        Some(_) | None => None,
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RowsReached(bound) => write!(f, "all rows are there: {bound}"),
            Self::BudgetSpent => write!(f, "the budget is spent"),
            Self::NothingGained => write!(f, "the last round brought no new row"),
            Self::OneCause {
                reason,
                rejected,
                tried,
            } => write!(
                f,
                "no row was accepted, and {rejected} of {tried} candidates were rejected for one reason, `{reason}` ({}): {}",
                reason.label(),
                way_out(*reason)
            ),
            Self::SeedsUsedUp => write!(f, "every rephrasing that may be kept is there"),
            Self::TargetsMet => write!(f, "every concept has the rows that are wanted of it"),
            Self::AccuracyOutOfReach { best, .. } if *best == 0.0 => write!(
                f,
                "none of this teacher's answers to new questions is likelier right than wrong: use a better one, add a `judge`, or set \
                 `generate.strategy: rephrasing`"
            ),
            Self::AccuracyOutOfReach { target, best } => write!(
                f,
                "`generate.agreement.accuracy` requires {:.1} % right, and {:.1} % is the best that this teacher can be expected to give: use a \
                 better one, add a `judge`, raise `generate.agreement.max_samples`, or lower `generate.agreement.accuracy`",
                100.0 * target,
                100.0 * best
            ),
            Self::TeacherNotProven(check) => write!(
                f,
                "the teacher is related to the student, and is not shown to be right often enough: {check}. Use a stronger teacher, hold out more \
                 validation rows (`holdout.validation`) and ask more of them (`student.questions`), or lower `student.min_accuracy`"
            ),
            Self::QuestionsAsked => write!(f, "every question was asked"),
            Self::Cancelled => write!(f, "it was cancelled"),
            Self::GainTooSmall { aimed, counted } => write!(
                f,
                "only {counted} of {aimed} candidates that were aimed at open concepts count: another round is not worth its cost"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_short_of_what_its_job_requires() {
        let unreachable = End::AccuracyOutOfReach {
            target: 0.99,
            best: 0.7,
        };
        for (rows, accepted, end, told) in [
            (Some(10), 4, &End::BudgetSpent, Some("4 of 10 rows")),
            (Some(10), 4, &unreachable, Some("4 of 10 rows")),
            (None, 0, &unreachable, Some("no new row")),
            (
                None,
                4,
                &unreachable,
                Some("4 rows, and not the accuracy that it wants"),
            ),
            (None, 4, &End::BudgetSpent, None),
            (Some(4), 4, &End::BudgetSpent, None),
        ] {
            assert_eq!(
                short(rows, false, accepted, &[], Some(end)).as_deref(),
                told,
                "{end}"
            );
        }
        let told = unreachable.to_string();
        assert!(
            told.contains("99.0 % right") && told.contains("add a `judge`"),
            "{told}"
        );
    }
}
