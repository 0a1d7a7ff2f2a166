//! Random draws that are a pure function of what is asked: no state, so no order of arrival can change them.

/// Draws named by a label, all fixed by one 64-bit base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw(u64);

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every input bit moves every output bit.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A stable 64-bit hash of length-prefixed parts.
pub(crate) fn hash64(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

impl Draw {
    pub(crate) fn new(base: u64) -> Self {
        Self(mix(base))
    }

    /// Independent draws for one named aspect.
    pub(crate) fn of(self, label: &str) -> Self {
        // FNV-1a: labels are short and fixed, `mix` does the spreading.
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mix(self.0 ^ hash))
    }

    /// Independent draws for the i-th of a series.
    pub(crate) fn at(self, index: u64) -> Self {
        Self(mix(self.0 ^ mix(index.wrapping_add(0x5851_f42d_4c95_7f2d))))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(self) -> f64 {
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(self, share: f64) -> bool {
        self.unit() < share
    }

    /// Uniform in 0..count; 0 for an empty range.
    pub(crate) fn below(self, count: usize) -> usize {
        ((u128::from(mix(self.0)) * count as u128) >> 64) as usize
    }

    /// One of the choices; `None` when there are none.
    pub(crate) fn pick<T>(self, choices: &[T]) -> Option<&T> {
        choices.get(self.below(choices.len()))
    }

    /// One of a fixed list of texts, empty for an empty list.
    pub(crate) fn text(self, choices: &[&'static str]) -> &'static str {
        self.pick(choices).copied().unwrap_or_default()
    }

    /// A whole number in lo..=hi.
    pub(crate) fn between(self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1).max(1) as usize) as i64
    }

    /// Log-normal with the given mean and standard deviation; the mean itself when the deviation is 0.
    pub(crate) fn log_normal(self, mean: f64, deviation: f64) -> f64 {
        if mean <= 0.0 || deviation <= 0.0 {
            return mean.max(0.0);
        }
        let variance = (1.0 + (deviation / mean).powi(2)).ln();
        // Box–Muller; 1 - u keeps the logarithm's argument above zero.
        let radius = (-2.0 * (1.0 - self.of("radius").unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.of("angle").unit()).cos();
        (mean.ln() - variance / 2.0 + variance.sqrt() * normal).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_labels_independent() {
        let n = 20_000;
        let (mut low, mut both) = (0, 0);
        for i in 0..n {
            let draw = Draw::new(i);
            let (a, b) = (draw.of("a").chance(0.3), draw.of("b").chance(0.3));
            low += u64::from(a);
            both += u64::from(a && b);
        }
        assert!(low.abs_diff(n * 3 / 10) < 260, "four standard deviations: {low}");
        assert!(
            both.abs_diff(n * 9 / 100) < 162,
            "four standard deviations: {both}"
        );
    }

    #[test]
    fn log_normal_has_the_mean_and_deviation_asked_for() {
        let draws: Vec<f64> = (0..40_000)
            .map(|i| Draw::new(i).log_normal(200.0, 60.0))
            .collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let deviation = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64).sqrt();
        assert!(
            (mean - 200.0).abs() < 2.0 && (deviation - 60.0).abs() < 3.0,
            "{mean} {deviation}"
        );
        assert_eq!(Draw::new(1).log_normal(200.0, 0.0), 200.0);
    }
}
