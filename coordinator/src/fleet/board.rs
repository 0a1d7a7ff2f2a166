//! The runs whose metrics this coordinator shows: those that it drives, and for a while those that it drove last.
//!
//! A run is shown by one coordinator at a time, so that sums over coordinators are the truth: by the one that holds its lease; once that is
//! given back, by the same one, until another coordinator takes the run up or [`SHOWN_FOR`] has passed. A coordinator that cannot reach the
//! register shows nothing that may be another's by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Account;
use gristmill_ports::metric::run::DRIVEN;
use gristmill_ports::metric::{Sample, Source};
use gristmill_ports::register::Run;
use tokio::time::Instant;

use crate::gauges::RunGauges;

/// How long a run is shown that nobody drives: ended, paused or frozen.
const SHOWN_FOR: Duration = Duration::from_secs(15 * 60);

/// The runs that are shown.
#[derive(Debug)]
pub(super) struct Board {
    lease: Duration,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    runs: BTreeMap<RunId, Entry>,
    /// When the register last said who drives what.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    gauges: RunGauges,
    driven: bool,
    /// When its lease ends, or the time for which it is shown after that.
    until: Instant,
}

impl Board {
    /// Shows nothing yet. `lease` is how long a coordinator has a run to itself.
    pub(super) fn new(lease: Duration) -> Arc<Self> {
        Arc::new(Self {
            lease,
            shown: Mutex::default(),
        })
    }

    /// Shows a run whose lease was claimed at this moment or later.
    pub(super) fn take(&self, run: RunId, claimed: Instant) -> RunGauges {
        let gauges = RunGauges::default();
        gauges.result(SystemTime::now());
        let entry = Entry {
            gauges: gauges.clone(),
            driven: true,
            until: claimed + self.lease,
        };
        self.shown().runs.insert(run, entry);
        gauges
    }

    /// Leases that were extended at this moment or later. Runs that are driven and not among them are another's.
    pub(super) fn renewed(&self, held: &[RunId], at: Instant) {
        self.shown().runs.retain(|run, entry| {
            if entry.driven && held.contains(run) {
                entry.until = at + self.lease;
            }
            !entry.driven || held.contains(run)
        });
    }

    /// The lease of a run was given back.
    pub(super) fn let_go(&self, run: RunId) {
        if let Some(entry) = self.shown().runs.get_mut(&run) {
            entry.driven = false;
            entry.until = Instant::now() + SHOWN_FOR;
        }
    }

    /// Shows the account of a run that waits for a person: its last calls are booked after its driver has let it go.
    pub(super) fn see(&self, account: &Account) {
        let shown = self.shown();
        if let Some(entry) = shown.runs.get(&account.run).filter(|entry| !entry.driven) {
            entry.gauges.see(account, BTreeMap::new());
        }
    }

    /// Takes what the register says: runs that another coordinator drives are its to show.
    pub(super) fn look(&self, active: &[Run], holder: &str) {
        let mut shown = self.shown();
        let now = Instant::now();
        shown.looked = Some(now);
        let others = |id: &RunId| {
            let run = active.iter().find(|run| run.run == *id);
            run.and_then(|run| run.holder.as_deref())
                .is_some_and(|other| other != holder)
        };
        shown
            .runs
            .retain(|run, entry| (entry.driven || entry.until > now) && !others(run));
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Each change is a single step: a panic elsewhere leaves nothing half-done.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Board {
    fn samples(&self) -> Vec<Sample> {
        let shown = self.shown();
        let now = Instant::now();
        let sure = shown.looked.is_some_and(|looked| looked + self.lease > now);
        let mut samples = Vec::new();
        let mut driven = 0;
        for (run, entry) in &shown.runs {
            if entry.until <= now || !entry.driven && !sure {
                continue;
            }
            driven += u32::from(entry.driven);
            samples.extend(entry.gauges.samples(*run, entry.driven));
        }
        samples.push(Sample {
            name: DRIVEN,
            labels: Vec::new(),
            value: driven.into(),
        });
        samples
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::Limit;
    use gristmill_domain::ledger::NewAccount;

    use gristmill_ports::metric::run::ALERTS;

    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn account(run: RunId) -> Account {
        Account::new(NewAccount {
            run,
            limit: Limit::default(),
            price_hash: String::new(),
            lease_ms: 1,
            republish_ms: 1,
        })
    }

    fn active(run: RunId, holder: Option<&str>) -> Run {
        Run {
            run,
            name: String::new(),
            submitted_ms: 1,
            ended_ms: None,
            ending: None,
            holder: holder.map(str::to_owned),
            report: Vec::new(),
            reported_ms: 0,
        }
    }

    /// Runs that are driven, and whether anything is said of a run.
    fn shown(board: &Board) -> (f64, bool) {
        let samples = board.samples();
        let driven = samples.iter().find(|sample| sample.name == DRIVEN).unwrap();
        (driven.value, samples.len() > 1)
    }

    fn taken(board: &Board, run: RunId) {
        let gauges = board.take(run, Instant::now());
        gauges.see(&account(run), BTreeMap::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_shown_while_its_lease_holds() {
        let (board, run) = (Board::new(LEASE), RunId::of(&[b"run"]));
        assert_eq!(shown(&board), (0.0, false));
        taken(&board, run);
        assert_eq!(shown(&board), (1.0, true));
        tokio::time::advance(LEASE / 2).await;
        board.renewed(&[run], Instant::now());
        tokio::time::advance(LEASE - Duration::from_millis(1)).await;
        assert_eq!(shown(&board), (1.0, true));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(shown(&board), (0.0, false), "it may be another's");
        board.renewed(&[], Instant::now());
        board.let_go(run);
        board.look(&[], "me");
        assert_eq!(shown(&board), (0.0, false), "it was lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_was_let_go_is_shown_until_another_takes_it_up_or_its_time_is_over() {
        let (board, run) = (Board::new(LEASE), RunId::of(&[b"run"]));
        let look = |holder| board.look(&[active(run, holder)], "me");
        taken(&board, run);
        board.let_go(run);
        assert_eq!(shown(&board), (0.0, false), "nobody has looked yet");
        look(None);
        assert_eq!(shown(&board), (0.0, true));
        let alerted = Account {
            alerts_total: 7,
            ..account(run)
        };
        board.see(&alerted);
        let told = board.samples().into_iter().find(|sample| sample.name == ALERTS);
        assert_eq!(told.map(|sample| sample.value), Some(7.0), "booked since");
        tokio::time::advance(LEASE).await;
        assert_eq!(shown(&board), (0.0, false), "the register does not answer");
        look(Some("me"));
        assert_eq!(shown(&board), (0.0, true), "this one's own claim");
        look(Some("other"));
        assert_eq!(shown(&board), (0.0, false));

        taken(&board, run);
        board.let_go(run);
        tokio::time::advance(SHOWN_FOR - Duration::from_millis(1)).await;
        board.look(&[], "me");
        assert_eq!(shown(&board), (0.0, true), "ended runs are in no list");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(shown(&board), (0.0, false));
    }
}
