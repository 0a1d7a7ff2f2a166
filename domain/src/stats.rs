//! The statistics behind every claim: intervals for shares, paired tests, agreement, and how many items a claim needs.
//!
//! No function here invents a number from nothing: where the data cannot carry a result it is `None`.

mod clustered;
mod exact;
mod holm;
mod score_interval;
mod sign_flip;

use serde::{Deserialize, Serialize};

pub use clustered::{ClusteredMean, clustered_mean};
pub use exact::fisher_at_least;
pub use holm::holm;
pub use score_interval::{paired_score, paired_score_interval};
pub use sign_flip::sign_flip;

/// Two-sided 95 % quantile of the standard normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// One-sided 80 % quantile of the standard normal distribution: the usual power of a test.
pub const Z_POWER_80: f64 = 0.841_621_233_572_914_4;

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Half of the width: the ± of a symmetric report.
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// The interval, widened where rounding left out a value that belongs to it.
    #[must_use]
    pub fn including(self, value: f64) -> Self {
        Self {
            low: self.low.min(value),
            high: self.high.max(value),
        }
    }

    /// True when the value lies within, ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Wilson's score interval for a share, as fractions of one (Wilson 1927). `z` is the normal quantile, [`Z_95`] for 95 %.
///
/// Never leaves [0, 1] and is never empty, also at 0 or all successes. `None` without trials or with more successes than trials.
pub fn wilson(successes: u64, trials: u64, z: f64) -> Option<Interval> {
    if successes > trials {
        return None;
    }
    wilson_share(successes as f64 / trials as f64, trials as f64, z)
}

/// [`wilson`] for a share of a number of trials that need not be whole: answers that depend on each other are worth fewer than they are.
///
/// `None` without trials, or when the share is not within 0 to 1.
pub fn wilson_share(share: f64, trials: f64, z: f64) -> Option<Interval> {
    if !(trials > 0.0 && (0.0..=1.0).contains(&share)) {
        return None;
    }
    let (n, z2) = (trials, z * z);
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Some(Interval {
        // Exact at the ends, where rounding would leave 1e-17.
        low: if share == 0.0 {
            0.0
        } else {
            (centre - half).max(0.0)
        },
        high: if share == 1.0 {
            1.0
        } else {
            (centre + half).min(1.0)
        },
    })
}

/// Exact two-sided p-value of McNemar's test on paired outcomes (McNemar 1947, binomial form):
/// min(1, 2·BinomCDF(min(b, c); b + c, ½)), summed in log space so that thousands of discordant pairs do not underflow.
///
/// `lost` counts items right before and wrong after, `gained` the reverse. Without discordant items p is 1.
pub fn mcnemar(lost: u64, gained: u64) -> f64 {
    let n = lost + gained;
    let smaller = lost.min(gained);
    // ln C(n, m), then the terms below it relative to it: C(n, k-1) / C(n, k) = k / (n - k + 1).
    let ln_top: f64 = (1..=smaller)
        .map(|i| ((n - smaller + i) as f64 / i as f64).ln())
        .sum();
    let (mut term, mut sum) = (1.0, 1.0);
    for k in (1..=smaller).rev() {
        term *= k as f64 / (n - k + 1) as f64;
        sum += term;
    }
    let ln_cdf = ln_top + f64::ln(sum) - n as f64 * std::f64::consts::LN_2;
    (2.0 * ln_cdf.exp()).min(1.0)
}

/// A change of accuracy on one fixed set of items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedChange {
    /// Accuracy after minus accuracy before, as a fraction of one.
    pub delta: f64,
    /// Standard error of `delta`.
    pub standard_error: f64,
    /// Normal interval around `delta`.
    pub interval: Interval,
}

/// The change of accuracy between two answers to the same `items`, of which `lost` turned wrong and `gained` turned right:
/// SE = √((b + c − (b − c)²/n)/n)/√n. Items count as independent: where several share a source document, the true error is larger.
///
/// `None` without items or with more discordant items than items.
pub fn paired_change(items: u64, lost: u64, gained: u64, z: f64) -> Option<PairedChange> {
    if items == 0 || lost.checked_add(gained)? > items {
        return None;
    }
    let (n, b, c) = (items as f64, lost as f64, gained as f64);
    let delta = (c - b) / n;
    let standard_error = ((b + c - (b - c).powi(2) / n).max(0.0) / n).sqrt() / n.sqrt();
    Some(PairedChange {
        delta,
        standard_error,
        interval: Interval {
            low: delta - z * standard_error,
            high: delta + z * standard_error,
        },
    })
}

/// Items a paired comparison needs to show a change of `delta` when a share `discordance` of the items differs between the two
/// (Connor 1987): n = ((z_α·√d + z_β·√(d − δ²))/δ)², rounded up.
///
/// `None` when `delta` is zero or larger than the discordance, which no data can produce.
pub fn needed_items(discordance: f64, delta: f64, z: f64, z_power: f64) -> Option<u64> {
    let delta = delta.abs();
    if !(delta > 0.0 && delta <= discordance && discordance <= 1.0) {
        return None;
    }
    let root = z * discordance.sqrt() + z_power * (discordance - delta * delta).sqrt();
    Some((root / delta).powi(2).ceil() as u64)
}

/// The smallest change that a paired comparison of `items` can show: the inverse of [`needed_items`].
///
/// `None` when the set is so small that even all discordant items on one side would not show.
pub fn detectable_change(items: u64, discordance: f64, z: f64, z_power: f64) -> Option<f64> {
    let n = items as f64;
    let under_root = n + z_power * z_power - z * z;
    if items == 0 || !(0.0..=1.0).contains(&discordance) || under_root < 0.0 {
        return None;
    }
    // The larger root of n·δ² = (z_α·√d + z_β·√(d − δ²))² in δ.
    let delta = discordance.sqrt() * (n.sqrt() * z + z_power * under_root.sqrt()) / (n + z_power * z_power);
    (delta <= discordance && delta > 0.0).then_some(delta)
}

/// Cohen's κ of two raters over `K` classes: (observed − expected agreement) / (1 − expected agreement) (Cohen 1960).
/// `table[i][j]` counts the items that the first rater put into class i and the second into class j.
///
/// `None` for an empty table, or when both raters use one single class: agreement by chance is then certain.
pub fn kappa<const K: usize>(table: &[[u64; K]; K]) -> Option<f64> {
    let total: u64 = table.iter().flatten().sum();
    if total == 0 {
        return None;
    }
    let n = total as f64;
    let observed = (0..K).map(|i| table[i][i]).sum::<u64>() as f64 / n;
    let expected: f64 = (0..K)
        .map(|i| {
            let row: u64 = table[i].iter().sum();
            let column: u64 = table.iter().map(|row| row[i]).sum();
            (row as f64 / n) * (column as f64 / n)
        })
        .sum();
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

/// How evenly counts spread over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Entropy {
    /// Shannon entropy −Σ p ln p, in nats.
    pub nats: f64,
    /// e^H: the number of equally filled classes with this entropy.
    pub effective: f64,
    /// H / ln k over all k classes, empty ones included: 1 is even. `None` with fewer than two classes.
    pub normalised: Option<f64>,
}

/// Shannon entropy of counts by class; `None` when all of them are zero.
pub fn entropy(counts: &[u64]) -> Option<Entropy> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return None;
    }
    let nats: f64 = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let p = count as f64 / total as f64;
            -p * p.ln()
        })
        .sum();
    Some(Entropy {
        nats,
        effective: nats.exp(),
        normalised: (counts.len() > 1).then(|| nats / (counts.len() as f64).ln()),
    })
}

/// Six decimals: what is stored is read back exactly, and says no more than is known.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(got: f64, want: f64, tolerance: f64) {
        assert!(
            (got - want).abs() <= tolerance,
            "got {got}, want {want} ± {tolerance}"
        );
    }

    #[test]
    fn wilson_vectors() {
        let i = wilson(45, 50, Z_95).unwrap();
        near(i.low, 0.7864, 5e-5);
        near(i.high, 0.9565, 5e-5);
        let none = wilson(0, 20, Z_95).unwrap();
        assert_eq!(none.low, 0.0);
        near(none.high, 0.1611, 5e-5);
        assert_eq!(wilson(0, 0, Z_95), None);
        assert_eq!(wilson(3, 2, Z_95), None);
    }

    #[test]
    fn mcnemar_vectors() {
        for (lost, gained, p) in [
            (12, 25, 0.047031),
            (5, 15, 0.041389),
            (1, 8, 0.039062),
            (10, 10, 1.0),
            (0, 5, 0.0625),
            (0, 0, 1.0),
        ] {
            near(mcnemar(lost, gained), p, 1e-6);
            near(mcnemar(gained, lost), p, 1e-6);
        }
    }

    #[test]
    fn mcnemar_of_many_pairs_neither_underflows_nor_overflows() {
        // 2·BinomCDF(4900; 10000, ½), by the normal approximation with continuity correction: z = 99.5/50.
        near(mcnemar(4_900, 5_100), 0.0466, 5e-4);
        assert_eq!(mcnemar(50_000, 50_000), 1.0);
        assert!(mcnemar(0, 2_000) >= 0.0);
    }

    #[test]
    fn paired_change_vector() {
        let change = paired_change(500, 25, 12, Z_95).unwrap();
        near(change.delta, -0.026, 1e-12);
        near(change.standard_error, 0.012110, 5e-7);
        near(change.interval.low, -0.0497, 5e-5);
        near(change.interval.high, -0.0023, 5e-5);
        assert_eq!(paired_change(10, 8, 3, Z_95), None);
    }

    #[test]
    fn needed_items_vector_and_its_inverse() {
        assert_eq!(needed_items(0.1, 0.02, Z_95, Z_POWER_80), Some(1960));
        near(
            detectable_change(1960, 0.1, Z_95, Z_POWER_80).unwrap(),
            0.02,
            1e-5,
        );
        assert_eq!(needed_items(0.1, 0.2, Z_95, Z_POWER_80), None);
        assert_eq!(
            detectable_change(20, 0.1, Z_95, Z_POWER_80),
            None,
            "too small a set says so"
        );
    }

    #[test]
    fn kappa_vector() {
        near(kappa(&[[20, 5], [10, 15]]).unwrap(), 0.4, 1e-12);
        assert_eq!(kappa(&[[7, 0], [0, 0]]), None);
        assert_eq!(kappa(&[[0; 2]; 2]), None);
    }

    #[test]
    fn entropy_vector() {
        let e = entropy(&[50, 25, 25, 0]).unwrap();
        near(e.nats, 1.039721, 1e-6);
        near(e.effective, 2.828427, 1e-6);
        near(e.normalised.unwrap(), 0.75, 1e-12);
        assert_eq!(entropy(&[0, 0]), None);
        assert_eq!(entropy(&[3]).unwrap().normalised, None);
    }

    proptest! {
        #[test]
        fn wilson_holds_the_observed_share(trials in 1_u64..100_000, part in 0.0..=1.0_f64) {
            let successes = (part * trials as f64) as u64;
            let i = wilson(successes, trials, Z_95).unwrap();
            prop_assert!(i.low >= 0.0 && i.high <= 1.0);
            prop_assert!(i.contains(successes as f64 / trials as f64));
        }

        #[test]
        fn mcnemar_is_a_probability_that_falls_as_the_sides_part(n in 1_u64..400, a in 0_u64..200) {
            let smaller = a.min(n / 2);
            let p = mcnemar(smaller, n - smaller);
            prop_assert!((0.0..=1.0).contains(&p));
            if smaller > 0 {
                prop_assert!(mcnemar(smaller - 1, n - smaller + 1) <= p + 1e-12);
            }
        }

        #[test]
        fn what_is_needed_detects(discordance in 0.01..1.0_f64, part in 0.05..1.0_f64) {
            let delta = discordance * part;
            let n = needed_items(discordance, delta, Z_95, Z_POWER_80).unwrap();
            if let Some(found) = detectable_change(n, discordance, Z_95, Z_POWER_80) {
                prop_assert!(found <= delta + 1e-9);
            }
        }
    }
}
