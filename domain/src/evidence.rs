//! How sure one can be that the leading answer to a question without a reference is right, and when to stop asking.
//!
//! Several answers are drawn to one question and the commonest is kept (self-consistency, Wang et al. 2022, arXiv 2203.11171).
//! How many are enough depends on the teacher, so it is measured rather than set:
//!
//! 1. [`Measured`] counts what finished rounds showed: answers to questions *with* a reference, and the patterns of votes on
//!    questions without one.
//! 2. [`Fit`] is what those counts say about the teacher: how often it is right, how far its errors repeat from draw to draw,
//!    how often two wrong answers agree, how many new questions nobody can answer.
//! 3. [`Rule`] is a decision table over [`Situation`]s (votes, the verifier's verdict, the judge's verdict). It minimises the
//!    expected cost of a right row, the question itself included, among the tables whose accepted rows are expected to be
//!    right as often as the job's target says.
//!
//! No check has a veto. Each is a likelihood ratio, and the table asks for whichever step is worth its price next.
//!
//! # The model
//!
//! Questions differ in difficulty: the chance θ of a right answer follows a beta distribution with mean *p* and intra-class
//! correlation *ρ*, so that the number of right answers is beta-binomial (Skellam 1948, "A probability distribution derived
//! from the binomial distribution by regarding the probability of success as variable between the sets of trials") and errors
//! repeat. A wrong answer is, with probability *s*, the one mistake that its question invites, and scatters otherwise. A share
//! *u* of new questions has no answer: every reply to those is wrong. The parameters have a discrete prior and posterior
//! ([`Fit`]). The table is solved for the posterior means, and is then made more careful until it is right often enough under the whole
//! posterior, or costs a good deal more; how far the truth may be from that is said by the interval of [`Prospect::accuracy`].
//! The model answers a question as it asks it and as it verifies it: both answers vote like those that are drawn by themselves. What the counts cannot tell apart on questions without a reference (a good teacher from one whose errors
//! agree) is measured first, on a few of the seeds' own questions, each answered [`CALIBRATION_ANSWERS`] times.

mod fit;
mod kept;
mod likelihood;
mod measured;
mod odds;
mod rule;
mod situation;
mod solve;
mod summary;
mod terms;
#[cfg(test)]
mod tests;
mod walk;

/// Answers to each question by which a teacher is measured: enough to see whether it errs the same way again.
pub const CALIBRATION_ANSWERS: u32 = 4;

pub use fit::Fit;
pub use kept::kept_accuracy;
pub(crate) use measured::shrunk;
pub use measured::{Answers, Check, Known, Measured, Seen, TYPICAL_REACHED};
pub use rule::{Basis, Case, Checker, Prospect, Rule};
pub use situation::{Action, Situation, Weighed, tally};
pub use summary::Summary;
pub use terms::{Costs, JudgeUse, Terms};
