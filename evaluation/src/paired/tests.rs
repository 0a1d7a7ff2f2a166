use gristmill_domain::stats::{Z_95, mcnemar, paired_change};
use proptest::prelude::*;

use super::*;
use crate::answer::tests::{answer, set};
use crate::grade::Grade;

/// Sets before and after of `items` items, of which `lost` turn wrong and `gained` turn right; the others are right.
pub(crate) fn sets(items: usize, lost: usize, gained: usize) -> (GradedSet, GradedSet) {
    (
        set((0..items).map(|item| !(lost..lost + gained).contains(&item))),
        set((0..items).map(|item| item >= lost)),
    )
}

fn compared(items: usize, lost: usize, gained: usize) -> PairedComparison {
    let (before, after) = sets(items, lost, gained);
    PairedComparison::of(&before, &after, Confidence::default()).unwrap()
}

#[test]
fn the_vectors_of_paired_comparisons() {
    for (lost, gained, p) in [
        (12, 25, 0.047_031),
        (5, 15, 0.041_389),
        (1, 8, 0.039_062),
        (10, 10, 1.0),
    ] {
        assert!((compared(100, lost, gained).p_value - p).abs() < 1e-6);
    }
    let found = compared(500, 25, 12);
    assert!((found.change + 0.026).abs() < 1e-12);
    // The published standard error divides by n, this one by n − 1.
    let published = found.standard_error.unwrap() * (499.0_f64 / 500.0).sqrt();
    assert!((published - 0.012_110).abs() < 5e-7, "{published}");
    let plain = paired_change(500, 25, 12, Z_95).unwrap();
    assert!((published - plain.standard_error).abs() < 1e-12);
    assert!(
        (found.interval.low + 0.0497).abs() < 2e-3 && (found.interval.high + 0.0023).abs() < 2e-3,
        "{found:?}"
    );
}

#[test]
fn answers_that_do_not_differ_prove_nothing_of_themselves() {
    let five = compared(5, 0, 0);
    assert!(five.interval.low < -0.4, "{five:?}");
    assert_eq!((five.p_value, five.change), (1.0, 0.0));
    assert!(compared(1_000, 0, 0).interval.low > -0.005);
    assert_eq!(
        PairedComparison::of(&GradedSet::default(), &set([true]), Confidence::default()),
        None
    );
}

#[test]
fn formats_of_one_item_are_one_cluster() {
    let formats = ["plain", "json", "terse"];
    let asked = |right: fn(usize) -> bool| {
        let answers =
            (0..60).flat_map(|item| formats.map(|format| answer(item, format, None, Grade::of(right(item)))));
        GradedSet::new(answers.collect()).unwrap()
    };
    let found =
        PairedComparison::of(&asked(|_| true), &asked(|item| item >= 5), Confidence::default()).unwrap();
    assert_eq!(
        (found.pairs, found.items, found.clusters, found.lost),
        (180, 60, 60, 15)
    );
    // Fifteen lost answers to five items are five pieces of evidence: not enough.
    assert!((found.p_value - 0.0625).abs() < 1e-12, "{found:?}");
    let once = compared(60, 5, 0);
    assert!((found.standard_error.unwrap() - once.standard_error.unwrap()).abs() < 1e-12);
    assert!(found.interval.low <= once.interval.low + 1e-9);
}

#[test]
fn scores_that_are_not_whole_have_an_interval_of_their_own() {
    let scored = |score: fn(usize) -> f64, items: usize| {
        let grade = |item| Grade::partial(score(item), false).unwrap();
        let answers = (0..items).map(|item| answer(item, "plain", None, grade(item)));
        GradedSet::new(answers.collect()).unwrap()
    };
    let compared = |items: usize, after: fn(usize) -> f64| {
        let sets = (scored(|_| 0.5, items), scored(after, items));
        PairedComparison::of(&sets.0, &sets.1, Confidence::default()).unwrap()
    };
    // Half of the answers gain .2: the mean gains .1 with a deviation of .1.
    let found = compared(400, |item| if item % 2 == 0 { 0.7 } else { 0.5 });
    assert!((found.score_change - 0.1).abs() < 1e-12);
    let half = found.score_standard_error.unwrap() * Confidence::default().t(399.0).unwrap();
    assert!((found.score_interval.high - 0.1 - half).abs() < 1e-9, "{found:?}");
    assert_eq!(found.change, 0.0);
    // Two answers that both gained .2 are not a certainty.
    let two = compared(2, |_| 0.7);
    assert!(two.score_interval.low < -0.4, "{two:?}");
    let whole = super::tests::compared(100, 4, 2);
    assert_eq!(whole.score_interval, whole.interval);
}

#[test]
fn answers_of_one_model_alone_are_counted_and_not_compared() {
    let found = PairedComparison::of(
        &set([true, true, false]),
        &set([true, false]),
        Confidence::default(),
    )
    .unwrap();
    assert_eq!((found.pairs, found.unpaired, found.lost), (2, 1, 1));
}

#[test]
fn the_items_that_would_settle_a_difference() {
    // As many as the planning formula says.
    let usual = Confidence::default();
    assert_eq!(compared(1_000, 60, 40).items_to_settle(0.0, usual), Some(1_960));
    assert_eq!(
        compared(100, 2, 0).items_to_settle(0.02, usual),
        None,
        "just at the margin"
    );
    // Nothing differs: the interval is ± z²/(n + z²).
    let needed = compared(5, 0, 0).items_to_settle(0.02, usual).unwrap();
    assert_eq!(needed, 189);
    let enough = |items: u64| compared(usize::try_from(items).unwrap(), 0, 0).interval.low > -0.02;
    assert!(enough(needed) && !enough(needed - 1));
}

#[test]
fn the_change_is_in_its_interval_where_all_is_lost() {
    // Three answers about two documents are worth less than three, and the scaled counts sum to no whole number.
    let rows = [0, 5, 5];
    let built = |right: bool| {
        let answers = rows.iter().enumerate();
        let answers = answers.map(|(item, source)| answer(item, "plain", Some(*source), Grade::of(right)));
        GradedSet::new(answers.collect()).unwrap()
    };
    let found = PairedComparison::of(&built(true), &built(false), Confidence::default()).unwrap();
    assert_eq!(found.change, -1.0);
    assert!(found.interval.contains(found.change), "{:?}", found.interval);
}

proptest! {
    #[test]
    fn comparing_the_other_way_round_turns_the_sign(
        rows in prop::collection::vec((any::<bool>(), any::<bool>(), 0_usize..12), 1..80),
    ) {
        let built = |after: bool| {
            let answers = rows.iter().enumerate().map(|(item, (a, b, source))| {
                answer(item, "plain", Some(*source), Grade::of(if after { *b } else { *a }))
            });
            GradedSet::new(answers.collect()).unwrap()
        };
        let (before, after) = (built(false), built(true));
        let there = PairedComparison::of(&before, &after, Confidence::default()).unwrap();
        let back = PairedComparison::of(&after, &before, Confidence::default()).unwrap();
        prop_assert_eq!(there.p_value, back.p_value);
        prop_assert_eq!((there.lost, there.gained), (back.gained, back.lost));
        prop_assert!((there.interval.low + back.interval.high).abs() < 1e-9);
        prop_assert!(there.interval.contains(there.change));
        prop_assert!((0.0..=1.0).contains(&there.p_of_at_most(0.02)));
    }

    #[test]
    fn without_clusters_it_is_mcnemar(items in 1_usize..200, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
        let lost = (a * items as f64) as usize;
        let gained = (b * (items - lost) as f64) as usize;
        prop_assert_eq!(compared(items, lost, gained).p_value, mcnemar(lost as u64, gained as u64));
    }
}
