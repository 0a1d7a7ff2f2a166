//! NovelSum against values computed by the definition in another language, and its laws.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

mod rows;

use std::num::NonZeroUsize;

use gristmill_measure::dcscore::Draws;
use gristmill_measure::novelsum::{Settings, at_fixed_size, densities, novelsum};
use gristmill_measure::{Error, UnitVectors};
use proptest::prelude::*;
use rows::{random_rows, unit};

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn five() -> UnitVectors {
    unit(
        3,
        vec![1., 0., 0., 0.6, 0.8, 0., 0., 1., 0., 0., 0.28, 0.96, 0.8, 0., 0.6],
    )
}

fn score(vectors: &UnitVectors, reference: Option<&UnitVectors>, settings: Settings) -> f64 {
    let reference = reference.map(UnitVectors::as_vectors);
    let densities = densities(vectors, reference, settings, TWO).unwrap();
    novelsum(vectors, &densities, settings, TWO).unwrap()
}

#[test]
fn scores_follow_the_definition() {
    let reference = unit(3, vec![1., 0., 0., 0., 1., 0., 0., 0., 1., 0.6, 0., 0.8]);
    for (alpha, beta, neighbors, alone, beside) in [
        (1.0, 0.5, 2, 0.548_943, 0.755_754),
        (0.0, 0.0, 2, 0.624, 0.624),
        (2.0, 0.25, 3, 0.363_497, 0.391_295),
    ] {
        let settings = Settings {
            alpha,
            beta,
            neighbors,
        };
        for (found, expected) in [
            (score(&five(), None, settings), alone),
            (score(&five(), Some(&reference), settings), beside),
        ] {
            assert!(
                (found - expected).abs() < 1e-6,
                "{settings:?}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn copies_make_a_set_less_diverse_and_the_threads_do_not_matter() {
    let settings = Settings::default();
    let varied = random_rows(200, 8, 3);
    let mut copied: Vec<usize> = (0..100).collect();
    copied.extend(0..100);
    let copied = varied.select(&copied).unwrap();
    let beside = |vectors: &UnitVectors| score(vectors, Some(&varied), settings);
    assert!(
        beside(&copied) < 0.95 * beside(&varied),
        "{} {}",
        beside(&copied),
        beside(&varied)
    );
    let at = |threads: usize| {
        let draws = Draws {
            draws: 3,
            size: 50,
            seed: 1,
        };
        at_fixed_size(
            &varied,
            None,
            settings,
            draws,
            NonZeroUsize::new(threads).unwrap(),
        )
        .unwrap()
    };
    assert_eq!(at(1), at(3));
    assert!(at(1).low <= at(1).mean && at(1).mean <= at(1).high);
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let settings = Settings::default();
    assert!(matches!(
        densities(&five(), None, settings, TWO),
        Err(Error::TooFew { .. })
    ));
    assert!(matches!(
        novelsum(&five(), &[1.0], settings, TWO),
        Err(Error::Setting {
            name: "densities",
            ..
        })
    ));
    let negative = Settings {
        alpha: -1.0,
        neighbors: 2,
        ..settings
    };
    assert!(matches!(
        densities(&five(), None, negative, TWO),
        Err(Error::Setting { .. })
    ));
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(seed in 0..1_000_u64, n in 12..40_usize) {
        let settings = Settings::default();
        let rows = random_rows(n, 5, seed);
        let turned: Vec<usize> = (0..n).rev().collect();
        let (one, other) = (score(&rows, None, settings), score(&rows.select(&turned).unwrap(), None, settings));
        prop_assert!((one - other).abs() < 1e-9 * one.abs());
    }
}
