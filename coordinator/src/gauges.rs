//! What a run's driver last saw of its books and its tasks, for the metrics of the process that drives it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, Books};
use gristmill_domain::stage::Stage;
use gristmill_ports::metric::Sample;
use gristmill_ports::metric::run::{
    ALERTS, LAST_RESULT, LIMIT_CALLS, LIMIT_USD, OLDEST_TASK, OPEN_TASKS, STAGE_LIMIT_CALLS, STAGE_LIMIT_USD,
    UNABSORBED, USED_CALLS, USED_USD,
};

/// A run as its driver last saw it. Clones show the same run.
#[derive(Debug, Clone, Default)]
pub struct RunGauges(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    account: Option<Account>,
    /// When the oldest open task of each stage was opened.
    oldest: BTreeMap<Stage, SystemTime>,
    last_result: Option<SystemTime>,
}

impl RunGauges {
    /// Shows the account, and since when its oldest tasks are open.
    pub(crate) fn see(&self, account: &Account, oldest: BTreeMap<Stage, SystemTime>) {
        let mut seen = self.seen();
        seen.account = Some(account.clone());
        seen.oldest = oldest;
    }

    /// Shows that a result came, or that one is waited for from now on.
    pub(crate) fn result(&self, at: SystemTime) {
        self.seen().last_result = Some(at);
    }

    /// What there is to say of the run; of one that nobody drives any more, nothing that moves by itself.
    pub(crate) fn samples(&self, run: RunId, driven: bool) -> Vec<Sample> {
        let seen = self.seen();
        let Some(account) = &seen.account else {
            return Vec::new();
        };
        let mut samples = Samples {
            run: run.to_string(),
            list: Vec::new(),
        };
        samples.limit([LIMIT_USD, LIMIT_CALLS], &[], account.limit);
        for (stage, limit) in &account.stage_limits {
            samples.limit([STAGE_LIMIT_USD, STAGE_LIMIT_CALLS], &[stage.name()], *limit);
        }
        for (stage, models) in &account.books {
            for (model, books) in models {
                samples.books(*stage, model, books);
            }
        }
        for (stage, counts) in &account.counts {
            samples.push(OPEN_TASKS, &[stage.name()], counts.open as f64);
        }
        let counts = account.counts_total();
        let unabsorbed = (counts.done + counts.failed).saturating_sub(counts.archived);
        samples.push(UNABSORBED, &[], unabsorbed as f64);
        samples.push(ALERTS, &[], account.alerts_total as f64);
        if driven {
            for (stage, since) in &seen.oldest {
                samples.push(OLDEST_TASK, &[stage.name()], unix(*since));
            }
            if let Some(at) = seen.last_result {
                samples.push(LAST_RESULT, &[], unix(at));
            }
        }
        samples.list
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Each change is a single step: a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Samples {
    run: String,
    list: Vec<Sample>,
}

impl Samples {
    fn push(&mut self, name: &'static str, labels: &[&str], value: f64) {
        let run = std::iter::once(self.run.clone());
        let labels = run.chain(labels.iter().map(|&label| label.to_owned())).collect();
        self.list.push(Sample { name, labels, value });
    }

    fn limit(&mut self, [usd, calls]: [&'static str; 2], labels: &[&str], limit: Limit) {
        if let Some(money) = limit.usd {
            self.push(usd, labels, money.as_usd());
        }
        if let Some(number) = limit.calls {
            self.push(calls, labels, number as f64);
        }
    }

    fn books(&mut self, stage: Stage, model: &str, books: &Books) {
        let Books {
            started,
            spent,
            burned,
        } = *books;
        for (state, amount) in [("held", started), ("spent", spent), ("burned", burned)] {
            let Amount { usd, calls, .. } = amount;
            let labels = [stage.name(), model, state];
            self.push(USED_USD, &labels, usd.as_usd());
            self.push(USED_CALLS, &labels, calls as f64);
        }
    }
}

/// Seconds since 1970.
fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gristmill_domain::amount::MicroUsd;
    use gristmill_domain::ledger::{Counts, NewAccount};

    use super::*;

    #[test]
    fn a_run_shows_its_limits_books_and_tasks_and_no_times_once_nobody_drives_it() {
        let run = RunId::of(&[b"run"]);
        let limit = Limit {
            usd: Some(MicroUsd(2_500_000)),
            calls: None,
        };
        let mut account = Account::new(NewAccount {
            run,
            limit,
            price_hash: String::new(),
            lease_ms: 1,
            republish_ms: 1,
        });
        let calls = |calls| Amount {
            usd: MicroUsd(calls * 1_000),
            calls,
            ..Amount::ZERO
        };
        let books = Books {
            started: calls(1),
            spent: calls(20),
            burned: calls(3),
        };
        let of_model = BTreeMap::from([("m".to_owned(), books)]);
        account.books.insert(Stage::Judge, of_model);
        let counts = Counts {
            planned: 12,
            open: 4,
            done: 7,
            failed: 1,
            archived: 5,
            ..Counts::default()
        };
        account.counts.insert(Stage::Judge, counts);
        account.stage_limits.insert(
            Stage::Generate,
            Limit {
                usd: None,
                calls: Some(9),
            },
        );

        let gauges = RunGauges::default();
        assert_eq!(gauges.samples(run, true), [], "nothing is known yet");
        let at = UNIX_EPOCH + Duration::from_millis(1_500);
        gauges.result(at);
        gauges.see(&account, BTreeMap::from([(Stage::Judge, at)]));
        let shown = |driven| -> BTreeMap<String, f64> {
            let samples = gauges.samples(run, driven).into_iter();
            samples
                .map(|sample| {
                    assert_eq!(sample.labels[0], run.to_string());
                    (
                        format!("{} {}", sample.name, sample.labels[1..].join(" ")),
                        sample.value,
                    )
                })
                .collect()
        };
        let mut expected = BTreeMap::from(
            [
                ("limit_usd ", 2.5),
                ("stage_limit_calls generate", 9.0),
                ("used_usd judge m held", 0.001),
                ("used_usd judge m spent", 0.02),
                ("used_usd judge m burned", 0.003),
                ("used_calls judge m held", 1.0),
                ("used_calls judge m spent", 20.0),
                ("used_calls judge m burned", 3.0),
                ("open_tasks judge", 4.0),
                ("unabsorbed_results ", 3.0),
                ("alerts ", 0.0),
                ("oldest_task_timestamp_seconds judge", 1.5),
                ("last_result_timestamp_seconds ", 1.5),
            ]
            .map(|(name, value)| (format!("gristmill_run_{name}"), value)),
        );
        assert_eq!(shown(true), expected);
        expected.retain(|name, _| !name.contains("timestamp"));
        assert_eq!(shown(false), expected);
    }
}
