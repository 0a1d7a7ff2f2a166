//! How right the rows are that a run has kept.

use std::collections::BTreeMap;

use super::fit::Fit;
use super::measured::Measured;
use super::odds::Odds;
use super::rule::{Basis, Rule, basis};
use super::situation::Situation;
use super::summary::Summary;

/// Share of the kept rows without a reference that are right, with its central 90 % interval, and what that rests on: everything that was
/// measured in the whole run. What a round believed when it decided may have been less. `kept` counts rows by the evidence on them, `rule` is
/// one that they were kept by, and `wrong_answers` how many wrong answers there can be, where answers are chosen from a list.
pub fn kept_accuracy(
    measured: &Measured,
    rule: &Rule,
    wrong_answers: Option<u32>,
    kept: &BTreeMap<Situation, u64>,
) -> (Summary, Basis) {
    let fit = Fit::posterior(measured, wrong_answers);
    let rows: u64 = kept.values().sum();
    let right = |fit: &Fit| {
        let sure = |(at, rows): (&Situation, &u64)| Odds::of(fit, at).right() * *rows as f64;
        kept.iter().map(sure).sum::<f64>() / rows.max(1) as f64
    };
    let checks = (rule.basis.judge.is_some(), rule.basis.verifier.is_some());
    (fit.figure(right(&fit), right), basis(&fit, measured, checks))
}
