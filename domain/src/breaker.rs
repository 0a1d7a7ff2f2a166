//! A circuit breaker: an endpoint that keeps failing is left alone, then tried with one call at a time.
//!
//! Calls whose outcome is unknown are paid for at their worst case, so each that is not made at a broken endpoint is money kept.
//! (Nygard, *Release It!*, 2007, chapter 5.)
//!
//! | state | asked | a call worked | a call failed | a call said nothing |
//! |---|---|---|---|---|
//! | closed | call | remembered | remembered; open, when half of the last sixteen failed | – |
//! | open, cooling | wait | – | – | – |
//! | open, cooled | probe, and half open | – | – | – |
//! | half open | wait; probe again when the probe is lost | by the probe: closed | by the probe: open, for twice as long | by the probe: open, cooled |
//!
//! In open and half-open states only the probe's own end counts: what was under way before says nothing new.

use std::time::Duration;

/// Outcomes that are remembered.
const REMEMBERED: u32 = 16;
/// Outcomes without which nothing is concluded.
const ENOUGH: u32 = 8;
/// The first cool-down; it doubles with each probe that fails.
const COOL_MIN: Duration = Duration::from_secs(5);
/// The longest.
const COOL_MAX: Duration = Duration::from_secs(300);
/// Time between two looks at a probe that is under way.
const PROBE_LOOK: Duration = Duration::from_secs(1);

/// What is known of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// It works, as far as is known.
    Closed {
        /// The last outcomes, newest lowest, failures as ones.
        failures: u16,
        /// How many of them there are.
        seen: u32,
    },
    /// It is left alone.
    Open {
        /// Until when.
        until: Duration,
        /// How often in a row it was opened.
        times: u32,
    },
    /// One call shows whether it works again.
    HalfOpen {
        /// When the probe is given up for lost.
        lost_at: Duration,
        /// How often in a row it was opened.
        times: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0, seen: 0 }
    }
}

/// What happens to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants to call; a call takes at most so long.
    Asked {
        /// The call's time-out.
        timeout: Duration,
    },
    /// A call ended.
    Ended {
        /// It was the probe.
        probe: bool,
        /// How.
        how: Ended,
    },
}

/// How a call ended, as far as the endpoint's health goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The endpoint answered; a refusal of the request is an answer.
    Worked,
    /// A server error, a reset, a time-out.
    Failed,
    /// It was never made, or it was turned away by a limit.
    Unsaid,
}

/// What whoever asked is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Call.
    Call,
    /// Call, and say how it ended as the probe.
    Probe,
    /// Do not call; ask again after this.
    Wait(Duration),
}

impl Breaker {
    /// The next state at `now` (time since any fixed start), and what to do when it was asked.
    #[must_use]
    pub fn apply(self, event: Event, now: Duration) -> (Self, Option<Effect>) {
        match (self, event) {
            (Self::Closed { .. }, Event::Asked { .. }) => (self, Some(Effect::Call)),
            (Self::Open { until, .. }, Event::Asked { .. }) if until > now => {
                (self, Some(Effect::Wait(until - now)))
            }
            (Self::HalfOpen { lost_at, .. }, Event::Asked { .. }) if lost_at > now => {
                (self, Some(Effect::Wait(PROBE_LOOK.min(lost_at - now))))
            }
            (Self::Open { times, .. } | Self::HalfOpen { times, .. }, Event::Asked { timeout }) => {
                let lost_at = now + timeout + PROBE_LOOK;
                (Self::HalfOpen { lost_at, times }, Some(Effect::Probe))
            }
            (Self::Closed { failures, seen }, Event::Ended { how, .. }) => {
                (remember(failures, seen, how, now), None)
            }
            (Self::HalfOpen { times, .. }, Event::Ended { probe: true, how }) => {
                let next = match how {
                    Ended::Worked => Self::default(),
                    Ended::Failed => open(times + 1, now),
                    Ended::Unsaid => Self::Open { until: now, times },
                };
                (next, None)
            }
            (Self::HalfOpen { .. }, Event::Ended { probe: false, .. })
            | (Self::Open { .. }, Event::Ended { .. }) => (self, None),
        }
    }

    /// True while calls are kept back.
    pub fn is_open(self) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { .. } | Self::HalfOpen { .. } => true,
        }
    }
}

fn remember(failures: u16, seen: u32, how: Ended, now: Duration) -> Breaker {
    let failed = match how {
        Ended::Worked => 0,
        Ended::Failed => 1,
        Ended::Unsaid => return Breaker::Closed { failures, seen },
    };
    let failures = failures << 1 | failed;
    let seen = (seen + 1).min(REMEMBERED);
    if failed == 1 && seen >= ENOUGH && 2 * failures.count_ones() >= seen {
        open(1, now)
    } else {
        Breaker::Closed { failures, seen }
    }
}

fn open(times: u32, now: Duration) -> Breaker {
    let cool = COOL_MIN
        .saturating_mul(1 << times.saturating_sub(1).min(16))
        .min(COOL_MAX);
    Breaker::Open {
        until: now + cool,
        times,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(120);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ask(breaker: &mut Breaker, now: u64) -> Effect {
        let (next, effect) = breaker.apply(Event::Asked { timeout: TIMEOUT }, at(now));
        *breaker = next;
        effect.unwrap()
    }

    fn end(breaker: &mut Breaker, probe: bool, how: Ended, now: u64) {
        let (next, effect) = breaker.apply(Event::Ended { probe, how }, at(now));
        assert_eq!(effect, None);
        *breaker = next;
    }

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..8 {
            assert_eq!(ask(&mut breaker, 0), Effect::Call);
            end(&mut breaker, false, Ended::Failed, 0);
        }
        breaker
    }

    #[test]
    fn it_opens_at_half_of_the_last_sixteen_and_not_before_eight() {
        let mut breaker = Breaker::default();
        for _ in 0..7 {
            end(&mut breaker, false, Ended::Failed, 0);
            assert!(!breaker.is_open());
        }
        end(&mut breaker, false, Ended::Failed, 0);
        assert!(breaker.is_open());
        // One in three is bad luck, not a broken endpoint.
        let mut breaker = Breaker::default();
        for round in 0..60 {
            let how = if round % 3 == 0 {
                Ended::Failed
            } else {
                Ended::Worked
            };
            end(&mut breaker, false, how, 0);
            end(&mut breaker, false, Ended::Unsaid, 0);
            assert!(!breaker.is_open());
        }
    }

    #[test]
    fn one_probe_at_a_time_after_waits_that_grow() {
        let mut breaker = broken();
        assert_eq!(ask(&mut breaker, 1), Effect::Wait(at(4)));
        assert_eq!(ask(&mut breaker, 5), Effect::Probe);
        assert_eq!(ask(&mut breaker, 5), Effect::Wait(at(1)));
        // What was under way before says nothing.
        end(&mut breaker, false, Ended::Worked, 6);
        assert!(breaker.is_open());
        end(&mut breaker, true, Ended::Failed, 6);
        assert_eq!(ask(&mut breaker, 6), Effect::Wait(at(10)));
        assert_eq!(ask(&mut breaker, 16), Effect::Probe);
        end(&mut breaker, true, Ended::Worked, 17);
        assert_eq!(ask(&mut breaker, 17), Effect::Call);
    }

    #[test]
    fn a_lost_probe_is_sent_again_and_one_that_says_nothing_too() {
        let mut breaker = broken();
        assert_eq!(ask(&mut breaker, 5), Effect::Probe);
        assert_eq!(ask(&mut breaker, 5 + 121), Effect::Probe);
        end(&mut breaker, true, Ended::Unsaid, 127);
        assert_eq!(ask(&mut breaker, 127), Effect::Probe);
    }

    proptest! {
        /// Whatever happens, somebody who keeps asking is let through within the longest cool-down and a probe's time.
        #[test]
        fn it_never_stays_shut(events in prop::collection::vec((0u64..60, 0u8..7), 0..200)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            for (pause, what) in events {
                now += pause;
                match what {
                    0 | 1 => drop(ask(&mut breaker, now)),
                    2 => end(&mut breaker, false, Ended::Worked, now),
                    3 | 4 => end(&mut breaker, false, Ended::Failed, now),
                    5 => end(&mut breaker, true, Ended::Failed, now),
                    _ => end(&mut breaker, true, Ended::Unsaid, now),
                }
            }
            now += COOL_MAX.max(TIMEOUT + PROBE_LOOK).as_secs();
            prop_assert!(!matches!(ask(&mut breaker, now), Effect::Wait(_)));
        }
    }
}
