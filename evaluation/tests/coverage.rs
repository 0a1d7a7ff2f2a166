//! How often intervals hold the truth, on drawn sets whose truth is known.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;

use gristmill_evaluation::form::FormCheck;
use gristmill_evaluation::{Confidence, Grade, GradedAnswer, GradedSet, PairedComparison, Scorecard};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sets of documents with several questions each. With the probability `agreement` a question has its document's grade, else its own.
#[derive(Clone, Copy)]
struct Drawn {
    documents: usize,
    questions: usize,
    accuracy: f64,
    agreement: f64,
}

impl Drawn {
    fn grades(self, draws: &mut ChaCha8Rng) -> Vec<(usize, bool)> {
        let mut grades = Vec::new();
        for document in 0..self.documents {
            let shared = draws.random_bool(self.accuracy);
            for _ in 0..self.questions {
                let own = draws.random_bool(self.accuracy);
                grades.push((
                    document,
                    if draws.random_bool(self.agreement) {
                        shared
                    } else {
                        own
                    },
                ));
            }
        }
        grades
    }
}

fn set(grades: impl Iterator<Item = (usize, bool)>) -> GradedSet {
    let answers = grades.enumerate().map(|(item, (document, right))| GradedAnswer {
        item: item.to_string(),
        format: "plain".into(),
        source: Some(document.to_string()),
        grade: Grade::of(right),
        form: FormCheck::kept(1),
        slices: BTreeMap::new(),
    });
    GradedSet::new(answers.collect()).unwrap()
}

const SETS: [Drawn; 5] = [
    Drawn {
        documents: 200,
        questions: 1,
        accuracy: 0.9,
        agreement: 0.0,
    },
    Drawn {
        documents: 60,
        questions: 5,
        accuracy: 0.8,
        agreement: 0.3,
    },
    Drawn {
        documents: 40,
        questions: 8,
        accuracy: 0.95,
        agreement: 0.5,
    },
    Drawn {
        documents: 100,
        questions: 3,
        accuracy: 0.7,
        agreement: 1.0,
    },
    Drawn {
        documents: 15,
        questions: 10,
        accuracy: 0.8,
        agreement: 0.4,
    },
];

/// The share of sets whose interval holds the truth.
fn coverage(trials: u32, mut holds: impl FnMut() -> bool) -> f64 {
    let held = (0..trials).filter(|_| holds()).count();
    held as f64 / f64::from(trials)
}

#[test]
fn intervals_of_accuracy_hold_the_truth() {
    let mut draws = ChaCha8Rng::seed_from_u64(1);
    for drawn in SETS {
        let share = coverage(600, || {
            let set = set(drawn.grades(&mut draws).into_iter());
            let card = Scorecard::of(&set, Confidence::default()).unwrap();
            card.accuracy.interval.contains(drawn.accuracy)
        });
        assert!(share >= 0.93, "{} documents: {share}", drawn.documents);
    }
}

#[test]
fn intervals_of_changes_hold_the_truth_and_p_values_their_level() {
    let mut draws = ChaCha8Rng::seed_from_u64(2);
    for drawn in SETS {
        // Both models know each question with the same probability, and documents move together.
        let mut false_alarms = 0;
        let trials = 600;
        let share = coverage(trials, || {
            let (before, after) = (drawn.grades(&mut draws), drawn.grades(&mut draws));
            let (before, after) = (set(before.into_iter()), set(after.into_iter()));
            let found = PairedComparison::of(&before, &after, Confidence::default()).unwrap();
            false_alarms += u32::from(found.p_value < 0.05);
            found.interval.contains(0.0)
        });
        assert!(share >= 0.93, "{} documents: {share}", drawn.documents);
        let alarms = f64::from(false_alarms) / f64::from(trials);
        assert!(alarms <= 0.07, "{} documents: {alarms}", drawn.documents);
    }
}
