//! The normal form of a text for matching, and its shingles.
//!
//! The form forgets what does not change a question (case, spacing, punctuation, typographic variants) and keeps what
//! does: digits with their decimal point, signs before numbers, arithmetic and comparison signs, currencies. "What is
//! 3*4?" and "What is 3+4?" stay different; "Cost: $1,000" and "cost $1000." become equal.

mod normal;

use std::num::NonZeroUsize;

use twox_hash::XxHash3_64;

pub use normal::normalize;

/// The set of word shingles of a *normalized* text ([`normalize`]): a 64-bit hash for each distinct run of `size` words,
/// ascending. A shorter text is one shingle; an empty one has none.
///
/// Two words suit short questions, three longer ones: changing one word of n changes `size` of the n - size + 1 shingles.
///
/// The hash is XXH3 of the run as it is written, so the numbers are the same on every machine.
pub fn shingles(normalized: &str, size: NonZeroUsize) -> Vec<u64> {
    let mut starts: Vec<usize> = Vec::with_capacity(normalized.len() / 4 + 1);
    if !normalized.is_empty() {
        starts.push(0);
    }
    starts.extend(normalized.match_indices(' ').map(|(at, _)| at + 1));
    let mut hashes: Vec<u64> = (0..=starts.len().saturating_sub(size.get()))
        .filter_map(|first| {
            let from = *starts.get(first)?;
            // Up to the space before the word that follows the run.
            let to = starts
                .get(first + size.get())
                .map_or(normalized.len(), |next| next - 1);
            Some(XxHash3_64::oneshot(&normalized.as_bytes()[from..to]))
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// A set of 64-bit hashes in half the room: 32 bits each, ascending and distinct. Two of a text's few hundred shingles fall
/// together once in about a hundred thousand texts.
pub fn folded(shingles: &[u64]) -> Box<[u32]> {
    let mut folded: Vec<u32> = shingles
        .iter()
        .map(|&shingle| (shingle ^ (shingle >> 32)) as u32)
        .collect();
    folded.sort_unstable();
    folded.dedup();
    folded.into_boxed_slice()
}

/// Exact Jaccard similarity of two ascending sets; 0 when either is empty.
pub fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut shared) = (0, 0, 0usize);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        // Without branches: which of the two is smaller is a coin toss that no processor predicts.
        shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    shared as f64 / (a.len() + b.len() - shared) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, size: usize) -> Vec<u64> {
        shingles(text, NonZeroUsize::new(size).unwrap())
    }

    fn hash(run: &str) -> u64 {
        XxHash3_64::oneshot(run.as_bytes())
    }

    #[test]
    fn shingles_are_the_set_of_runs() {
        let mut expected = vec![hash("to be"), hash("be or"), hash("or not"), hash("not to")];
        expected.sort_unstable();
        assert_eq!(of("to be or not to be", 2), expected, "`to be` counts once");
        assert_eq!(of("one", 2), [hash("one")], "a short text is one shingle");
        assert_eq!(of("one two", 2), [hash("one two")]);
        assert_eq!(of("", 2), [0u64; 0]);
        assert_ne!(of("ab c", 2), of("a bc", 2));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // XXH3's reference value for the empty input with seed 0.
        assert_eq!(hash(""), 0x2d06_8005_38d3_94c2);
    }
}
