//! The one place that repeats operations: connections and requests that cost nothing, with an explicit limit on attempts.
//!
//! A paid call never comes here: each of its attempts is a reservation of its own in the ledger.
//!
//! The waiting is done by the crate `backoff`. It is unmaintained (RUSTSEC-2025-0012, no vulnerability) and was asked for by
//! name; all use of it stays in this module. It limits elapsed time only, so the limit on attempts is added here.

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;
use backoff::{SystemClock, future};

/// How often to try and how long to wait between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, the first included.
    pub attempts_max: NonZeroU32,
    /// Mean wait before the second attempt; it doubles from one to the next, each drawn within ±50 %.
    pub first_wait: Duration,
    /// Upper bound on a mean wait.
    pub wait_max: Duration,
}

impl Policy {
    /// For opening connections and reading what is free: six attempts within about 30 s.
    pub const CONNECT: Self = Self {
        attempts_max: NonZeroU32::MIN.saturating_add(5),
        first_wait: Duration::from_millis(500),
        wait_max: Duration::from_secs(8),
    };
}

/// One attempt's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// May pass by itself: worth another attempt.
    Passing(E),
    /// Will be the same next time.
    Final(E),
}

/// Runs `operation` until it succeeds, fails for good, or the attempts are used up; then the last error is returned.
///
/// `operation` must be free of charge and safe to run again.
pub async fn free<T, E, F, A>(policy: Policy, mut operation: F) -> Result<T, E>
where
    E: std::fmt::Display,
    F: FnMut() -> A,
    A: Future<Output = Result<T, Failure<E>>>,
{
    let attempt = || {
        let running = operation();
        async {
            running.await.map_err(|failure| match failure {
                Failure::Passing(error) => backoff::Error::transient(error),
                Failure::Final(error) => backoff::Error::permanent(error),
            })
        }
    };
    future::retry_notify(Limited::new(policy), attempt, |error: E, wait: Duration| {
        tracing::warn!(%error, wait_ms = wait.as_millis() as u64, "attempt failed, trying again");
    })
    .await
}

/// Exponential waits that end after a number of attempts, not after a time.
struct Limited {
    waits: ExponentialBackoff<SystemClock>,
    waits_left: u32,
    waits_max: u32,
}

impl Limited {
    fn new(policy: Policy) -> Self {
        let waits_max = policy.attempts_max.get() - 1;
        Self {
            waits: ExponentialBackoff {
                current_interval: policy.first_wait,
                initial_interval: policy.first_wait,
                randomization_factor: 0.5,
                multiplier: 2.0,
                max_interval: policy.wait_max,
                max_elapsed_time: None,
                ..ExponentialBackoff::default()
            },
            waits_left: waits_max,
            waits_max,
        }
    }
}

impl Backoff for Limited {
    fn reset(&mut self) {
        self.waits.reset();
        self.waits_left = self.waits_max;
    }

    fn next_backoff(&mut self) -> Option<Duration> {
        self.waits_left = self.waits_left.checked_sub(1)?;
        self.waits.next_backoff()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(attempts: u32) -> Policy {
        Policy {
            attempts_max: NonZeroU32::new(attempts).unwrap(),
            ..Policy::CONNECT
        }
    }

    async fn attempts_made(
        policy: Policy,
        failures: u32,
        last: fn(u32) -> Failure<u32>,
    ) -> (u32, Result<(), u32>) {
        let mut made = 0;
        let outcome = free(policy, || {
            made += 1;
            let now = made;
            async move { if now <= failures { Err(last(now)) } else { Ok(()) } }
        })
        .await;
        (made, outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_limited_and_the_last_error_is_told() {
        assert_eq!(attempts_made(policy(4), 99, Failure::Passing).await, (4, Err(4)));
        assert_eq!(attempts_made(policy(4), 3, Failure::Passing).await, (4, Ok(())));
        assert_eq!(attempts_made(policy(1), 99, Failure::Passing).await, (1, Err(1)));
        assert_eq!(attempts_made(policy(4), 99, Failure::Final).await, (1, Err(1)));
    }

    proptest! {
        #[test]
        fn waits_grow_to_the_bound_and_end(attempts in 1_u32..20, first_ms in 1_u64..2_000, max_ms in 2_000_u64..9_000) {
            let policy = Policy {
                attempts_max: NonZeroU32::new(attempts).unwrap(),
                first_wait: Duration::from_millis(first_ms),
                wait_max: Duration::from_millis(max_ms),
            };
            let mut limited = Limited::new(policy);
            let waits: Vec<_> = std::iter::from_fn(|| limited.next_backoff()).collect();
            prop_assert_eq!(waits.len() as u32, attempts - 1);
            for (i, wait) in waits.iter().enumerate() {
                let mean = (first_ms as f64 * 2_f64.powi(i as i32)).min(max_ms as f64);
                let ratio = wait.as_secs_f64() * 1000.0 / mean;
                prop_assert!((0.49..=1.51).contains(&ratio), "wait {i}: {wait:?} against a mean of {mean} ms");
            }
        }
    }
}
