//! A run that is paused or frozen stands still with nothing in flight: what its calls bring is stored first.
//!
//! A ledger that can be lost as a whole is no place for results that are paid for, and a run without calls in flight has nothing to lose by it.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_domain::row::Row;
use gristmill_ports::ledger::AccountState;
use gristmill_ports::upkeep::StoreHealth;

use super::{Engine, IN_VAIN_MAX, OPEN_BATCH, Producer};
use crate::{Error, meter};

impl Engine<'_, '_> {
    /// Takes and stores what is paid for, until no call is in flight. Returns why the run stands still; [`Error::Interrupted`] where it does not
    /// any more, so that it is taken up anew.
    pub(super) async fn drain(
        &mut self,
        producer: &mut dyn Producer,
        decided: &mut (impl FnMut(&Row) + Send),
    ) -> Result<(), Error> {
        let (run, epoch) = (self.site.run, self.site.epoch.clone());
        tracing::info!(%run, "it stands still: what its calls in flight bring is stored");
        let mut in_vain = 0;
        loop {
            while self.collect(producer, Duration::ZERO).await? {}
            self.ask_for_paid(producer, &mut in_vain).await?;
            self.take_rows(producer);
            self.show_decided(producer.ahead());
            self.checkpoint(decided).await?;
            if self.site.stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            if let Some(care) = &self.site.care
                && care.upkeep.health(run, &epoch, care.stored).await? != StoreHealth::Whole
            {
                return Err(Error::Shaken);
            }
            meter::expired(self.site.ledger.expire(run, &epoch).await?);
            let account = self.site.ledger.account(run).await?;
            self.site.options.gauges.see(&account, BTreeMap::new());
            let running = account.counts_total().running;
            let in_batches = self.in_batches().await;
            self.site.progress.send_modify(|progress| {
                progress.see(&account, running);
                progress.in_batches = in_batches.unwrap_or(progress.in_batches);
            });
            let stands = match account.state {
                AccountState::Paused { reason } => Error::Paused { reason },
                AccountState::Frozen {
                    reason,
                    shaken: false,
                    ..
                } => Error::Frozen { reason },
                AccountState::Active => return Err(Error::Interrupted),
                AccountState::Frozen { .. } | AccountState::Cancelled | AccountState::Closed => {
                    return Err(self.halted().await?);
                }
            };
            // What ended before the account was read is on the stream by now.
            let wait = match running {
                0 => Duration::ZERO,
                _ => self.site.options.sweep_every,
            };
            if !self.collect(producer, wait).await? && running == 0 {
                return Err(stands);
            }
        }
    }

    /// Has the producer ask for the tasks whose results are there, which an earlier driver had opened. Others that it asks for meanwhile stay closed.
    /// `in_vain`: batches so far that named none.
    async fn ask_for_paid(&mut self, producer: &mut dyn Producer, in_vain: &mut usize) -> Result<(), Error> {
        self.take_early(producer).await?;
        while !self.site.early.is_empty() && *in_vain < IN_VAIN_MAX {
            let before = self.known.len() + self.site.early.len();
            let (others, more) = self.ask(producer, OPEN_BATCH).await?;
            if others.is_empty() && !more {
                break;
            }
            self.held_back.extend(others);
            *in_vain = match self.known.len() + self.site.early.len() < before {
                true => 0,
                false => *in_vain + 1,
            };
        }
        Ok(())
    }
}
