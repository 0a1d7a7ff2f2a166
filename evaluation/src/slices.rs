//! Parts of a set: concepts, head and tail, formats, documents, what the base knew and what it did not.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_domain::stats::holm;
use serde::{Deserialize, Serialize};

use crate::answer::{GradedAnswer, GradedSet};
use crate::confidence::{Confidence, t_test};
use crate::paired::PairedComparison;
use crate::scorecard::Scorecard;

/// What a set is parted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceKey {
    /// The prompt format.
    Format,
    /// The document.
    Source,
    /// What [`GradedAnswer::slices`] says under this name, such as `concept`, `tier` or `known`.
    Named(String),
}

impl SliceKey {
    /// The slice that an answer is in; `None` where it is in none.
    pub fn of<'a>(&self, answer: &'a GradedAnswer) -> Option<&'a str> {
        match self {
            Self::Format => Some(&answer.format),
            Self::Source => answer.source.as_deref(),
            Self::Named(name) => answer.slices.get(name).map(String::as_str),
        }
    }

    /// The slices of a set.
    pub(crate) fn names(&self, set: &GradedSet) -> BTreeSet<String> {
        let names = set.answers().iter().filter_map(|answer| self.of(answer));
        names.map(str::to_owned).collect()
    }
}

/// A part of a set, and how it does against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub scorecard: Scorecard,
    /// Its accuracy minus that of all other answers; 0 where there is no other.
    pub against_rest: f64,
    /// Two-sided p-value of no difference from the rest: t-test with clustered errors, after one right and one wrong answer are added to
    /// either side (Agresti and Caffo 2000).
    pub p_value: f64,
    /// The p-value adjusted for all slices (Holm 1979).
    pub p_adjusted: f64,
}

/// A part of a set, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceComparison {
    /// Its name.
    pub name: String,
    /// The comparison; `None` where no question was answered by both models.
    pub comparison: Option<PairedComparison>,
    /// The p-value of no change, adjusted for all slices (Holm 1979).
    pub p_adjusted: f64,
}

/// The parts of a set, in the order of their names. Answers that are in no slice count for the rest.
pub fn slices(set: &GradedSet, key: &SliceKey, confidence: Confidence) -> Vec<Slice> {
    let mut found: Vec<Slice> = key
        .names(set)
        .into_iter()
        .filter_map(|name| {
            let part = set.part(|answer| key.of(answer) == Some(&name));
            let (against_rest, p_value) = against_rest(set, key, &name);
            Some(Slice {
                scorecard: Scorecard::of(&part, confidence)?,
                name,
                against_rest,
                p_value,
                p_adjusted: p_value,
            })
        })
        .collect();
    let p_values: Vec<f64> = found.iter().map(|slice| slice.p_value).collect();
    for (slice, adjusted) in found.iter_mut().zip(holm(&p_values)) {
        slice.p_adjusted = adjusted;
    }
    found
}

/// The parts of two sets, compared on the same items, in the order of their names.
pub fn compare_slices(
    before: &GradedSet,
    after: &GradedSet,
    key: &SliceKey,
    confidence: Confidence,
) -> Vec<SliceComparison> {
    let names = &key.names(before) | &key.names(after);
    let compared: Vec<(String, Option<PairedComparison>)> = names
        .into_iter()
        .map(|name| {
            let part = |set: &GradedSet| set.part(|answer| key.of(answer) == Some(&name));
            let comparison = PairedComparison::of(&part(before), &part(after), confidence);
            (name, comparison)
        })
        .collect();
    let p_values: Vec<f64> = compared
        .iter()
        .map(|(_, comparison)| comparison.map_or(1.0, |found| found.p_value))
        .collect();
    let adjusted = compared.into_iter().zip(holm(&p_values));
    adjusted
        .map(|((name, comparison), p_adjusted)| SliceComparison {
            name,
            comparison,
            p_adjusted,
        })
        .collect()
}

/// Accuracy of one side, with one right and one wrong answer added.
struct Side {
    count: f64,
    right: f64,
}

impl Side {
    fn mean(&self) -> f64 {
        (self.right + 1.0) / (self.count + 2.0)
    }
}

/// How the accuracy of a slice differs from that of all other answers, and the p-value of no difference. A cluster may have answers on both
/// sides: the variance is that of the clusters' influence on the difference.
fn against_rest(set: &GradedSet, key: &SliceKey, name: &str) -> (f64, f64) {
    let inside = |answer: &GradedAnswer| key.of(answer) == Some(name);
    let side = |within: bool| {
        let answers = set.answers().iter().filter(|answer| inside(answer) == within);
        answers.fold(
            Side {
                count: 0.0,
                right: 0.0,
            },
            |side, answer| Side {
                count: side.count + 1.0,
                right: side.right + f64::from(u8::from(answer.grade.is_correct())),
            },
        )
    };
    let (slice, rest) = (side(true), side(false));
    if slice.count == 0.0 || rest.count == 0.0 {
        return (0.0, 1.0);
    }
    let mut influence: BTreeMap<usize, f64> = BTreeMap::new();
    for (answer, cluster) in set.answers().iter().zip(set.clusters()) {
        let right = f64::from(u8::from(answer.grade.is_correct()));
        *influence.entry(*cluster).or_default() += if inside(answer) {
            (right - slice.mean()) / (slice.count + 2.0)
        } else {
            -(right - rest.mean()) / (rest.count + 2.0)
        };
    }
    // The added answers are clusters of their own.
    let added =
        |side: &Side| (side.mean().powi(2) + (1.0 - side.mean()).powi(2)) / (side.count + 2.0).powi(2);
    let clusters = influence.len();
    let squares: f64 =
        influence.values().map(|value| value * value).sum::<f64>() + added(&slice) + added(&rest);
    let correction = clusters as f64 / (clusters as f64 - 1.0);
    let t = (slice.mean() - rest.mean()) / (squares * correction).sqrt();
    let difference = slice.right / slice.count - rest.right / rest.count;
    let freedom = clusters as f64 - 1.0;
    (difference, t_test(t, freedom).unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;
    use crate::grade::Grade;

    /// Four concepts of 50 items; one of them with the given number of right answers, the others with 40.
    fn concepts(weak: usize) -> GradedSet {
        let answers = (0..200).map(|item| {
            let concept = item / 50;
            let right = if concept == 2 { weak } else { 40 };
            let mut made = answer(item, "plain", Some(item), Grade::of(item % 50 < right));
            made.slices.insert("concept".into(), format!("concept-{concept}"));
            made
        });
        GradedSet::new(answers.collect()).unwrap()
    }

    fn concept() -> SliceKey {
        SliceKey::Named("concept".into())
    }

    #[test]
    fn a_weak_concept_is_found_and_chance_is_not() {
        let found = slices(&concepts(20), &concept(), Confidence::default());
        assert_eq!(found.len(), 4);
        assert!(
            found[2].p_adjusted < 0.001 && found[2].against_rest == -0.4,
            "{:?}",
            found[2]
        );
        let found = slices(&concepts(36), &concept(), Confidence::default());
        assert!(found.iter().all(|slice| slice.p_adjusted > 0.5), "{found:?}");
        let all = slices(&concepts(36), &SliceKey::Format, Confidence::default());
        assert_eq!(
            (all.len(), all[0].p_value),
            (1, 1.0),
            "there is no rest to differ from"
        );
    }

    #[test]
    fn a_slice_of_one_item_claims_nothing() {
        let found = slices(&concepts(40), &SliceKey::Source, Confidence::default());
        assert_eq!(found.len(), 200);
        assert!(found.iter().all(|slice| slice.p_adjusted == 1.0));
    }

    #[test]
    fn slices_are_compared_on_their_own_items() {
        let found = compare_slices(&concepts(40), &concepts(30), &concept(), Confidence::default());
        let compared: Vec<PairedComparison> = found.iter().filter_map(|slice| slice.comparison).collect();
        let lost: Vec<u64> = compared.iter().map(|comparison| comparison.lost).collect();
        assert_eq!(lost, [0, 0, 10, 0]);
        assert!(
            (found[2].p_adjusted - 4.0 * compared[2].p_value).abs() < 1e-15,
            "{:?}",
            found[2]
        );
        assert_eq!(found[0].p_adjusted, 1.0);
    }

    #[test]
    fn a_slice_that_one_model_left_out_is_not_forgotten() {
        let all = concepts(40);
        let some = all.part(|answer| answer.slices["concept"] != "concept-3");
        for (before, after) in [(&all, &some), (&some, &all)] {
            let found = compare_slices(before, after, &concept(), Confidence::default());
            assert_eq!(found.len(), 4);
            assert_eq!((found[3].comparison, found[3].p_adjusted), (None, 1.0));
        }
    }
}
