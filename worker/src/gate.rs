//! A worker's own side of its lines: how many calls are open at each, and whether its endpoint works.
//!
//! The provider's limits are the fleet's to keep ([`gristmill_ports::limiter`]); what an endpoint carries and whether it answers at all
//! shows in its answers, and each worker goes by those that it gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_domain::breaker::{Breaker, Effect, Ended, Event};
use gristmill_domain::id::LineId;
use gristmill_domain::throttle::{Start, Throttle};
use gristmill_ports::line::LineState;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::line_watch::LineGate;
use crate::meter;
use crate::run_context::Model;

/// How long a delivery waits for a place before its task is put off, so that one line's crowd does not hold another's slots.
const PLACE_WAIT: Duration = Duration::from_secs(1);

/// The lines of this worker. There are as many as there are endpoints and keys, and each is small.
pub(crate) struct Gates {
    start: Instant,
    lines: Mutex<HashMap<LineId, Arc<Gate>>>,
}

struct Gate {
    start: Instant,
    line: Mutex<Line>,
    freed: Notify,
}

struct Line {
    open: u32,
    throttle: Throttle,
    breaker: Breaker,
}

/// Whether a call may be made.
pub(crate) enum Entry {
    /// Now.
    Pass(Pass),
    /// Not before this has passed.
    Wait(Duration),
}

/// One call's place at a line, until it says how the call ended.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    model: String,
    most: u32,
    probe: bool,
    began: Duration,
    ended: bool,
}

/// How a call ended, as far as its line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// It was answered, be it with a refusal of this request.
    Answered,
    /// It was refused as one too many, or for overload.
    Refused {
        /// The wait that the provider named.
        wait: Option<Duration>,
    },
    /// It took too long.
    TimedOut,
    /// The endpoint failed.
    Failed {
        /// The wait that the provider named.
        wait: Option<Duration>,
    },
    /// It was never made.
    Unsaid,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            lines: Mutex::default(),
        }
    }
}

impl Gates {
    /// A place for one call to a model, or how long to stay away.
    pub(crate) async fn enter(&self, name: &str, model: &Model) -> Entry {
        let gate = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let gate = lines.entry(model.line.id).or_insert_with(|| {
                Arc::new(Gate {
                    start: self.start,
                    line: Mutex::new(Line {
                        open: 0,
                        throttle: Throttle::new(model.concurrency),
                        breaker: Breaker::default(),
                    }),
                    freed: Notify::new(),
                })
            });
            Arc::clone(gate)
        };
        let deadline = Instant::now() + PLACE_WAIT;
        // The rate of a line that has shown a limit keeps a time for the call, once; a place may be free only after it.
        let mut kept = false;
        loop {
            match gate.try_enter(name, model, &mut kept) {
                Tried::Entry(entry) => return entry,
                Tried::At(at) => tokio::time::sleep_until(self.start + at).await,
                Tried::Full => {
                    let freed = tokio::time::timeout_at(deadline, gate.freed.notified()).await;
                    if freed.is_err() {
                        return Entry::Wait(PLACE_WAIT);
                    }
                }
            }
        }
    }
}

impl Gates {
    /// How a line stands, for people.
    pub(crate) fn look(&self, line: LineId) -> LineGate {
        let gate = {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.get(&line).cloned()
        };
        let Some(gate) = gate else {
            return LineGate::default();
        };
        let now = self.start.elapsed();
        let line = gate.line();
        let closed = line.throttle.closed_until().filter(|until| *until > now);
        let (state, until) = match (line.breaker, closed) {
            (Breaker::Open { until, .. }, _) => (LineState::LeftAlone, Some(until)),
            (Breaker::HalfOpen { .. }, _) => (LineState::Trying, None),
            (Breaker::Closed { .. }, Some(until)) => (LineState::CoolingDown, Some(until)),
            (Breaker::Closed { .. }, None) => (LineState::Open, None),
        };
        LineGate {
            state,
            until: until.map(|until| self.start + until),
            in_flight: line.open,
        }
    }
}

/// What a try to enter came to.
enum Tried {
    Entry(Entry),
    /// A time was kept for the call.
    At(Duration),
    /// All places are taken.
    Full,
}

impl Gate {
    fn line(&self) -> MutexGuard<'_, Line> {
        // Each change leaves the line whole: a panic elsewhere leaves nothing half-done.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_enter(self: &Arc<Self>, name: &str, model: &Model, kept: &mut bool) -> Tried {
        let now = self.start.elapsed();
        let mut line = self.line();
        if line.open >= line.throttle.places(model.concurrency) {
            return Tried::Full;
        }
        if !*kept {
            match line.throttle.start(PLACE_WAIT, now) {
                Start::Now => {}
                Start::At(at) => {
                    *kept = true;
                    return Tried::At(at);
                }
                Start::Later(wait) => return Tried::Entry(Entry::Wait(wait)),
            }
        }
        let timeout = model.timeout;
        let probe = match line.ask(Event::Asked { timeout }, now, name) {
            Some(Effect::Wait(wait)) => return Tried::Entry(Entry::Wait(wait)),
            Some(Effect::Probe) => true,
            Some(Effect::Call) | None => false,
        };
        line.open += 1;
        Tried::Entry(Entry::Pass(Pass {
            gate: Arc::clone(self),
            model: name.to_owned(),
            most: model.concurrency,
            probe,
            began: now,
            ended: false,
        }))
    }
}

impl Line {
    fn ask(&mut self, event: Event, now: Duration, model: &str) -> Option<Effect> {
        let was_open = self.breaker.is_open();
        let (next, effect) = self.breaker.apply(event, now);
        self.breaker = next;
        if was_open != next.is_open() {
            meter::breaker(model, next.is_open());
            if next.is_open() {
                tracing::warn!(
                    model,
                    "half of the last calls failed: the model is left alone for a while"
                );
            } else {
                tracing::info!(model, "the model works again");
            }
        }
        effect
    }
}

impl Pass {
    /// Says how the call ended. Returns how long everybody who shares the line should stay away, where that shows.
    pub(crate) fn end(mut self, end: CallEnd) -> Option<Duration> {
        self.tell(end)
    }

    fn tell(&mut self, end: CallEnd) -> Option<Duration> {
        self.ended = true;
        let now = self.gate.start.elapsed();
        let mut guard = self.gate.line();
        let line = &mut *guard;
        let before = line.throttle.places(self.most);
        let (pause, how) = match end {
            CallEnd::Answered => {
                line.throttle.answered(line.open, self.most, now);
                (None, Ended::Worked)
            }
            CallEnd::Refused { wait } => {
                let pause = line.throttle.refused(self.began, wait, line.open, now);
                (pause, Ended::Unsaid)
            }
            CallEnd::TimedOut => {
                line.throttle.timed_out(self.began, now);
                (None, Ended::Failed)
            }
            // An endpoint that fails and names a time is as full as one that refuses.
            CallEnd::Failed { wait: Some(wait) } => {
                let pause = line.throttle.refused(self.began, Some(wait), line.open, now);
                (pause, Ended::Failed)
            }
            CallEnd::Failed { wait: None } => (None, Ended::Failed),
            CallEnd::Unsaid => (None, Ended::Unsaid),
        };
        let more = line.throttle.places(self.most).saturating_sub(before);
        line.open = line.open.saturating_sub(1);
        let probe = self.probe;
        line.ask(Event::Ended { probe, how }, now, &self.model);
        drop(guard);
        for _ in 0..=more {
            self.gate.freed.notify_one();
        }
        pause
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.ended {
            // Cut off, or a panic: nobody knows whether the call would have worked.
            let _none = self.tell(CallEnd::Unsaid);
        }
    }
}
