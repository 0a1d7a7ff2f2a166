//! Figures of an evaluation as people read them.

use gristmill_domain::job::GradedBy;
use gristmill_domain::stats::Interval;
use gristmill_domain::words;
use gristmill_evaluation::Scorecard;

use super::figures::{Evaluation, ModelFigures};

/// Who graded.
pub(super) fn by(evaluation: &Evaluation) -> &'static str {
    match evaluation.graded_by {
        GradedBy::Validator => "the validator",
        GradedBy::Text => "their words",
        GradedBy::Judge => "the judge",
        GradedBy::Likelihood => "the likeliest label",
    }
}

/// Answers that are in their form; of answers that the models did not write, nothing.
pub(super) fn form_kept(evaluation: &Evaluation, card: &Scorecard) -> String {
    match evaluation.graded_by {
        GradedBy::Likelihood => "–".to_owned(),
        GradedBy::Validator | GradedBy::Text | GradedBy::Judge => percent(card.form.value),
    }
}

/// How well a model predicts the rows' text: the perplexity a token, and bits a byte; why it is not known, otherwise.
pub(super) fn perplexity(model: &ModelFigures) -> Result<[String; 2], String> {
    match &model.perplexity {
        Some(found) => Ok([
            format!("{:.2}", found.per_token),
            format!("{:.3}", found.bits_per_byte),
        ]),
        None => Err(model
            .perplexity_missing
            .clone()
            .unwrap_or_else(|| "not measured".to_owned())),
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

pub(super) fn points(change: f64) -> String {
    format!("{:.1}", 100.0 * change)
}

pub(crate) fn signed(change: f64) -> String {
    words::signed(100.0 * change)
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
