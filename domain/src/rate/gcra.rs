//! The generic cell rate algorithm (ITU-T I.371, annex A): a pace with a burst, in one number of state.

use super::SPAN_US;

/// A pace of requests that keeps every sliding minute within a provider's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gcra {
    /// Time from one permit to the next at an even pace, microseconds.
    pub interval_us: u64,
    /// How far ahead of the even pace permits may run, microseconds: burst × interval.
    pub tolerance_us: u64,
}

impl Gcra {
    /// Stays within `limit` permits in every sliding minute, from a cold start too: rate × window + burst + jitter ≤ limit. The burst is
    /// a sixtieth of the limit; 600 a minute become 582 with a burst of 10, where a plain 600 with a full bucket lets 1,199 through.
    ///
    /// With n permits of interval I in a span of length S, n·I < S + burst·I; whole n stay within the limit for
    /// I = S ÷ (limit + 1 − burst).
    pub fn per_minute(limit: u32) -> Self {
        let limit = u64::from(limit.max(1));
        let burst = (limit / 60).max(1);
        let interval_us = SPAN_US.div_ceil(limit + 1 - burst);
        Self {
            interval_us,
            tolerance_us: burst * interval_us,
        }
    }

    /// Admits one request at `now`, given when the next was due, and says when the one after is; or how long to wait.
    pub fn admit(self, due_us: u64, now_us: u64) -> Result<u64, u64> {
        let next = due_us.max(now_us) + self.interval_us;
        let allowed = now_us + self.tolerance_us;
        if next <= allowed {
            Ok(next)
        } else {
            Err(next - allowed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_hundred_a_minute_is_582_with_a_burst_of_ten() {
        let pace = Gcra::per_minute(600);
        assert_eq!(60_000_000 / pace.interval_us, 582);
        assert_eq!(pace.tolerance_us / pace.interval_us, 10);
    }

    #[test]
    fn each_limit_is_used_to_nineteen_twentieths() {
        for limit in [1, 2, 3, 5, 10, 50, 59, 60, 61, 100, 600, 3_000, 10_000] {
            let share = 60e6 / Gcra::per_minute(limit).interval_us as f64 / f64::from(limit);
            assert!((0.95..1.0).contains(&share), "{share} of {limit}");
        }
    }

    proptest! {
        /// Whoever asks whenever: a permit used up to 0.75 s after it was given never makes the 60-second window too full.
        #[test]
        fn no_sliding_minute_is_too_full(
            limit in 1u32..2_000,
            asks in prop::collection::vec((0u64..3_000_000, 1usize..40), 1..200),
            lags in prop::collection::vec(0u64..750_000, 16),
        ) {
            let pace = Gcra::per_minute(limit);
            let (mut now, mut due, mut used) = (0, 0, Vec::new());
            for (pause, times) in asks {
                now += pause;
                for _ in 0..times {
                    if let Ok(next) = pace.admit(due, now) {
                        due = next;
                        used.push(now + lags[used.len() % lags.len()]);
                    }
                }
            }
            used.sort_unstable();
            for (first, at) in used.iter().enumerate() {
                let within = used[first..].iter().take_while(|&&t| t <= at + 60_000_000).count();
                prop_assert!(within <= limit as usize, "{within} of {limit}");
            }
        }
    }
}
