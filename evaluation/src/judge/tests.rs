use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const USUAL: fn() -> Confidence = Confidence::default;

fn proportion(right: usize, of: usize) -> Proportion {
    let hits: Vec<bool> = (0..of).map(|i| i < right).collect();
    let clusters: Vec<usize> = (0..of).collect();
    Proportion::of(&hits, &clusters, USUAL()).unwrap()
}

fn judge(right_called_right: u64, right: u64, wrong_called_wrong: u64, wrong: u64) -> JudgeQuality {
    JudgeQuality {
        right,
        right_called_right,
        wrong,
        wrong_called_wrong,
    }
}

#[test]
fn a_judge_without_errors_changes_nothing_but_the_doubt() {
    let perfect = judge(1_000_000, 1_000_000, 1_000_000, 1_000_000);
    let apparent = proportion(45, 50);
    let corrected = perfect.correct_share(&apparent, USUAL()).unwrap();
    assert!((corrected.value - 0.9).abs() < 1e-12);
    assert!((corrected.standard_error - (0.9_f64 * 0.1 / 50.0).sqrt()).abs() < 1e-12);
    assert_eq!(corrected.standard_error_of_judge, 0.0);
    assert!(corrected.interval.contains(0.9));
}

#[test]
fn a_lenient_judge_is_corrected_downwards_and_makes_figures_less_sure() {
    // Calls 95 % of right answers right, and 30 % of wrong ones: .8·.95 + .2·.3 = .82 is what it sees of .8.
    let lenient = judge(190, 200, 140, 200);
    let apparent = proportion(820, 1_000);
    let corrected = lenient.correct_share(&apparent, USUAL()).unwrap();
    assert!((corrected.value - 0.8).abs() < 1e-12, "{corrected:?}");
    assert!(corrected.interval.half_width() > 1.5 * apparent.interval.half_width());
    let better = judge(1_900, 2_000, 1_400, 2_000)
        .correct_share(&apparent, USUAL())
        .unwrap();
    assert!(better.interval.half_width() < corrected.interval.half_width());
}

#[test]
fn nothing_follows_from_a_judge_that_guesses_or_was_not_measured() {
    let apparent = proportion(80, 100);
    for blind in [
        judge(50, 100, 50, 100),
        judge(30, 100, 50, 100),
        judge(9, 10, 0, 0),
        judge(0, 0, 0, 0),
    ] {
        assert_eq!(blind.correct_share(&apparent, USUAL()), None, "{blind:?}");
    }
    assert_eq!(judge(9, 10, 0, 0).specificity(USUAL()), None);
    // Ten rows of each kind: hardly anything is known of the judge, nor of what it judged.
    let barely = judge(6, 10, 6, 10).correct_share(&apparent, USUAL()).unwrap();
    assert!(barely.interval.half_width() > 0.3, "{barely:?}");
}

#[test]
fn it_counts_what_the_judge_says_of_known_answers() {
    let pairs = [
        (true, true),
        (true, false),
        (false, false),
        (false, true),
        (false, false),
    ];
    let found = JudgeQuality::of(pairs);
    assert_eq!(found, judge(1, 2, 2, 3));
    assert!((judge(20, 25, 15, 25).kappa().unwrap() - 0.4).abs() < 1e-12);
}

/// Over drawn judges and answers, the interval holds the true share about as often as it says.
#[test]
fn the_interval_holds_the_truth_as_often_as_it_says() {
    let mut draws = ChaCha8Rng::seed_from_u64(7);
    let mut count = |chance: f64, of: u64| (0..of).filter(|_| draws.random_bool(chance)).count() as u64;
    for (truth, sensitivity, specificity, answers, rows) in [
        (0.8, 0.9, 0.8, 400, 60),
        (0.95, 0.95, 0.9, 200, 100),
        (0.5, 0.8, 0.7, 300, 40),
    ] {
        let seen = truth * sensitivity + (1.0 - truth) * (1.0 - specificity);
        let (mut held, trials) = (0, 1_000);
        for _ in 0..trials {
            let measured = judge(count(sensitivity, rows), rows, count(specificity, rows), rows);
            let apparent = proportion(count(seen, answers) as usize, answers as usize);
            let corrected = measured.correct_share(&apparent, USUAL());
            held += u32::from(corrected.is_none_or(|found| found.interval.contains(truth)));
        }
        let coverage = f64::from(held) / f64::from(trials);
        assert!((0.93..=1.0).contains(&coverage), "{truth}: {coverage}");
    }
}

proptest! {
    #[test]
    fn the_interval_is_a_part_of_what_a_share_can_be(
        right in 1_u64..200, wrong in 1_u64..200, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64, answers in 1_usize..300, c in 0.0..=1.0_f64,
    ) {
        let measured = judge((a * right as f64) as u64, right, (b * wrong as f64) as u64, wrong);
        let apparent = proportion((c * answers as f64) as usize, answers);
        if let Some(found) = measured.correct_share(&apparent, USUAL()) {
            prop_assert!(0.0 <= found.interval.low && found.interval.low <= found.interval.high && found.interval.high <= 1.0);
            prop_assert!((0.0..=1.0).contains(&found.value));
            prop_assert!(found.standard_error >= found.standard_error_of_judge);
        }
    }
}
