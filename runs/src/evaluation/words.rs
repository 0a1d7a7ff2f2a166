//! Figures of an evaluation as people read them.

use gristmill_domain::job::GradedBy;
use gristmill_domain::stats::Interval;

use super::figures::Evaluation;

/// Who graded.
pub(super) fn by(evaluation: &Evaluation) -> &'static str {
    match evaluation.graded_by {
        GradedBy::Validator => "the validator",
        GradedBy::Text => "their words",
        GradedBy::Judge => "the judge",
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

pub(super) fn points(change: f64) -> String {
    format!("{:.1}", 100.0 * change)
}

pub(crate) fn signed(change: f64) -> String {
    format!("{:+.1}", 100.0 * change).replace('-', "−")
}

/// Where a change lies, in points.
pub(crate) fn signed_range(interval: Interval) -> String {
    format!("{} to {}", signed(interval.low), signed(interval.high))
}

pub(super) fn range(interval: Interval) -> String {
    format!("{:.1} to {:.1} %", 100.0 * interval.low, 100.0 * interval.high)
}

pub(super) fn p_value(p: f64) -> String {
    match p < 0.0001 {
        true => "< 0.0001".to_owned(),
        false => format!("{p:.4}"),
    }
}
