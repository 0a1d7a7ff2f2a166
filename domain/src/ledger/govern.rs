//! The account itself: creation, clock, epochs, states, limits.

use std::collections::BTreeMap;

use super::account::{Account, AccountState, Alert, Books, Subtotal};
use super::words::{Allocation, Close, Ending, Epoch, NewAccount, Raise, Reopen};
use crate::amount::Limit;
use crate::stage::Stage;

/// Alerts that are kept word by word; later ones are counted.
const ALERTS_MAX: usize = 32;

impl Account {
    /// A new account, active, with empty books and no coordinator.
    pub fn new(account: NewAccount) -> Self {
        Self {
            run: account.run,
            price_hash: account.price_hash,
            limit: account.limit,
            stage_limits: BTreeMap::new(),
            state: AccountState::Active,
            epoch: Epoch {
                number: 0,
                holder: String::new(),
            },
            lease_ms: account.lease_ms,
            republish_ms: account.republish_ms,
            books: BTreeMap::new(),
            counts: BTreeMap::new(),
            archived: BTreeMap::new(),
            clock_ms: 0,
            last_seq: 0,
            alerts: Vec::new(),
            alerts_total: 0,
            raises: Vec::new(),
            audited: 0,
        }
    }

    /// Moves the ledger's clock: it never goes back, whatever the server's clock does. Returns the ledger time.
    pub fn tick(&mut self, now_ms: u64) -> u64 {
        self.clock_ms = self.clock_ms.max(now_ms);
        self.clock_ms
    }

    /// Whether this epoch coordinates the run, by number and holder.
    pub fn coordinated_by(&self, epoch: &Epoch) -> bool {
        self.epoch == *epoch
    }

    /// Gives the run to `holder`; the present holder keeps its epoch.
    pub fn take_over(&mut self, holder: &str) -> Epoch {
        if self.epoch.number == 0 || self.epoch.holder != holder {
            self.epoch = Epoch {
                number: self.epoch.number + 1,
                holder: holder.to_owned(),
            };
        }
        self.epoch.clone()
    }

    /// Replaces the limits by stage.
    pub fn allocate(&mut self, limits: Allocation) {
        self.stage_limits = limits;
    }

    /// Replaces the limit, compare-and-set, once for each request id.
    pub fn raise(&mut self, request_id: &str, expected: Limit, new: Limit) -> Raise {
        if self.raises.iter().any(|done| done == request_id) {
            return Raise::Already;
        }
        if self.state == AccountState::Closed {
            return Raise::Closed;
        }
        if self.limit != expected {
            return Raise::Mismatch { current: self.limit };
        }
        let used = self.total().used();
        if !new.covers(used) {
            return Raise::BelowUsed { used };
        }
        self.limit = new;
        self.raises.push(request_id.to_owned());
        Raise::Raised
    }

    /// The column `pause` of the table in the module's documentation.
    pub fn pause(&mut self, reason: &str) {
        match &mut self.state {
            AccountState::Active => {
                self.state = AccountState::Paused {
                    reason: reason.to_owned(),
                }
            }
            AccountState::Frozen { paused, .. } => *paused = Some(reason.to_owned()),
            AccountState::Paused { .. } | AccountState::Cancelled | AccountState::Closed => {}
        }
    }

    /// The column `resume`.
    pub fn resume(&mut self) {
        match &mut self.state {
            AccountState::Paused { .. } => self.state = AccountState::Active,
            AccountState::Frozen { paused, .. } => *paused = None,
            AccountState::Active | AccountState::Cancelled | AccountState::Closed => {}
        }
    }

    /// The column `freeze`: with an alert, except when closed.
    pub fn freeze(&mut self, now_ms: u64, reason: &str) {
        let paused = match &self.state {
            AccountState::Active => None,
            AccountState::Paused { reason } => Some(reason.clone()),
            AccountState::Frozen { .. } | AccountState::Cancelled => {
                self.alert(now_ms, reason.to_owned());
                return;
            }
            AccountState::Closed => return,
        };
        self.alert(now_ms, reason.to_owned());
        self.state = AccountState::Frozen {
            reason: reason.to_owned(),
            shaken: false,
            paused,
        };
    }

    /// The column `unfreeze`.
    pub fn unfreeze(&mut self) {
        match &mut self.state {
            AccountState::Frozen { paused, .. } => {
                self.state = paused
                    .take()
                    .map_or(AccountState::Active, |reason| AccountState::Paused { reason });
            }
            AccountState::Active
            | AccountState::Paused { .. }
            | AccountState::Cancelled
            | AccountState::Closed => {}
        }
    }

    /// The column `cancel`.
    pub fn cancel(&mut self) {
        match self.state {
            AccountState::Active | AccountState::Paused { .. } | AccountState::Frozen { .. } => {
                self.state = AccountState::Cancelled;
            }
            AccountState::Cancelled | AccountState::Closed => {}
        }
    }

    /// The column `close`.
    pub fn close(&mut self) -> Close {
        let counts = self.counts_total();
        if counts.running > 0 || counts.open > 0 {
            return Close::NotYet {
                started: counts.running,
                open: counts.open,
            };
        }
        self.state = AccountState::Closed;
        Close::Closed
    }

    /// The column `reopen`: with another limit, compare-and-set, once for each request id.
    pub fn reopen(&mut self, request_id: &str, expected: Limit, new: Limit) -> Reopen {
        if self.raises.iter().any(|done| done == request_id) {
            return Reopen::Already;
        }
        if self.state != AccountState::Closed {
            return Reopen::NotClosed;
        }
        if self.limit != expected {
            return Reopen::Mismatch { current: self.limit };
        }
        let used = self.total().used();
        if !new.covers(used) {
            return Reopen::BelowUsed { used };
        }
        self.state = AccountState::Active;
        self.limit = new;
        // Shares of the last round: the next one has its own.
        self.stage_limits.clear();
        self.raises.push(request_id.to_owned());
        Reopen::Reopened
    }

    /// Keeps an alert for a person to see, once.
    pub(super) fn alert(&mut self, now_ms: u64, text: String) {
        if self.alerts.iter().any(|alert| alert.text == text) {
            return;
        }
        self.alerts_total += 1;
        if self.alerts.len() < ALERTS_MAX {
            self.alerts.push(Alert { at_ms: now_ms, text });
        }
    }

    /// The books of a stage and model.
    pub(super) fn line(&mut self, stage: Stage, model: &str) -> &mut Books {
        self.books
            .entry(stage)
            .or_default()
            .entry(model.to_owned())
            .or_default()
    }

    /// The archived subtotal of a stage, model and ending.
    pub(super) fn subtotal(&mut self, stage: Stage, model: &str, ending: Ending) -> &mut Subtotal {
        self.archived
            .entry(stage)
            .or_default()
            .entry(model.to_owned())
            .or_default()
            .entry(ending)
            .or_default()
    }
}
