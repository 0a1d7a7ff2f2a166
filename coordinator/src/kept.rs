//! What is kept of accepted rows for comparing with later ones of the same seed.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use gristmill_domain::strategy::Strategy;

/// Accepted rows by seed: how many rephrasings there are, and what the answers look like.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    rephrasings: HashMap<u64, u32>,
    answers: HashMap<u64, Vec<Box<[u64]>>>,
}

impl Kept {
    /// Adds an accepted row of a seed.
    pub(crate) fn keep(&mut self, strategy: Strategy, seed: u64, shingles: &[u64]) {
        match strategy {
            Strategy::AnswerAugmentation => self.answers.entry(seed).or_default().push(shingles.into()),
            Strategy::Rephrasing => *self.rephrasings.entry(seed).or_default() += 1,
            Strategy::NewQuestion => {}
        }
    }

    /// Rephrasings of a seed.
    pub(crate) fn rephrasings(&self, seed: u64) -> usize {
        self.rephrasings.get(&seed).map_or(0, |count| *count as usize)
    }

    /// Shingles of the answers to a seed's question.
    pub(crate) fn answers(&self, seed: u64) -> impl Iterator<Item = &[u64]> {
        self.answers.get(&seed).into_iter().flatten().map(AsRef::as_ref)
    }
}

/// Word shingles of an answer with its reasoning, sorted and distinct.
pub(crate) fn shingles(reasoning: &str, answer: &str, words: u32) -> Vec<u64> {
    let text = gristmill_index::text::normalize(&format!("{reasoning}\n{answer}"));
    gristmill_index::text::shingles(
        &text,
        NonZeroUsize::new(words as usize).unwrap_or(NonZeroUsize::MIN),
    )
}

/// Jaccard similarity of two sorted, distinct lists; two empty ones are the same.
pub(crate) fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let union = a.len() + b.len() - common;
    if union == 0 {
        1.0
    } else {
        common as f64 / union as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jaccard_of_sorted_lists() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[], &[]), 1.0);
        assert_eq!(jaccard(&[1], &[]), 0.0);
    }

    #[test]
    fn one_word_answers_are_told_apart() {
        assert_eq!(jaccard(&shingles("", "Yes", 2), &shingles("", "yes.", 2)), 1.0);
        assert_eq!(jaccard(&shingles("", "Yes", 2), &shingles("", "No", 2)), 0.0);
    }
}
