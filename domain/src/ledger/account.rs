//! The account of a run: its limits, its state and its books.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words::{Ending, Epoch, Limits};
use crate::amount::{Amount, Limit};
use crate::id::RunId;
use crate::stage::Stage;

/// What the account lets happen. Every state but `Active` stops `open` and `begin`, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Work goes on.
    Active,
    /// Stopped by a person or by an exhausted quota, until resumed.
    Paused {
        /// Why.
        reason: String,
    },
    /// Stopped because the books or the provider are not to be trusted, until a person lifts it.
    Frozen {
        /// Why.
        reason: String,
        /// The ledger's store was restarted or has lost writes: whoever drives the run makes sure of the books and lifts it.
        #[serde(default)]
        shaken: bool,
        /// The pause that comes back when the freeze is lifted.
        paused: Option<String>,
    },
    /// Stopped for good: what runs may settle, then the run is closed.
    Cancelled,
    /// Over.
    Closed,
}

/// Three sums that together never exceed the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Worst cases of attempts in flight.
    pub started: Amount,
    /// What settled attempts cost.
    pub spent: Amount,
    /// Worst cases of attempts whose cost is unknown.
    pub burned: Amount,
}

impl Books {
    /// All that counts against the limit.
    pub fn used(&self) -> Amount {
        self.started + self.spent + self.burned
    }

    /// All that no attempt in flight can give back.
    pub fn gone(&self) -> Amount {
        self.spent + self.burned
    }

    /// Both books in one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            started: self.started + other.started,
            spent: self.spent + other.spent,
            burned: self.burned + other.burned,
        }
    }
}

/// Tasks of one stage, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Opened so far; always open + done + failed.
    pub planned: u64,
    /// Without an outcome.
    pub open: u64,
    /// With a result, absorbed ones included.
    pub done: u64,
    /// Failed, absorbed ones included.
    pub failed: u64,
    /// Absorbed and deleted.
    pub archived: u64,
    /// Attempts in flight.
    pub running: u64,
    /// Attempts voided so far.
    pub voided: u64,
    /// Attempts burned so far, later corrected ones included.
    pub burned: u64,
}

impl Counts {
    /// Tasks that the ledger still holds: open, or settled and not yet absorbed.
    pub fn held(&self) -> u64 {
        self.planned - self.archived.min(self.planned)
    }

    /// Both counts in one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            planned: self.planned + other.planned,
            open: self.open + other.open,
            done: self.done + other.done,
            failed: self.failed + other.failed,
            archived: self.archived + other.archived,
            running: self.running + other.running,
            voided: self.voided + other.voided,
            burned: self.burned + other.burned,
        }
    }
}

/// What absorbed tasks of one stage, model and ending came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtotal {
    /// Tasks.
    pub tasks: u64,
    /// Their attempts, voided ones included.
    pub attempts: u64,
    /// What their settled attempts cost.
    pub spent: Amount,
    /// Worst cases of their burned attempts.
    pub burned: Amount,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Ledger time, in milliseconds.
    pub at_ms: u64,
    /// What happened, naming the task.
    pub text: String,
}

/// The account of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The run.
    pub run: RunId,
    /// Hash of the frozen price table.
    pub price_hash: String,
    /// Ceiling of the run.
    pub limit: Limit,
    /// Ceilings by stage.
    pub stage_limits: Limits,
    /// What it lets happen.
    pub state: AccountState,
    /// Who coordinates.
    pub epoch: Epoch,
    /// Lease of an attempt, in milliseconds.
    pub lease_ms: u64,
    /// Time until a task without progress is handed out again, in milliseconds.
    pub republish_ms: u64,
    /// Books by stage and model, absorbed tasks included.
    pub books: BTreeMap<Stage, BTreeMap<String, Books>>,
    /// Tasks by stage.
    pub counts: BTreeMap<Stage, Counts>,
    /// What absorbed tasks came to, by stage, model and ending.
    pub archived: BTreeMap<Stage, BTreeMap<String, BTreeMap<Ending, Subtotal>>>,
    /// Ledger time: the latest ever seen, in milliseconds.
    pub clock_ms: u64,
    /// Position of the newest entry of the results stream; 0 when there is none.
    pub last_seq: u64,
    /// The first alerts; `alerts_total` counts those that no longer fitted.
    pub alerts: Vec<Alert>,
    /// Alerts raised so far.
    pub alerts_total: u64,
    /// Requests to raise the limit that were carried out.
    pub raises: Vec<String>,
    /// Settles that came after the close and changed nothing.
    pub audited: u64,
}

impl Account {
    /// Books of the whole run.
    pub fn total(&self) -> Books {
        Stage::ALL
            .into_iter()
            .map(|stage| self.stage_total(stage))
            .fold(Books::default(), Books::plus)
    }

    /// Books of one stage.
    pub fn stage_total(&self, stage: Stage) -> Books {
        self.books
            .get(&stage)
            .into_iter()
            .flat_map(BTreeMap::values)
            .copied()
            .fold(Books::default(), Books::plus)
    }

    /// Tasks of the whole run.
    pub fn counts_total(&self) -> Counts {
        self.counts
            .values()
            .copied()
            .fold(Counts::default(), Counts::plus)
    }
}
