//! What runs had come to at times in the past, for rates and the course of the budget. Kept in memory since this process looks; thinned out, so
//! that a run of weeks takes no more than one of an hour.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use gristmill_domain::amount::Amount;
use gristmill_domain::stage::Stage;
use gristmill_proto::v1;

/// Samples of a run at most; when there are more, every other one goes.
const SAMPLES_MAX: usize = 240;
/// Runs at most; the one that was looked at longest ago makes room.
const RUNS_MAX: usize = 200;
/// The time that a rate is taken over at most, milliseconds.
const RATE_OVER_MS: u64 = 120_000;
/// The shortest time that says anything about a rate, milliseconds.
const RATE_OVER_MS_MIN: u64 = 4_000;

/// What a run had come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// When, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Candidates decided, and those of them that were accepted.
    pub(crate) decided: u64,
    pub(crate) accepted: u64,
    pub(crate) spent: Amount,
    pub(crate) burned: Amount,
    pub(crate) held: Amount,
    /// Tasks done, by stage in the order of [`Stage::ALL`].
    pub(crate) done: [u64; 3],
}

/// How fast a run goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pace {
    /// The time that it was watched for, of the last two minutes, seconds.
    pub(crate) over_seconds: u64,
    /// Accepted rows a second.
    pub(crate) accepted: f64,
    /// Decided candidates a second.
    pub(crate) decided: f64,
    /// Micro-dollars a second.
    pub(crate) usd: f64,
    /// Calls a second.
    pub(crate) calls: f64,
    /// Tasks done a second, by stage in the order of [`Stage::ALL`].
    pub(crate) done: [f64; 3],
}

/// Samples of all runs.
#[derive(Default)]
pub(crate) struct Samples {
    runs: Mutex<HashMap<String, VecDeque<Sample>>>,
}

impl Samples {
    /// Keeps what a run has come to now.
    pub(crate) fn see(&self, run: &v1::Run, now_ms: u64) {
        // One whose rows are not known would begin with a jump.
        let Some(progress) = &run.progress else {
            return;
        };
        let amount = |amount: Option<v1::Amount>| amount.map(Amount::from).unwrap_or_default();
        let sample = Sample {
            at_ms: now_ms,
            decided: progress.decided.max(progress.settled),
            accepted: progress.accepted.max(progress.settled_accepted),
            spent: amount(run.spent),
            burned: amount(run.burned),
            held: amount(run.held),
            done: done(run),
        };
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= RUNS_MAX && !runs.contains_key(&run.run) {
            let last = |samples: &VecDeque<Sample>| samples.back().map_or(0, |sample| sample.at_ms);
            let oldest = runs
                .iter()
                .min_by_key(|(_, samples)| last(samples))
                .map(|(run, _)| run.clone());
            oldest.and_then(|oldest| runs.remove(&oldest));
        }
        let samples = runs.entry(run.run.clone()).or_default();
        samples.push_back(sample);
        if samples.len() > SAMPLES_MAX {
            thin_out(samples);
        }
    }

    /// The samples of a run, in order.
    pub(crate) fn of(&self, run: &str) -> Vec<Sample> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(run)
            .map(|samples| samples.iter().copied().collect())
            .unwrap_or_default()
    }

    /// How fast a run went lately; `None` where it was not looked at for long enough.
    pub(crate) fn pace(&self, run: &str, now_ms: u64) -> Option<Pace> {
        pace(&self.of(run), now_ms)
    }
}

fn done(run: &v1::Run) -> [u64; 3] {
    let counts = |stage: Stage| {
        let wanted = v1::Stage::from(stage);
        let account = run.account.as_ref()?;
        account.counts.iter().find(|counts| counts.stage() == wanted)
    };
    Stage::ALL.map(|stage| counts(stage).map_or(0, |counts| counts.done))
}

/// Halves the older half: what is recent stays fine enough for a rate.
fn thin_out(samples: &mut VecDeque<Sample>) {
    let old = samples.len() / 2;
    let mut number = 0;
    samples.retain(|_| {
        number += 1;
        number > old || number % 2 == 1
    });
}

fn pace(samples: &[Sample], now_ms: u64) -> Option<Pace> {
    let last = samples
        .last()
        .filter(|last| now_ms.saturating_sub(last.at_ms) < RATE_OVER_MS)?;
    let first = samples
        .iter()
        .find(|sample| last.at_ms - sample.at_ms <= RATE_OVER_MS)?;
    let over_ms = last.at_ms - first.at_ms;
    if over_ms < RATE_OVER_MS_MIN {
        return None;
    }
    let seconds = over_ms as f64 / 1_000.0;
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
    let gone = |sample: &Sample| sample.spent + sample.burned;
    Some(Pace {
        over_seconds: over_ms.div_ceil(1_000),
        accepted: rate(first.accepted, last.accepted),
        decided: rate(first.decided, last.decided),
        usd: rate(gone(first).usd.0, gone(last).usd.0),
        calls: rate(gone(first).calls, gone(last).calls),
        done: [0, 1, 2].map(|stage| rate(first.done[stage], last.done[stage])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: u64, accepted: u64) -> Sample {
        Sample {
            at_ms,
            decided: 2 * accepted,
            accepted,
            spent: Amount::default(),
            burned: Amount::default(),
            held: Amount::default(),
            done: [0; 3],
        }
    }

    #[test]
    fn a_rate_is_of_the_last_minutes_and_needs_some_time() {
        assert_eq!(pace(&[sample(1_000, 0)], 1_000), None);
        assert_eq!(pace(&[sample(1_000, 0), sample(2_000, 9)], 2_000), None);
        // The first is too long ago.
        let samples = [sample(0, 0), sample(200_000, 1_000), sample(210_000, 1_050)];
        let found = pace(&samples, 211_000).unwrap();
        assert_eq!((found.accepted, found.decided), (5.0, 10.0));
        assert_eq!(found.over_seconds, 10, "and not two minutes");
        assert_eq!(pace(&samples, 900_000), None, "nobody looked since");
    }

    #[test]
    fn samples_are_thinned_out_and_the_first_and_last_stay() {
        let all = Samples::default();
        let run = |accepted| v1::Run {
            run: "27d5".to_owned(),
            progress: Some(v1::Progress {
                accepted,
                ..v1::Progress::default()
            }),
            ..v1::Run::default()
        };
        for second in 0..2_000 {
            all.see(&run(second), second * 1_000);
        }
        let kept = all.of("27d5");
        assert!(kept.len() <= SAMPLES_MAX, "{}", kept.len());
        assert_eq!((kept[0].at_ms, kept[kept.len() - 1].at_ms), (0, 1_999_000));
        assert!(kept.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        assert!(all.pace("27d5", 1_999_000).unwrap().accepted > 0.9);
        assert_eq!(all.pace("else", 0), None);
    }
}
