//! What a ledger asks of a coordinator when its store can lose what it had acknowledged, or must give its memory back.
//!
//! A store that fails over or loses the end of its log is older than what it told. Such a ledger lets nothing begin until the
//! run's coordinator has looked into it: [`Upkeep::health`], again until it is [`StoreHealth::Whole`], and [`Upkeep::rebuild`] when it is
//! [`StoreHealth::Broken`]. Ask after each take-over, before anything is opened, and whenever `open` answers `Frozen`.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::Amount;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{Ending, Epoch, NewAccount, NewTask, Subtotal};
use gristmill_domain::stage::Stage;

use crate::ledger::Error;

/// What the alert of an account begins with whose books were rebuilt, with calls that may have been in flight at their worst case.
pub const PRESUMED: &str = "the books were rebuilt after lost writes, and attempts are presumed";

/// Whether a run's account is what was last acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    /// It is: go on.
    Whole,
    /// The store was restarted or replaced. Whoever was told of a write that is lost has this long to show it: ask again then.
    Waiting {
        /// Milliseconds.
        wait_ms: u64,
    },
    /// Writes are lost: rebuild.
    Broken,
}

/// A task that is still in a ledger that has lost writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survivor {
    /// The task.
    pub id: TaskId,
    /// Whether it has its result or its failure; that is kept, unless the task is stored.
    pub decided: bool,
}

/// Stored tasks of one stage, model and ending, summed from the attempts in their results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// What they asked for.
    pub stage: Stage,
    /// The model they are booked under.
    pub model: String,
    /// How they ended.
    pub ending: Ending,
    /// What they came to.
    pub sum: Subtotal,
}

/// What the coordinator knows of a run, from its segments and its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// The account as it started, for when it is gone; its limit as it was last set. An account that is there keeps what it has but for a
    /// smaller limit.
    pub account: NewAccount,
    /// Tasks whose results are stored.
    pub stored: Vec<StoredLine>,
    /// Those of the survivors that are stored.
    pub stored_survivors: Vec<TaskId>,
    /// All other tasks that may have begun, each with its worst case; at least the survivors that are not decided.
    pub open: Vec<(NewTask, Amount)>,
    /// Newest position of the results stream that was read; 0 when not known.
    pub last_seq: u64,
}

/// Implemented by ledgers whose store can lose writes or runs out of memory.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the account is whole, given the number of tasks whose results are stored. Making it so again is part of it: see [`StoreHealth`].
    async fn health(&self, run: RunId, epoch: &Epoch, stored: u64) -> Result<StoreHealth, Error>;

    /// What is left of a run's tasks; at most as many as were open at once.
    async fn survivors(&self, run: RunId, epoch: &Epoch) -> Result<Vec<Survivor>, Error>;

    /// Makes the books whole again, also where nothing is left: what is stored is spent as it says, each other open task has cost
    /// one worst case, and the first late word about it corrects that. What is presumed together is at most what is left of the limit, the
    /// larger of the account's and the holdings': no more can have begun, and the books never pass it. Open tasks are due again. Safe to
    /// send again; an account that is whole is left as it is. Returns how many attempts were presumed.
    async fn rebuild(&self, run: RunId, epoch: &Epoch, holdings: Holdings) -> Result<u64, Error>;

    /// Gives back the memory of a closed run, whose account is archived with its dataset; after `keep`, in which late settles still
    /// reach its audit record. `false` when the run is not closed; a run that is gone is released.
    async fn release(&self, run: RunId, keep: Duration) -> Result<bool, Error>;
}
