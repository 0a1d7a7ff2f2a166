//! What is kept of accepted rows for comparing with later ones of the same seed.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use gristmill_domain::strategy::Strategy;
use gristmill_index::text;

/// Accepted rows by seed: how many rephrasings there are, and what the answers look like.
#[derive(Debug, Default)]
pub(crate) struct StoredRows {
    rephrasings: HashMap<u64, u32>,
    answers: HashMap<u64, Vec<Box<[u32]>>>,
}

impl StoredRows {
    /// Adds an accepted row of a seed.
    pub(crate) fn keep(&mut self, strategy: Strategy, seed: u64, shingles: Box<[u32]>) {
        match strategy {
            Strategy::AnswerAugmentation => self.answers.entry(seed).or_default().push(shingles),
            Strategy::Rephrasing => *self.rephrasings.entry(seed).or_default() += 1,
            Strategy::NewQuestion => {}
        }
    }

    /// Rephrasings of a seed.
    pub(crate) fn rephrasings(&self, seed: u64) -> usize {
        self.rephrasings.get(&seed).map_or(0, |count| *count as usize)
    }

    /// Shingles of the answers to a seed's question.
    pub(crate) fn answers(&self, seed: u64) -> impl Iterator<Item = &[u32]> {
        self.answers.get(&seed).into_iter().flatten().map(AsRef::as_ref)
    }
}

/// Word shingles of an answer with its reasoning, ascending and distinct.
pub(crate) fn shingles(reasoning: &str, answer: &str, words: u32) -> Box<[u32]> {
    let text = text::normalize(&format!("{reasoning}\n{answer}"));
    text::folded(&text::shingles(
        &text,
        NonZeroUsize::new(words as usize).unwrap_or(NonZeroUsize::MIN),
    ))
}

/// Jaccard similarity of two answers' shingles; two without any are the same.
pub(crate) fn similarity(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() && b.is_empty() {
        1.0
    } else {
        text::jaccard(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_words_are_the_same() {
        assert_eq!(similarity(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(similarity(&[], &[]), 1.0);
        assert_eq!(similarity(&[1], &[]), 0.0);
    }

    #[test]
    fn one_word_answers_are_told_apart() {
        assert_eq!(similarity(&shingles("", "Yes", 2), &shingles("", "yes.", 2)), 1.0);
        assert_eq!(similarity(&shingles("", "Yes", 2), &shingles("", "No", 2)), 0.0);
    }
}
