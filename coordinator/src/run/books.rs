//! A run's books at its beginning and its end: found, reopened, closed.

use gristmill_domain::id::TaskId;
use gristmill_domain::plan::{LastRound, Snapshot};
use gristmill_ports::ledger::{AccountState, Close, Epoch, Reopen};

use crate::engine::Site;
use crate::events::{Events, RunEvent};
use crate::journal::Journal;
use crate::mend;
use crate::meter::{self, Spending};
use crate::{Coordinator, Error};

impl Coordinator<'_> {
    /// True where the ledger knows nothing of the run: it is new, or its account is lost.
    pub(super) async fn forgotten(&self) -> Result<bool, Error> {
        match self.ledger.account(self.setup.run).await {
            Ok(_) => Ok(false),
            Err(gristmill_ports::ledger::Error::UnknownRun(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Reopens the books of a run that was reopened, unless that is done; whether they were closed.
    pub(super) async fn resume(&self, events: &Events, epoch: &Epoch) -> Result<bool, Error> {
        let run = self.setup.run;
        let Some((limit, rounds)) = events.reopened() else {
            return Ok(false);
        };
        let account = self.ledger.account(run).await?;
        if account.state != AccountState::Closed {
            return Ok(false);
        }
        let request = format!("reopened after {rounds} rounds with {limit}");
        let reopened = self
            .ledger
            .reopen(run, epoch, &request, account.limit, limit)
            .await?;
        let refused = |reason: String| Err(Error::NotReopened { limit, reason });
        match reopened {
            Reopen::Reopened | Reopen::Already | Reopen::NotClosed => Ok(true),
            Reopen::Mismatch { current } => refused(format!("it is {current} by now")),
            Reopen::BelowUsed { used } => refused(format!("{} are used already", used.in_words())),
        }
    }

    /// Has a run stand still again whose ledger has lost it while it did, and makes its books whole by what was written down then.
    pub(super) async fn restore_settled(
        &self,
        events: &Events,
        epoch: &Epoch,
        forgotten: bool,
    ) -> Result<(), Error> {
        let (Some(upkeep), Some(settled)) = (self.upkeep, events.settled()) else {
            return Ok(());
        };
        let run = self.setup.run;
        let stored = Journal::new(self.blobs).stored_results().await?;
        let holdings = mend::settled_holdings(self.account.clone(), settled, stored);
        // Also where an earlier driver broke off here.
        let lost = match &holdings {
            Some(holdings) => mend::is_lost(upkeep, epoch, holdings).await?,
            None => forgotten,
        };
        if !lost {
            return Ok(());
        }
        // Before its books are whole: until then nothing begins anyway.
        match &settled.state {
            AccountState::Paused { reason } => self.ledger.pause(run, reason).await?,
            AccountState::Frozen { reason, paused, .. } => {
                self.ledger.freeze(run, reason).await?;
                if let Some(reason) = paused {
                    self.ledger.pause(run, reason).await?;
                }
            }
            AccountState::Active | AccountState::Cancelled | AccountState::Closed => {}
        }
        if let Some(holdings) = holdings {
            upkeep.rebuild(run, epoch, holdings).await?;
            tracing::error!(%run, "the ledger has lost its books while it stood still: they are as they were written down then");
        }
        Ok(())
    }

    /// Writes down that a run stands still with nothing in flight, where that is so.
    pub(super) async fn record_settled(&self) -> Result<(), Error> {
        // The order matters: whoever lifts the pause writes that down before and after.
        let mut events = Events::load(self.blobs).await?;
        if events.settled().is_some() || events.over() {
            return Ok(());
        }
        let account = self.ledger.account(self.setup.run).await?;
        let stands = matches!(
            account.state,
            AccountState::Paused { .. } | AccountState::Frozen { shaken: false, .. }
        );
        if !stands || account.counts_total().running > 0 {
            return Ok(());
        }
        let used = account.total().gone();
        if events
            .append_next(self.blobs, RunEvent::Settled(Box::new(account)))
            .await?
        {
            tracing::info!(run = %self.setup.run, used = %used.in_words(), "it stands still, and nothing is in flight");
        }
        Ok(())
    }

    /// Closes the books, once nothing runs and nothing is open.
    pub(super) async fn close(&self, site: &Site<'_>) -> Result<(), Error> {
        // Paid for before a crash, and not asked for again: the candidate was decided without them.
        let unasked: Vec<TaskId> = site.early.keys().copied().collect();
        if !unasked.is_empty() {
            site.ledger.absorb(site.run, &site.epoch, &unasked).await?;
            let mut spending = Spending::default();
            site.early.values().for_each(|settled| spending.add(settled));
            spending.count();
        }
        loop {
            meter::expired(site.ledger.expire(site.run, &site.epoch).await?);
            match site.ledger.close(site.run, &site.epoch).await? {
                Close::Closed => return Ok(()),
                // Calls that nobody waits for any more end within their lease.
                Close::NotYet { started, open } if started > 0 || open > 0 => {
                    tracing::debug!(started, open, "waiting for attempts to end");
                    tokio::select! {
                        () = self.stop.cancelled() => return Err(Error::Interrupted),
                        () = tokio::time::sleep(self.options.sweep_every) => {}
                    }
                }
                Close::NotYet { .. } => {}
            }
        }
    }
}

/// After a reopening, whatever made the last round the last one is tried once more: with more money, or by a corrected job.
pub(super) fn forgive(events: &Events, snapshot: &mut Snapshot) {
    let reopened = events
        .reopened()
        .is_some_and(|(_, rounds)| rounds == snapshot.rounds_done);
    if reopened {
        snapshot.barren.clear();
    }
    if let Some(last) = snapshot.last.as_mut().filter(|_| reopened) {
        *last = LastRound {
            candidates: 0,
            accepted: 0,
            unfunded: 0,
            aimed: 0,
            counted: 0,
            ..*last
        };
    }
}
