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

use std::time::Duration;

use crate::pace::Pace;

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

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
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

    /// Calls that may be open, from 1 to `most`: a few, until the first after a reopening is answered.
    pub fn places(&self, most: u32) -> u32 {
        let places = self.pace.places(most);
        if self.untried { places.min(PROBES) } else { places }
    }

    /// The rate that is kept, calls a second, where a limit has shown.
    pub fn rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate.a_second)
    }

    /// When a call may start that can wait for at most `patience`.
    pub fn start(&mut self, patience: Duration, now: Duration) -> Start {
        if let Some((until, named)) = self.closed {
            if until > now {
                return Start::Later(until - now);
            }
            self.reopen(until, named);
        }
        let Some(rate) = &mut self.rate else {
            return Start::Now;
        };
        let interval = Duration::from_secs_f64(1.0 / rate.a_second);
        // Timers are no finer than a millisecond: at high rates a few calls may leave together.
        let due = rate.due.max(now.saturating_sub(Duration::from_millis(5)));
        if due <= now {
            rate.due = due + interval;
            return Start::Now;
        }
        rate.held_back = true;
        if due - now <= patience {
            rate.due = due + interval;
            return Start::At(due);
        }
        // Twice as many are told to come as will find room, so that none of it is lost for want of a call.
        rate.told = rate.told.clamp(due, due + SPREAD_MAX) + interval / 2;
        Start::Later(rate.told - now)
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
            && rate.held_back
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
            rate.quiet_from = now;
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
            if let Some(rate) = &mut self.rate
                && now.saturating_sub(rate.changed) >= STEP
            {
                rate.a_second = (rate.a_second * DECREASE).max(RATE_MIN);
                rate.changed = now;
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
            let before = self.rate.map(|rate| rate.a_second);
            let took = at.saturating_sub(self.cycle_from).as_secs_f64().max(1e-3);
            let seen = USED * self.answered as f64 / took;
            let a_second = match before {
                // Nothing was ever answered, so that nothing is known of a limit.
                _ if self.answered == 0 => RATE_UNKNOWN,
                Some(before) => seen.clamp(before * DECREASE_MAX, before * USED),
                None => seen,
            };
            self.rate = Some(Rate {
                a_second: a_second.max(RATE_MIN),
                due: at,
                told: at,
                held_back: false,
                changed: at,
                quiet_from: at,
                named: named && self.answered > 0,
            });
        }
        // The cycle ends with the next answer: time in which nothing passes counts for the rate that did.
        self.untried = true;
    }
}

impl Rate {
    fn grow(&mut self, now: Duration) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that is asked by one worker, call by call, in steps of a millisecond.
    struct Scene {
        throttle: Throttle,
        most: u32,
        latency_ms: u64,
        /// When calls end, when they began, and whether they are let in, with the wait that is named.
        open: Vec<(u64, u64, Result<(), Option<Duration>>)>,
        /// Times that were kept for calls.
        kept: Vec<u64>,
        answered: Vec<u64>,
        refused: Vec<u64>,
    }

    impl Scene {
        fn new(most: u32, latency_ms: u64) -> Self {
            Self {
                throttle: Throttle::new(most),
                most,
                latency_ms,
                open: Vec::new(),
                kept: Vec::new(),
                answered: Vec::new(),
                refused: Vec::new(),
            }
        }

        /// There is always work. `provider` says at a time, with the calls answered so far, whether one more is let in.
        fn run(
            &mut self,
            until_ms: u64,
            mut provider: impl FnMut(u64, &[u64], usize) -> Result<(), Option<Duration>>,
        ) {
            let mut let_in = Vec::new();
            let mut looked_at = 0;
            for now in 0..until_ms {
                let at = Duration::from_millis(now);
                let (ended, open): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|(end, ..)| *end <= now);
                let mut count = (ended.len() + open.len()) as u32;
                self.open = open;
                for (_, began, result) in ended {
                    match result {
                        Ok(()) => {
                            self.throttle.answered(count, self.most, at);
                            self.answered.push(now);
                        }
                        Err(wait) => {
                            self.throttle
                                .refused(Duration::from_millis(began), wait, count, at);
                            self.refused.push(now);
                        }
                    }
                    count -= 1;
                }
                loop {
                    let due = self.kept.iter().position(|kept| *kept <= now);
                    let places = self.throttle.places(self.most) as usize;
                    if self.open.len() >= places {
                        break;
                    }
                    match due {
                        Some(index) => drop(self.kept.remove(index)),
                        None if self.kept.len() >= places || now < looked_at => break,
                        None => match self.throttle.start(Duration::from_secs(1), at) {
                            Start::Now => {}
                            Start::At(due) => {
                                self.kept.push(due.as_millis() as u64 + 1);
                                continue;
                            }
                            Start::Later(wait) => {
                                looked_at = now + (wait.as_millis() as u64).clamp(1, 200);
                                break;
                            }
                        },
                    }
                    let result = provider(now, &let_in, self.open.len());
                    if result.is_ok() {
                        let_in.push(now);
                    }
                    // A refusal comes faster than an answer.
                    let takes = if result.is_ok() { self.latency_ms } else { 10 };
                    self.open.push((now + takes, now, result));
                }
            }
        }

        fn calls_a_needed(&self) -> f64 {
            (self.answered.len() + self.refused.len()) as f64 / self.answered.len() as f64
        }
    }

    #[test]
    fn refusals_among_answers_stop_nobody() {
        let mut scene = Scene::new(64, 90);
        let mut draw = 0u64;
        scene.run(20_000, |_, _, _| {
            draw = draw
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if draw >> 32 < (1 << 32) / 20 {
                Err(Some(Duration::from_secs(1)))
            } else {
                Ok(())
            }
        });
        let rate = scene.answered.len() as f64 / 20.0;
        // 64 places at 90 ms are 711 a second.
        assert!(rate > 600.0, "{rate} a second");
        assert_eq!(scene.throttle.rate(), None);
    }

    /// At most `limit` calls in any 60 seconds, and the true time to wait.
    fn sliding(limit: usize) -> impl FnMut(u64, &[u64], usize) -> Result<(), Option<Duration>> {
        move |now, let_in, _| {
            let held = let_in.iter().rev().take_while(|at| **at + 60_000 > now).count();
            if held < limit {
                return Ok(());
            }
            let oldest = let_in[let_in.len() - held];
            Err(Some(Duration::from_millis(oldest + 60_000 - now + 1)))
        }
    }

    #[test]
    fn a_limit_a_minute_that_nobody_told_is_nearly_used_and_hardly_overrun() {
        for limit in [60, 600, 3_000] {
            let mut scene = Scene::new(64, 200);
            let minutes = 6;
            scene.run(minutes * 60_000, sliding(limit));
            let ideal = limit as u64 * minutes;
            let used = scene.answered.len() as f64 / ideal as f64;
            let calls = scene.calls_a_needed();
            assert!(used > 0.9, "{limit}: {used} of the ideal");
            assert!(calls < 1.1, "{limit}: {calls} calls for each that was needed");
        }
    }

    #[test]
    fn a_bucket_that_refills_is_nearly_used_and_hardly_overrun() {
        // Ten a second, ten at once.
        let (mut tokens, mut at) = (10.0, 0);
        let mut scene = Scene::new(64, 200);
        scene.run(180_000, move |now, _, _| {
            tokens = f64::min(10.0, tokens + (now - at) as f64 / 100.0);
            at = now;
            if tokens >= 1.0 {
                tokens -= 1.0;
                Ok(())
            } else {
                Err(Some(Duration::from_secs(1)))
            }
        });
        let used = scene.answered.len() as f64 / 1_800.0;
        assert!(used > 0.9, "{used} of the ideal");
        assert!(scene.calls_a_needed() < 1.1, "{}", scene.calls_a_needed());
    }

    #[test]
    fn too_many_at_once_are_mended_by_places() {
        let mut scene = Scene::new(64, 200);
        scene.run(60_000, |_, _, open| if open < 20 { Ok(()) } else { Err(None) });
        let used = scene.answered.len() as f64 / (60.0 * 100.0);
        assert!(used > 0.75, "{used} of the ideal");
        assert!(scene.calls_a_needed() < 1.1, "{}", scene.calls_a_needed());
    }

    #[test]
    fn a_named_wait_is_obeyed_by_all() {
        let mut scene = Scene::new(64, 200);
        let wait = Duration::from_secs(432);
        scene.run(430_000, |now, _, _| {
            Err(Some(wait - Duration::from_millis(now).min(wait)))
        });
        assert_eq!(
            scene.refused.len(),
            64,
            "the calls that were open when the first was refused"
        );
    }

    #[test]
    fn a_rate_is_given_up_when_its_limit_is() {
        let mut scene = Scene::new(64, 100);
        scene.run(400_000, {
            let mut limited = sliding(600);
            move |now, let_in, open| {
                if now < 120_000 {
                    limited(now, let_in, open)
                } else {
                    Ok(())
                }
            }
        });
        let last = scene.answered.iter().filter(|at| **at > 390_000).count();
        assert!(last > 5_000, "{last} calls in the last ten seconds, of 6,400");
    }

    #[test]
    fn a_storm_with_named_waits_leaves_no_crawl_behind() {
        for storm in [0..30_000, 10_000..40_000] {
            let mut scene = Scene::new(64, 200);
            scene.run(90_000, |now, _, _| {
                if storm.contains(&now) {
                    Err(Some(Duration::from_secs(1)))
                } else {
                    Ok(())
                }
            });
            let after = scene.answered.iter().filter(|at| **at > storm.end).count() as u64;
            assert!(
                after > 3_000,
                "{after} answered in {} s after the storm",
                (90_000 - storm.end) / 1_000
            );
            assert!(
                scene.refused.len() < 250,
                "{} calls in the storm",
                scene.refused.len()
            );
        }
    }

    #[test]
    fn an_outage_is_looked_at_more_and_more_rarely() {
        let mut scene = Scene::new(64, 100);
        scene.run(120_000, |now, _, _| {
            if (10_000..70_000).contains(&now) {
                Err(None)
            } else {
                Ok(())
            }
        });
        let tries = scene.refused.len();
        assert!(tries < 140, "{tries} calls to an endpoint that is away");
        let back = scene.answered.iter().find(|at| **at > 70_000).unwrap();
        assert!(*back < 87_000, "back at {back} ms");
    }
}
