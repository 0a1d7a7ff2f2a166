//! How often intervals hold the truth, and decisions err, on drawn sets whose truth is known.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;

use gristmill_evaluation::form::FormCheck;
use gristmill_evaluation::gate::{GateDecision, GateInputs, GatePolicy, decide};
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

/// Pairs of sets whose answers turn wrong and right with these probabilities, documents as a whole where `together`.
#[derive(Clone, Copy)]
struct Turning {
    documents: usize,
    questions: usize,
    lost: f64,
    gained: f64,
    together: bool,
}

impl Turning {
    fn compared(self, draws: &mut ChaCha8Rng) -> PairedComparison {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for document in 0..self.documents {
            let shared = draws.random::<f64>();
            for _ in 0..self.questions {
                let at = if self.together {
                    shared
                } else {
                    draws.random::<f64>()
                };
                let lost = at < self.lost;
                let gained = !lost && at < self.lost + self.gained;
                before.push((document, !gained));
                after.push((document, !lost));
            }
        }
        let (before, after) = (set(before.into_iter()), set(after.into_iter()));
        PairedComparison::of(&before, &after, Confidence::default()).unwrap()
    }

    /// The share of drawn students that a gate with a margin of 2 points passes.
    fn passes(self, trials: u32, draws: &mut ChaCha8Rng) -> f64 {
        let policy = GatePolicy {
            min_accuracy: None,
            margin: Some(0.02),
            slice_margin: None,
            slices: Vec::new(),
            regression_margin: None,
            regression_asked: false,
            no_collapse: false,
            anchor_kept: false,
            no_leaks: false,
            confidence: Confidence::default(),
        };
        coverage(trials, || {
            let inputs = GateInputs {
                comparison: Some(self.compared(draws)),
                ..GateInputs::default()
            };
            decide(&policy, &inputs).decision == GateDecision::Pass
        })
    }
}

#[test]
fn a_student_that_is_just_too_bad_hardly_ever_passes() {
    let mut draws = ChaCha8Rng::seed_from_u64(3);
    for (documents, questions, together) in [(800, 1, false), (200, 1, false), (150, 5, true)] {
        let just_too_bad = Turning {
            documents,
            questions,
            lost: 0.045,
            gained: 0.025,
            together,
        };
        let share = just_too_bad.passes(500, &mut draws);
        // 2.5 % of the time, and what 500 draws leave unsure.
        assert!(share <= 0.045, "{documents} documents: {share}");
    }
}

#[test]
fn the_items_that_would_settle_it_do_so_four_times_of_five() {
    let mut draws = ChaCha8Rng::seed_from_u64(4);
    let unchanged = |documents: usize| Turning {
        documents,
        questions: 1,
        lost: 0.03,
        gained: 0.03,
        together: false,
    };
    // As many as a comparison asks for in which just these shares are lost and gained.
    let seen = |item: usize| (item, !(3..6).contains(&(item % 100)), item % 100 >= 3);
    let before = set((0..400).map(|item| (seen(item).0, seen(item).1)));
    let after = set((0..400).map(|item| (seen(item).0, seen(item).2)));
    let found = PairedComparison::of(&before, &after, Confidence::default()).unwrap();
    assert_eq!((found.lost, found.gained), (12, 12));
    let needed = found.items_to_settle(0.02, Confidence::default()).unwrap();
    let share = unchanged(usize::try_from(needed).unwrap()).passes(300, &mut draws);
    assert!((0.72..=0.88).contains(&share), "{needed} items: {share}");
}
