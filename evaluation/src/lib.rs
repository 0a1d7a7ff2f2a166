//! How good a student is, and whether that is known.
//!
//! What models answered to held-out questions becomes [`Grade`]s, these become figures with intervals, and figures become decisions. Each
//! decision has a third outcome beside yes and no: not enough data, with the number of items that would settle it.
//!
//! - [`grade`] grades one answer; [`form`] says whether it has the form that its prompt asked for, whatever it says.
//! - [`GradedSet`] holds the graded answers of one model. [`Scorecard`] is what they come to.
//! - [`PairedComparison`] compares two models on the same items; [`Slice`] and [`SliceComparison`] do the same for parts of a set.
//! - [`Perplexity`] says how well a model predicts what people wrote: it stands beside the facts, and decides nothing.
//! - [`JudgeQuality`] is how often a judge is right, measured on real rows, and what is left of a figure that it gave.
//! - [`PointsPerUnit`] is what a change cost.
//! - [`Preference`] is what people's votes on two models' answers come to, and [`GradeAgreement`] whether they agree with the grades.
//! - [`Resolution`] is what a set of this size can show at all.
//! - [`collapse`] tells knowledge that was kept from knowledge that was lost; [`gate`] decides whether a student may be released.
//!
//! Every interval knows that questions about one document, and one question in several prompt formats, depend on each other.
//!
//! Pure: no I/O, no clock, no randomness. It asks no model, and reads no file: who asked what is somebody else's to know. Statistics that
//! say nothing of models are in `gristmill_domain::stats`, the readers of answers in `gristmill_domain::answer`.

mod answer;
mod clusters;
pub mod collapse;
mod confidence;
mod earned;
pub mod form;
mod fraction;
pub mod gate;
pub mod grade;
mod judge;
mod paired;
mod perplexity;
mod preference;
mod proportion;
mod repeated;
mod resolution;
mod scorecard;
mod slices;

pub use answer::{Error, GradedAnswer, GradedSet};
pub use confidence::{Confidence, NotALevel};
pub use earned::PointsPerUnit;
pub use grade::{Correctness, Grade};
pub use judge::{CorrectedChange, CorrectedShare, JudgeQuality};
pub use paired::PairedComparison;
pub use perplexity::Perplexity;
pub use preference::{GradeAgreement, PairVote, Preference, Preferred};
pub use proportion::{MeanScore, Proportion};
pub use repeated::RepeatedComparison;
pub use resolution::Resolution;
pub use scorecard::Scorecard;
pub use slices::{Slice, SliceComparison, SliceKey, compare_slices, slices};
