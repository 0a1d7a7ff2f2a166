//! The vector index against brute force.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroUsize;

use gristmill_index::Error;
use gristmill_index::vectors::{Neighbor, Pair, VectorIndex, cosine};
use proptest::prelude::*;

fn index(dimensions: usize) -> VectorIndex {
    VectorIndex::new(NonZeroUsize::new(dimensions).unwrap())
}

/// A pseudo-random unit vector near the direction of its family: members of one family are alike.
fn unit(dimensions: usize, family: u64, member: u64, spread: f64) -> Vec<f32> {
    let gauss = |a: u64, b: u64, i: usize| {
        // Sum of four uniforms, by SplitMix64: bell-shaped enough.
        (0..4u64)
            .map(|term| {
                let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd6e8_feb8_6659_fd93);
                z ^= (i as u64 * 4 + term).wrapping_mul(0xa076_1d64_78bd_642f);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            })
            .sum::<f64>()
    };
    let raw: Vec<f64> = (0..dimensions)
        .map(|i| gauss(family, 0, i) + spread * gauss(family, member + 1, i))
        .collect();
    let norm = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
    raw.iter().map(|x| (x / norm) as f32).collect()
}

fn brute_force(kept: &BTreeMap<u32, Vec<f32>>, query: &[f32], at_least: f32) -> Vec<Neighbor> {
    let mut found: Vec<Neighbor> = kept
        .iter()
        .map(|(&row, vector)| Neighbor {
            row,
            cosine: cosine(vector, query),
        })
        .filter(|found| found.cosine >= at_least)
        .collect();
    found.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
    found
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u32, u64, u64),
    Remove(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u32..90, 0u64..6, 0u64..8).prop_map(|(row, family, member)| Step::Insert(row, family, member)),
        1 => (0u32..90).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// To the last bit, for dimensions that fill their chunks and that do not, after any insertions and withdrawals.
    #[test]
    fn answers_equal_brute_force(
        dimensions in prop::sample::select(vec![1usize, 3, 64, 65, 200, 384]),
        steps in steps(),
        at_least in prop_oneof![-1.0f32..=1.0, 0.8f32..=1.0],
        k in 0usize..30,
    ) {
        let mut index = index(dimensions);
        let mut kept = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(row, family, member) => {
                    let vector = unit(dimensions, family, member, 0.4);
                    if let Entry::Vacant(place) = kept.entry(row) {
                        index.insert(row, &vector).unwrap();
                        place.insert(vector);
                    } else {
                        prop_assert_eq!(index.insert(row, &vector), Err(Error::RowTaken { row }));
                    }
                }
                Step::Remove(row) => prop_assert_eq!(index.remove(row), kept.remove(&row).is_some()),
            }
        }
        prop_assert_eq!(index.len(), kept.len());
        // Members 8 and up are new, the others are there or were.
        let queries: Vec<Vec<f32>> = (0..6).flat_map(|family| [2, 9].map(|m| unit(dimensions, family, m, 0.4))).collect();
        let expected: Vec<_> = queries.iter().map(|query| brute_force(&kept, query, at_least)).collect();
        for (query, expected) in queries.iter().zip(&expected) {
            prop_assert_eq!(&index.within(query, at_least).unwrap(), expected);
            let mut closest = brute_force(&kept, query, f32::NEG_INFINITY);
            closest.truncate(k);
            prop_assert_eq!(index.nearest(query, k).unwrap(), closest);
        }
        prop_assert_eq!(index.within_many(&queries, at_least).unwrap(), expected);
        for (row, vector) in &kept {
            prop_assert_eq!(index.vector(*row), Some(vector.clone()));
        }
    }
}

/// Over several blocks, some of whose rows went: all pairs, whole and in parts.
#[test]
fn pairs_equal_brute_force() {
    let dimensions = 100;
    let mut index = index(dimensions);
    let mut kept = BTreeMap::new();
    for row in 0..700u32 {
        // Rows descend while slots ascend, and 50 families have 14 members each.
        let (row, vector) = (7_000 - row, unit(dimensions, (row % 50).into(), row.into(), 0.4));
        index.insert(row, &vector).unwrap();
        kept.insert(row, vector);
    }
    for row in (6_400..6_900).step_by(3) {
        assert!(index.remove(row) && kept.remove(&row).is_some());
    }
    let mut expected = Vec::new();
    for (&first, a) in &kept {
        for (&second, b) in kept.range(first + 1..) {
            let cosine = cosine(a, b);
            if cosine >= 0.87 {
                expected.push(Pair {
                    first,
                    second,
                    cosine,
                });
            }
        }
    }
    assert!(
        (500..50_000).contains(&expected.len()),
        "{} pairs test little",
        expected.len()
    );
    assert_eq!(index.pairs_within(0.87).unwrap(), expected);
    let parts = NonZeroUsize::new(3).unwrap();
    let mut joined: Vec<Pair> = (0..3)
        .flat_map(|part| index.pairs_within_part(0.87, part, parts).unwrap())
        .collect();
    joined.sort_by_key(|pair| (pair.first, pair.second));
    assert_eq!(joined, expected);
}

/// The bound must hold where it is tight: vectors that agree up to a chunk's end and whose rests are parallel.
#[test]
fn nothing_is_missed_where_the_bound_is_tight() {
    let dimensions = 192;
    let base = unit(dimensions, 1, 0, 0.0);
    let mut index = index(dimensions);
    let mut at = Vec::new();
    for row in 0..2_000u32 {
        // The first chunk scaled down a little more each row; the rest takes what is left of the length, in the same direction.
        let scale = 1.0 - f64::from(row) / 4_000.0;
        let head: f64 = base[..64].iter().map(|&x| (f64::from(x) * scale).powi(2)).sum();
        let rest: f64 = base[64..].iter().map(|&x| f64::from(x).powi(2)).sum();
        let stretch = ((1.0 - head) / rest).sqrt();
        let vector: Vec<f32> = base
            .iter()
            .enumerate()
            .map(|(i, &x)| (f64::from(x) * if i < 64 { scale } else { stretch }) as f32)
            .collect();
        index.insert(row, &vector).unwrap();
        at.push(cosine(&base, &vector));
    }
    // Each row's own cosine as the threshold: it and all closer ones must be there.
    for &threshold in at.iter().step_by(37).filter(|&&cosine| cosine <= 1.0) {
        let expected = at.iter().filter(|&&cosine| cosine >= threshold).count();
        assert_eq!(
            index.within(&base, threshold).unwrap().len(),
            expected,
            "{threshold}"
        );
    }
}

#[test]
fn what_is_no_unit_vector_of_the_dimension_is_refused() {
    let mut index = index(2);
    assert_eq!(
        index.insert(0, &[1.0]),
        Err(Error::Dimensions { expected: 2, got: 1 })
    );
    assert_eq!(index.insert(0, &[3.0, 4.0]), Err(Error::NotUnit { norm: 5.0 }));
    assert!(matches!(
        index.insert(0, &[f32::NAN, 0.0]),
        Err(Error::NotUnit { .. })
    ));
    assert!(matches!(
        index.nearest(&[0.0, 0.0], 1),
        Err(Error::NotUnit { .. })
    ));
    assert!(matches!(
        index.within(&[1.0, 0.0], f32::NAN),
        Err(Error::Similarity { .. })
    ));
    assert!(matches!(
        index.within_many(&[[1.0, 0.0], [1.0, 1.0]], 0.5),
        Err(Error::NotUnit { .. })
    ));
    assert!(index.is_empty());
    assert_eq!(index.nearest(&[1.0, 0.0], 5), Ok(vec![]));
}
