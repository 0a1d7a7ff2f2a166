//! Trying again, for connections and what is free: the one place that uses `backoff`.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use tokio::time::Instant;

use crate::error::Error;

/// When to try again, and when to stop. Waiting may be cancelled and taken up again.
pub(crate) struct Retry {
    backoff: ExponentialBackoff,
    failing: bool,
    due: Option<Instant>,
    patience: Duration,
}

impl Retry {
    /// The first pause, on average.
    const FIRST: Duration = Duration::from_millis(100);
    /// The longest pause, on average.
    const LONGEST: Duration = Duration::from_secs(5);

    /// Pauses that grow from a tenth of a second to five, each half more or less by chance so that clients do not come back all at once,
    /// until `patience` is over.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            backoff: ExponentialBackoff {
                current_interval: Self::FIRST,
                initial_interval: Self::FIRST,
                randomization_factor: 0.5,
                multiplier: 2.0,
                max_interval: Self::LONGEST,
                max_elapsed_time: Some(patience),
                ..ExponentialBackoff::default()
            },
            failing: false,
            due: None,
            patience,
        }
    }

    /// Notes a failure: the next [`pause`](Self::pause) waits. An error when it lasts, or when patience is over.
    pub(crate) fn failed(&mut self, error: Error) -> Result<(), Error> {
        if error.lasts() {
            return Err(error);
        }
        if !self.failing {
            self.failing = true;
            // Patience counts from the first failure.
            self.backoff.reset();
        }
        let Some(pause) = self.backoff.next_backoff() else {
            return Err(Error::GaveUp {
                after: self.patience,
                source: Box::new(error),
            });
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            pause_ms = pause.as_millis() as u64,
            "trying again"
        );
        self.due = Some(Instant::now() + pause);
        Ok(())
    }

    /// Notes a success.
    pub(crate) fn worked(&mut self) {
        self.failing = false;
        self.due = None;
    }

    /// Waits for the next try.
    pub(crate) async fn pause(&mut self) {
        if let Some(due) = self.due {
            tokio::time::sleep_until(due).await;
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_not_tried_again_and_patience_ends() {
        let refused = Error::Refused {
            doing: "x".into(),
            detail: "y".into(),
        };
        let mut retry = Retry::new(Duration::from_secs(60));
        assert!(matches!(retry.failed(refused), Err(Error::Refused { .. })));
        assert!(retry.failed(Error::Late).is_ok());
        assert!(retry.due.is_some());
        retry.worked();
        assert!(retry.due.is_none());
        let mut retry = Retry::new(Duration::ZERO);
        assert!(matches!(retry.failed(Error::Late), Err(Error::GaveUp { .. })));
    }
}
