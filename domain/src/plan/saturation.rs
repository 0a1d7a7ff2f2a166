//! How acceptance falls the more often the same seeds are tried.
//!
//! A seed has only so many answers, rephrasings and new questions in it. Drawing from a stock of M that are equally likely, the v-th draw
//! brings one that was not drawn before with probability (1 − 1/M)^(v − 1), which is e^(−v/M) for all but the smallest stocks (the coupon
//! collector's problem). So a try of lap t, which is the t-th try of each seed, is accepted with probability a·e^(−λt): a for what the
//! filters let through, λ for how fast the stock runs out. Rows are then concave in candidates.
//!
//! Both are learned from finished rounds. λ is the geometric mean of its posterior over a grid, under a lognormal prior and the binomial
//! likelihood of what was accepted in each lap; a is the posterior mean of a Beta prior given that λ. Repetitions bound λ from the first lap
//! on: the seed itself is one draw, so that a stock that runs out by λ a lap brings repetitions with probability 1 − e^(−λ(t + 1)). A λ that
//! would bring more of them than were seen is as unlikely as the binomial distribution has it; fewer have other causes, and say nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was accepted.
    Kept,
    /// It was there already.
    Repeated,
    /// It was rejected for something else.
    Rejected,
}

/// What was tried and accepted, by lap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Laps(BTreeMap<u32, Bucket>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    /// Sum of the laps of the tries.
    laps: f64,
    tries: f64,
    accepted: f64,
    repeated: f64,
}

impl Bucket {
    fn lap(&self) -> f64 {
        self.laps / self.tries.max(1.0)
    }
}

impl Laps {
    /// Adds a try of a lap: tries of the same seed before it, or of all seeds over their number.
    pub(super) fn note(&mut self, lap: f64, outcome: Outcome) {
        // Eighths of a lap at first; then four buckets for each doubling, of which there are never many.
        let bucket = if lap < 2.0 {
            (8.0 * lap) as u32
        } else {
            16 + (4.0 * (lap / 2.0).log2()) as u32
        };
        let bucket = self.0.entry(bucket).or_default();
        bucket.laps += lap;
        bucket.tries += 1.0;
        bucket.accepted += f64::from(u8::from(outcome == Outcome::Kept));
        bucket.repeated += f64::from(u8::from(outcome == Outcome::Repeated));
    }

    /// Tries and accepted rows of all laps from one on.
    pub(super) fn since(&self, lap: f64) -> (u64, u64) {
        let recent = self.0.values().filter(|bucket| bucket.lap() >= lap);
        let (tries, accepted) = recent.fold((0.0, 0.0), |(tries, accepted), bucket| {
            (tries + bucket.tries, accepted + bucket.accepted)
        });
        (tries as u64, accepted as u64)
    }

    fn tries(&self) -> f64 {
        self.0.values().map(|bucket| bucket.tries).sum()
    }
}

/// The share of tries that are accepted, by lap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Curve {
    /// Share accepted of first tries.
    pub(super) first: f64,
    /// λ: the share falls by the factor e^−λ a lap.
    pub(super) fall: f64,
    /// Standard deviation of the logarithm of `fall`.
    pub(super) fall_deviation: f64,
    /// Tries that `first` rests on, the prior's included.
    pub(super) weight: f64,
}

/// Standard deviation of the logarithm of λ before anything is tried: the truth is within a factor of seven nine times in ten.
const FALL_DEVIATION: f64 = 1.2;
/// Values of λ that are weighed against each other: even steps of its logarithm.
const FALLS: usize = 24;
const LEAST_FALL: f64 = 0.002;
const MOST_FALL: f64 = 5.0;

impl Curve {
    /// The curve before anything is tried, `first` with the weight of so many tries.
    pub(super) fn prior(first: f64, fall: f64, weight: f64) -> Self {
        Self {
            first,
            fall,
            fall_deviation: FALL_DEVIATION,
            weight,
        }
    }

    /// The curve after what was tried. Without a fall in the prior there is none after it.
    pub(super) fn after(self, laps: &Laps) -> Self {
        let tries = laps.tries();
        if tries == 0.0 {
            return self;
        }
        if self.fall <= 0.0 {
            let (first, _) = self.fitted(0.0, laps);
            return Self {
                first,
                weight: self.weight + tries,
                ..self
            };
        }
        let step = (MOST_FALL / LEAST_FALL).ln() / (FALLS - 1) as f64;
        let points: Vec<(f64, f64)> = (0..FALLS)
            .map(|i| {
                let log_fall = LEAST_FALL.ln() + step * i as f64;
                let off = (log_fall - self.fall.ln()) / FALL_DEVIATION;
                (log_fall, self.fitted(log_fall.exp(), laps).1 - off * off / 2.0)
            })
            .collect();
        let best = points.iter().map(|(_, log)| *log).fold(f64::MIN, f64::max);
        let (mut all, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (log_fall, log) in points {
            let weight = (log - best).exp();
            all += weight;
            sum += weight * log_fall;
            squares += weight * log_fall * log_fall;
        }
        let mean = sum / all;
        let fall = mean.exp();
        Self {
            first: self.fitted(fall, laps).0,
            fall,
            fall_deviation: (squares / all - mean * mean).max(0.0).sqrt(),
            weight: self.weight + tries,
        }
    }

    /// The share accepted at first under a fall, and the logarithm of how likely that makes what was seen.
    fn fitted(&self, fall: f64, laps: &Laps) -> (f64, f64) {
        let share = |bucket: &Bucket| (-fall * bucket.lap()).exp();
        let effective: f64 = laps.0.values().map(|bucket| bucket.tries * share(bucket)).sum();
        let accepted: f64 = laps.0.values().map(|bucket| bucket.accepted).sum();
        let first = ((self.weight * self.first + accepted) / (self.weight + effective)).clamp(0.0, 1.0);
        let log_of = |p: f64, accepted: f64, tries: f64| {
            let p = p.clamp(1.0e-9, 1.0 - 1.0e-9);
            accepted * p.ln() + (tries - accepted) * (1.0 - p).ln()
        };
        let seen: f64 = laps
            .0
            .values()
            .map(|bucket| log_of(first * share(bucket), bucket.accepted, bucket.tries))
            .sum();
        let repeated: f64 = laps
            .0
            .values()
            .map(|bucket| {
                let expected = -(-fall * (bucket.lap() + 1.0)).exp_m1();
                let seen = bucket.repeated / bucket.tries.max(1.0);
                log_of(expected.max(seen), bucket.repeated, bucket.tries)
            })
            .sum();
        let prior = log_of(first, self.weight * self.first, self.weight);
        (first, seen + repeated + prior)
    }

    /// Share accepted of the tries of a lap.
    pub(super) fn rate(&self, lap: f64) -> f64 {
        self.first * (-self.fall * lap).exp()
    }
}

/// Rows a seed from so many further laps, where the share accepted is `now` and falls by e^−`fall` a lap: the integral of the curve.
pub(super) fn rows(now: f64, fall: f64, laps: f64) -> f64 {
    let fallen = fall * laps;
    if fallen < 1.0e-6 {
        now * laps
    } else {
        now * laps * (-(-fallen).exp_m1()) / fallen
    }
}

/// Further laps that bring so many rows a seed: the inverse of [`rows`]; infinite where the stock does not hold as many.
pub(super) fn laps_for(now: f64, fall: f64, rows: f64) -> f64 {
    if rows <= 0.0 {
        return 0.0;
    }
    if now <= 0.0 {
        return f64::INFINITY;
    }
    let part = fall * rows / now;
    if part < 1.0e-6 {
        rows / now
    } else if part >= 1.0 {
        f64::INFINITY
    } else {
        -(-part).ln_1p() / fall
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    /// Laps over 100 seeds, with so many of each lap's tries accepted; of the others, a share were there already.
    fn laps_with(accepted: &[u32], repeated: f64) -> Laps {
        let mut laps = Laps::default();
        for (lap, accepted) in accepted.iter().enumerate() {
            for seed in 0..100 {
                let outcome = match seed {
                    _ if seed < *accepted => Outcome::Kept,
                    _ if f64::from(seed - accepted) < repeated * f64::from(100 - accepted) => {
                        Outcome::Repeated
                    }
                    _ => Outcome::Rejected,
                };
                laps.note(lap as f64, outcome);
            }
        }
        laps
    }

    /// All that is not accepted was there already.
    fn laps(accepted: &[u32]) -> Laps {
        laps_with(accepted, 1.0)
    }

    #[test]
    fn a_stock_that_runs_out_is_seen_and_one_that_does_not_is_believed() {
        let prior = Curve::prior(0.6, 0.1, 6.0);
        assert_eq!(prior.after(&Laps::default()), prior);
        // e^-0.5 a lap: .6, .36, .22, .13.
        let falling = prior.after(&laps(&[60, 36, 22, 13]));
        assert!((falling.fall - 0.5).abs() < 0.08, "{falling:?}");
        assert!((falling.first - 0.6).abs() < 0.04, "{falling:?}");
        assert!((falling.rate(4.0) - 0.08).abs() < 0.02, "{falling:?}");
        let steady = prior.after(&laps(&[60, 61, 59, 60]));
        assert!(
            steady.fall < 0.03 && (steady.rate(4.0) - 0.6).abs() < 0.05,
            "{steady:?}"
        );
        // One lap says nothing of the next: the prior holds, and stays as wide.
        let unknown = prior.after(&laps(&[60]));
        assert!((unknown.fall - 0.1).abs() < 0.03, "{unknown:?}");
        assert!(unknown.fall_deviation > 0.8 * prior.fall_deviation, "{unknown:?}");
        assert!(falling.fall_deviation < 0.2, "{falling:?}");
    }

    #[test]
    fn few_repetitions_in_the_first_lap_bound_the_fall() {
        let prior = Curve::prior(0.6, 0.1, 6.0);
        let none = prior.after(&laps_with(&[60], 0.0));
        assert!(none.fall < 0.02, "{none:?}");
        // Errors of the teacher are no sign of a stock that runs out, nor are repetitions proof of it.
        let some = prior.after(&laps_with(&[60], 0.25));
        assert!(some.fall > 0.04 && some.fall < 0.1, "{some:?}");
        assert!((none.first - some.first).abs() < 0.02);
    }

    #[test]
    fn a_prior_without_a_fall_learns_the_mean_alone() {
        let curve = Curve::prior(0.5, 0.0, 10.0).after(&laps(&[40]));
        assert!((curve.first - 45.0 / 110.0).abs() < 1e-9, "{curve:?}");
        assert_eq!(curve.fall, 0.0);
    }

    #[test]
    fn recent_laps_are_counted_apart() {
        let laps = laps(&[60, 30, 10]);
        assert_eq!(laps.since(0.0), (300, 100));
        assert_eq!(laps.since(1.5), (100, 10));
    }

    proptest! {
        #[test]
        fn rows_are_concave_in_candidates_and_bounded_by_the_stock(
            now in 0.0f64..1.0, fall in 0.0f64..3.0, laps in 0.0f64..50.0, more in 0.01f64..50.0,
        ) {
            let first = rows(now, fall, laps);
            let second = rows(now, fall, laps + more) - first;
            prop_assert!(second >= -1e-9);
            prop_assert!(second <= now * more + 1e-9);
            prop_assert!(rows(now, fall, more) + 1e-9 >= second, "a later lap brings no more than an earlier one");
            prop_assert!(fall < 1e-6 || first <= now / fall + 1e-9);
        }

        #[test]
        fn laps_are_found_for_rows(now in 0.01f64..1.0, fall in 0.0f64..3.0, laps in 0.01f64..20.0) {
            let found = laps_for(now, fall, rows(now, fall, laps));
            // Where the stock is all but empty, many more laps bring nothing that floating point could tell.
            prop_assert!((rows(now, fall, found) - rows(now, fall, laps)).abs() < 1e-6 || found.is_infinite());
            prop_assert!(fall * laps > 20.0 || (found - laps).abs() < 1e-3 * laps.max(1.0), "{} for {}", found, laps);
        }
    }
}
