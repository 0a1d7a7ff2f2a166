//! A run's books at its beginning and its end: found, reopened, closed.

use gristmill_domain::id::TaskId;
use gristmill_domain::plan::{LastRound, Snapshot};
use gristmill_ports::ledger::{AccountState, Close, Epoch, Reopen};

use crate::engine::Site;
use crate::events::Events;
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
