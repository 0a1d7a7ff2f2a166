//! ROUGE-L: how much of two texts runs in the same order, by their longest common subsequence of tokens (Lin 2004).
//!
//! F = 2PR/(P + R) with P = LCS/|a| and R = LCS/|b|, so 2·LCS/(|a| + |b|). Self-Instruct (Wang et al. 2023) drops a question at F > .7 to
//! one that is there. Tokens are those of [`super::text`], without stemming.

use std::collections::HashMap;

use super::text::{normalise, tokens};

/// A text made ready for comparing it with many.
#[derive(Debug, Clone)]
pub struct Prepared {
    tokens: Vec<String>,
    /// For each token the places where it stands, as bits of 64-place blocks.
    places: HashMap<String, Vec<u64>>,
}

impl Prepared {
    /// Splits the text into tokens and notes where each stands.
    pub fn new(text: &str) -> Self {
        let tokens: Vec<String> = tokens(&normalise(text)).map(str::to_owned).collect();
        let blocks = tokens.len().div_ceil(64);
        let mut places: HashMap<String, Vec<u64>> = HashMap::new();
        for (place, token) in tokens.iter().enumerate() {
            places.entry(token.clone()).or_insert_with(|| vec![0; blocks])[place / 64] |= 1 << (place % 64);
        }
        Self { tokens, places }
    }

    /// ROUGE-L F with another text, 0 to 1; 0 when either has no tokens.
    pub fn f(&self, other: &Self) -> f64 {
        let total = self.tokens.len() + other.tokens.len();
        if self.tokens.is_empty() || other.tokens.is_empty() {
            return 0.0;
        }
        2.0 * self.common(&other.tokens) as f64 / total as f64
    }

    /// Whether F exceeds the threshold; texts of too different a length are told without comparing them.
    pub fn exceeds(&self, other: &Self, threshold: f64) -> bool {
        let (shorter, longer) = (
            self.tokens.len().min(other.tokens.len()),
            self.tokens.len().max(other.tokens.len()),
        );
        2.0 * shorter as f64 > threshold * (shorter + longer) as f64 && self.f(other) > threshold
    }

    /// Length of the longest common subsequence, 64 places a step (Hyyrö 2004): a place's bit turns from 1 to 0 where the
    /// subsequence grows.
    fn common(&self, other: &[String]) -> usize {
        let blocks = self.tokens.len().div_ceil(64);
        let mut rows = vec![u64::MAX; blocks];
        for places in other.iter().filter_map(|token| self.places.get(token)) {
            let mut carry = false;
            for (row, here) in rows.iter_mut().zip(places) {
                let matched = *row & here;
                let (sum, first) = row.overflowing_add(matched);
                let (sum, second) = sum.overflowing_add(u64::from(carry));
                carry = first || second;
                *row = sum | (*row & !here);
            }
        }
        let mut zeros: usize = rows.iter().map(|row| row.count_zeros() as usize).sum();
        // Bits past the last place never match, but a carry may run into them.
        let used = self.tokens.len() % 64;
        if used > 0
            && let Some(last) = rows.last()
        {
            zeros -= (last >> used).count_zeros() as usize - used;
        }
        zeros
    }
}

/// ROUGE-L F of two texts, 0 to 1.
pub fn rouge_l(a: &str, b: &str) -> f64 {
    Prepared::new(a).f(&Prepared::new(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        for (a, b, f) in [
            (
                "The police killed the gunman",
                "police killed the gunman",
                8.0 / 9.0,
            ),
            // Lin 2004's own example: the LCS is "police the gunman".
            ("police killed the gunman", "police kill the gunman", 0.75),
            ("police killed the gunman", "the gunman kill police", 0.5),
            ("a b c", "d e f", 0.0),
            ("", "a", 0.0),
            ("Same, text!", "same text", 1.0),
        ] {
            assert!((rouge_l(a, b) - f).abs() < 1e-12, "{a} | {b}: {}", rouge_l(a, b));
        }
    }

    /// The textbook's table.
    fn plain(a: &[u8], b: &[u8]) -> usize {
        let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                table[i + 1][j + 1] = if x == y {
                    table[i][j] + 1
                } else {
                    table[i][j + 1].max(table[i + 1][j])
                };
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn agrees_with_the_textbook(
            a in proptest::collection::vec(0_u8..6, 0..150), b in proptest::collection::vec(0_u8..6, 0..150), threshold in 0.0..1.0_f64,
        ) {
            let text = |ids: &[u8]| ids.iter().map(|i| format!("w{i} ")).collect::<String>();
            let (x, y) = (Prepared::new(&text(&a)), Prepared::new(&text(&b)));
            prop_assert_eq!(x.common(&y.tokens), plain(&a, &b));
            prop_assert_eq!(x.exceeds(&y, threshold), x.f(&y) > threshold);
            prop_assert!((x.f(&y) - y.f(&x)).abs() < 1e-12);
        }
    }
}
