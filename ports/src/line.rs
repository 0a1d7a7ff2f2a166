//! What a worker says of each of its lines with every beat: rates, latencies, errors, and whether calls are kept back. Bounded in size, and made so
//! that what several workers say of one line can be added up.

use std::collections::BTreeMap;

use gristmill_domain::id::RunId;
use serde::{Deserialize, Serialize};

/// Lines that a worker reports, those that were used last.
pub const LINES_MAX: usize = 24;
/// Runs that a line names, those that used it last.
pub const LINE_RUNS_MAX: usize = 8;
/// Kinds of failures that a line names: those whose cost is unknown come first, then the most frequent.
pub const FAILURES_MAX: usize = 4;
/// Characters of what a failure says.
pub const FAILURE_CHARS_MAX: usize = 160;
/// Time over which calls are counted by latency and errors by class, seconds; requests and tokens are those of the last minute.
pub const LINE_OVER_SECONDS: u64 = 600;
/// Classes of latency: each ends here, milliseconds; the last class holds all that took longer.
pub const LATENCY_BOUNDS_MS: [u64; 20] = [
    50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000, 24_000,
    32_000, 60_000, 120_000, 300_000,
];

/// Whether a worker makes calls at a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// It does.
    #[default]
    Open,
    /// The provider turned calls away: none is made for a while.
    CoolingDown,
    /// One call shows whether the endpoint works again.
    Trying,
    /// Half of the last calls failed: none is made for a while.
    LeftAlone,
}

impl LineState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::CoolingDown, Self::Trying, Self::LeftAlone];

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CoolingDown => "cooling_down",
            Self::Trying => "trying",
            Self::LeftAlone => "left_alone",
        }
    }

    /// The state of a name; one that this version does not know says nothing against calls.
    pub fn of_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or_default()
    }
}

/// A line, as one worker sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LineReport {
    /// Name of the model, as the run that used it last names it.
    pub model: String,
    /// Runs that used it last, at most [`LINE_RUNS_MAX`].
    pub runs: Vec<RunId>,
    /// Whether calls are made.
    pub state: LineState,
    /// Where none are made now, for how long, milliseconds.
    pub wait_ms: Option<u64>,
    /// Calls in flight.
    pub in_flight: u32,
    /// Requests of the last minute, and tokens that they used as far as that is known.
    pub requests: u64,
    /// Prompt tokens of the last minute.
    pub input_tokens: u64,
    /// Completion tokens of the last minute.
    pub output_tokens: u64,
    /// Answered calls by latency: as many classes as [`LATENCY_BOUNDS_MS`] has bounds, and one more.
    pub latencies: Vec<u32>,
    /// Calls that brought no answer, by class.
    pub errors: BTreeMap<String, u64>,
    /// The same by what was answered, at most [`FAILURES_MAX`].
    pub failures: Vec<LineFailure>,
}

/// Calls of one line that failed alike, over [`LINE_OVER_SECONDS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LineFailure {
    /// The HTTP status that was answered, or the class of the failure where nothing was.
    pub kind: String,
    /// Calls that failed so.
    pub calls: u64,
    /// Those of them whose cost is unknown: they count at their worst case.
    pub burned: u64,
    /// How long ago the last one failed, milliseconds.
    pub ago_ms: u64,
    /// What the last one said, at most [`FAILURE_CHARS_MAX`].
    pub reason: String,
}

/// Time after which a failure is history where another kind fails now.
pub const FAILS_NOW_MS: u64 = 60_000;

impl LineFailure {
    /// Adds what another worker says of the same failures.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.burned += other.burned;
        if other.ago_ms < self.ago_ms || self.reason.is_empty() {
            (self.ago_ms, self.reason) = (other.ago_ms, other.reason);
        }
    }

    /// What is first among failures of one line: those that happen now, of these the ones that cost most, then the most frequent.
    pub fn order(&self) -> impl Ord + use<> {
        (
            self.ago_ms >= FAILS_NOW_MS,
            std::cmp::Reverse(self.burned),
            std::cmp::Reverse(self.calls),
            self.ago_ms,
        )
    }
}

/// The class of a latency.
pub fn latency_class(ms: u64) -> usize {
    LATENCY_BOUNDS_MS.partition_point(|bound| *bound < ms)
}

/// The latency that this share of calls does not exceed, milliseconds, taken evenly within its class; `None` without calls. Of calls in the last class,
/// where it begins.
pub fn latency_quantile(classes: &[u32], share: f64) -> Option<u64> {
    let all: u64 = classes.iter().map(|calls| u64::from(*calls)).sum();
    if all == 0 {
        return None;
    }
    let wanted = share.clamp(0.0, 1.0) * all as f64;
    let mut below = 0.0;
    for (class, calls) in classes.iter().enumerate() {
        let calls = f64::from(*calls);
        if calls > 0.0 && below + calls >= wanted {
            let from = class
                .checked_sub(1)
                .and_then(|class| LATENCY_BOUNDS_MS.get(class))
                .copied();
            let from = from.unwrap_or(0);
            let to = LATENCY_BOUNDS_MS.get(class).copied().unwrap_or(from);
            let part = ((wanted - below) / calls).clamp(0.0, 1.0);
            return Some(from + (part * (to - from) as f64).round() as u64);
        }
        below += calls;
    }
    LATENCY_BOUNDS_MS.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_class_of_its_call() {
        assert_eq!(latency_quantile(&[], 0.5), None);
        let mut classes = vec![0; LATENCY_BOUNDS_MS.len() + 1];
        for ms in [120, 150, 180, 900] {
            classes[latency_class(ms)] += 1;
        }
        let [half, most] = [0.5, 0.95].map(|share| latency_quantile(&classes, share).unwrap());
        assert!((100..=200).contains(&half), "{half}");
        assert!((750..=1_000).contains(&most), "{most}");
        classes[latency_class(900_000)] += 100;
        assert_eq!(latency_quantile(&classes, 0.95), Some(300_000), "at least");
    }

    #[test]
    fn classes_hold_their_bounds() {
        assert_eq!(
            (latency_class(0), latency_class(50), latency_class(51)),
            (0, 0, 1)
        );
        assert_eq!(latency_class(u64::MAX), LATENCY_BOUNDS_MS.len());
        assert!(LATENCY_BOUNDS_MS.is_sorted());
        assert!(
            LineState::ALL
                .iter()
                .all(|state| LineState::of_name(state.name()) == *state)
        );
        assert_eq!(LineState::of_name("of tomorrow"), LineState::Open);
    }
}
