//! What a worker makes of refusals as too many (429, 529): it keeps a limit that it was not told, and does not stop for one that is not there.
//!
//! A refusal among many answers is that one request's: it waits, the line goes on. A limit shows as refusals with no answer between them.
//! Then the line closes for as long as the provider asks, and reopens at the rate that the provider has shown to let through: calls
//! answered since the last reopening, over the time until this one, the wait included. From there it is raised carefully.
//!
//! | what comes | what follows |
//! |---|---|
//! | a refusal, and fewer than 15 % of the last 128 outcomes are | nothing for the line |
//! | 15 % or more | fewer places ([`Pace`]), and a lower rate where one is known |
//! | refusals in a row, as many as calls are open (3 to 8 are enough; 1 after a reopening that brought no answer) | closed: for the longest wait that one of them named, else for 1 s, doubled each time up to 16 s |
//! | reopened, after a wait that was named or the second closing in a row | a rate |
//! | answers at that rate, with calls held back by it | the rate grows: slowly for 75 s after a named wait, then faster and faster |

mod rate;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::pace::Pace;
use rate::Rate;

/// Share of refusals among the last outcomes from which fewer calls are tried.
const REFUSED_SHARE: f64 = 0.15;
/// Share below which the rate is raised.
const QUIET_SHARE: f64 = 0.03;
/// Outcomes that are remembered.
const REMEMBERED: u32 = 128;
/// Outcomes without which no share is believed.
const ENOUGH: u32 = 32;
/// Refusals in a row that close a line.
const ROW_MIN: u32 = 3;
const ROW_MAX: u32 = 8;
/// Calls that may be open after a reopening until one is answered.
const PROBES: u32 = 4;
/// The first pause where the provider names none, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// The state of one line in one worker. Times are since any fixed start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    pace: Pace,
    /// The last outcomes, newest lowest, refusals as ones; and how many there are.
    outcomes: (u128, u32),
    /// Refusals since the last answer, and the longest wait that one of them named.
    row: (u32, Option<Duration>),
    /// Closed until then, and whether the provider named the time.
    closed: Option<(Duration, bool)>,
    /// Closings since the last answer.
    closings: u32,
    /// When it was reopened last, and when it was the last time that an answer followed.
    reopened: Duration,
    cycle_from: Duration,
    /// Answers since then.
    answered: u64,
    /// Nothing was answered since it was reopened.
    untried: bool,
    rate: Option<Rate>,
}

/// When a call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Now.
    Now,
    /// At this time, which is kept for it.
    At(Duration),
    /// Not within the time that it can wait: come back after this.
    Later(Duration),
}

impl Throttle {
    /// Starts with the most calls that are allowed and at any rate: what the line carries is its provider's to say.
    pub fn new(most: u32) -> Self {
        Self {
            pace: Pace::new(most),
            outcomes: (0, 0),
            row: (0, None),
            closed: None,
            closings: 0,
            reopened: Duration::ZERO,
            cycle_from: Duration::ZERO,
            answered: 0,
            untried: false,
            rate: None,
        }
    }

    /// When calls may start again, where they were turned away; a time that has passed is still told until the next call starts.
    pub fn closed_until(&self) -> Option<Duration> {
        self.closed.map(|(until, _)| until)
    }

    /// Calls that may be open, from 1 to `most`: a few, until the first after a reopening is answered.
    pub fn places(&self, most: u32) -> u32 {
        let places = self.pace.places(most);
        if self.untried { places.min(PROBES) } else { places }
    }

    /// The rate that is kept, calls a second, where a limit has shown.
    pub fn rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate.a_second())
    }

    /// When a call may start that can wait for at most `patience`.
    pub fn start(&mut self, patience: Duration, now: Duration) -> Start {
        if let Some((until, named)) = self.closed {
            if until > now {
                return Start::Later(until - now);
            }
            self.reopen(until, named);
        }
        self.rate
            .as_mut()
            .map_or(Start::Now, |rate| rate.start(patience, now))
    }

    /// A call was answered while `open` calls were open, itself included.
    pub fn answered(&mut self, open: u32, most: u32, now: Duration) {
        self.remember(0);
        self.row = (0, None);
        self.closings = 0;
        if self.untried {
            (self.untried, self.cycle_from, self.answered) = (false, self.reopened, 0);
        }
        self.answered += 1;
        self.pace = self.pace.answered(open, most);
        let share = self.share().unwrap_or(0.0);
        if let Some(rate) = &mut self.rate
            && share < QUIET_SHARE
        {
            rate.grow(now);
        }
    }

    /// A call that began at `began` took too long: fewer are tried at once.
    pub fn timed_out(&mut self, began: Duration, now: Duration) {
        self.pace = self.pace.refused(began, now);
    }

    /// A call that began at `began` was refused as too many while `open` were open, itself included; `wait` is what the provider named.
    /// Returns how long everybody who shares the line should stay away, where this closes it or makes it longer.
    pub fn refused(
        &mut self,
        began: Duration,
        wait: Option<Duration>,
        open: u32,
        now: Duration,
    ) -> Option<Duration> {
        if let Some((until, named)) = &mut self.closed {
            // One of the same wave. It may name a longer wait.
            let longer = wait.map(|wait| now + wait).filter(|at| *at > *until)?;
            (*until, *named) = (longer, true);
            return wait;
        }
        if began < self.reopened {
            return None;
        }
        self.remember(1);
        self.row = (self.row.0 + 1, self.row.1.max(wait));
        if let Some(rate) = &mut self.rate {
            rate.refused(now);
        }
        let enough = match (self.untried, self.answered) {
            (true, _) => 1,
            (false, 0) => open.clamp(1, ROW_MAX),
            (false, _) => open.clamp(ROW_MIN, ROW_MAX),
        };
        if self.row.0 >= enough {
            return Some(self.close(began, now));
        }
        if self.share().is_some_and(|share| share >= REFUSED_SHARE) {
            self.pace = self.pace.refused(began, now);
            if let Some(rate) = &mut self.rate {
                rate.lower(now);
            }
        }
        None
    }

    fn remember(&mut self, outcome: u128) {
        let (outcomes, seen) = self.outcomes;
        self.outcomes = (outcomes << 1 | outcome, (seen + 1).min(REMEMBERED));
    }

    /// Share of refusals among the last outcomes.
    fn share(&self) -> Option<f64> {
        let (outcomes, seen) = self.outcomes;
        let remembered = if seen >= REMEMBERED {
            outcomes
        } else {
            outcomes & ((1 << seen) - 1)
        };
        (seen >= ENOUGH).then(|| f64::from(remembered.count_ones()) / f64::from(seen))
    }

    fn close(&mut self, began: Duration, now: Duration) -> Duration {
        let named = self.row.1;
        let doubled = PAUSE_MIN.saturating_mul(1 << self.closings.min(8)).min(PAUSE_MAX);
        let pause = named.unwrap_or(doubled);
        self.pace = self.pace.refused(began, now);
        self.closings += 1;
        self.closed = Some((now + pause, named.is_some()));
        self.row = (0, None);
        pause
    }

    fn reopen(&mut self, at: Duration, named: bool) {
        self.closed = None;
        self.outcomes = (0, 0);
        self.reopened = at;
        // One closing without a named wait may be too many calls at once, which fewer places mend.
        if named || self.closings > 1 || self.rate.is_some() {
            let took = at.saturating_sub(self.cycle_from);
            self.rate = Some(Rate::reopened(self.rate(), (self.answered, took), at, named));
        }
        // The cycle ends with the next answer: time in which nothing passes counts for the rate that did.
        self.untried = true;
    }
}
