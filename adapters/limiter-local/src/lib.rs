//! Permits for a run that works alone: GCRA on this process's monotonic clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::rate::{Gcra, State};
use gristmill_ports::limiter::{Limiter, Permit};
use tokio::time::Instant;

/// Limits by model name, for this process alone.
pub struct LocalLimiter {
    start: Instant,
    models: Mutex<HashMap<String, Model>>,
}

struct Model {
    rate: Option<(Gcra, State)>,
    cool_until: Duration,
}

impl LocalLimiter {
    /// A limiter with the models' rates; a model that is not named is not limited.
    pub fn new(rates: impl IntoIterator<Item = (String, Gcra)>) -> Self {
        let models = rates.into_iter().map(|(name, rate)| {
            (
                name,
                Model {
                    rate: Some((rate, State::default())),
                    cool_until: Duration::ZERO,
                },
            )
        });
        Self {
            start: Instant::now(),
            models: Mutex::new(models.collect()),
        }
    }

    fn with<T>(&self, model: &str, act: impl FnOnce(&mut Model, Duration) -> T) -> T {
        let now = self.start.elapsed();
        // Each change is a single assignment: a panic elsewhere leaves nothing half-done.
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match models.get_mut(model) {
            Some(known) => known,
            None => models.entry(model.to_owned()).or_insert(Model {
                rate: None,
                cool_until: Duration::ZERO,
            }),
        };
        act(known, now)
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn acquire(&self, model: &str) -> Permit {
        self.with(model, |model, now| {
            if model.cool_until > now {
                return Permit::Wait(model.cool_until - now);
            }
            match &mut model.rate {
                None => Permit::Granted,
                Some((rate, state)) => match rate.admit(*state, now) {
                    Ok(next) => {
                        *state = next;
                        Permit::Granted
                    }
                    Err(wait) => Permit::Wait(wait),
                },
            }
        })
    }

    async fn cool_down(&self, model: &str, pause: Duration) {
        self.with(model, |model, now| {
            model.cool_until = model.cool_until.max(now + pause)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_of_a_minute_sees_more_than_the_limit() {
        let limiter = LocalLimiter::new([("m".to_owned(), Gcra::per_minute(600))]);
        let mut granted = Vec::new();
        let end = Instant::now() + Duration::from_secs(180);
        while Instant::now() < end {
            match limiter.acquire("m").await {
                Permit::Granted => granted.push(Instant::now()),
                Permit::Wait(wait) => tokio::time::advance(wait).await,
            }
        }
        let most = granted.iter().map(|from| {
            granted
                .iter()
                .filter(|t| **t >= *from && **t < *from + Duration::from_secs(60))
                .count()
        });
        let most = most.max().unwrap();
        assert!((570..=600).contains(&most), "{most} in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cool_down_holds_everyone() {
        let limiter = LocalLimiter::new([]);
        assert_eq!(limiter.acquire("m").await, Permit::Granted);
        limiter.cool_down("m", Duration::from_secs(3)).await;
        assert_eq!(limiter.acquire("m").await, Permit::Wait(Duration::from_secs(3)));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(limiter.acquire("m").await, Permit::Granted);
    }
}
