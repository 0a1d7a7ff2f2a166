//! Permits for a run that works alone: the lines' states in this process, on its monotonic clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::LineId;
use gristmill_domain::rate::State;
use gristmill_ports::limiter::{Demand, Error, Limiter, ModelLine, Permit, Ticket};
use tokio::time::Instant;

/// The lines of this process alone.
pub struct LocalLimiter {
    start: Instant,
    lines: Mutex<HashMap<LineId, State>>,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            lines: Mutex::default(),
        }
    }
}

impl LocalLimiter {
    fn with<T>(&self, line: &ModelLine, act: impl FnOnce(&mut State, u64) -> T) -> T {
        // A state is whole between any two of its steps: a panic elsewhere leaves nothing half-done.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let now_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        act(lines.entry(line.id).or_default(), now_us)
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn acquire(&self, line: &ModelLine, demand: Demand) -> Result<Permit, Error> {
        Ok(self.with(line, |state, now| state.acquire(line.limits, demand, now)))
    }

    async fn refund(&self, line: &ModelLine, ticket: Ticket, used: Demand) -> Result<(), Error> {
        self.with(line, |state, _| state.refund(ticket, used));
        Ok(())
    }

    async fn cool_down(&self, line: &ModelLine, pause: Duration) -> Result<(), Error> {
        self.with(line, |state, now| state.cool_down(pause, now));
        Ok(())
    }
}
