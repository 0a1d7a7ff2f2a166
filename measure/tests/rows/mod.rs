//! Rows for tests, the same each time.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses some; a failed call fails the test"
)]

use gristmill_measure::{UnitVectors, Vectors};

/// Unit rows in directions drawn evenly.
pub(crate) fn random_rows(n: usize, dimensions: usize, seed: u64) -> UnitVectors {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    // Sums of uniform numbers are nearly normal.
    let values = (0..n * dimensions)
        .map(|_| ((0..4).map(|_| uniform()).sum::<f64>() - 2.0) as f32)
        .collect();
    unit(dimensions, values)
}

pub(crate) fn unit(dimensions: usize, values: Vec<f32>) -> UnitVectors {
    plain(dimensions, values).normalized().unwrap()
}

pub(crate) fn plain(dimensions: usize, values: Vec<f32>) -> Vectors {
    Vectors::new("test", dimensions, values).unwrap()
}
