//! One way of making a student against another, each trained several times.
//!
//! Two trainings that differ in nothing but their seed make two students. What a single pair of students shows is therefore partly chance of the
//! training, which no number of questions takes away (Bouthillier et al. 2021, arXiv 2103.03098). Of several pairs, the spread between them shows
//! how much.

use gristmill_domain::stats::Interval;
use serde::{Deserialize, Serialize};

use crate::confidence::{Confidence, t_test};
use crate::paired::PairedComparison;

/// The mean change over several trainings, with the doubt about the questions and about the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatedComparison {
    /// The change in each training: accuracy after − before, −1 to 1.
    pub changes: Vec<f64>,
    /// Their mean.
    pub change: f64,
    /// Standard error of the mean: √(questions² + trainings²).
    pub standard_error: f64,
    /// The part of it that the questions bring, as a single training has it: half the width of the change's interval, in standard deviations. All
    /// trainings are asked the same questions, so that more of them take nothing from it.
    pub of_questions: f64,
    /// The part that the training brings: the standard deviation of the changes, over the square root of their number.
    pub of_trainings: f64,
    /// Interval of the change: Student's t with the degrees of freedom of Welch and Satterthwaite (Satterthwaite 1946).
    pub interval: Interval,
    /// Two-sided p-value of no change, by the same t.
    pub p_value: f64,
}

impl RepeatedComparison {
    /// Of the comparisons of each training's two students; `None` for fewer than two.
    pub fn of(trainings: &[PairedComparison], confidence: Confidence) -> Option<Self> {
        let number = trainings.len() as f64;
        if trainings.len() < 2 {
            return None;
        }
        let mean = |of: &dyn Fn(&PairedComparison) -> f64| trainings.iter().map(of).sum::<f64>() / number;
        let change = mean(&|training| training.change);
        let of_questions = mean(&|training| {
            let half = (training.interval.high - training.interval.low) / 2.0;
            (half / confidence.z()).powi(2)
        });
        let spread: f64 = trainings
            .iter()
            .map(|training| (training.change - change).powi(2))
            .sum();
        let of_trainings = spread / (number - 1.0) / number;
        let variance = of_questions + of_trainings;
        let clusters = mean(&|training| training.clusters as f64);
        let freedom = variance.powi(2)
            / (of_questions.powi(2) / (clusters - 1.0).max(1.0) + of_trainings.powi(2) / (number - 1.0));
        let standard_error = variance.sqrt();
        let half = standard_error * confidence.t(freedom)?;
        Some(Self {
            changes: trainings.iter().map(|training| training.change).collect(),
            change,
            standard_error,
            of_questions: of_questions.sqrt(),
            of_trainings: of_trainings.sqrt(),
            interval: Interval {
                low: (change - half).max(-1.0),
                high: (change + half).min(1.0),
            },
            p_value: t_test(change / standard_error, freedom)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::answer::tests::set;

    #[test]
    fn a_single_training_says_nothing_of_the_training() {
        let one = PairedComparison::of(
            &set([true, false, true]),
            &set([true, true, true]),
            Confidence::default(),
        );
        assert_eq!(
            RepeatedComparison::of(&[one.unwrap()], Confidence::default()),
            None
        );
    }

    #[test]
    fn trainings_that_agree_leave_the_doubt_about_the_questions() {
        let before = set((0..200).map(|n| n % 2 == 0));
        let after = set((0..200).map(|n| n % 2 == 0 || n % 10 == 1));
        let one = PairedComparison::of(&before, &after, Confidence::default()).unwrap();
        let found = RepeatedComparison::of(&[one; 3], Confidence::default()).unwrap();
        assert!((found.change - one.change).abs() < 1e-12 && found.of_trainings < 1e-12);
        let width = |interval: Interval| interval.high - interval.low;
        let ratio = width(found.interval) / width(one.interval);
        assert!((1.0..1.02).contains(&ratio), "{ratio}: t in place of z");
    }

    /// Students whose accuracy differs from training to training by far more than their questions tell.
    #[test]
    fn intervals_hold_the_truth_where_the_training_is_the_larger_doubt() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut held, mut held_alone, mut called) = (0, 0, 0);
        let draws = 400;
        for _ in 0..draws {
            let student = |rng: &mut ChaCha8Rng| {
                // A uniform draw with a standard deviation of 5 points.
                let accuracy = 0.7 + 0.05 * 3.0_f64.sqrt() * (2.0 * rng.random::<f64>() - 1.0);
                set((0..300)
                    .map(|_| rng.random::<f64>() < accuracy)
                    .collect::<Vec<_>>())
            };
            let trainings: Vec<PairedComparison> = (0..4)
                .filter_map(|_| {
                    PairedComparison::of(&student(&mut rng), &student(&mut rng), Confidence::default())
                })
                .collect();
            let found = RepeatedComparison::of(&trainings, Confidence::default()).unwrap();
            let holds = |interval: Interval| interval.low <= 0.0 && interval.high >= 0.0;
            held += i32::from(holds(found.interval));
            held_alone += i32::from(holds(trainings[0].interval));
            called += i32::from(found.p_value < 0.05);
        }
        assert!(held >= 376, "{held} of {draws}");
        assert!(
            held_alone < 340,
            "a single training's interval is too narrow: {held_alone}"
        );
        assert_eq!(called, draws - held, "interval and p-value say the same");
    }
}
