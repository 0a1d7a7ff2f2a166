//! One run, driven from what is stored to its ending, or until it must be given back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::Account;
use gristmill_domain::plan::End;
use gristmill_ports::blob::Blobs;
use gristmill_ports::ledger::{AccountState, Close, Error as LedgerError, NewAccount};
use gristmill_ports::register::Ending;
use gristmill_proto::SegmentKind;
use tokio::sync::watch;

use super::adopt::taken_up;
use super::{Driven, Fleet, LetGo};
use crate::engine::Options;
use crate::error::told;
use crate::events::{Ended, Events};
use crate::failure::TaskFailure;
use crate::meter::{self, Spending};
use crate::owner::{self, Owner};
use crate::{Coordinator, Error, Finished, Journal, Progress, RunGauges, SeedStore, Start, replay, verify};

/// Time between two sweeps of a run's tasks.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Time between two reports to the register.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Tries to tell the register how a run has ended.
const LAST_REPORT_TRIES: u32 = 10;
/// Time for which late settles still reach an ended run's audit record: longer than any process remembers what it was told of it.
const KEEP: Duration = Duration::from_secs(2 * 60 * 60);

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
    #[error("it was reopened while its dataset was assembled")]
    Reopened,
    #[error("the dataset could not be assembled")]
    Assemble(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The cause under which a run is counted that is let go before its end; `None` where it has ended, or this process was told to stop.
fn cause(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::Run(Error::Usurped { .. } | Error::Ledger(LedgerError::StaleEpoch { .. })) => {
            meter::LEASE_LOST
        }
        Failure::Run(Error::Shaken) => "ledger_restarted",
        Failure::Run(Error::Paused { .. }) => "paused",
        Failure::Run(Error::Frozen { .. }) => "frozen",
        Failure::Run(Error::Ledger(LedgerError::Store { .. } | LedgerError::UnknownRun(_))) => "ledger",
        Failure::Run(Error::Queue(_)) => "queue",
        Failure::Run(Error::Blob(_)) => "store",
        Failure::Run(Error::Scratch { .. }) => "scratch",
        Failure::Register(_) => "register",
        Failure::Assemble(_) => "assembly",
        Failure::InFlight(_) => "calls_in_flight",
        Failure::Reopened => "reopened",
        Failure::Run(_) | Failure::Start(_) | Failure::NoSeeds => return None,
    })
}

impl Fleet {
    /// Drives a run whose lease this process holds.
    pub(super) async fn drive(&self, run: RunId, taken: Driven) -> LetGo {
        let gauges = taken.gauges.clone();
        let failure = match self.drive_to_end(run, taken).await {
            Ok(()) => return LetGo::Ended,
            Err(failure) => failure,
        };
        if let Some(cause) = cause(&failure) {
            meter::interrupted(cause);
        }
        let error = &failure as &dyn std::error::Error;
        let reason = match &failure {
            Failure::Run(Error::Interrupted | Error::Shaken) | Failure::Reopened => return LetGo::Free,
            Failure::Run(Error::Usurped { .. } | Error::Ledger(LedgerError::StaleEpoch { .. })) => {
                tracing::warn!(%run, error, "given up: another coordinator drives it");
                return LetGo::Free;
            }
            Failure::Run(Error::Paused { .. } | Error::Frozen { .. }) => {
                tracing::warn!(%run, error, "it waits for a person");
                // One that could not be brought to stand still is looked at again soon.
                let events = Events::load((self.services.states)(run).as_ref()).await;
                return match events.is_ok_and(|events| events.settled().is_some()) {
                    true => LetGo::Free,
                    false => LetGo::Stuck,
                };
            }
            Failure::Run(Error::Cancelled) => {
                return match self.cancelled(run, &gauges).await {
                    Ok(()) => LetGo::Ended,
                    Err(error) => self.not_ended(run, &error).await,
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
                self.report_stopped(run, &failure).await;
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
                | Error::NoModel { .. }
                | Error::Recipe { .. }
                | Error::NoRecipe
                | Error::Roles { .. }
                | Error::OlderRound { .. }
                | Error::Json(_)
                | Error::NoSuchSeed { .. }
                | Error::NoSuchPassage { .. }
                | Error::TooManySeeds
                | Error::TooManyRows
                | Error::NoAnchor { .. }
                | Error::Embedding { .. }
                | Error::Owned { .. }
                | Error::Event { .. }
                | Error::Unfinished { .. }
                | Error::ResultsMissing
                | Error::NotReopened { .. },
            )
            | Failure::Start(_)
            | Failure::NoSeeds => told(&failure),
        };
        if self.is_cancelled(run).await {
            tracing::error!(%run, error, "it is cancelled: what of its rows is not stored is left out");
            match self.cancelled(run, &gauges).await {
                Ok(()) => return LetGo::Ended,
                Err(passing) if cause(&passing).is_some() => return self.not_ended(run, &passing).await,
                Err(_) => {}
            }
        }
        tracing::error!(%run, error, "it cannot go on until a person acts");
        let ending = Ending::Failed { reason };
        match self
            .services
            .register
            .end(run, &self.options.holder, ending)
            .await
        {
            Ok(ended) => {
                if ended {
                    meter::ended(meter::FAILED);
                }
                LetGo::Ended
            }
            Err(_) => LetGo::Stuck,
        }
    }

    /// Whether a person has cancelled the run and its books are not closed yet.
    async fn is_cancelled(&self, run: RunId) -> bool {
        let account = self.services.ledger.account(run).await;
        account.is_ok_and(|account| account.state == AccountState::Cancelled)
    }

    /// Leaves a cancelled run that could not be ended to whoever takes it up next.
    async fn not_ended(&self, run: RunId, error: &Failure) -> LetGo {
        meter::interrupted(cause(error).unwrap_or("ledger"));
        tracing::warn!(%run, error = error as &dyn std::error::Error, "the cancelled run could not be ended yet");
        self.report_stopped(run, error).await;
        LetGo::Stuck
    }

    /// What a run is started with.
    async fn started_with(&self, run: RunId) -> Result<Start, Failure> {
        let spec = self.services.register.spec(run).await?;
        let spec = spec.ok_or(Failure::Start(None))?;
        serde_json::from_slice(&spec).map_err(|error| Failure::Start(Some(error)))
    }

    async fn drive_to_end(&self, run: RunId, taken: Driven) -> Result<(), Failure> {
        let Driven { stop, window, gauges } = taken;
        let start = self.started_with(run).await?;
        let state = (self.services.states)(run);
        owner::claim(state.as_ref(), Owner::Cluster).await?;
        let events = Events::load(state.as_ref()).await?;
        if let Some(account) = events.account() {
            return self.over(&start, state.as_ref(), &events, account).await;
        }
        let seeds = SeedStore::load(state.as_ref()).await?.ok_or(Failure::NoSeeds)?;
        let setup = start.setup()?;
        let (progress, seen) = watch::channel(taken_up(&events, self.last_report(run).await?));
        let last = seen.clone();
        let coordinator = Coordinator {
            setup: &setup,
            seeds: &seeds,
            ledger: self.services.ledger.as_ref(),
            upkeep: Some(self.services.upkeep.as_ref()),
            batch_jobs: Some(self.services.batch_jobs.as_ref()),
            queue: self.services.queue.as_ref(),
            blobs: state.as_ref(),
            account: NewAccount {
                limit: events.limit().unwrap_or(start.limit),
                ..start.account()
            },
            holder: self.options.holder.clone(),
            prices: start.prices(),
            options: Options {
                window,
                max_attempts: start.job.budget.max_attempts,
                at_risk: start.job.budget.at_risk,
                sweep_every: SWEEP_EVERY,
                propagator: Arc::clone(&self.services.propagator),
                gauges: gauges.clone(),
            },
            rounds: None,
            progress,
            stop,
        };
        let (finished, ()) = tokio::join!(coordinator.run(), self.report(run, seen));
        let finished = finished?;
        let account = self.services.ledger.account(run).await.map_err(Error::from)?;
        gauges.see(&account, BTreeMap::new());
        let ended = Ended {
            end: Some(finished.end.clone()),
            account: account.clone(),
            progress: Progress {
                stopped: String::new(),
                ..last.borrow().clone()
            },
        };
        if Events::record_end(state.as_ref(), ended).await? {
            meter::ended(meter::state_of(&finished.end));
        }
        self.finish(&start, &seeds, &finished, &account).await
    }

    /// Registers a run as ended whose store says that it is, as after the register was lost; its dataset is assembled where it is missing. Nothing is
    /// begun, and its books are left alone.
    async fn over(
        &self,
        start: &Start,
        state: &dyn Blobs,
        events: &Events,
        account: &Account,
    ) -> Result<(), Failure> {
        let (run, register) = (start.run, &self.services.register);
        if let Some(ended) = events.ended() {
            let mut progress = ended.last_seen();
            progress.stopped = self.last_report(run).await?.unwrap_or_default().stopped;
            let report = progress.report().map_err(Error::from)?;
            register.report(run, &self.options.holder, report).await?;
        }
        let ending = match events.ended() {
            Some(ended) if ended.end.is_none() => {
                self.keep_rows(start, state, events, account).await?;
                Ending::Cancelled
            }
            _ if self.services.assembled(run).await? => Ending::Finished,
            written => match self.assemble_again(start, state, account).await {
                Ok(()) => {
                    tracing::info!(%run, "its dataset was missing, and is assembled again");
                    Ending::Finished
                }
                // Versions that wrote no events kept the account of a cancelled run in the same way.
                Err(Failure::Run(Error::Unfinished { .. })) if written.is_none() => Ending::Cancelled,
                Err(failure) => return Err(failure),
            },
        };
        // Whoever wrote down that it has ended has counted it.
        register.end(run, &self.options.holder, ending).await?;
        tracing::info!(%run, "it has ended, by what its store says");
        self.release(run).await;
        Ok(())
    }

    /// Writes the dataset of a run that has ended, from what is stored.
    async fn assemble_again(
        &self,
        start: &Start,
        state: &dyn Blobs,
        account: &Account,
    ) -> Result<(), Failure> {
        verify(state).await?;
        let seeds = SeedStore::load(state).await?.ok_or(Failure::NoSeeds)?;
        let finished = replay(start, &seeds, state, account).await?;
        self.assembler
            .assemble(start, &seeds, &finished, account)
            .await
            .map_err(Failure::Assemble)?;
        Ok(())
    }

    /// Assembles what a cancelled run had accepted, where a person wants it and it is not done.
    async fn keep_rows(
        &self,
        start: &Start,
        state: &dyn Blobs,
        events: &Events,
        account: &Account,
    ) -> Result<(), Failure> {
        let run = start.run;
        if !events.keeps_rows() || self.services.assembled(run).await? {
            return Ok(());
        }
        let decided = Journal::new(state).all_segments(SegmentKind::Rows).await?;
        if decided.is_empty() {
            tracing::info!(%run, "it was cancelled before a row was decided: there is nothing to assemble");
            return Ok(());
        }
        self.assemble_again(start, state, account).await?;
        tracing::info!(%run, "it was cancelled, and what it had accepted is assembled");
        Ok(())
    }

    async fn finish(
        &self,
        start: &Start,
        seeds: &SeedStore,
        finished: &Finished,
        account: &Account,
    ) -> Result<(), Failure> {
        verify((self.services.states)(start.run).as_ref()).await?;
        self.assembler
            .assemble(start, seeds, finished, account)
            .await
            .map_err(Failure::Assemble)?;
        let state = (self.services.states)(start.run);
        if Events::load(state.as_ref()).await?.reopened().is_some() {
            return Err(Failure::Reopened);
        }
        self.services
            .register
            .end(start.run, &self.options.holder, Ending::Finished)
            .await?;
        tracing::info!(run = %start.run, end = %finished.end, "finished");
        self.release(start.run).await;
        Ok(())
    }

    /// Ends a cancelled run: calls in flight are booked when they end, and nothing new begins.
    async fn cancelled(&self, run: RunId, gauges: &RunGauges) -> Result<(), Failure> {
        let ledger = self.services.ledger.as_ref();
        let epoch = ledger
            .take_over(run, &self.options.holder)
            .await
            .map_err(Error::from)?;
        let survivors = self
            .services
            .upkeep
            .survivors(run, &epoch)
            .await
            .map_err(Error::from)?;
        let open: Vec<TaskId> = survivors
            .iter()
            .filter(|survivor| !survivor.decided)
            .map(|survivor| survivor.id)
            .collect();
        let given_up = ledger
            .fail(run, &epoch, &open, TaskFailure::CANCELLED)
            .await
            .map_err(Error::from)?;
        let progress = self.count_cancelled(run, given_up).await?;
        let expired = ledger.expire(run, &epoch).await.map_err(Error::from)?;
        meter::expired(expired);
        if let Close::NotYet { started, .. } = ledger.close(run, &epoch).await.map_err(Error::from)? {
            return Err(Failure::InFlight(started));
        }
        let account = ledger.account(run).await.map_err(Error::from)?;
        gauges.see(&account, BTreeMap::new());
        let unabsorbed = Spending::unabsorbed(&account);
        let ended = Ended {
            end: None,
            account: account.clone(),
            progress,
        };
        let state = (self.services.states)(run);
        if Events::record_end(state.as_ref(), ended).await? {
            meter::ended(meter::CANCELLED);
            unabsorbed.count();
        }
        let events = Events::load(state.as_ref()).await?;
        if events.keeps_rows() {
            let start = self.started_with(run).await?;
            self.keep_rows(&start, state.as_ref(), &events, &account).await?;
        }
        self.services
            .register
            .end(run, &self.options.holder, Ending::Cancelled)
            .await?;
        tracing::info!(%run, "cancelled");
        self.release(run).await;
        Ok(())
    }

    /// What could last be seen of a run; `None` where it was not driven since it was entered.
    async fn last_report(&self, run: RunId) -> Result<Option<Progress>, Failure> {
        let known = self.services.register.get(run).await?;
        let report = known.map(|run| run.report).unwrap_or_default();
        Ok(serde_json::from_slice(&report).ok())
    }

    /// Tells the register why a run stopped that is taken up again: whoever drives it next, everybody can see it until it has got over that.
    async fn report_stopped(&self, run: RunId, failure: &Failure) {
        let reported = async {
            let mut progress = self.last_report(run).await?.unwrap_or_default();
            progress.stopped = told(failure);
            let report = progress.report().map_err(Error::from)?;
            let register = &self.services.register;
            let told = register.report(run, &self.options.holder, report).await;
            told.map_err(Failure::from)
        };
        if let Err(error) = reported.await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "why it stopped is only in this log");
        }
    }

    /// Adds tasks that were given up to what could last be seen of a cancelled run, and reports that: whoever ends it next counts further.
    async fn count_cancelled(&self, run: RunId, given_up: u64) -> Result<Progress, Failure> {
        let mut progress = self.last_report(run).await?.unwrap_or_default();
        progress.close();
        progress.end = End::Cancelled.to_string();
        progress.cancelled += given_up;
        let report = progress.report().map_err(Error::from)?;
        let register = &self.services.register;
        register.report(run, &self.options.holder, report).await?;
        Ok(progress)
    }

    /// Gives back what the ledger holds of an ended run, once nothing more can come.
    async fn release(&self, run: RunId) {
        if let Err(error) = self.services.upkeep.release(run, KEEP).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "the ledger's memory was not given back");
        }
    }

    /// Tells the register how the run goes, until its coordinator ends.
    async fn report(&self, run: RunId, mut seen: watch::Receiver<Progress>) {
        let mut open = true;
        while open {
            open = seen.changed().await.is_ok();
            let now = seen.borrow_and_update().clone();
            let Ok(report) = now.report() else {
                continue;
            };
            // The last one says why the run has ended.
            let tries = if open { 1 } else { LAST_REPORT_TRIES };
            for left in (0..tries).rev() {
                let reported = self
                    .services
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
