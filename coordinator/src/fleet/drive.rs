//! One run, driven from what is stored to its ending, or until it must be given back.

use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::Account;
use gristmill_ports::ledger::{Close, Error as LedgerError};
use gristmill_ports::register::Ending;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Fleet, LetGo};
use crate::engine::Options;
use crate::error::told;
use crate::owner::{self, Owner};
use crate::{Coordinator, Error, Finished, Progress, SeedStore, Start, Window};

/// Time between two sweeps of a run's tasks.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Time between two reports to the register.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Tries to tell the register how a run has ended.
const LAST_REPORT_TRIES: u32 = 10;
/// Time for which late settles still reach an ended run's audit record: longer than any process remembers what it was told of it.
const KEEP: Duration = Duration::from_secs(2 * 60 * 60);
/// The account as it stood at the end, in a run's state: what the ledger forgets is still known.
pub(crate) const ACCOUNT: &str = "account.json";

/// Why a run is not driven on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Run(#[from] Error),
    #[error("the register failed")]
    Register(#[from] gristmill_ports::register::Error),
    #[error("what it was started with is missing or damaged: submit it again")]
    Start(#[source] Option<serde_json::Error>),
    #[error("its seeds are missing from the store: submit it again")]
    NoSeeds,
    #[error("{0} calls of the cancelled run are still in flight")]
    InFlight(u64),
    #[error("the dataset could not be assembled")]
    Assemble(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Fleet {
    /// Drives a run whose lease this process holds.
    pub(super) async fn drive(&self, run: RunId, window: Window, stop: CancellationToken) -> LetGo {
        let failure = match self.drive_to_end(run, window, stop).await {
            Ok(()) => return LetGo::Ended,
            Err(failure) => failure,
        };
        let error = &failure as &dyn std::error::Error;
        let reason = match &failure {
            Failure::Run(Error::Interrupted | Error::Shaken) => return LetGo::Free,
            Failure::Run(Error::Usurped { .. } | Error::Ledger(LedgerError::StaleEpoch { .. })) => {
                tracing::warn!(%run, error, "given up: another coordinator drives it");
                return LetGo::Free;
            }
            Failure::Run(Error::Paused { .. } | Error::Frozen { .. }) => {
                tracing::warn!(%run, error, "it waits for a person");
                return LetGo::Free;
            }
            Failure::Run(Error::Cancelled) => {
                return match self.cancelled(run).await {
                    Ok(()) => LetGo::Ended,
                    Err(error) => {
                        tracing::warn!(%run, error = &error as &dyn std::error::Error, "the cancelled run could not be ended yet");
                        LetGo::Stuck
                    }
                };
            }
            // A neighbour that may be back soon.
            Failure::Run(
                Error::Ledger(LedgerError::Store { .. } | LedgerError::UnknownRun(_))
                | Error::Queue(_)
                | Error::Blob(_)
                | Error::Scratch { .. },
            )
            | Failure::Register(_)
            | Failure::InFlight(_)
            | Failure::Assemble(_) => {
                tracing::error!(%run, error, "it stopped, and is taken up again soon");
                return LetGo::Stuck;
            }
            Failure::Run(
                Error::Ledger(LedgerError::PricesChanged { .. } | LedgerError::Invalid(_))
                | Error::Message(_)
                | Error::Segment { .. }
                | Error::Torn { .. }
                | Error::Index(_)
                | Error::Concepts(_)
                | Error::Prompt { .. }
                | Error::Mutators { .. }
                | Error::Agreement(_)
                | Error::NoModel { .. }
                | Error::Json(_)
                | Error::NoSuchSeed { .. }
                | Error::NoSuchPassage { .. }
                | Error::TooManySeeds
                | Error::TooManyRows
                | Error::NoAnchor { .. }
                | Error::Embedding { .. }
                | Error::Owned { .. },
            )
            | Failure::Start(_)
            | Failure::NoSeeds => told(&failure),
        };
        tracing::error!(%run, error, "it cannot go on until a person acts");
        let ending = Ending::Failed { reason };
        match self.ground.register.end(run, &self.options.holder, ending).await {
            Ok(_) => LetGo::Ended,
            Err(_) => LetGo::Stuck,
        }
    }

    async fn drive_to_end(&self, run: RunId, window: Window, stop: CancellationToken) -> Result<(), Failure> {
        let spec = self
            .ground
            .register
            .spec(run)
            .await?
            .ok_or(Failure::Start(None))?;
        let start: Start = serde_json::from_slice(&spec).map_err(|e| Failure::Start(Some(e)))?;
        let state = (self.ground.states)(run);
        owner::claim(state.as_ref(), Owner::Cluster).await?;
        let seeds = SeedStore::load(state.as_ref()).await?.ok_or(Failure::NoSeeds)?;
        let recipe = start.recipe()?;
        let (progress, seen) = watch::channel(Progress::default());
        let coordinator = Coordinator {
            recipe: &recipe,
            seeds: &seeds,
            ledger: self.ground.ledger.as_ref(),
            upkeep: Some(self.ground.upkeep.as_ref()),
            dockets: self.ground.dockets.as_ref(),
            queue: self.ground.queue.as_ref(),
            blobs: state.as_ref(),
            account: start.account(),
            holder: self.options.holder.clone(),
            prices: start.prices(),
            options: Options {
                window,
                max_attempts: start.job.budget.max_attempts,
                at_risk: start.job.budget.at_risk,
                sweep_every: SWEEP_EVERY,
                propagator: Arc::clone(&self.ground.propagator),
            },
            progress,
            stop,
        };
        let (finished, ()) = tokio::join!(coordinator.run(), self.report(run, seen));
        let account = self.ground.ledger.account(run).await.map_err(Error::from)?;
        self.finish(&start, &seeds, &finished?, &account).await
    }

    async fn finish(
        &self,
        start: &Start,
        seeds: &SeedStore,
        finished: &Finished,
        account: &Account,
    ) -> Result<(), Failure> {
        self.assembler
            .assemble(start, seeds, finished, account)
            .await
            .map_err(Failure::Assemble)?;
        self.archive(start.run, account).await?;
        self.ground
            .register
            .end(start.run, &self.options.holder, Ending::Finished)
            .await?;
        tracing::info!(run = %start.run, end = %finished.end, "finished");
        self.release(start.run).await;
        Ok(())
    }

    /// Keeps the account with the run's state.
    async fn archive(&self, run: RunId, account: &Account) -> Result<(), Failure> {
        let text = serde_json::to_vec(account).map_err(Error::from)?;
        (self.ground.states)(run)
            .create(ACCOUNT, text)
            .await
            .map_err(Error::from)?;
        Ok(())
    }

    /// Ends a cancelled run: calls in flight are booked when they end, and nothing new begins.
    async fn cancelled(&self, run: RunId) -> Result<(), Failure> {
        let ledger = self.ground.ledger.as_ref();
        let epoch = ledger
            .take_over(run, &self.options.holder)
            .await
            .map_err(Error::from)?;
        let survivors = self
            .ground
            .upkeep
            .survivors(run, &epoch)
            .await
            .map_err(Error::from)?;
        let open: Vec<TaskId> = survivors
            .iter()
            .filter(|survivor| !survivor.decided)
            .map(|survivor| survivor.id)
            .collect();
        ledger
            .fail(run, &epoch, &open, "cancelled")
            .await
            .map_err(Error::from)?;
        ledger.expire(run, &epoch).await.map_err(Error::from)?;
        if let Close::NotYet { started, .. } = ledger.close(run, &epoch).await.map_err(Error::from)? {
            return Err(Failure::InFlight(started));
        }
        let account = ledger.account(run).await.map_err(Error::from)?;
        self.archive(run, &account).await?;
        self.ground
            .register
            .end(run, &self.options.holder, Ending::Cancelled)
            .await?;
        tracing::info!(%run, "cancelled");
        self.release(run).await;
        Ok(())
    }

    /// Gives back what the ledger holds of an ended run, once nothing more can come.
    async fn release(&self, run: RunId) {
        if let Err(error) = self.ground.upkeep.release(run, KEEP).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "the ledger's memory was not given back");
        }
    }

    /// Tells the register how the run goes, until its coordinator ends.
    async fn report(&self, run: RunId, mut seen: watch::Receiver<Progress>) {
        let mut open = true;
        while open {
            open = seen.changed().await.is_ok();
            let now = seen.borrow_and_update().clone();
            let Ok(report) = serde_json::to_vec(&now) else {
                continue;
            };
            // The last one says why the run has ended.
            let tries = if open { 1 } else { LAST_REPORT_TRIES };
            for left in (0..tries).rev() {
                let reported = self
                    .ground
                    .register
                    .report(run, &self.options.holder, report.clone())
                    .await;
                match reported {
                    Ok(_) => break,
                    Err(error) => {
                        tracing::debug!(%run, error = &error as &dyn std::error::Error, "a report was lost");
                        if left > 0 {
                            tokio::time::sleep(REPORT_EVERY).await;
                        }
                    }
                }
            }
            if open {
                tokio::time::sleep(REPORT_EVERY).await;
            }
        }
    }
}
