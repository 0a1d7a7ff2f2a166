//! What assigning by embedding is worth, by the seeds whose labels say what they are about.
//!
//! Each labelled seed is assigned as if its labels were not known, by a calibration that has not seen it; what its labels say then decides
//! whether that was right. Only concepts that some seed is labelled with take part: of the others the labels say nothing.

use gristmill_measure::assign::Prototypes;
use gristmill_measure::calibrate::{Calibration, logit, sigmoid};

/// Parts of the labelled seeds that are held out in turn.
const PARTS: usize = 10;
/// Pairs of a seed and a concept that are looked at; of more seeds, so many are drawn evenly.
const PAIRS: usize = 200_000;
/// Seeds that are looked at, at least and at most.
const SEEDS: (usize, usize) = (50, 2_000);

/// A seed with labels: the concepts that these name, and the vector of its question.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) concepts: Vec<u32>,
    pub(super) vector: Vec<f32>,
}

/// How good assigning by embedding is for one concept, or for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// Seeds that labels put under it.
    pub labelled: u64,
    /// Seeds that embedding puts under it, with confidence.
    pub assigned: u64,
    /// Seeds that both put under it.
    pub right: u64,
}

impl Hits {
    /// Share of what embedding assigns that is right; `None` where it assigns nothing.
    pub fn precision(&self) -> Option<f64> {
        (self.assigned > 0).then(|| self.right as f64 / self.assigned as f64)
    }

    /// Share of what labels say that embedding finds; `None` where labels say nothing.
    pub fn recall(&self) -> Option<f64> {
        (self.labelled > 0).then(|| self.right as f64 / self.labelled as f64)
    }

    fn add(&mut self, labelled: bool, assigned: bool) {
        self.labelled += u64::from(labelled);
        self.assigned += u64::from(assigned);
        self.right += u64::from(labelled && assigned);
    }
}

/// How good assigning by embedding was on labelled seeds that were held out in turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trial {
    /// Seeds with labels that were looked at.
    pub seeds: u64,
    /// Confidence from which a seed was assigned.
    pub confidence: f64,
    /// Over all concepts.
    pub all: Hits,
    /// By concept, by its number; all zero where no seed is labelled with it.
    pub concepts: Vec<Hits>,
}

/// The calibration that all labelled seeds give, and how good it was on seeds that it had not seen; `None` where the labels do not say
/// enough: at least one seed under a concept, and one that is not.
pub(super) fn calibrated(
    prototypes: &Prototypes,
    labelled: &[Labelled],
    concepts: usize,
    confidence: f64,
) -> Option<(Calibration, Trial)> {
    let mut known = vec![false; concepts];
    for concept in labelled.iter().flat_map(|seed| &seed.concepts) {
        *known.get_mut(*concept as usize)? = true;
    }
    let most = (PAIRS / concepts.max(1)).clamp(SEEDS.0, SEEDS.1);
    let stride = labelled.len().div_ceil(most).max(1);
    // The pairs of each seed, in the order of the concepts.
    let pairs: Vec<Vec<(u32, f64, bool)>> = labelled
        .iter()
        .step_by(stride)
        .filter_map(|seed| {
            let scores = (0..).zip(prototypes.log_odds(&seed.vector)?);
            let of_known = scores.filter(|(concept, _)| known.get(*concept as usize) == Some(&true));
            Some(
                of_known
                    .map(|(concept, score)| (concept, score, seed.concepts.contains(&concept)))
                    .collect(),
            )
        })
        .collect();
    // Labels of a few concepts say how near a question is to its own, not how many others it is about: of all concepts, a question is about as
    // many as labels name.
    let labels: usize = labelled.iter().map(|seed| seed.concepts.len()).sum();
    let base = logit(labels as f64 / (labelled.len().max(1) * concepts.max(1)) as f64);
    let fit = |left_out: Option<usize>| {
        let seen = (0..).zip(&pairs).filter(|(n, _)| Some(n % PARTS) != left_out);
        let of_seed = |pairs: &Vec<(u32, f64, bool)>| -> Vec<(f64, bool)> {
            pairs.iter().map(|(_, score, holds)| (*score, *holds)).collect()
        };
        Calibration::fit(&seen.flat_map(|(_, pairs)| of_seed(pairs)).collect::<Vec<_>>())
            .map(|calibration| calibration.rebased(base))
    };
    let calibration = fit(None)?;
    let mut trial = Trial {
        seeds: pairs.len() as u64,
        confidence,
        all: Hits::default(),
        concepts: vec![Hits::default(); concepts],
    };
    for part in 0..PARTS.min(pairs.len()) {
        let held_out = fit(Some(part));
        for (concept, score, holds) in pairs.iter().skip(part).step_by(PARTS).flatten() {
            // Without a calibration nothing can be told from the scores.
            let assigned = held_out.is_some_and(|by| sigmoid(by.log_odds(*score)) >= confidence);
            trial.all.add(*holds, assigned);
            if let Some(hits) = trial.concepts.get_mut(*concept as usize) {
                hits.add(*holds, assigned);
            }
        }
    }
    Some((calibration, trial))
}

#[cfg(test)]
mod tests {
    use gristmill_measure::Vectors;

    use super::*;

    fn prototypes() -> Prototypes {
        let texts = Vectors::new("m", 3, vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).unwrap();
        Prototypes::new(texts.normalized().unwrap(), vec![0, 1]).unwrap()
    }

    /// A question that is about the first concept as far as `x` says, with labels of its own.
    fn seed(x: f32, concepts: &[u32]) -> Labelled {
        Labelled {
            concepts: concepts.to_vec(),
            vector: vec![x, 0.0, (1.0 - x * x).sqrt()],
        }
    }

    #[test]
    fn what_labels_contradict_is_not_believed() {
        // Near the first concept's text, and by the labels about it only half of the time.
        let doubtful: Vec<Labelled> = (0..80)
            .map(|n| seed(0.45, if n % 2 == 0 { &[0] } else { &[1] }))
            .collect();
        let (calibration, trial) = calibrated(&prototypes(), &doubtful, 2, 0.7).unwrap();
        let score = prototypes().log_odds(&doubtful[0].vector).unwrap()[0];
        assert!(sigmoid(score) > 0.95, "the embedding is sure: {score}");
        let believed = sigmoid(calibration.log_odds(score));
        assert!((0.4..0.65).contains(&believed), "and labels are not: {believed}");
        assert_eq!((trial.seeds, trial.all.labelled, trial.all.assigned), (80, 80, 0));
        assert_eq!((trial.all.precision(), trial.all.recall()), (None, Some(0.0)));
    }

    #[test]
    fn what_labels_confirm_is_believed_and_measured_by_concept() {
        let clear: Vec<Labelled> = (0..90)
            .map(|n| match n % 3 {
                0 => seed(0.6, &[0]),
                // Labelled, with none of the concepts.
                1 => seed(0.1, &[]),
                _ => Labelled {
                    concepts: vec![1],
                    vector: vec![0.0, 0.5, 0.75f32.sqrt()],
                },
            })
            .collect();
        let (_, trial) = calibrated(&prototypes(), &clear, 3, 0.7).unwrap();
        let right = Hits {
            labelled: 30,
            assigned: 30,
            right: 30,
        };
        assert_eq!(trial.concepts, [right, right, Hits::default()]);
        assert_eq!(
            (trial.all.precision(), trial.all.recall()),
            (Some(1.0), Some(1.0))
        );
    }

    #[test]
    fn labels_that_say_nothing_calibrate_nothing() {
        assert_eq!(calibrated(&prototypes(), &[], 2, 0.7), None);
        let unnamed = vec![seed(0.5, &[]); 30];
        assert_eq!(calibrated(&prototypes(), &unnamed, 2, 0.7), None);
    }
}
