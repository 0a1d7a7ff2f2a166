//! The sweep: what the ledger, the books and the batches say meanwhile.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Task;
use gristmill_ports::ledger::{Account, AccountState};
use gristmill_ports::upkeep::StoreHealth;
use tokio::time::Instant;

use super::Engine;
use crate::Error;
use crate::failure::TaskFailure;
use crate::meter;

impl Engine<'_, '_> {
    /// Burns leases that ran out, publishes what is due, fails what can never be paid for, and looks at the account.
    pub(super) async fn sweep(&mut self) -> Result<(), Error> {
        self.last_sweep = Instant::now();
        let (run, epoch) = (self.site.run, self.site.epoch.clone());
        if let Some(care) = &self.site.care
            && care.upkeep.health(run, &epoch, care.stored).await? != StoreHealth::Whole
        {
            // Taken up again, the run looks into it before anything is opened.
            return Err(Error::Shaken);
        }
        let burned = self.site.ledger.expire(run, &epoch).await?;
        if burned > 0 {
            meter::expired(burned);
            tracing::warn!(%run, attempts = burned, "leases ran out: their worst case is booked");
        }
        self.publish_due().await?;
        let account = self.site.ledger.account(run).await?;
        self.site.options.gauges.see(&account, self.oldest());
        if account.state != AccountState::Active {
            return Err(self.halted().await?);
        }
        self.site.limit = account.limit;
        self.fail_unfunded(&account).await?;
        let (in_flight, held_back) = (self.in_flight.len() as u64, self.held_back.len() as u64);
        let in_batches = self.in_batches().await;
        let ready_since = self.ready_since(&account);
        self.site.progress.send_modify(|progress| {
            progress.see(&account, in_flight);
            progress.ready_since = ready_since;
            progress.in_batches = in_batches.unwrap_or(progress.in_batches);
            progress.held_back = held_back;
        });
        Ok(())
    }

    /// When the oldest task in flight of each stage was opened.
    fn oldest(&self) -> BTreeMap<Stage, SystemTime> {
        let mut oldest = BTreeMap::new();
        for entry in self.in_flight.values() {
            let first = oldest.entry(entry.address.step.stage).or_insert(entry.opened);
            *first = entry.opened.min(*first);
        }
        oldest
    }

    /// Of each stage with tasks that are open and not running, when one of these was opened at the latest. The ledger says how many run, and not
    /// which: of the oldest tasks, one more than those that run or have ended is surely ready.
    fn ready_since(&self, account: &Account) -> BTreeMap<Stage, u64> {
        let mut opened: BTreeMap<Stage, Vec<SystemTime>> = BTreeMap::new();
        for entry in self.in_flight.values() {
            opened
                .entry(entry.address.step.stage)
                .or_default()
                .push(entry.opened);
        }
        let since = account.counts.iter().filter_map(|(stage, counts)| {
            let ready = counts.open.saturating_sub(counts.running);
            let at = latest_of_oldest(opened.get_mut(stage)?, usize::try_from(ready).ok()?)?;
            let at = at.duration_since(UNIX_EPOCH).ok()?;
            Some((*stage, u64::try_from(at.as_millis()).ok()?))
        });
        since.collect()
    }

    /// Tasks that wait in batches; `None` where that cannot be told.
    pub(super) async fn in_batches(&self) -> Option<u64> {
        let batch_jobs = self.site.batch_jobs?;
        match batch_jobs.out(self.site.run).await {
            Ok(tasks) => Some(tasks),
            Err(error) => {
                tracing::debug!(run = %self.site.run, error = &error as &dyn std::error::Error, "the tasks in batches were not counted");
                None
            }
        }
    }

    /// With nothing started, nothing can be freed any more: tasks whose worst case does not fit into what is left fail.
    pub(super) async fn fail_unfunded(&mut self, account: &Account) -> Result<(), Error> {
        if account.total().started.calls > 0 {
            return Ok(());
        }
        let poor = |stage: Stage, worst: Amount| {
            let run = account.limit.covers(account.total().used() + worst);
            let share = account.stage_limits.get(&stage);
            !run || share.is_some_and(|limit| !limit.covers(account.stage_total(stage).used() + worst))
        };
        // Those that wait for less to be at risk would each wait for a sweep of its own. They put nothing at risk: none can begin.
        let held_back = std::mem::take(&mut self.held_back);
        let (unpayable, rest): (Vec<Task>, Vec<Task>) = held_back
            .into_iter()
            .partition(|task| poor(task.address.step.stage, self.worst_case(task)));
        self.held_back = rest.into();
        if !unpayable.is_empty() {
            self.open(unpayable).await?;
        }
        let ids: Vec<TaskId> = self
            .in_flight
            .iter()
            .filter(|(_, entry)| poor(entry.address.step.stage, entry.worst))
            .map(|(id, _)| *id)
            .collect();
        if !ids.is_empty() {
            let why = "what is left of the budget does not cover its worst case";
            let failure = TaskFailure::Unfunded(why.to_owned());
            let failed = self
                .site
                .ledger
                .fail(self.site.run, &self.site.epoch, &ids, &failure.to_string())
                .await?;
            tracing::info!(run = %self.site.run, tasks = failed, "the budget does not reach for some tasks");
        }
        Ok(())
    }

    /// Why the account lets nothing begin. Tasks of a cancelled run fail: nobody will ask for them again.
    pub(super) async fn halted(&self) -> Result<Error, Error> {
        let account = self.site.ledger.account(self.site.run).await?;
        self.site.options.gauges.see(&account, BTreeMap::new());
        Ok(match account.state {
            AccountState::Paused { reason } => Error::Paused { reason },
            AccountState::Frozen { shaken: true, .. } => Error::Shaken,
            AccountState::Frozen { reason, .. } => Error::Frozen { reason },
            AccountState::Cancelled => {
                let ids: Vec<TaskId> = self.in_flight.keys().copied().collect();
                if !ids.is_empty() {
                    let given_up = self
                        .site
                        .ledger
                        .fail(self.site.run, &self.site.epoch, &ids, TaskFailure::CANCELLED)
                        .await?;
                    self.site
                        .progress
                        .send_modify(|progress| progress.cancelled += given_up);
                }
                Error::Cancelled
            }
            AccountState::Closed => Error::ResultsMissing,
            AccountState::Active => Error::Shaken,
        })
    }
}

/// Of tasks that were opened at these times and of which so many are ready, the time before which one of those was opened; `None` where none is.
fn latest_of_oldest(opened: &mut [SystemTime], ready: usize) -> Option<SystemTime> {
    if ready == 0 || opened.is_empty() {
        return None;
    }
    // Those that are not ready may be the oldest, and then the next one is ready.
    let next = opened.len().saturating_sub(ready);
    let (_, at, _) = opened.select_nth_unstable(next);
    Some(*at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_ready_task_is_at_least_as_old_as_is_said_whichever_run() {
        let at = |second: u64| UNIX_EPOCH + Duration::from_secs(second);
        let opened = [5, 1, 9, 3, 7].map(at);
        let said = |ready| latest_of_oldest(&mut opened.clone(), ready);
        assert_eq!(said(0), None);
        assert_eq!(
            (said(1), said(2), said(5)),
            (Some(at(9)), Some(at(7)), Some(at(1)))
        );
        assert_eq!(said(8), Some(at(1)), "an earlier coordinator opened others");
        assert_eq!(latest_of_oldest(&mut [], 3), None);
        // Whichever two run, the oldest of the other three was opened then or before.
        for first in 0..5 {
            for second in first + 1..5 {
                let ready = (0..5).filter(|task| ![first, second].contains(task));
                assert!(ready.map(|task| opened[task]).min() <= said(3));
            }
        }
    }
}
