//! How much of the wording repeats.
//!
//! Words are runs of letters and digits, lower-cased.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::Serialize;

/// Longest run counted by [`Wording::distinct`].
const LONGEST: usize = 3;
/// Words of the runs that [`Wording::self_similarity`] looks at.
const SHARED_RUN: usize = 4;

/// Counts runs of words over texts that are added one by one. Some 16 bytes a distinct run of one to four words.
#[derive(Debug, Clone, Default)]
pub struct WordCounts {
    texts: u32,
    totals: [u64; LONGEST],
    /// For each length, the hashes of the runs seen.
    seen: [HashMap<u64, (), Plain>; LONGEST],
    /// For each longer run, the only text that has it, or [`SEVERAL`].
    owners: HashMap<u64, u32, Plain>,
    /// Of each text, distinct longer runs.
    runs: Vec<u32>,
}

/// A run that more than one text has.
const SEVERAL: u32 = u32::MAX;

/// Repetition of wording, with what it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wording {
    /// distinct-1, -2 and -3 (Li et al., arXiv 1510.03055): distinct runs of that many words over all such runs. Falls as a set grows:
    /// compare at one `n`. 0 where there is no such run.
    pub distinct: [f64; LONGEST],
    /// Share of a text's distinct runs of four words that another text has too, averaged over the texts that have any
    /// (after Salkar et al., arXiv 2210.08145). 0 where no text has any.
    pub self_similarity: f64,
    /// Texts.
    pub n: usize,
}

impl WordCounts {
    /// Adds a text. Texts past 2³² - 2 are left out.
    pub fn add(&mut self, text: &str) {
        if self.texts == SEVERAL - 1 {
            return;
        }
        let words: Vec<u64> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(hash_word)
            .collect();
        for (length, (total, seen)) in (1..).zip(self.totals.iter_mut().zip(&mut self.seen)) {
            for run in words.windows(length) {
                *total += 1;
                seen.insert(hash_run(run), ());
            }
        }
        let mut longer: Vec<u64> = words.windows(SHARED_RUN).map(hash_run).collect();
        longer.sort_unstable();
        longer.dedup();
        for &run in &longer {
            self.owners
                .entry(run)
                .and_modify(|owner| *owner = SEVERAL)
                .or_insert(self.texts);
        }
        self.runs.push(longer.len() as u32);
        self.texts += 1;
    }

    /// The figures over all texts added.
    pub fn figures(&self) -> Wording {
        let mut own = vec![0u32; self.runs.len()];
        for &owner in self.owners.values().filter(|&&owner| owner != SEVERAL) {
            own[owner as usize] += 1;
        }
        let shares: Vec<f64> = self
            .runs
            .iter()
            .zip(own)
            .filter(|&(&runs, _)| runs > 0)
            .map(|(&runs, own)| 1.0 - f64::from(own) / f64::from(runs))
            .collect();
        let share = |part: f64, of: f64| if of == 0.0 { 0.0 } else { part / of };
        let mut distinct = [0.0; LONGEST];
        for (distinct, (seen, &total)) in distinct.iter_mut().zip(self.seen.iter().zip(&self.totals)) {
            *distinct = share(seen.len() as f64, total as f64);
        }
        Wording {
            distinct,
            self_similarity: share(shares.iter().sum(), shares.len() as f64),
            n: self.runs.len(),
        }
    }
}

/// FNV-1a over the lower-cased letters' bytes, then mixed.
fn hash_word(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut bytes = [0; 4];
    for letter in word.chars().flat_map(char::to_lowercase) {
        for &byte in letter.encode_utf8(&mut bytes).as_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(hash)
}

fn hash_run(words: &[u64]) -> u64 {
    words
        .iter()
        .fold(words.len() as u64, |hash, &word| mix(hash.rotate_left(23) ^ word))
}

/// The finalizer of SplitMix64.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Keys are hashes already.
#[derive(Debug, Clone, Default)]
struct PlainHasher(u64);

type Plain = BuildHasherDefault<PlainHasher>;

impl Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Wording {
        let mut counts = WordCounts::default();
        texts.iter().for_each(|text| counts.add(text));
        counts.figures()
    }

    #[test]
    fn distinct_runs_over_all_runs() {
        let figures = of(&["The cat saw the cat.", "A dog!"]);
        // the cat saw a dog; the-cat cat-saw saw-the a-dog; the-cat-saw cat-saw-the saw-the-cat.
        assert_eq!(figures.distinct, [5.0 / 7.0, 4.0 / 5.0, 1.0]);
        assert_eq!((figures.n, figures.self_similarity), (2, 0.0));
        assert_eq!(of(&["", "!"]).distinct, [0.0; 3]);
    }

    #[test]
    fn self_similarity_is_what_others_have_too() {
        // Runs of four: a-b-c-d and b-c-d-e; the other text shares the first and has x of its own.
        assert_eq!(
            of(&["a b c d e", "A, b, c, d"]).self_similarity,
            (0.5 + 1.0) / 2.0
        );
        assert_eq!(
            of(&["a b c d a b c d", "one two"]).self_similarity,
            0.0,
            "itself is no other"
        );
        assert_eq!(
            of(&["ß straße über alles", "ß STRASSE über alles"]).self_similarity,
            0.0
        );
        assert_eq!(of(&["É a b c", "é a b c"]).self_similarity, 1.0);
    }

    #[test]
    fn the_order_of_texts_does_not_matter() {
        let texts = [
            "what is two plus two",
            "is two plus two four",
            "name a river of France please",
        ];
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        assert_eq!(of(&texts), of(&reversed));
    }
}
