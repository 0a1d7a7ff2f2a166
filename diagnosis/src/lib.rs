//! Diagnosis: why a student's answer is wrong, judged by what it was trained on, and what would mend it.
//!
//! [`diagnose`] reads a dataset twice and finds, for each question that was answered wrongly, the nearest training rows, whether they agree
//! with the right answer, and how well its concepts are covered. [`verdict`] decides what follows from that: a pure function with a
//! decision table. [`shown_causes`] finds what the rows that contradict right answers have in common, by an exact test.
//! [`gaps`], [`mending_job`] and [`quarantine`] say what to do about it.
//!
//! Refuses: to change a dataset (what is listed for quarantine is left out of a new generation, by whoever keeps generations), to load a
//! model (the caller does), to let the text of a held-out row into a job, to hold all rows or their vectors in memory.
//!
//! [`diagnose`] and [`quarantine_whole`] block: run them on a thread that may.

mod blocks;
mod causes;
mod compare;
mod diagnose;
mod error;
mod finding;
mod mend;
mod names;
mod nearest;
mod quarantine;
mod reading;
mod readme;
mod stance;
mod survey;
mod text;
mod vectors;
mod verdict;
mod wording;

pub use causes::{ShownCause, shown_causes};
pub use diagnose::{Means, Options, diagnose};
pub use error::Error;
pub use finding::{Cause, Coverage, Diagnosis, Findings, Neighbour, Question, Relation, SpeakingRow};
pub use mend::{
    Estimate, Gap, Gaps, MeasuredCost, MendPlan, aims, blamed_teachers, gaps, make_no_repeats, mending_job,
};
pub use quarantine::{QuarantinedRow, quarantine, quarantine_whole};
pub use readme::{Report, readme};
pub use stance::{Stance, Stances};
pub use text::{diagnosis_text, findings_text};
pub use verdict::{Evidence, Verdict, verdict};
