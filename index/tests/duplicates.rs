//! 20,000 questions and 4,000 vectors with planted near-duplicates: what is found, and that nothing else is. The benchmark `duplicates`
//! of the system tests does the same with a million.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

mod planted;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use gristmill_index::VectorIndex;
use gristmill_index::minhash::{MinHashIndex, Parameters, Scheme};
use planted::{cosine, jaccard, question, twin, vector};

#[test]
fn planted_questions_are_found_at_a_jaccard_of_eight_tenths() {
    const ROWS: u32 = 20_000;
    let scheme = Scheme::new(Parameters::default()).unwrap();
    let mut index = MinHashIndex::new(scheme.clone());
    let mut found = HashMap::new();
    for row in 0..ROWS {
        let sketch = scheme.sketch_text(&question(row, ROWS));
        for near in index.near(&sketch, 0.8).unwrap() {
            found.insert((row.min(near.row), row.max(near.row)), near.jaccard);
        }
        index.insert(row, &sketch).unwrap();
    }
    for (&(a, b), &similarity) in &found {
        assert_eq!(similarity, jaccard(a, b, ROWS), "precision is 1: {a} and {b}");
    }
    let planted: Vec<(u32, u32)> = (0..ROWS)
        .filter_map(|row| twin(row, ROWS).map(|twin| (row.min(twin), row.max(twin))))
        .filter(|&(a, b)| jaccard(a, b, ROWS) >= 0.8)
        .collect();
    let recalled = planted.iter().filter(|&pair| found.contains_key(pair)).count();
    let recall = recalled as f64 / planted.len() as f64;
    assert!(planted.len() > 1_000, "{}", planted.len());
    assert!(recall >= 0.999, "{recalled} of {}", planted.len());
}

#[test]
fn planted_vectors_are_found_to_the_last() {
    const ROWS: u32 = 4_000;
    const DIMENSIONS: usize = 384;
    let mut index = VectorIndex::new(NonZeroUsize::new(DIMENSIONS).unwrap());
    let vectors: Vec<Vec<f32>> = (0..ROWS).map(|row| vector(row, ROWS, DIMENSIONS)).collect();
    for (row, vector) in (0..).zip(&vectors) {
        index.insert(row, vector).unwrap();
    }
    let found: Vec<(u32, u32)> = index
        .pairs_within(0.95)
        .unwrap()
        .iter()
        .map(|pair| (pair.first, pair.second))
        .collect();
    let mut planted: Vec<(u32, u32)> = (0..ROWS)
        .filter_map(|row| twin(row, ROWS).map(|twin| (row.min(twin), row.max(twin))))
        .filter(|&(a, b)| cosine(&vectors[a as usize], &vectors[b as usize]) >= 0.95)
        .collect();
    planted.sort_unstable();
    assert!(planted.len() > 100 && planted.len() < 390, "{}", planted.len());
    assert_eq!(found, planted);
}
