//! Questions and vectors with near-duplicates of known similarity, the same each time. The truth is computed from the words
//! and numbers themselves, by nothing of this crate.
//!
//! Every tenth row is made from another one, its twin, and no row has two.
#![allow(dead_code, reason = "the test and the benchmark each use some")]

use std::collections::HashSet;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal, of variance 1.
    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..4).map(|_| self.uniform() - 0.5).sum();
        (sum * 3f64.sqrt()) as f32
    }
}

/// The row that a row was made from, of `rows`; they lie far apart.
pub(crate) fn twin(row: u32, rows: u32) -> Option<u32> {
    let (tens, last) = (row / 10, row % 10);
    // A prime that no usual number of rows shares: each row is at most one's twin.
    let other = (u64::from(tens) * 7_919 + 13) % u64::from(rows / 10).max(1);
    (last == 9).then_some(other as u32 * 10 + 4)
}

/// The words of a question: 8 to 24 by Zipf's law from 20,000; half of the questions start with one of 40 openings.
fn original(row: u32) -> Vec<String> {
    let mut draw = Draw(u64::from(row) << 20);
    let length = 8 + draw.below(17) as usize;
    let opening = draw.below(80);
    let mut words: Vec<String> = (0..length).map(|_| word(&mut draw)).collect();
    if opening < 40 {
        for (at, word) in words.iter_mut().take(3).enumerate() {
            *word = format!("opening{}", opening * 3 + at as u64);
        }
    }
    words
}

fn word(draw: &mut Draw) -> String {
    // Its rank is log-uniform.
    format!("w{}", 20_000f64.powf(draw.uniform()) as u64)
}

/// The words of a row, of `rows`.
fn words(row: u32, rows: u32) -> Vec<String> {
    let Some(twin) = twin(row, rows) else {
        return original(row);
    };
    let mut words = original(twin);
    let new = || format!("new{row}");
    let middle = words.len() / 2;
    match Draw(u64::from(row)).below(6) {
        // The same words, written otherwise.
        0 => {}
        1 => words.push(new()),
        2 => {
            words.pop();
            words.push(new());
        }
        3 => words[middle] = new(),
        4 => {
            words.remove(0);
        }
        _ => {
            words[middle] = new();
            words[2] = new();
        }
    }
    words
}

/// A question, of `rows`.
pub(crate) fn question(row: u32, rows: u32) -> String {
    let text = words(row, rows).join(" ");
    if twin(row, rows).is_some() {
        format!("{}!", text.to_uppercase())
    } else {
        format!("{text}?")
    }
}

/// Jaccard similarity of two rows' sets of two neighboring words, of `rows`.
pub(crate) fn jaccard(a: u32, b: u32, rows: u32) -> f64 {
    let pairs = |row| -> HashSet<[String; 2]> {
        words(row, rows)
            .windows(2)
            .map(|pair| [pair[0].clone(), pair[1].clone()])
            .collect()
    };
    let (a, b) = (pairs(a), pairs(b));
    let shared = a.intersection(&b).count();
    shared as f64 / (a.len() + b.len() - shared) as f64
}

/// A unit vector, of `rows`. Rows of different topics have a cosine of about .25, of a topic .6, a row and its twin .9 to .99.
pub(crate) fn vector(row: u32, rows: u32, dimensions: usize) -> Vec<f32> {
    let twin = twin(row, rows);
    let source = u64::from(twin.unwrap_or(row));
    let mut vector = vec![0.0; dimensions];
    let mut add = |seed: u64, weight: f32| {
        let mut draw = Draw(seed << 24);
        vector.iter_mut().for_each(|x| *x += weight * draw.normal());
    };
    add(1 << 38, 0.5);
    add((1 << 37) + source * 7_919 % 1_000, 0.59);
    add(source, 0.63);
    if twin.is_some() {
        add(
            (1 << 36) + u64::from(row),
            0.15 + 0.33 * Draw(row.into()).uniform() as f32,
        );
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// Cosine of two vectors, in double precision.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let sum = |x: &[f32], y: &[f32]| {
        x.iter()
            .zip(y)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum::<f64>()
    };
    sum(a, b) / (sum(a, a) * sum(b, b)).sqrt()
}
