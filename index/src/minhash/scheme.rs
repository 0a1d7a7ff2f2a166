//! Hash functions and the sketches that they make: pure, so that sketches may be made on many threads.
//!
//! **Why one hash function a row, and not one permutation with densification**: a question has about ten shingles. One-
//! permutation hashing would spread ten minima over more than a hundred bins and fill the empty ones with copies, whose
//! agreement is no new evidence: the variance stays that of ten draws. With its own function each row is a fresh draw, the
//! estimate is unbiased with variance `J(1-J)/k`, and ten shingles times 120 functions are 1,200 multiplications done several at
//! a time: well under a microsecond.
//!
//! **The functions**: shingles are folded to 32 bits, and each function is a permutation of these: xor with a key,
//! multiply, shift-xor, multiply with an odd key. Keys come from SplitMix64.
//!
//! **Why 32 bits do**: two sets of `n` and `m` shingles share a false one with a chance of about `n·m/2³²`: 2·10⁻⁸ for
//! questions, .0002 for texts of 1,000 words, where it moves the similarity by .0005.

use pulp::{Arch, Simd, WithSimd};

use super::Parameters;
use crate::{Error, text};

/// Minima of a shingle set under each hash function: one `u32` a function, `bands × rows` of them.
pub type Signature = Vec<u32>;

/// The hash functions of one set of [`Parameters`]. The same parameters give the same sketches on every machine.
#[derive(Debug, Clone)]
pub struct Scheme {
    parameters: Parameters,
    /// Key xored in, and odd factor, one of each a function.
    keys: Vec<u32>,
    factors: Vec<u32>,
    arch: Arch,
}

/// What the index needs of a text: its shingles, ascending and distinct, and a key for each band.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    pub(super) parameters: Parameters,
    pub(super) shingles: Box<[u32]>,
    pub(super) bands: Box<[u32]>,
}

impl Scheme {
    /// Draws the functions.
    ///
    /// # Errors
    /// [`Error::Parameter`] when one is out of its range.
    pub fn new(parameters: Parameters) -> Result<Self, Error> {
        parameters.check()?;
        let mut state = parameters.seed;
        let mut draw = || {
            // SplitMix64 (Steele, Lea, Flood 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let drawn: Vec<u64> = (0..parameters.bands * parameters.rows).map(|_| draw()).collect();
        Ok(Self {
            parameters,
            keys: drawn.iter().map(|&word| word as u32).collect(),
            factors: drawn.iter().map(|&word| (word >> 32) as u32 | 1).collect(),
            arch: Arch::new(),
        })
    }

    /// The parameters.
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Sketches a text as it was written: normal form, shingles of the set size, [`Self::sketch`].
    pub fn sketch_text(&self, text: &str) -> Sketch {
        self.sketch(&text::shingles(
            &text::normalize(text),
            self.parameters.shingle_words(),
        ))
    }

    /// Sketches a set of 64-bit shingle hashes, in any order, doubles allowed.
    ///
    /// A set without shingles gets a sketch that is near nothing, not even to itself: empty texts are for the exact index.
    pub fn sketch(&self, shingles: &[u64]) -> Sketch {
        let folded = text::folded(shingles);
        let bands = self.bands(&folded);
        Sketch {
            parameters: self.parameters,
            shingles: folded,
            bands: bands.into_boxed_slice(),
        }
    }

    /// The signature of a sketch; `None` when it is of another scheme or has no shingles.
    pub fn signature(&self, sketch: &Sketch) -> Option<Signature> {
        (sketch.parameters == self.parameters && !sketch.shingles.is_empty())
            .then(|| self.minima(&sketch.shingles))
    }

    /// A key for each band of a set of folded shingles; none for an empty set.
    pub(super) fn bands(&self, shingles: &[u32]) -> Vec<u32> {
        if shingles.is_empty() {
            return Vec::new();
        }
        self.minima(shingles)
            .chunks_exact(self.parameters.rows)
            .map(|rows| {
                let mixed = rows.iter().fold(0u64, |hash, &low| {
                    let hash = (hash ^ u64::from(low)).wrapping_mul(0x9fb2_1c65_1e98_df25);
                    hash ^ (hash >> 32)
                });
                mixed as u32
            })
            .collect()
    }

    fn minima(&self, shingles: &[u32]) -> Signature {
        let mut minima = vec![u32::MAX; self.keys.len()];
        self.arch.dispatch(Lower {
            minima: &mut minima,
            shingles,
            keys: &self.keys,
            factors: &self.factors,
        });
        minima
    }
}

/// Lowers each minimum to its function's smallest value over the shingles.
///
/// A type with an inlined method, and not a closure, since only so is all of it compiled for the machine's vector width.
struct Lower<'a> {
    minima: &'a mut [u32],
    shingles: &'a [u32],
    keys: &'a [u32],
    factors: &'a [u32],
}

impl WithSimd for Lower<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _width: V) {
        for &shingle in self.shingles {
            for ((low, &key), &factor) in self.minima.iter_mut().zip(self.keys).zip(self.factors) {
                let mut hash = (shingle ^ key).wrapping_mul(0x85eb_ca6b);
                hash ^= hash >> 15;
                *low = (*low).min(hash.wrapping_mul(factor));
            }
        }
    }
}

impl Sketch {
    /// Distinct shingles.
    pub fn len(&self) -> usize {
        self.shingles.len()
    }

    /// True without a shingle.
    pub fn is_empty(&self) -> bool {
        self.shingles.is_empty()
    }

    /// Exact Jaccard similarity of the shingle sets, 0 to 1; 0 when either is empty.
    ///
    /// # Errors
    /// [`Error::OtherScheme`] when the two were made with different parameters.
    pub fn jaccard(&self, other: &Self) -> Result<f64, Error> {
        if self.parameters != other.parameters {
            return Err(Error::OtherScheme);
        }
        Ok(text::jaccard(&self.shingles, &other.shingles))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn scheme(seed: u64) -> Scheme {
        Scheme::new(Parameters {
            seed,
            ..Parameters::default()
        })
        .unwrap()
    }

    /// Share of positions in which two signatures agree.
    fn agreement(a: &[u32], b: &[u32]) -> f64 {
        a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / a.len() as f64
    }

    /// Sets of shingles with `shared` in common and `alone` more each.
    fn pair(salt: u64, shared: u64, alone: u64) -> (Vec<u64>, Vec<u64>) {
        let shingle = |i: u64| twox_hash::XxHash3_64::oneshot_with_seed(salt, &i.to_le_bytes());
        (
            (0..shared + alone).map(shingle).collect(),
            (0..shared)
                .chain(shared + alone..shared + 2 * alone)
                .map(shingle)
                .collect(),
        )
    }

    /// For sets as small as a question's: the estimate's mean over seeds is the similarity, and its variance that of
    /// independent draws, which a scheme that copies between rows does not reach.
    #[test]
    fn the_estimate_is_unbiased_and_its_rows_are_independent() {
        for (salt, (shared, alone)) in (0u64..).zip([(1, 5), (4, 4), (6, 2), (8, 2), (10, 1), (40, 10)]) {
            let (a, b) = pair(salt, shared, alone);
            let truth = shared as f64 / (shared + 2 * alone) as f64;
            let draws = 400;
            let estimates: Vec<f64> = (0..draws)
                .map(|seed| {
                    let scheme = scheme(seed);
                    let sign = |set: &[u64]| scheme.signature(&scheme.sketch(set)).unwrap();
                    agreement(&sign(&a), &sign(&b))
                })
                .collect();
            let mean = estimates.iter().sum::<f64>() / draws as f64;
            let variance = estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (draws - 1) as f64;
            let expected = truth * (1.0 - truth) / 120.0;
            let error = (expected / draws as f64).sqrt();
            assert!(
                (mean - truth).abs() < 4.0 * error,
                "{shared}+{alone}: mean {mean}, truth {truth}"
            );
            // The standard error of a variance of 400 draws is 7 %.
            assert!(
                (variance / expected - 1.0).abs() < 0.28,
                "{shared}+{alone}: {variance} for {expected}"
            );
        }
    }

    #[test]
    fn sketches_are_the_same_on_every_machine() {
        let sketch = scheme(1).sketch_text("How many r's?");
        assert_eq!(sketch.shingles[..], [13_701_927, 1_190_676_382]);
        assert_eq!(sketch.bands[..3], [2_650_620_255, 2_938_115_913, 2_441_260_252]);
    }

    #[test]
    fn another_seed_is_another_scheme() {
        let (a, b) = (scheme(1).sketch(&[1, 2]), scheme(2).sketch(&[1, 2]));
        assert_eq!(a.jaccard(&b), Err(Error::OtherScheme));
        assert_eq!(scheme(1).signature(&b), None);
    }

    proptest! {
        #[test]
        fn jaccard_is_that_of_the_sets(
            a in prop::collection::vec(0u64..40, 0..30),
            b in prop::collection::vec(0u64..40, 0..30),
        ) {
            let scheme = scheme(0);
            let (x, y): (BTreeSet<u64>, BTreeSet<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let expected = if x.is_empty() || y.is_empty() {
                0.0
            } else {
                x.intersection(&y).count() as f64 / x.union(&y).count() as f64
            };
            prop_assert_eq!(scheme.sketch(&a).jaccard(&scheme.sketch(&b)), Ok(expected));
        }

        #[test]
        fn order_and_doubles_do_not_matter(set in prop::collection::vec(any::<u64>(), 0..20)) {
            let scheme = scheme(0);
            let mut other: Vec<u64> = set.iter().rev().copied().collect();
            other.extend_from_slice(&set);
            prop_assert_eq!(scheme.sketch(&set), scheme.sketch(&other));
        }
    }
}
