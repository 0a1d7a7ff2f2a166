//! What a set of graded answers comes to.

use serde::{Deserialize, Serialize};

use crate::answer::{GradedAnswer, GradedSet};
use crate::confidence::Confidence;
use crate::grade::Correctness;
use crate::proportion::{MeanScore, Proportion};
use crate::resolution::Resolution;

/// The figures of a set of graded answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// Answers: items times the formats that they were asked in.
    pub answers: u64,
    /// Different items.
    pub items: u64,
    /// Formats that items were asked in.
    pub formats: u64,
    /// Answers that are right, of all.
    pub accuracy: Proportion,
    /// Answers that are wrong, of all: the model said something, and it was not so. Watch it by itself (FACTS: SimpleQA).
    pub incorrect: Proportion,
    /// Answers that decline, of all.
    pub not_attempted: Proportion,
    /// Answers that are right, of those that were attempted; `None` where none was.
    pub accuracy_attempted: Option<Proportion>,
    /// SimpleQA's F1: the harmonic mean of accuracy and accuracy when attempted (Wei et al. 2024, arXiv 2411.04368); `None` where nothing was
    /// attempted.
    pub f1: Option<f64>,
    /// The mean score, such as the mean token F1.
    pub score: MeanScore,
    /// Answers that have the form that was asked for, of all.
    pub form: Proportion,
    /// Words of an answer, on average.
    pub words: f64,
}

impl Scorecard {
    /// The figures of a set; `None` of an empty one.
    pub fn of(set: &GradedSet, confidence: Confidence) -> Option<Self> {
        let answers = set.answers();
        let share = |counts: &dyn Fn(&GradedAnswer) -> bool| {
            let hits: Vec<bool> = answers.iter().map(counts).collect();
            Proportion::of(&hits, set.clusters(), confidence)
        };
        let accuracy = share(&|answer| answer.grade.is_correct())?;
        let attempted = set.part(|answer| answer.grade.attempted());
        let right: Vec<bool> = attempted
            .answers()
            .iter()
            .map(|answer| answer.grade.is_correct())
            .collect();
        let accuracy_attempted = Proportion::of(&right, attempted.clusters(), confidence);
        let scores: Vec<f64> = answers.iter().map(|answer| answer.grade.score()).collect();
        let words: u64 = answers.iter().map(|answer| answer.form.words).sum();
        Some(Self {
            answers: answers.len() as u64,
            items: set.items() as u64,
            formats: set.formats().len() as u64,
            accuracy,
            incorrect: share(&|answer| answer.grade.correctness() == Correctness::Incorrect)?,
            not_attempted: share(&|answer| !answer.grade.attempted())?,
            accuracy_attempted,
            f1: accuracy_attempted.map(|attempted| harmonic(attempted.value, accuracy.value)),
            score: MeanScore::of(&scores, set.clusters(), confidence)?,
            form: share(&|answer| answer.form.kept)?,
            words: words as f64 / answers.len() as f64,
        })
    }

    /// What a comparison of two models on these answers can show, at the usual discordance and power.
    pub fn resolution(&self) -> Resolution {
        Resolution::of(self.accuracy.effective as u64)
    }
}

fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{answer, set};
    use crate::form::FormCheck;
    use crate::grade::Grade;

    #[test]
    fn the_simpleqa_vector() {
        let grades = [
            vec![Grade::CORRECT; 40],
            vec![Grade::INCORRECT; 30],
            vec![Grade::NOT_ATTEMPTED; 30],
        ]
        .concat();
        let answers = grades
            .into_iter()
            .enumerate()
            .map(|(item, grade)| answer(item, "plain", None, grade));
        let set = GradedSet::new(answers.collect()).unwrap();
        let card = Scorecard::of(&set, Confidence::default()).unwrap();
        assert_eq!(card.accuracy.value, 0.4);
        assert!((card.accuracy_attempted.unwrap().value - 0.571_429).abs() < 1e-6);
        assert!((card.f1.unwrap() - 0.470_588).abs() < 1e-6);
        assert_eq!((card.incorrect.count, card.not_attempted.count), (30, 30));
    }

    #[test]
    fn formats_of_one_item_are_one_piece_of_evidence() {
        let grade = |item: usize| Grade::of(!item.is_multiple_of(4));
        let asked = |formats: &[&str]| {
            let answers = (0..80).flat_map(|item| {
                formats
                    .iter()
                    .map(move |format| answer(item, format, None, grade(item)))
            });
            let set = GradedSet::new(answers.collect()).unwrap();
            Scorecard::of(&set, Confidence::default()).unwrap()
        };
        let (once, thrice) = (asked(&["plain"]), asked(&["plain", "json", "terse"]));
        assert_eq!((thrice.answers, thrice.items, thrice.formats), (240, 80, 3));
        assert!(thrice.accuracy.interval.half_width() >= once.accuracy.interval.half_width());
        assert!(thrice.accuracy.interval.half_width() < 1.05 * once.accuracy.interval.half_width());
        assert!(
            thrice.resolution().items <= 80,
            "formats do not make a set larger"
        );
        let (once, thrice) = (
            once.score.standard_error.unwrap(),
            thrice.score.standard_error.unwrap(),
        );
        assert!((once - thrice).abs() < 1e-12);
    }

    #[test]
    fn form_and_length_are_apart_from_the_facts() {
        let mut answers: Vec<GradedAnswer> = set([true, false, true, true]).into();
        answers[2].form = FormCheck {
            kept: false,
            words: 11,
            fault: "more than a number, or none".into(),
        };
        let card = Scorecard::of(&GradedSet::new(answers).unwrap(), Confidence::default()).unwrap();
        assert_eq!((card.accuracy.count, card.form.count, card.words), (3, 3, 5.0));
        assert_eq!(Scorecard::of(&GradedSet::default(), Confidence::default()), None);
    }

    #[test]
    fn nothing_attempted_has_no_f1() {
        let answers = vec![answer(1, "plain", None, Grade::NOT_ATTEMPTED)];
        let card = Scorecard::of(&GradedSet::new(answers).unwrap(), Confidence::default()).unwrap();
        assert_eq!((card.f1, card.accuracy_attempted), (None, None));
    }
}
