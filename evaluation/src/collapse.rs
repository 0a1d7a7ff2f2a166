//! Collapse: whether a student that is trained again and again still knows what it knew.
//!
//! Generations are compared with a baseline on one fixed set of items, each asked in several prompt formats, because a model that loses one
//! format has not lost what it knows. The stages are those of knowledge collapse (arXiv 2509.04796); the thresholds are derived:
//!
//! | stage | when |
//! |---|---|
//! | C, incoherent | the accuracy is at most chance + 0.03 and has fallen (p < .05), or fewer than half of the answers have their form and fewer than before (p < .05) |
//! | B, confidently wrong | not C; the accuracy has fallen (p < .05) by 2 points or more, and the form holds within 2 points |
//! | degraded, unclassified | not C; the accuracy has fallen as for B, and the form has fallen by more than 2 points as well |
//! | A, knowledge kept | the lower end of the interval of the change is above −2 points |
//! | inconclusive | everything else: with the number of items that would settle it |
//!
//! p-values are exact, take the formats of an item as one piece of evidence, and are adjusted (Holm 1979) for the number of generations, and
//! those of parts for the number of parts as well, so that the tenth generation or the fortieth part is not called collapsed because so many
//! were looked at. Perplexity is not looked at: it does not show stage B.

mod settings;
mod stage;

use std::collections::BTreeMap;

use gristmill_domain::stats::holm;
use serde::{Deserialize, Serialize};

use crate::answer::GradedSet;
use crate::paired::PairedComparison;
use crate::slices::SliceKey;

pub use settings::CollapseSettings;
pub use stage::{CollapseStage, Unsettled};

/// What became of one generation, or of a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The stage.
    pub stage: CollapseStage,
    /// The comparison with the baseline that it follows from.
    pub comparison: PairedComparison,
    /// The p-value of no change of accuracy, adjusted for all generations.
    pub p_adjusted: f64,
    /// The p-value of no change of form, adjusted for all generations.
    pub form_p_adjusted: f64,
}

/// What became of one generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerationReport {
    /// Its name.
    pub name: String,
    /// All items. `None` where it answered none of the baseline's questions.
    pub whole: Option<StageReport>,
    /// The parts of the set by name, such as `head` and `tail`: edge cases go first.
    pub parts: BTreeMap<String, StageReport>,
}

impl GenerationReport {
    /// All stages, the whole's first; `None` where nothing could be compared.
    pub fn stages(&self) -> impl Iterator<Item = (Option<&str>, &CollapseStage)> {
        let whole = self.whole.iter().map(|report| (None, &report.stage));
        let parts = self
            .parts
            .iter()
            .map(|(name, report)| (Some(&**name), &report.stage));
        whole.chain(parts)
    }
}

/// Compares each generation with the baseline, on all items and on the parts by `parts`, such as `SliceKey::Named("tier")`.
pub fn detect(
    baseline: &GradedSet,
    generations: &[(&str, &GradedSet)],
    parts: Option<&SliceKey>,
    settings: &CollapseSettings,
) -> Vec<GenerationReport> {
    let confidence = settings.confidence;
    let mut reports: Vec<GenerationReport> = generations
        .iter()
        .map(|(name, _)| GenerationReport {
            name: (*name).to_owned(),
            whole: None,
            parts: BTreeMap::new(),
        })
        .collect();
    let compared = |part: &dyn Fn(&GradedSet) -> GradedSet| -> Vec<Option<PairedComparison>> {
        let baseline = part(baseline);
        let generations = generations.iter().map(|(_, set)| part(set));
        generations
            .map(|set| PairedComparison::of(&baseline, &set, confidence))
            .collect()
    };
    let whole = stages(&compared(&GradedSet::clone), settings);
    for (report, found) in reports.iter_mut().zip(whole) {
        report.whole = found;
    }
    // All parts of all generations are one family: of many parts, one falls by chance.
    let names: Vec<String> = parts.iter().flat_map(|key| key.names(baseline)).collect();
    let of_parts = names.iter().flat_map(|name| {
        compared(&|set| set.part(|answer| parts.and_then(|key| key.of(answer)) == Some(name.as_str())))
    });
    let found = stages(&of_parts.collect::<Vec<_>>(), settings);
    for (name, found) in names.iter().zip(found.chunks(generations.len().max(1))) {
        for (report, found) in reports.iter_mut().zip(found) {
            report
                .parts
                .extend(found.clone().map(|found| (name.clone(), found)));
        }
    }
    reports
}

/// The first generation that is shown to have lost knowledge: stage B, stage C, or degraded, as a whole or in a part.
pub fn first_collapsed(reports: &[GenerationReport]) -> Option<&GenerationReport> {
    reports
        .iter()
        .find(|report| report.stages().any(|(_, stage)| stage.is_collapse()))
}

/// The stages of comparisons whose p-values are adjusted together (Holm).
fn stages(compared: &[Option<PairedComparison>], settings: &CollapseSettings) -> Vec<Option<StageReport>> {
    let adjusted =
        |p: fn(&PairedComparison) -> f64| holm(&compared.iter().flatten().map(p).collect::<Vec<_>>());
    let mut p_values = adjusted(|found| found.p_value).into_iter();
    let mut form_p_values = adjusted(|found| found.form_p_value).into_iter();
    let mut report = |comparison: PairedComparison| {
        let (p_adjusted, form_p_adjusted) = (p_values.next()?, form_p_values.next()?);
        Some(StageReport {
            stage: stage::classify(&comparison, p_adjusted, form_p_adjusted, settings),
            comparison,
            p_adjusted,
            form_p_adjusted,
        })
    };
    compared
        .iter()
        .map(|comparison| comparison.and_then(&mut report))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
