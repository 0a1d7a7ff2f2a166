//! The generic cell rate algorithm (ITU-T I.371): a rate limit without a bucket to refill.

use std::time::Duration;

/// A rate with a burst, set so that no sliding window of a minute ever sees more than a provider's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gcra {
    interval: Duration,
    burst: u32,
}

/// When the next permit would come at an even pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State(Duration);

impl Gcra {
    /// Stays within `limit` permits in every window of a minute: rate × window + burst + jitter ≤ limit. 600 a minute
    /// becomes 582 with a burst of 10; a plain 600 with a full bucket would let 1,199 through.
    pub fn per_minute(limit: u32) -> Self {
        let limit = limit.max(1);
        // A sixtieth of the limit at once, and a little less than that as room for the jitter of arrival.
        let burst = (limit / 60).max(1);
        let room = limit.saturating_sub(burst + (limit / 75).min(burst)).max(1);
        Self {
            interval: Duration::from_secs(60) / room,
            burst,
        }
    }

    /// Admits one request at `now` (time since any fixed start), or says how long to wait.
    pub fn admit(&self, state: State, now: Duration) -> Result<State, Duration> {
        let due = state.0.max(now);
        let allowed_from = due.saturating_sub(self.interval * (self.burst - 1));
        if allowed_from > now {
            Err(allowed_from - now)
        } else {
            Ok(State(due + self.interval))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hundred_a_minute_is_582_with_a_burst_of_ten() {
        let rate = Gcra::per_minute(600);
        assert_eq!(
            (
                rate.burst,
                Duration::from_secs(60).div_duration_f64(rate.interval).round()
            ),
            (10, 582.0)
        );
    }
}
