//! Randomness from a seed that is passed in, the same on every machine.

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for the `number`th of several draws from one seed.
    pub(crate) fn numbered(seed: u64, number: u64) -> Self {
        let mut own = Self(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(own.word())
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0; a bias of at most `bound / 2⁶⁴`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// From 0 up to 1, exclusive.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `size` of the numbers below `n` (all, when there are fewer), each at most once, in the order drawn: the head of a Fisher–Yates
    /// shuffle.
    pub(crate) fn sample(&mut self, n: usize, size: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..n).collect();
        let size = size.min(n);
        for place in 0..size {
            numbers.swap(place, place + self.below(n - place));
        }
        numbers.truncate(size);
        numbers
    }
}

/// Of sorted values, linear between them (Hyndman and Fan 1996, type 7).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert_eq!(quantile(&[5.0], 0.3), 5.0);
    }

    #[test]
    fn samples_are_distinct_and_even() {
        let mut counts = [0u32; 20];
        for seed in 0..2_000 {
            let mut drawn = Draw::numbered(7, seed).sample(20, 5);
            for &number in &drawn {
                counts[number] += 1;
            }
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 5);
        }
        // 500 expected each, standard deviation 19.
        assert!(
            counts.iter().all(|count| (400..600).contains(count)),
            "{counts:?}"
        );
        assert_eq!(Draw::new(1).sample(3, 9).len(), 3);
    }
}
