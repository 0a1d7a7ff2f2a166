//! How a worker takes messages while others may be better placed to work on them.
//!
//! Queues are shared by all runs, and a broker hands messages to whoever has room. A worker that cannot work on a run would have most of that
//! run's messages in hand, since it is done with each at once. So after the first one that it leaves to others, it looks for one message at a
//! time and puts back what is not for it, at once and behind those that wait. Between two such looks it pauses for a moment, the same however
//! many there were: what it can work on may wait behind all of them. The longer the queue is empty, the rarer it looks; whatever it can work on
//! ends the pauses. It has messages sent to it again when it has left none for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Pause after a message that was left to others. It has been away for milliseconds, so that looks at this pace hold nobody up.
const PAUSE_LEFT: Duration = Duration::from_millis(10);
/// Pause after one that others can have only in a moment: a worker with free slots must not keep the queue empty for those that can do the tasks.
const PAUSE_DEFERRED: Duration = Duration::from_millis(50);
/// Pause after the first looks into an empty queue, and the longest: how long a task may wait for the only worker that can do it.
const PAUSE_EMPTY_MIN: Duration = Duration::from_millis(20);
const PAUSE_EMPTY_MAX: Duration = Duration::from_millis(500);
/// Looks into an empty queue, one after the other, that double the pause.
const DOUBLES_AFTER: u32 = 16;
/// Time without a message that is left to others, after which messages are sent again.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// The pace of one queue's consumer.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When a message was last left to others, while that is remembered.
    left: Option<Instant>,
    last: Look,
}

/// What the last look brought.
#[derive(Debug, Default)]
enum Look {
    /// A message to work on.
    #[default]
    Found,
    /// One that was left to others.
    Left,
    /// One that was put off for others.
    Deferred,
    /// Nothing, and as many before it.
    Empty(u32),
}

impl Pace {
    /// A message was left to others.
    pub(crate) fn left(&self) {
        self.leave(Look::Left);
    }

    /// A message was put off for others.
    pub(crate) fn deferred(&self) {
        self.leave(Look::Deferred);
    }

    fn leave(&self, last: Look) {
        let mut state = self.state();
        (state.left, state.last) = (Some(Instant::now()), last);
        drop(state);
        self.left.notify_one();
    }

    /// Waits until a message is left to others.
    pub(crate) async fn until_left(&self) {
        self.left.notified().await;
    }

    /// True while messages are looked for one at a time.
    pub(crate) fn looks(&self) -> bool {
        let mut state = self.state();
        if state.left.is_some_and(|left| left.elapsed() >= FORGOTTEN) {
            *state = State::default();
        }
        state.left.is_some()
    }

    /// A message came that can be worked on.
    pub(crate) fn found(&self) {
        self.state().last = Look::Found;
    }

    /// The queue was empty.
    pub(crate) fn empty(&self) {
        let mut state = self.state();
        state.last = match state.last {
            Look::Empty(before) => Look::Empty(before.saturating_add(1)),
            Look::Found | Look::Left | Look::Deferred => Look::Empty(0),
        };
    }

    /// Time before the next look.
    pub(crate) fn pause(&self) -> Duration {
        match self.state().last {
            Look::Found => Duration::ZERO,
            Look::Left => PAUSE_LEFT,
            Look::Deferred => PAUSE_DEFERRED,
            Look::Empty(before) => PAUSE_EMPTY_MIN
                .saturating_mul(2_u32.saturating_pow(before / DOUBLES_AFTER))
                .min(PAUSE_EMPTY_MAX),
        }
    }

    // Each change is a single step: a panic elsewhere leaves nothing half-done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_become_rarer_while_the_queue_is_empty() {
        let pace = Pace::default();
        assert!(!pace.looks(), "messages are sent until one is left to others");
        pace.left();
        pace.until_left().await;
        assert!(pace.looks());
        for _ in 0..1_000 {
            assert_eq!(pace.pause(), PAUSE_LEFT, "what it can do may be behind them all");
            pace.left();
        }
        pace.deferred();
        assert_eq!(pace.pause(), PAUSE_DEFERRED);
        for _ in 0..DOUBLES_AFTER {
            pace.empty();
            assert_eq!(pace.pause(), PAUSE_EMPTY_MIN);
        }
        pace.empty();
        assert_eq!(pace.pause(), 2 * PAUSE_EMPTY_MIN);
        for _ in 0..1_000 {
            pace.empty();
        }
        assert_eq!(pace.pause(), PAUSE_EMPTY_MAX);
        pace.found();
        assert_eq!(pace.pause(), Duration::ZERO);
        tokio::time::advance(FORGOTTEN / 2).await;
        pace.left();
        tokio::time::advance(FORGOTTEN / 2).await;
        assert!(pace.looks(), "the last one counts");
        tokio::time::advance(FORGOTTEN).await;
        assert!(!pace.looks(), "none was left for long");
    }
}
