//! The rate that a line is kept to once a limit has shown: when the next call may start, and how the rate is raised and lowered.

use std::time::Duration;

use super::Start;

/// Part of the rate that was let through which is used.
const USED: f64 = 0.98;
/// What is left of a rate at which too many calls were refused, and the least that one closing leaves of it.
const DECREASE: f64 = 0.9;
const DECREASE_MAX: f64 = 0.7;
/// The rate after a closing before which nothing was ever answered, calls a second.
const RATE_UNKNOWN: f64 = 4.0;
/// The slowest rate, calls a second; growth finds more.
const RATE_MIN: f64 = 0.2;
/// Growth of a rate in a second: at first …
const GROWTH: f64 = 0.01;
/// … after a wait that was named, while the window that the limit counts in may not have passed …
const GROWTH_NAMED: f64 = 0.002;
/// … and at most. It doubles with each of these.
const GROWTH_MAX: f64 = 0.5;
const DOUBLES_EVERY: Duration = Duration::from_secs(4);
/// The window of most limits, with a little more; before it has passed, room may only be left over from before.
const WINDOW: Duration = Duration::from_secs(75);
/// Time between two steps of growth, and between two cuts.
const STEP: Duration = Duration::from_secs(1);
/// The latest, after the first possible time, that a call is told to come back at.
const SPREAD_MAX: Duration = Duration::from_secs(15);

/// A rate, and the calls that it holds back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    a_second: f64,
    /// When the next call may start.
    due: Duration,
    /// The latest time that a call was told to come back at.
    told: Duration,
    /// A call was held back by it since it was last raised.
    held_back: bool,
    /// When it was last raised or lowered.
    changed: Duration,
    /// Since when nothing is refused.
    quiet_from: Duration,
    /// It was learned from a wait that the provider named.
    named: bool,
}

impl Rate {
    /// The rate after a closing: what was let through since the last time that the line was reopened, `answered` calls in `took`. It is
    /// careful about the rate `before`.
    pub(super) fn reopened(
        before: Option<f64>,
        (answered, took): (u64, Duration),
        at: Duration,
        named: bool,
    ) -> Self {
        let seen = USED * answered as f64 / took.as_secs_f64().max(1e-3);
        let a_second = match before {
            // Nothing was ever answered, so that nothing is known of a limit.
            _ if answered == 0 => RATE_UNKNOWN,
            Some(before) => seen.clamp(before * DECREASE_MAX, before * USED),
            None => seen,
        };
        Self {
            a_second: a_second.max(RATE_MIN),
            due: at,
            told: at,
            held_back: false,
            changed: at,
            quiet_from: at,
            named: named && answered > 0,
        }
    }

    /// Calls a second.
    pub(super) fn a_second(&self) -> f64 {
        self.a_second
    }

    /// When a call may start that can wait for at most `patience`.
    pub(super) fn start(&mut self, patience: Duration, now: Duration) -> Start {
        let interval = Duration::from_secs_f64(1.0 / self.a_second);
        // Timers are no finer than a millisecond: at high rates a few calls may leave together.
        let due = self.due.max(now.saturating_sub(Duration::from_millis(5)));
        if due <= now {
            self.due = due + interval;
            return Start::Now;
        }
        self.held_back = true;
        if due - now <= patience {
            self.due = due + interval;
            return Start::At(due);
        }
        // Twice as many are told to come as will find room, so that none of it is lost for want of a call.
        self.told = self.told.clamp(due, due + SPREAD_MAX) + interval / 2;
        Start::Later(self.told - now)
    }

    /// A call was refused.
    pub(super) fn refused(&mut self, now: Duration) {
        self.quiet_from = now;
    }

    /// Lowers it after too many refusals, once a step.
    pub(super) fn lower(&mut self, now: Duration) {
        if now.saturating_sub(self.changed) >= STEP {
            self.a_second = (self.a_second * DECREASE).max(RATE_MIN);
            self.changed = now;
        }
    }

    /// Raises it after an answer, where calls are held back by it.
    pub(super) fn grow(&mut self, now: Duration) {
        if !self.held_back {
            return;
        }
        let since = now.saturating_sub(self.changed);
        if since < STEP {
            return;
        }
        let quiet = now.saturating_sub(self.quiet_from);
        let growth = if self.named && quiet < WINDOW {
            GROWTH_NAMED
        } else {
            let fast = quiet.saturating_sub(if self.named { WINDOW } else { Duration::ZERO });
            let doublings = fast.as_secs_f64() / DOUBLES_EVERY.as_secs_f64();
            (GROWTH * doublings.min(16.0).exp2()).min(GROWTH_MAX)
        };
        self.a_second *= 1.0 + growth * since.min(2 * STEP).as_secs_f64();
        (self.changed, self.held_back) = (now, false);
    }
}
