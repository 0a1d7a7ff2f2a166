//! What a worker has in hand right now, for whoever wants to look.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_domain::id::LineId;
use gristmill_domain::stage::Stage;
use gristmill_ports::line::{FAILS_NOW_MS, LineReport};
use gristmill_ports::model::status_in;
use tokio::time::Instant;

use crate::line_watch::{Failed, LineWatch};
use crate::meter;

/// How long nothing is answered at a line before people are told, and after how many calls: one may be bad luck.
const SILENT_FROM: Duration = Duration::from_secs(10);
const SILENT_CALLS: u32 = 3;
/// Time after which a cause is history where another one goes on.
const HAPPENS_NOW: Duration = Duration::from_millis(FAILS_NOW_MS);
/// Time after the last call at which a silence is history: longer than any task is put off.
const FORGOTTEN: Duration = Duration::from_secs(360);

/// A cheap look at a running worker: as good as the moment it is taken.
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    draining: AtomicBool,
    /// By order of arrival, so that the first is the oldest.
    hands: Mutex<Hands>,
    /// Lines whose last call was not answered.
    unanswered: Mutex<BTreeMap<LineId, Unanswered>>,
    lines: LineWatch,
}

#[derive(Debug)]
struct Unanswered {
    since: Instant,
    last: Instant,
    calls: u32,
    /// By the HTTP status that was answered, `None` where nothing was.
    causes: BTreeMap<Option<u16>, Cause>,
}

#[derive(Debug)]
struct Cause {
    /// Of the first call: one that names a number or a time would be news at each.
    reason: String,
    last: Instant,
    calls: u32,
    burned: u32,
}

impl Unanswered {
    /// The cause that matters most: of those that happen now the one that costs most, then the most frequent.
    fn reason(&self) -> String {
        let rank = |cause: &Cause| {
            let now = self.last.duration_since(cause.last) < HAPPENS_NOW;
            (now, cause.burned, cause.calls)
        };
        let causes = self.causes.values().max_by_key(|cause| rank(cause));
        causes.map_or_else(String::new, |cause| cause.reason.clone())
    }
}

/// A line at which no call is answered, for as long as people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The line.
    pub line: LineId,
    /// Since the first call of them all that was not answered.
    pub lasts: Duration,
    /// Why calls are not answered, with the model and its address: of several causes the one that costs most.
    pub reason: String,
}

#[derive(Debug, Default)]
struct Hands {
    taken: u64,
    busy: BTreeMap<u64, (Stage, Instant)>,
}

impl Handle {
    /// Deliveries being worked on, by stage; a stage without any is left out.
    pub fn in_flight(&self) -> BTreeMap<Stage, usize> {
        let mut counts = BTreeMap::new();
        for (stage, _) in self.hands().busy.values() {
            *counts.entry(*stage).or_default() += 1;
        }
        counts
    }

    /// Age of the oldest delivery in hand, its waits included: one far above the longest call's time-out means that something hangs.
    pub fn oldest_attempt(&self) -> Option<Duration> {
        let hands = self.hands();
        let (_, since) = hands.busy.values().next()?;
        Some(since.elapsed())
    }

    /// True once the worker was told to stop: it takes nothing new.
    pub fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Lines at which no call is answered.
    pub fn silences(&self) -> Vec<Silence> {
        let mut unanswered = self.unanswered();
        unanswered.retain(|_, calls| calls.last.elapsed() < FORGOTTEN);
        let told = unanswered.iter().filter(|(_, calls)| calls.calls >= SILENT_CALLS);
        let silences = told.map(|(line, calls)| Silence {
            line: *line,
            lasts: calls.since.elapsed(),
            reason: calls.reason(),
        });
        silences.filter(|silence| silence.lasts >= SILENT_FROM).collect()
    }

    /// What was seen of its lines lately, those that were used last first.
    pub fn lines(&self) -> Vec<LineReport> {
        self.0.lines.report()
    }

    /// Where what is seen of lines is noted.
    pub(crate) fn watch(&self) -> &LineWatch {
        &self.0.lines
    }

    /// A call was answered at a line.
    pub(crate) fn answered(&self, line: LineId) {
        self.unanswered().remove(&line);
    }

    /// A call was not answered at a line.
    pub(crate) fn not_answered(&self, line: LineId, failed: Failed<'_>) {
        let mut unanswered = self.unanswered();
        let now = Instant::now();
        let calls = unanswered.entry(line).or_insert_with(|| Unanswered {
            since: now,
            last: now,
            calls: 0,
            causes: BTreeMap::new(),
        });
        calls.last = now;
        calls.calls += 1;
        let status = status_in(failed.reason);
        let cause = calls.causes.entry(status).or_insert_with(|| Cause {
            reason: failed.reason.to_owned(),
            last: now,
            calls: 0,
            burned: 0,
        });
        cause.last = now;
        cause.calls += 1;
        cause.burned += u32::from(failed.burned);
    }

    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Counts a delivery as in hand until the guard is dropped.
    pub(crate) fn take(&self, stage: Stage) -> InHand {
        let mut hands = self.hands();
        hands.taken += 1;
        let number = hands.taken;
        hands.busy.insert(number, (stage, Instant::now()));
        meter::in_flight(stage, 1.0);
        InHand {
            handle: self.clone(),
            number,
        }
    }

    // Under both locks each change is a single step: a panic elsewhere leaves nothing half-done.

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unanswered(&self) -> MutexGuard<'_, BTreeMap<LineId, Unanswered>> {
        self.0.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One delivery in hand.
#[derive(Debug)]
pub(crate) struct InHand {
    handle: Handle,
    number: u64,
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some((stage, _)) = self.handle.hands().busy.remove(&self.number) {
            meter::in_flight(stage, -1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_counts_by_stage_and_knows_the_oldest() {
        let handle = Handle::default();
        assert_eq!((handle.oldest_attempt(), handle.draining()), (None, false));
        let first = handle.take(Stage::Judge);
        tokio::time::advance(Duration::from_secs(5)).await;
        let second = handle.take(Stage::Generate);
        let third = handle.take(Stage::Generate);
        assert_eq!(
            handle.in_flight(),
            BTreeMap::from([(Stage::Generate, 2), (Stage::Judge, 1)])
        );
        assert_eq!(handle.oldest_attempt(), Some(Duration::from_secs(5)));
        drop(first);
        assert_eq!(handle.oldest_attempt(), Some(Duration::ZERO));
        drop((second, third));
        assert!(handle.in_flight().is_empty());
    }
    #[tokio::test(start_paused = true)]
    async fn a_line_is_silent_from_its_first_unanswered_call_to_its_next_answer() {
        let (handle, line) = (Handle::default(), LineId::of(&[b"line"]));
        let refused = |reason| Failed {
            reason,
            burned: false,
        };
        handle.not_answered(line, refused("connection refused"));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(handle.silences(), [], "it may be a moment");
        tokio::time::advance(Duration::from_secs(3)).await;
        handle.not_answered(line, refused("no answer in time"));
        assert_eq!(handle.silences(), [], "and two may be bad luck");
        handle.not_answered(line, refused("no answer in time"));
        let silence = Silence {
            line,
            lasts: Duration::from_secs(12),
            reason: "connection refused".into(),
        };
        assert_eq!(handle.silences(), [silence]);
        handle.answered(line);
        assert_eq!(handle.silences(), []);
        for _ in 0..3 {
            handle.not_answered(line, refused("again"));
        }
        assert_eq!(handle.silences(), [], "counted anew");
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(handle.silences().len(), 1);
        tokio::time::advance(Duration::from_secs(400)).await;
        assert_eq!(handle.silences(), [], "nobody has called since");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_names_what_costs_most_now() {
        let (handle, line) = (Handle::default(), LineId::of(&[b"line"]));
        let fails = |reason: &str, burned, calls| {
            for _ in 0..calls {
                handle.not_answered(line, Failed { reason, burned });
            }
        };
        let named = || handle.silences().remove(0).reason;
        fails("`m` at http://a answered 429: wait 1 s", false, 20);
        tokio::time::advance(SILENT_FROM).await;
        assert_eq!(named(), "`m` at http://a answered 429: wait 1 s");
        fails("`m` at http://a answered 500: 1", true, 1);
        fails("`m` at http://a answered 500: 2", true, 1);
        assert_eq!(named(), "`m` at http://a answered 500: 1", "they burn money");
        tokio::time::advance(HAPPENS_NOW).await;
        fails("`m` at http://a answered 429: wait 2 s", false, 1);
        assert_eq!(
            named(),
            "`m` at http://a answered 429: wait 1 s",
            "the others are over"
        );
    }
}
