//! How long to wait before the next try.

use std::time::Duration;

/// Half a second, doubled with each attempt up to a minute, spread so that workers do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    spread(
        Duration::from_millis(500)
            .saturating_mul(1 << attempt.saturating_sub(1).min(7))
            .min(Duration::from_secs(60)),
    )
}

/// The wait, longer by up to a quarter of it.
pub(crate) fn spread(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + 0.25 * rand::random::<f64>())
}

/// In the ledger's unit.
pub(crate) fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
