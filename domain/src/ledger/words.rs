//! The words the ledger is spoken to with: epochs, nonces, fences, outcomes and replies.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, Limit};
use crate::id::{RunId, TaskId};
use crate::stage::Stage;

/// The right to coordinate a run. Two epochs are the same only when number *and* holder are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Grows by one with each take-over; 0 before the first.
    pub number: u64,
    /// Names one incarnation of one coordinator process, never a host: a restarted process is a new holder.
    pub holder: String,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} of `{}`", self.number, self.holder)
    }
}

/// Chosen at random by whoever begins an attempt, once for each delivery it works on: what makes `begin` safe to send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

/// Proof that an attempt was granted. Whatever settles, voids or burns an attempt shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The task attempted.
    pub task: TaskId,
    /// Number of the attempt, from 1, voided ones included.
    pub attempt: u32,
    /// The nonce it was granted to.
    pub nonce: Nonce,
}

/// How a run's account starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// The run.
    pub run: RunId,
    /// Ceiling on what the run may consume.
    pub limit: Limit,
    /// Hash of the price table, frozen with the run: the same account under other prices is refused.
    pub price_hash: String,
    /// Time an attempt has between two renewals, in milliseconds (about 30,000).
    pub lease_ms: u64,
    /// Time after which a task that was handed out and shows no progress is handed out again, in milliseconds.
    pub republish_ms: u64,
}

/// A task to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its id: opening an id again changes nothing.
    pub id: TaskId,
    /// What it asks for.
    pub stage: Stage,
    /// Name of the model that will be asked, for the books.
    pub model: String,
    /// What the worker needs; opaque to the ledger.
    pub payload: Vec<u8>,
    /// Attempts that may cost something, after which the task fails; at least 1.
    pub max_attempts: u32,
    /// Voided attempts after which the task fails; at least 1.
    pub max_voids: u32,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The task's result; opaque to the ledger.
    Done(Vec<u8>),
    /// It was paid and brought nothing usable; the task may be tried again after the wait.
    Retry {
        /// Why, for the attempt log.
        reason: String,
        /// Time before the next attempt, in milliseconds.
        wait_ms: u64,
    },
    /// Trying again is pointless: the task fails.
    Failed {
        /// Why, for the attempt log and the results.
        reason: String,
    },
}

/// Why an attempt provably cost nothing: connection refused, 400, 401, 429 or 529 before a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidProof {
    /// What was observed.
    pub reason: String,
}

/// Whose limit stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// The run's.
    Run,
    /// The stage's share: the coordinator may allocate anew.
    Stage,
}

/// Answer to `begin`. Each has one consequence at the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// The worst case is reserved and the attempt has started. The same nonce gets the same grant again.
    Granted {
        /// Shown with every later word about this attempt.
        fence: Fence,
        /// Ledger time at which the attempt burns unless renewed, in milliseconds.
        lease_until_ms: u64,
    },
    /// Another attempt runs.
    Busy {
        /// Ledger time at which its lease ends, in milliseconds.
        until_ms: u64,
    },
    /// The task waits for a retry or was deferred.
    NotDue {
        /// Ledger time from which it may begin, in milliseconds.
        until_ms: u64,
    },
    /// The task has its result.
    AlreadySettled,
    /// The task has failed for good.
    Failed,
    /// The run is paused.
    Paused,
    /// The account is frozen until a person looks at it.
    Frozen,
    /// The run is cancelled.
    Cancelled,
    /// The run is closed, or the task is absorbed or was never opened: nothing is left to do for this delivery.
    Closed,
    /// What is left is held by attempts in flight, which may settle below their worst case: wait.
    NoBudgetNow(Purse),
    /// What is left does not cover this worst case and nothing in flight can change that.
    NoBudget(Purse),
}

/// Answer to `settle`, `void` and `burn`. All of them mean that the message may be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settle {
    /// The money is booked; `decided` when the task has got its result or its failure by this very word.
    Booked {
        /// Whether the task is now done or failed because of it.
        decided: bool,
    },
    /// The attempt had burned and its money is corrected, once.
    Corrected {
        /// Whether the task is now done or failed because of it.
        decided: bool,
    },
    /// This attempt's money was booked before: nothing has changed.
    Already,
    /// The run is closed: written to the audit record, the books unchanged.
    Audited,
    /// No such task is open: it was absorbed with this attempt resolved.
    Closed,
    /// The ledger never granted this fence: nothing has changed.
    Unknown,
}

/// Answer to `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// All tasks of the batch are open.
    Opened {
        /// How many of them were not known before.
        fresh: u64,
    },
    /// None was opened: the run is paused.
    Paused,
    /// None was opened: the account is frozen.
    Frozen,
    /// None was opened: the run is cancelled.
    Cancelled,
    /// None was opened: the run is closed.
    Closed,
}

/// Answer to `raise`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raise {
    /// The new limit holds.
    Raised,
    /// This request was carried out before: nothing has changed.
    Already,
    /// The limit is another than expected: nothing has changed.
    Mismatch {
        /// The limit as it is.
        current: Limit,
    },
    /// The new limit would not cover what is started, spent and burned: nothing has changed.
    BelowUsed {
        /// What is started, spent and burned.
        used: Amount,
    },
    /// The run is closed.
    Closed,
}

/// Answer to `reopen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopen {
    /// The run is active again, with the new limit.
    Reopened,
    /// This request was carried out before: nothing has changed.
    Already,
    /// The run is not closed: nothing has changed.
    NotClosed,
    /// The limit is another than expected: nothing has changed.
    Mismatch {
        /// The limit as it is.
        current: Limit,
    },
    /// The new limit would not cover what is spent and burned: nothing has changed.
    BelowUsed {
        /// What is spent and burned.
        used: Amount,
    },
}

/// Answer to `close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// The run is closed, now or before.
    Closed,
    /// Not yet: attempts run, or tasks are neither done nor failed.
    NotYet {
        /// Attempts in flight.
        started: u64,
        /// Tasks without an outcome.
        open: u64,
    },
}

/// Answer to `absorb`, counted over the batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorbed {
    /// Deleted, their money moved to the archived subtotals.
    pub archived: u64,
    /// Marked: deleted as soon as their running attempt ends.
    pub waiting: u64,
    /// Not there: absorbed before, or never opened.
    pub absent: u64,
    /// Not absorbed: they have no outcome yet.
    pub unfinished: u64,
}

/// Shares of the budget by stage; a stage that is not named is limited by the run only.
pub type Allocation = Limits;

/// How a task ended, without its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a result.
    Done,
    /// Without one.
    Failed,
}

/// Ceilings by stage.
pub type Limits = BTreeMap<Stage, Limit>;
