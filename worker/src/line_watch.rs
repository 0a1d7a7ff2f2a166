//! What a worker has seen of its lines lately: requests, tokens, latencies and errors, in a ring of ten-second parts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_domain::id::{LineId, RunId};
use gristmill_ports::limiter::Demand;
use gristmill_ports::line::{
    FAILURE_CHARS_MAX, FAILURES_MAX, LATENCY_BOUNDS_MS, LINE_OVER_SECONDS, LINE_RUNS_MAX, LINES_MAX,
    LineFailure, LineReport, LineState, latency_class,
};
use gristmill_ports::model::status_in;
use tokio::time::Instant;

use crate::wait::millis;

/// Time of a part of the ring.
const PART: Duration = Duration::from_secs(10);
/// Parts of the ring, and those of the last minute.
const PARTS: usize = (LINE_OVER_SECONDS / 10) as usize;
const PARTS_MINUTE: usize = 6;

/// How a call ended, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// With an answer, which used this.
    Answered(Demand),
    /// The provider refused the request.
    Refused,
    /// The provider turned it away: too many calls, or overload.
    Throttled,
    /// No answer came within the model's time.
    TimedOut,
    /// The endpoint failed, or the connection.
    Failed,
    /// An answer came that cannot be read.
    Unreadable,
}

const ERRORS: [&str; 5] = ["refused", "throttled", "timeout", "failed", "unreadable"];

/// Kinds of failures of a line that are told apart; of more, the one that is longest ago is forgotten.
const KINDS_MAX: usize = 12;

/// What a call that brought no answer came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) reason: &'a str,
    /// Nobody knows what it cost.
    pub(crate) burned: bool,
}

impl Failed<'_> {
    /// The HTTP status that was answered, or the class of the failure where nothing was.
    fn kind(self, end: LineEnd) -> String {
        match (status_in(self.reason), end.error()) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => ERRORS[error].to_owned(),
            (None, None) => "other".to_owned(),
        }
    }
}

/// Failures of one kind.
#[derive(Debug)]
struct Kind {
    /// Calls and those whose cost is unknown, by the part of the ring.
    parts: VecDeque<(u64, u64, u64)>,
    last: Instant,
    reason: String,
}

impl Kind {
    fn add(&mut self, number: u64, failed: Failed<'_>) {
        if self.parts.back().is_none_or(|(part, ..)| *part != number) {
            self.parts.push_back((number, 0, 0));
            if self.parts.len() > PARTS {
                self.parts.pop_front();
            }
        }
        if let Some((_, calls, burned)) = self.parts.back_mut() {
            *calls += 1;
            *burned += u64::from(failed.burned);
        }
        self.last = Instant::now();
        self.reason = failed.reason.chars().take(FAILURE_CHARS_MAX).collect();
    }

    fn report(&self, kind: &str, number: u64) -> LineFailure {
        let lately = self
            .parts
            .iter()
            .filter(|(part, ..)| number.saturating_sub(*part) < PARTS as u64);
        let (calls, burned) = lately.fold((0, 0), |(calls, burned), (_, more, lost)| {
            (calls + more, burned + lost)
        });
        LineFailure {
            kind: kind.to_owned(),
            calls,
            burned,
            ago_ms: millis(self.last.elapsed()),
            reason: self.reason.clone(),
        }
    }
}

impl LineEnd {
    fn error(self) -> Option<usize> {
        match self {
            Self::Answered(_) => None,
            Self::Refused => Some(0),
            Self::Throttled => Some(1),
            Self::TimedOut => Some(2),
            Self::Failed => Some(3),
            Self::Unreadable => Some(4),
        }
    }
}

/// Whether calls are made at a line, and until when not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LineGate {
    pub(crate) state: LineState,
    pub(crate) until: Option<Instant>,
    pub(crate) in_flight: u32,
}

/// Ten seconds of a line.
#[derive(Debug, Clone)]
struct Part {
    number: u64,
    requests: u64,
    usage: Demand,
    latencies: [u32; LATENCY_BOUNDS_MS.len() + 1],
    errors: [u64; ERRORS.len()],
}

#[derive(Debug)]
struct Line {
    model: String,
    runs: VecDeque<RunId>,
    used: Instant,
    gate: LineGate,
    parts: VecDeque<Part>,
    failures: BTreeMap<String, Kind>,
}

/// All lines of a worker that were used lately.
#[derive(Debug)]
pub(crate) struct LineWatch {
    start: Instant,
    lines: Mutex<HashMap<LineId, Line>>,
}

impl Default for LineWatch {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            lines: Mutex::default(),
        }
    }
}

impl LineWatch {
    /// Each change under the lock leaves a line whole.
    fn lines(&self) -> MutexGuard<'_, HashMap<LineId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run uses a line, whose gate stands so.
    pub(crate) fn see(&self, id: LineId, model: &str, run: RunId, gate: LineGate) {
        let mut lines = self.lines();
        lines.retain(|_, line| line.used.elapsed() < Duration::from_secs(LINE_OVER_SECONDS));
        let line = lines.entry(id).or_insert_with(|| Line {
            model: String::new(),
            runs: VecDeque::new(),
            used: Instant::now(),
            gate,
            parts: VecDeque::new(),
            failures: BTreeMap::new(),
        });
        (line.used, line.gate) = (Instant::now(), gate);
        if line.model != model {
            model.clone_into(&mut line.model);
        }
        if line.runs.front() != Some(&run) {
            line.runs.retain(|known| *known != run);
            line.runs.push_front(run);
            line.runs.truncate(LINE_RUNS_MAX);
        }
    }

    /// A call ended that took this long; what it came to where it brought no answer.
    pub(crate) fn ended(&self, id: LineId, end: LineEnd, took: Duration, failed: Option<Failed<'_>>) {
        let number = self.start.elapsed().as_secs() / PART.as_secs();
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&id) else {
            return;
        };
        let part = line.part(number);
        part.requests += 1;
        match end.error() {
            Some(error) => part.errors[error] += 1,
            None => part.latencies[latency_class(millis(took))] += 1,
        }
        if let LineEnd::Answered(usage) = end {
            part.usage.input_tokens += usage.input_tokens;
            part.usage.output_tokens += usage.output_tokens;
        }
        if let Some(failed) = failed {
            line.failed(number, failed.kind(end), failed);
        }
    }

    /// What there is to say of the lines, those that were used last first.
    pub(crate) fn report(&self) -> Vec<LineReport> {
        let number = self.start.elapsed().as_secs() / PART.as_secs();
        let lines = self.lines();
        let mut lately: Vec<&Line> = lines.values().collect();
        lately.retain(|line| line.used.elapsed() < Duration::from_secs(LINE_OVER_SECONDS));
        lately.sort_by_key(|line| std::cmp::Reverse(line.used));
        lately.truncate(LINES_MAX);
        lately.into_iter().map(|line| line.report(number)).collect()
    }
}

impl Line {
    fn failed(&mut self, number: u64, kind: String, failed: Failed<'_>) {
        if self.failures.len() >= KINDS_MAX
            && !self.failures.contains_key(&kind)
            && let Some(oldest) = self
                .failures
                .iter()
                .min_by_key(|(_, kind)| kind.last)
                .map(|(name, _)| name.clone())
        {
            self.failures.remove(&oldest);
        }
        let kind = self.failures.entry(kind).or_insert_with(|| Kind {
            parts: VecDeque::new(),
            last: Instant::now(),
            reason: String::new(),
        });
        kind.add(number, failed);
    }

    fn failures(&self, number: u64) -> Vec<LineFailure> {
        let each = self.failures.iter().map(|(name, kind)| kind.report(name, number));
        let mut failures: Vec<LineFailure> = each.filter(|failure| failure.calls > 0).collect();
        failures.sort_by_cached_key(LineFailure::order);
        failures.truncate(FAILURES_MAX);
        failures
    }

    fn part(&mut self, number: u64) -> &mut Part {
        if self.parts.back().is_none_or(|part| part.number != number) {
            while self.parts.len() >= PARTS {
                self.parts.pop_front();
            }
            self.parts.push_back(Part {
                number,
                requests: 0,
                usage: Demand::NONE,
                latencies: Default::default(),
                errors: Default::default(),
            });
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    fn report(&self, number: u64) -> LineReport {
        let waits = self
            .gate
            .until
            .and_then(|until| until.checked_duration_since(Instant::now()));
        let mut report = LineReport {
            model: self.model.clone(),
            runs: self.runs.iter().copied().collect(),
            // What it waited for is over; the next call tells.
            state: match (self.gate.state, waits) {
                (LineState::CoolingDown, None) => LineState::Open,
                (LineState::LeftAlone, None) => LineState::Trying,
                (state, _) => state,
            },
            wait_ms: waits.map(millis),
            in_flight: self.gate.in_flight,
            latencies: vec![0; LATENCY_BOUNDS_MS.len() + 1],
            failures: self.failures(number),
            ..LineReport::default()
        };
        for part in &self.parts {
            let age = number.saturating_sub(part.number) as usize;
            if age >= PARTS {
                continue;
            }
            if age < PARTS_MINUTE {
                report.requests += part.requests;
                report.input_tokens += part.usage.input_tokens;
                report.output_tokens += part.usage.output_tokens;
            }
            for (sum, calls) in report.latencies.iter_mut().zip(part.latencies) {
                *sum = sum.saturating_add(calls);
            }
            for (name, errors) in ERRORS.iter().zip(part.errors).filter(|(_, errors)| *errors > 0) {
                *report.errors.entry((*name).to_owned()).or_default() += errors;
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, output_tokens: u64) -> Demand {
        Demand {
            input_tokens,
            output_tokens,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_requests_and_ten_of_latencies_are_told() {
        let (watch, line) = (LineWatch::default(), LineId::of(&[b"line"]));
        let run = RunId::of(&[b"run"]);
        watch.ended(line, LineEnd::Failed, Duration::ZERO, None);
        assert_eq!(watch.report(), [], "nobody has used it");
        watch.see(line, "m", run, LineGate::default());
        for _ in 0..3 {
            watch.ended(
                line,
                LineEnd::Answered(usage(10, 4)),
                Duration::from_millis(150),
                None,
            );
        }
        watch.ended(line, LineEnd::Throttled, Duration::from_millis(9), None);
        let told = watch.report().remove(0);
        assert_eq!((told.model.as_str(), &told.runs[..]), ("m", &[run][..]));
        assert_eq!(
            (told.requests, told.input_tokens, told.output_tokens),
            (4, 30, 12)
        );
        assert_eq!(told.latencies.iter().sum::<u32>(), 3);
        assert_eq!(told.errors, [("throttled".to_owned(), 1)].into());
        tokio::time::advance(Duration::from_secs(70)).await;
        let told = watch.report().remove(0);
        assert_eq!((told.requests, told.latencies.iter().sum::<u32>()), (0, 3));
        tokio::time::advance(Duration::from_secs(700)).await;
        assert_eq!(watch.report(), [], "forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_now_and_costs_most_is_told_first() {
        let (watch, line) = (LineWatch::default(), LineId::of(&[b"line"]));
        watch.see(line, "m", RunId::of(&[b"run"]), LineGate::default());
        let fails = |end, reason: &str, burned, calls| {
            for _ in 0..calls {
                let failed = Some(Failed { reason, burned });
                watch.ended(line, end, Duration::ZERO, failed);
            }
        };
        fails(
            LineEnd::Throttled,
            "`m` at http://a answered 429: slow down",
            false,
            50,
        );
        let told = || -> Vec<(String, u64, u64)> {
            let failures = watch.report().remove(0).failures;
            failures
                .into_iter()
                .map(|one| (one.kind, one.calls, one.burned))
                .collect()
        };
        assert_eq!(told(), [("429".to_owned(), 50, 0)]);
        fails(LineEnd::Failed, "`m` at http://a answered 500: no", true, 2);
        fails(LineEnd::TimedOut, "`m` did not answer within 9 s", true, 1);
        let expected = |kinds: [(&str, u64, u64); 3]| {
            kinds
                .map(|(kind, calls, burned)| (kind.to_owned(), calls, burned))
                .to_vec()
        };
        assert_eq!(
            told(),
            expected([("500", 2, 2), ("timeout", 1, 1), ("429", 50, 0)])
        );
        tokio::time::advance(Duration::from_secs(120)).await;
        watch.see(line, "m", RunId::of(&[b"run"]), LineGate::default());
        fails(
            LineEnd::Throttled,
            "`m` at http://a answered 429: slower",
            false,
            1,
        );
        assert_eq!(
            told(),
            expected([("429", 51, 0), ("500", 2, 2), ("timeout", 1, 1)]),
            "only that one happens now"
        );
        let latest = watch.report().remove(0).failures.remove(0);
        assert_eq!(latest.reason, "`m` at http://a answered 429: slower");
        for status in 500..600 {
            let reason = format!("`m` at http://a answered {status}: {}", "x".repeat(500));
            fails(LineEnd::Failed, &reason, true, 1);
        }
        let failures = watch.report().remove(0).failures;
        assert_eq!(failures.len(), FAILURES_MAX);
        assert!(
            failures
                .iter()
                .all(|one| one.reason.chars().count() == FAILURE_CHARS_MAX)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself_and_reports_are_bounded() {
        let watch = LineWatch::default();
        let gate = LineGate {
            state: LineState::LeftAlone,
            until: Some(Instant::now() + Duration::from_secs(5)),
            in_flight: 2,
        };
        for number in 0..100u8 {
            for run in 0..20u8 {
                watch.see(LineId::of(&[&[number]]), "m", RunId::of(&[&[run]]), gate);
            }
        }
        let told = watch.report();
        assert_eq!((told.len(), told[0].runs.len()), (LINES_MAX, LINE_RUNS_MAX));
        assert_eq!(
            (told[0].state, told[0].wait_ms),
            (LineState::LeftAlone, Some(5_000))
        );
        assert!(serde_json::to_vec(&told).unwrap().len() < 32 << 10);
        tokio::time::advance(Duration::from_secs(6)).await;
        let told = watch.report().remove(0);
        assert_eq!((told.state, told.wait_ms), (LineState::Trying, None));
    }
}
