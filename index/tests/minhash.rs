//! The MinHash index against brute force and against its theory.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gristmill_index::Error;
use gristmill_index::minhash::{Match, MinHashIndex, Parameters, Scheme, Sketch};
use proptest::prelude::*;

fn scheme(seed: u64) -> Scheme {
    Scheme::new(Parameters {
        seed,
        ..Parameters::default()
    })
    .unwrap()
}

/// Every kept row by its exact similarity, closest first, then by row.
fn brute_force(kept: &BTreeMap<u32, Sketch>, query: &Sketch, at_least: f64) -> Vec<Match> {
    let mut matches: Vec<Match> = kept
        .iter()
        .map(|(&row, sketch)| Match {
            row,
            jaccard: sketch.jaccard(query).unwrap(),
        })
        .filter(|found| found.jaccard >= at_least && found.jaccard > 0.0)
        .collect();
    matches.sort_by(|a, b| b.jaccard.total_cmp(&a.jaccard).then(a.row.cmp(&b.row)));
    matches
}

/// A pseudo-random 64-bit shingle.
fn shingle(family: u64, number: u64) -> u64 {
    let mut z = family.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What is done to an index in a property test: shingles are drawn from few, so that sets overlap.
#[derive(Debug, Clone)]
enum Step {
    Insert(u32, Vec<u64>),
    Remove(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let set = prop::collection::vec(0u64..8, 0..6);
    let step = prop_oneof![
        3 => (0u32..40, set).prop_map(|(row, set)| Step::Insert(row, set)),
        1 => (0u32..40).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// With one row a band and many bands nothing at a similarity of a half or more is missed in practice, so that all
    /// answers must equal brute force, through any mix of insertions and withdrawals.
    #[test]
    fn near_equals_brute_force_through_insertions_and_withdrawals(steps in steps(), at_least in 0.5f64..=1.0) {
        let scheme = Scheme::new(Parameters { bands: 64, rows: 1, ..Parameters::default() }).unwrap();
        let mut index = MinHashIndex::new(scheme.clone());
        let mut kept = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(row, set) => {
                    let sketch = scheme.sketch(&set);
                    prop_assert_eq!(index.near(&sketch, at_least).unwrap(), brute_force(&kept, &sketch, at_least));
                    if let Entry::Vacant(place) = kept.entry(row) {
                        index.insert(row, &sketch).unwrap();
                        place.insert(sketch);
                    } else {
                        prop_assert_eq!(index.insert(row, &sketch), Err(Error::RowTaken { row }));
                    }
                }
                Step::Remove(row) => prop_assert_eq!(index.remove(row), kept.remove(&row).is_some()),
            }
            prop_assert_eq!(index.len(), kept.len());
        }
        for (row, sketch) in &kept {
            prop_assert!(index.contains(*row));
            prop_assert_eq!(index.near(sketch, at_least).unwrap(), brute_force(&kept, sketch, at_least));
        }
    }
}

/// Past several growths of the tables and closings of gaps, rows are found where they are and never where they were.
#[test]
fn ten_thousand_rows_come_and_go() {
    let scheme = scheme(3);
    let sketch = |row: u32| scheme.sketch(&(0..10).map(|i| shingle(row.into(), i)).collect::<Vec<_>>());
    let mut index = MinHashIndex::new(scheme.clone());
    for row in 0..10_000 {
        index.insert(row, &sketch(row)).unwrap();
        // Two of three are withdrawn, long after.
        if row >= 2_000 && row % 3 != 0 {
            assert!(index.remove(row - 2_000 + row % 3));
        }
    }
    let mut held = 0;
    for row in 0..10_000 {
        let found = index.near(&sketch(row), 0.9).unwrap();
        let expected: &[u32] = if index.contains(row) { &[row] } else { &[] };
        held += expected.len();
        assert_eq!(found.iter().map(|m| m.row).collect::<Vec<_>>(), expected);
    }
    assert_eq!(index.len(), held);
    let grown = index.bytes();
    for round in 0..20 {
        for row in 20_000..22_000 {
            index.insert(row, &sketch(row)).unwrap();
        }
        for row in 20_000..22_000 {
            assert!(index.remove(row), "round {round}");
        }
    }
    assert!(
        index.bytes() < grown * 3 / 2,
        "memory of withdrawn rows is used again: {} of {grown}",
        index.bytes()
    );
}

/// At the default parameters, over several seeds: pairs of a known similarity are found as often as theory says.
#[test]
fn recall_is_what_theory_says() {
    // (shared, alone in each): similarity shared / (shared + 2·alone).
    for (shared, alone) in [(6, 2), (7, 1), (8, 1), (16, 2), (18, 1), (7, 3)] {
        let similarity = shared as f64 / (shared + 2 * alone) as f64;
        let (mut found, mut all, mut expected) = (0u32, 0u32, 0.0);
        for seed in 0..4 {
            let scheme = scheme(seed);
            expected = scheme.parameters().detection(similarity);
            let mut index = MinHashIndex::new(scheme.clone());
            let pair = |number: u64| {
                let one: Vec<u64> = (0..shared + alone).map(|i| shingle(number, i)).collect();
                let other: Vec<u64> = (0..shared)
                    .chain(100..100 + alone)
                    .map(|i| shingle(number, i))
                    .collect();
                (scheme.sketch(&one), scheme.sketch(&other))
            };
            for row in 0..500 {
                index.insert(row, &pair(row.into()).0).unwrap();
            }
            for row in 0..500 {
                let near = index.near(&pair(row.into()).1, similarity).unwrap();
                found += u32::from(
                    near == [Match {
                        row,
                        jaccard: similarity,
                    }],
                );
                all += 1;
            }
        }
        let recall = f64::from(found) / f64::from(all);
        let error = (expected * (1.0 - expected) / f64::from(all)).sqrt();
        assert!(
            recall >= expected - 4.0 * error - 1e-3,
            "at {similarity}: {recall}, theory {expected}"
        );
        // Candidates that no band agrees on are there only by a tag's chance: a wide miss above theory would be a wrong formula.
        assert!(
            recall <= expected + 4.0 * error + 1e-3,
            "at {similarity}: {recall}, theory {expected}"
        );
    }
}

#[test]
fn small_edits_of_a_question_are_found_and_other_questions_are_not() {
    let scheme = scheme(0);
    let mut index = MinHashIndex::new(scheme.clone());
    let asked = "A train leaves the station at 3 pm and travels 60 miles per hour; when does it arrive?";
    index.insert(1, &scheme.sketch_text(asked)).unwrap();
    for (other, near) in [
        (
            "a train leaves the station at 3 PM, and travels 60 miles per hour: When does it arrive",
            true,
        ),
        (
            "A train leaves the station at 3 pm and travels 60 miles per hour; when will it arrive?",
            true,
        ),
        (
            "At what time does a train that leaves at 3 pm and goes 60 miles per hour arrive?",
            false,
        ),
        ("", false),
    ] {
        let found = index.near(&scheme.sketch_text(other), 0.7).unwrap();
        assert_eq!(!found.is_empty(), near, "{other}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut index = MinHashIndex::new(scheme(0));
    let foreign = scheme(1).sketch_text("one two three");
    assert_eq!(index.insert(0, &foreign), Err(Error::OtherScheme));
    assert_eq!(index.near(&foreign, 0.5), Err(Error::OtherScheme));
    let own = scheme(0).sketch_text("one two three");
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(
            matches!(index.near(&own, wrong), Err(Error::Similarity { .. })),
            "{wrong}"
        );
    }
    assert_eq!(index.len(), 0);
}
