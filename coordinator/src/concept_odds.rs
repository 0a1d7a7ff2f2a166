//! The odds that a new question is about a concept.
//!
//! A question was asked *for* a concept, about a passage whose seed carries labels; its words are more or less near to what the concept is
//! known by; and a model may have said what it is about. None of these alone is proof: a teacher ignores the concept that it is asked for,
//! an embedding does not know that mammograms are about breast cancer, a model errs. Each changes the log odds by what it was measured to
//! be worth:
//!
//! - how the question was asked: the share of such questions that turned out to be about the concept so far ([`Reliability`]);
//! - its words: the calibration of the assigner, on labelled seeds;
//! - a model's word: [`MODEL_RIGHT`].

use gristmill_measure::calibrate::{Calibration, logit, sigmoid};

/// How often a model that is shown concepts says the right one, believed; its errors spread evenly over the concepts. Strong models agree
/// with people on such choices in 80 to 90 of 100 cases.
const MODEL_RIGHT: f64 = 0.9;
/// Questions that the belief in [`Asked::prior`] weighs.
const PRIOR_STRENGTH: f64 = 12.0;

/// How a question was asked, with respect to a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// For the concept, about a passage whose seed belongs to it.
    ForItsPassage,
    /// For the concept.
    For,
    /// For another one, or for none, about a passage whose seed belongs to it.
    Passage,
}

impl Asked {
    /// Share of such questions that are about the concept, believed before any is seen. A teacher that is shown a passage about the concept
    /// hardly gets round it; one that is shown none may well ignore the concept, so that its words have to speak for it; and a passage that is about several things gives
    /// rise to questions about any of them.
    fn prior(self) -> f64 {
        match self {
            Self::ForItsPassage => 0.9,
            Self::For => 0.5,
            Self::Passage => 0.5,
        }
    }
}

/// How often questions are about a concept that they were asked for, or whose passage they were asked about: what is believed, and what was
/// seen. It is fed in the order of the rows, so that it is the same however a run is interrupted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reliability {
    /// Questions by how they were asked, and the sum of their probabilities of being about the concept.
    seen: [(f64, f64); 3],
}

impl Reliability {
    fn place(asked: Asked) -> usize {
        match asked {
            Asked::ForItsPassage => 0,
            Asked::For => 1,
            Asked::Passage => 2,
        }
    }

    /// Share of questions asked like this that are about the concept.
    pub(crate) fn of(&self, asked: Asked) -> f64 {
        let (questions, about) = self.seen[Self::place(asked)];
        (PRIOR_STRENGTH * asked.prior() + about) / (PRIOR_STRENGTH + questions)
    }

    /// Takes up a question that was asked like this, and is about the concept with this probability.
    pub(crate) fn learn(&mut self, asked: Asked, probability: f64) {
        let (questions, about) = &mut self.seen[Self::place(asked)];
        *questions += 1.0;
        *about += probability;
    }
}

/// What is known of whether a question is about a concept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clues {
    /// How it was asked and how probable that makes it, where it has to do with the concept.
    pub(crate) asked: Option<f64>,
    /// How the concept fits its words, where they are embedded.
    pub(crate) score: Option<f64>,
    /// Whether a model that was shown the concept, among so many, said that the question is about it.
    pub(crate) model: Option<(bool, usize)>,
}

impl Clues {
    /// How probable it is that the question is about the concept.
    pub(crate) fn probability(&self, calibration: &Calibration) -> f64 {
        let before = self.asked.map_or(calibration.base(), logit);
        let words = self.score.map_or(0.0, |score| calibration.evidence(score));
        let model = self.model.map_or(0.0, |(said, shown)| model(said, shown));
        sigmoid(before + words + model)
    }
}

/// Log likelihood ratio of what a model said: how much oftener it says so of questions that are about the concept than of others.
fn model(said: bool, shown: usize) -> f64 {
    let wrong = 1.0 - MODEL_RIGHT;
    let elsewhere = wrong / shown.max(2) as f64;
    if said {
        (MODEL_RIGHT / elsewhere).ln()
    } else {
        (wrong / (1.0 - elsewhere)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty concepts, and words that say as much as their score.
    fn words() -> Calibration {
        Calibration::identity(-(20f64.ln()))
    }

    fn probability(asked: Option<f64>, score: Option<f64>, model: Option<bool>) -> f64 {
        let model = model.map(|said| (said, 12));
        Clues { asked, score, model }.probability(&words())
    }

    #[test]
    fn clues_add_up_as_odds() {
        // Nothing known, words say 19 to 1 against: one of twenty.
        assert!((probability(None, None, None) - 1.0 / 21.0).abs() < 1e-9);
        assert!((probability(Some(0.9), None, None) - 0.9).abs() < 1e-9);
        // 9 to 1 for the way it was asked; words that are as good as none known: the same odds.
        let neutral = -(20f64.ln());
        assert!((probability(Some(0.9), Some(neutral), None) - 0.9).abs() < 1e-9);
        // Words as sure of it as they are of nothing change odds of 9 to 1 by 20 to 1.
        assert!((probability(Some(0.9), Some(0.0), None) - 180.0 / 181.0).abs() < 1e-9);
    }

    #[test]
    fn a_label_of_the_passage_outweighs_words_that_say_little_and_yields_to_a_model() {
        let of_passage = Some(Asked::ForItsPassage.prior());
        assert!(probability(of_passage, Some(-3.5), None) > 0.8);
        assert!(
            probability(of_passage, Some(-7.0), None) < 0.2,
            "they say something else"
        );
        assert!(probability(of_passage, None, Some(false)) < 0.5);
        assert!(
            probability(None, None, Some(true)) > 0.7,
            "its word alone is enough"
        );
        assert!(probability(None, None, Some(false)) < 0.01);
        assert!(probability(Some(Asked::For.prior()), Some(-3.0), Some(true)) > 0.99);
    }

    #[test]
    fn what_was_seen_outweighs_what_is_believed() {
        let mut seen = Reliability::default();
        assert!((seen.of(Asked::For) - 0.5).abs() < 1e-12);
        for _ in 0..88 {
            seen.learn(Asked::For, 0.1);
        }
        assert!((seen.of(Asked::For) - (6.0 + 8.8) / 100.0).abs() < 1e-12);
        assert!(
            (seen.of(Asked::ForItsPassage) - 0.9).abs() < 1e-12,
            "each by itself"
        );
    }
}
