//! An evaluation in words, for a terminal.

use std::fmt::Write;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{many, thousands};

use super::figures::{Comparison, Evaluation, ModelFigures};
use super::words::{by, form_kept, p_value, percent, perplexity, points, range, signed, signed_range};

/// Slices that are told one by one.
const TOLD: usize = 5;
/// The p-value under which a slice is told as clearly apart.
const CLEAR: f64 = 0.05;

/// What a person reads.
pub fn told(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let mut add = |line: String| {
        // Writing to a text cannot fail.
        let _written = writeln!(text, "{line}");
    };
    add(format!(
        "{} of the {} rows, in {} ({}), graded by {}",
        many(evaluation.questions, "question"),
        evaluation.split.split(),
        many(evaluation.formats.len() as u64, "format"),
        evaluation.formats.join(", "),
        by(evaluation)
    ));
    if let (Some(majority), Some(chance)) = (evaluation.majority, evaluation.chance) {
        add(format!(
            "a guess is right in {}, the most frequent answer in {}",
            percent(chance),
            percent(majority)
        ));
    }
    add(String::new());
    add(format!(
        "{:<34} {:>8}  {:<18} {:>10} {:>14} {:>10}",
        "model", "accuracy", "95 % interval", "incorrect", "not attempted", "form kept"
    ));
    for model in &evaluation.models {
        add(row(evaluation, model));
    }
    fluency(evaluation, &mut add);
    for comparison in &evaluation.comparisons {
        add(String::new());
        compared(comparison, &mut add);
    }
    if let Some(student) = evaluation.student() {
        weak(student, &mut add);
        if let Some((share, of)) = student.ungrounded {
            add(format!(
                "of the student's {} answers about passages, {} name a number or a name that their passage does not have",
                thousands(of),
                percent(share)
            ));
        }
    }
    if let Some(change) = evaluation
        .resolution
        .and_then(|resolution| resolution.smallest_change())
    {
        add(format!(
            "\nthis set shows changes of {} points or more",
            points(change)
        ));
    }
    if let Some(judge) = &evaluation.judge {
        add(format!(
            "the judge called {} of {} right answers right, and {} of {} wrong ones wrong",
            judge.right_called_right, judge.right, judge.wrong_called_wrong, judge.wrong
        ));
        for model in &evaluation.models {
            if let Some(corrected) = &model.corrected {
                add(format!(
                    "accuracy of {} corrected for the judge's errors: {} ({})",
                    model.model,
                    percent(corrected.value),
                    range(corrected.interval)
                ));
            }
        }
    }
    for warning in &evaluation.warnings {
        add(format!("warning: {warning}"));
    }
    add(format!(
        "\n{}: {} spent, {} calls",
        evaluation.end,
        MicroUsd(evaluation.usd_micros()),
        thousands(evaluation.calls())
    ));
    text
}

fn row(evaluation: &Evaluation, model: &ModelFigures) -> String {
    let name = format!("{} ({})", model.model, model.role.name());
    match &model.scorecard {
        None => format!("{name:<34} {:>8}", "-"),
        Some(card) => format!(
            "{name:<34} {:>8}  {:<18} {:>10} {:>14} {:>10}",
            percent(card.accuracy.value),
            range(card.accuracy.interval),
            percent(card.incorrect.value),
            percent(card.not_attempted.value),
            form_kept(evaluation, card)
        ),
    }
}

/// How fluent the models are, beside the facts: told where one of them tells likelihoods.
fn fluency(evaluation: &Evaluation, add: &mut impl FnMut(String)) {
    if evaluation.models.iter().all(|model| model.perplexity.is_none()) {
        return;
    }
    add(String::new());
    add(format!(
        "{:<34} {:>10} {:>10} {:>10} {:>12}",
        "fluency", "perplexity", "bits/byte", "form kept", "words/answer"
    ));
    for model in &evaluation.models {
        let [per_token, bits] = perplexity(model).unwrap_or_else(|_| ["–".to_owned(), "–".to_owned()]);
        let (form, words) = match &model.scorecard {
            Some(card) => (form_kept(evaluation, card), format!("{:.1}", card.words)),
            None => ("–".to_owned(), "–".to_owned()),
        };
        add(format!(
            "{:<34} {per_token:>10} {bits:>10} {form:>10} {words:>12}",
            model.model
        ));
    }
    for model in &evaluation.models {
        if let Err(why) = perplexity(model) {
            add(format!("the perplexity of {} is not known: {why}", model.model));
        }
    }
    for model in &evaluation.models {
        if let Some(share) = &model.accuracy_normalized {
            add(format!(
                "accuracy of {} by likelihood a character: {} ({})",
                model.model,
                percent(share.value),
                range(share.interval)
            ));
        }
    }
}

fn compared(comparison: &Comparison, add: &mut impl FnMut(String)) {
    let Some(found) = &comparison.overall else {
        add(format!(
            "against {}: no question was answered by both",
            comparison.before
        ));
        return;
    };
    add(format!(
        "against {} ({}): {} points ({}), {}; {} gained, {} lost",
        comparison.before,
        comparison.role.name(),
        signed(found.change),
        signed_range(found.interval),
        told_p(found.p_value),
        thousands(found.gained),
        thousands(found.lost)
    ));
    for (key, slices) in &comparison.slices {
        let mut clear: Vec<_> = slices
            .iter()
            .filter(|slice| slice.p_adjusted < CLEAR)
            .filter_map(|slice| Some((slice, slice.comparison?)))
            .collect();
        clear.sort_by(|a, b| a.1.change.total_cmp(&b.1.change));
        for (slice, found) in clear.into_iter().take(TOLD) {
            add(format!(
                "  {key} {}: {} points ({}), adjusted {}",
                slice.name,
                signed(found.change),
                signed_range(found.interval),
                told_p(slice.p_adjusted)
            ));
        }
    }
}

/// Parts in which the student is clearly worse than in the rest.
fn weak(student: &ModelFigures, add: &mut impl FnMut(String)) {
    let mut lines = Vec::new();
    for (key, slices) in &student.slices {
        let weak = slices
            .iter()
            .filter(|slice| slice.p_adjusted < CLEAR && slice.against_rest < 0.0);
        lines.extend(weak.map(|slice| (slice.against_rest, key, slice)));
    }
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    if !lines.is_empty() {
        add("\nthe student is weakest in".to_owned());
    }
    for (against_rest, key, slice) in lines.into_iter().take(TOLD) {
        add(format!(
            "  {key} {}: {} ({}), {} points below the rest",
            slice.name,
            percent(slice.scorecard.accuracy.value),
            range(slice.scorecard.accuracy.interval),
            points(-against_rest)
        ));
    }
}

/// `p = 0.0312`, `p < 0.0001`.
fn told_p(p: f64) -> String {
    let value = p_value(p);
    match value.starts_with('<') {
        true => format!("p {value}"),
        false => format!("p = {value}"),
    }
}
