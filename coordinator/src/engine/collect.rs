//! Taking what is settled, and storing it before the ledger forgets it.

use std::time::{Duration, SystemTime};

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::row::Row;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Address;
use gristmill_ports::ledger::{Decision, Settled};
use gristmill_proto::{Settlement, decode_report, decode_settlement};
use tokio::time::Instant;

use super::{Brought, Engine, Producer};
use crate::Error;
use crate::failure::TaskFailure;
use crate::journal::TaskResult;
use crate::meter;
use crate::progress::Progress;

/// Whether a task has ended because its run was cancelled.
fn given_up(decision: &Decision) -> bool {
    matches!(decision, Decision::Failed { reason } if reason == TaskFailure::CANCELLED)
}

impl Engine<'_, '_> {
    /// Takes what is settled, waiting for the first; whether there was anything.
    pub(super) async fn collect(
        &mut self,
        producer: &mut dyn Producer,
        wait: Duration,
    ) -> Result<bool, Error> {
        let settled = self
            .site
            .ledger
            .results(self.site.run, self.site.cursor, 512, wait)
            .await?;
        let some = !settled.is_empty();
        for result in settled {
            self.site.cursor = self.site.cursor.max(result.seq);
            if given_up(&result.decision) {
                // It is no answer: whether a row waits for it is known when the round is wound up.
                continue;
            }
            match self.in_flight.remove(&result.task) {
                Some(in_flight) => {
                    self.replays = false;
                    self.unstored += in_flight.at_risk;
                    self.take(producer, in_flight.address, result).await?;
                }
                // Stored before a crash, absorbed after it.
                None if self.stored.contains(&result.task) => {
                    self.site
                        .ledger
                        .absorb(self.site.run, &self.site.epoch, &[result.task])
                        .await?;
                }
                None => {
                    self.site.early.insert(result.task, result);
                }
            }
        }
        Ok(some)
    }

    /// Shows how many of the results that were stored before there are only because the budget did not cover their tasks.
    pub(crate) fn show_unfunded(&self) {
        let stored = self.known.values();
        self.count_unfunded(stored.map(|result| (result.address, &result.brought)));
    }

    /// The same of these results.
    fn count_unfunded<'r>(&self, results: impl Iterator<Item = (Address, &'r Brought)>) {
        let unfunded = results.filter(|(_, brought)| matches!(brought, Err(TaskFailure::Unfunded(_))));
        let stages: Vec<Stage> = unfunded.map(|(address, _)| address.step.stage).collect();
        if !stages.is_empty() {
            self.site.progress.send_modify(|progress| {
                for stage in stages {
                    *progress.unfunded.entry(stage).or_default() += 1;
                }
            });
        }
    }

    /// The same of a result that came for a task which was not opened since this start: until it is stored, only the ledger knows what it cost.
    pub(crate) async fn take_early_result(
        &mut self,
        producer: &mut dyn Producer,
        address: Address,
        settled: Settled,
    ) -> Result<(), Error> {
        let Amount { usd, calls, .. } = settled.cost;
        let cost = Amount {
            usd,
            calls,
            ..Amount::ZERO
        };
        self.at_risk += cost;
        self.unstored += cost;
        self.take(producer, address, settled).await
    }

    /// Hands a result to the producer, and keeps it to be stored.
    async fn take(
        &mut self,
        producer: &mut dyn Producer,
        address: Address,
        settled: Settled,
    ) -> Result<(), Error> {
        self.site.options.gauges.result(SystemTime::now());
        self.spending.add(&settled);
        let brought = match settled.decision {
            Decision::Done(bytes) => Ok(match decode_settlement(&bytes)? {
                Settlement::Report(report) => report,
                Settlement::Blob(name) => decode_report(&self.site.journal.blob(&name).await?)?,
            }),
            Decision::Failed { reason } => Err(TaskFailure::from(reason)),
        };
        self.count_unfunded([(address, &brought)].into_iter());
        self.results.push(TaskResult {
            task: settled.task,
            address,
            model: settled.model,
            brought: brought.clone(),
            cost: settled.cost,
            attempts: u32::try_from(settled.attempts.len()).unwrap_or(u32::MAX),
        });
        producer.absorb(address, brought, settled.cost)
    }

    /// Stores results and rows, then has the ledger forget the tasks.
    pub(super) async fn checkpoint(&mut self, decided: &mut (impl FnMut(&Row) + Send)) -> Result<(), Error> {
        self.last_checkpoint = Instant::now();
        let ids: Vec<TaskId> = self.results.iter().map(|result| result.task).collect();
        if let Some(care) = &mut self.site.care {
            care.stored += ids.len() as u64;
        }
        let stored = std::mem::take(&mut self.unstored);
        let results = std::mem::take(&mut self.results);
        let spending = std::mem::take(&mut self.spending);
        self.site
            .journal
            .append_results(self.round, &mut self.next_results, results)
            .await?;
        self.at_risk = self.at_risk.checked_sub(stored).unwrap_or_default();
        spending.count();
        let rows = std::mem::take(&mut self.rows);
        self.site
            .journal
            .append_rows(self.round, &mut self.next_rows, &rows)
            .await?;
        for row in &rows {
            meter::decided(&row.value);
            decided(&row.value);
        }
        if !ids.is_empty() {
            self.site
                .ledger
                .absorb(self.site.run, &self.site.epoch, &ids)
                .await?;
            meter::absorbed(ids.len());
            self.site.progress.send_if_modified(Progress::recover);
            if !self.replays {
                // As far as what was told before is not read again by now, it was lost.
                self.site.progress.send_if_modified(Progress::caught_up);
            }
        }
        Ok(())
    }
}
