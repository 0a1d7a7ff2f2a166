//! Vectors of words, for where no model embeds: rows with words in common are near each other, and nothing is known of meaning.
//!
//! Feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", arXiv 0902.2206): each word, and each pair of
//! words that follow each other, adds to one of [`DIMENSIONS`] components, with a sign of its own, `1 + ln` of how often it stands in the text. A
//! text's vector depends on that text alone. Words are runs of letters and digits, lower-cased; one of a few letters, which is nearly
//! always of the kind that every text has, counts less: by its length over [`LONG`].

use std::collections::BTreeMap;

/// Components of a vector.
pub const DIMENSIONS: usize = 512;
/// What these vectors go under where figures name their model.
pub const NAME: &str = "hashed words (512)";
/// Letters from which a word counts in full.
const LONG: usize = 6;

/// The unit vector of a text. One without a word points along the first axis.
pub fn of(text: &str) -> Vec<f32> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    // In the order of their hashes, so that sums come out the same whatever the order of words.
    let mut counts: BTreeMap<u64, (f64, u32)> = BTreeMap::new();
    let mut add = |hash: u64, weight: f64| {
        counts.entry(hash).or_insert((weight, 0)).1 += 1;
    };
    for word in &words {
        add(hash(&[word]), weight(word));
    }
    for pair in words.windows(2) {
        add(
            hash(pair),
            pair.iter().map(|word| weight(word)).product::<f64>() / 2.0,
        );
    }
    let mut sums = vec![0.0f64; DIMENSIONS];
    for (hash, (weight, count)) in counts {
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        sums[hash as usize % DIMENSIONS] += sign * weight * (1.0 + f64::from(count).ln());
    }
    let norm = sums.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm == 0.0 {
        sums[0] = 1.0;
        return sums.into_iter().map(|x| x as f32).collect();
    }
    sums.into_iter().map(|x| (x / norm) as f32).collect()
}

fn weight(word: &str) -> f64 {
    word.chars().count().min(LONG) as f64 / LONG as f64
}

/// FNV-1a over the words with a break between them, finished by the finalizer of SplitMix64.
fn hash(words: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for word in words {
        for byte in word.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let mut z = hash;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        of(a).iter().zip(of(b)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn words_in_common_make_texts_near() {
        let text = "Does aspirin prevent strokes in elderly patients?";
        assert!((cosine(text, text) - 1.0).abs() < 1e-6);
        assert!((cosine(text, "DOES ASPIRIN PREVENT STROKES in elderly patients!") - 1.0).abs() < 1e-6);
        let near = cosine(text, "Can aspirin prevent strokes in younger patients?");
        let far = cosine(text, "How many apples are left in the basket?");
        assert!(near > 0.4 && far < 0.2, "{near} {far}");
        assert_eq!(of("")[0], 1.0);
        assert_eq!(of("").len(), DIMENSIONS);
    }
}
