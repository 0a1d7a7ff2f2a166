//! Which runs stand still with nothing in flight, so that nobody need drive them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Account;
use gristmill_ports::blob::Blobs;

use crate::Error;
use crate::events::Events;

/// Runs that were found to stand still, with the account that each had then: the store is asked again once that has changed.
#[derive(Default)]
pub(super) struct SettledRuns(Mutex<HashMap<RunId, Account>>);

impl SettledRuns {
    /// True where the store of a paused or frozen run says that nothing of it is in flight.
    pub(super) async fn holds(&self, account: &Account, state: &dyn Blobs) -> Result<bool, Error> {
        // Its clock moves whenever it is looked at.
        let account = Account {
            clock_ms: 0,
            ..account.clone()
        };
        let known = |runs: &HashMap<RunId, Account>| runs.get(&account.run) == Some(&account);
        if known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(true);
        }
        let settled = Events::load(state).await?.settled().is_some();
        if settled {
            let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            runs.insert(account.run, account);
        }
        Ok(settled)
    }

    /// Forgets a run that goes on.
    pub(super) fn forget(&self, run: RunId) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&run);
    }
}
