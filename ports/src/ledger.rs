//! The ledger: the only place that knows what may still be spent, and who won.
//!
//! The rules are those of [`gristmill_domain::ledger`], the pure state machine; an implementation stores it and makes each
//! operation atomic and durable before it answers. Every operation is safe to send again: when a reply is lost, or the store
//! says [`Error::Store`], the outcome is unknown and the *same* operation (same nonce, fence, request id) is sent again.
//!
//! Times are milliseconds of the ledger's own clock, `max(last seen, server time)`; no caller's clock is ever used.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::{RunId, TaskId};
pub use gristmill_domain::ledger::{
    Absorbed, Account, AccountState, Alert, Allocation, Attempt, AttemptState, Begin, Books, Close, Counts,
    Decision, Ending, Epoch, Fence, NewAccount, NewTask, Nonce, Open, OpenTask, Outcome, Purse, Raise,
    Reopen, Settle, Settled, Subtotal, VoidProof,
};

/// Why an operation was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No account was created for this run here.
    #[error(
        "run {0} has no account in this ledger: create it first, or look in the folder it was started in"
    )]
    UnknownRun(RunId),
    /// Another coordinator has taken the run over: stop coordinating.
    #[error("{held} no longer coordinates run {run}: {current} does")]
    StaleEpoch {
        /// The run.
        run: RunId,
        /// The epoch that was shown.
        held: Epoch,
        /// The epoch that holds.
        current: Epoch,
    },
    /// The run was started under another price table.
    #[error(
        "run {run} was started under the prices {frozen}, not {given}: keep its prices, or start another run"
    )]
    PricesChanged {
        /// The run.
        run: RunId,
        /// Hash of the price table the run is frozen to.
        frozen: String,
        /// Hash that was given.
        given: String,
    },
    /// The request makes no sense, whatever the ledger holds.
    #[error("{0}")]
    Invalid(String),
    /// The store failed: whether the operation was carried out is unknown. Send the same one again.
    #[error("the ledger's store failed while it {doing}")]
    Store {
        /// What it was doing.
        doing: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Refuses tasks that could never run; for implementations of [`Ledger::open`].
///
/// # Errors
/// [`Error::Invalid`] for the first task without an attempt to use.
pub fn check_tasks(tasks: &[NewTask]) -> Result<(), Error> {
    match tasks
        .iter()
        .find(|task| task.max_attempts == 0 || task.max_voids == 0)
    {
        None => Ok(()),
        Some(task) => Err(Error::Invalid(format!(
            "task {} may not be tried even once: max_attempts and max_voids start at 1",
            task.id
        ))),
    }
}

/// The longest [`Ledger::results`] waits, whatever it is asked: longer sums overflow clocks.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A ledger. One account a run; see the module for what holds for every operation.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Creates the run's account unless it exists. An existing one keeps its limit (see [`Self::raise`]) and its times; other
    /// prices are [`Error::PricesChanged`].
    async fn create(&self, account: NewAccount) -> Result<(), Error>;

    /// Makes `holder` the run's coordinator and every other one stale. The present holder gets its present epoch again.
    async fn take_over(&self, run: RunId, holder: &str) -> Result<Epoch, Error>;

    /// Opens tasks, before they are published, all or none. Known ids are left as they are. An id that was *absorbed* is not
    /// known any more: which tasks are absorbed is the coordinator's to know, from its segments.
    async fn open(&self, run: RunId, epoch: &Epoch, tasks: Vec<NewTask>) -> Result<Open, Error>;

    /// Reserves the worst case and starts an attempt in one step.
    async fn begin(&self, run: RunId, task: TaskId, nonce: Nonce, worst: Amount) -> Result<Begin, Error>;

    /// Extends the leases of attempts; returns those still in flight. One that is missing from the answer has ended: its call
    /// can be given up, or finished and settled late.
    async fn renew(&self, run: RunId, fences: &[Fence]) -> Result<Vec<Fence>, Error>;

    /// Lends attempts to somebody who works on them for longer than a lease and whom no process waits for: their leases last at least
    /// `lease_ms` from now. Returns those still in flight.
    async fn lend(&self, run: RunId, fences: &[Fence], lease_ms: u64) -> Result<Vec<Fence>, Error>;

    /// Says what an attempt cost and what it came to. Money: first word by attempt wins; result: first by task wins.
    async fn settle(
        &self,
        run: RunId,
        fence: Fence,
        actual: Amount,
        outcome: Outcome,
    ) -> Result<Settle, Error>;

    /// Says that an attempt provably cost nothing. The task is due again after the wait. A request that can never succeed is
    /// settled instead, at [`Amount::ZERO`] and [`Outcome::Failed`].
    async fn void(&self, run: RunId, fence: Fence, proof: VoidProof, wait_ms: u64) -> Result<Settle, Error>;

    /// Says that nobody knows what an attempt cost: the worst case counts. The task is due again after the wait.
    async fn burn(&self, run: RunId, fence: Fence, reason: &str, wait_ms: u64) -> Result<Settle, Error>;

    /// Puts an open task that does not run off for at least `wait_ms` from now, as when no permit is to be had; then it is
    /// handed out by [`Self::due`] again. Anything else is left as it is.
    async fn defer(&self, run: RunId, task: TaskId, wait_ms: u64) -> Result<(), Error>;

    /// Burns the attempts whose lease has run out; returns how many.
    async fn expire(&self, run: RunId, epoch: &Epoch) -> Result<u64, Error>;

    /// Hands out at most `limit` tasks to publish: open, not running, due now, and not handed out within the last republish
    /// interval. Oldest first. Nothing unless the account is active.
    async fn due(&self, run: RunId, epoch: &Epoch, limit: usize) -> Result<Vec<OpenTask>, Error>;

    /// Fails tasks that have no outcome, whether they run or not: without funds, dead-lettered, cancelled. They go onto the results
    /// stream; money of attempts in flight is still booked. Returns how many were failed by this call.
    async fn fail(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId], reason: &str) -> Result<u64, Error>;

    /// Entries of the results stream after position `after`, at most `limit`; failed tasks are entries too. Waits up to `wait`
    /// for the first one when there is none ([`WAIT_MAX`] at most), and returns empty after that.
    async fn results(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Settled>, Error>;

    /// Deletes decided tasks, whose results are safe elsewhere by now, from ledger and stream: at once, or when their running
    /// attempt ends.
    async fn absorb(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId]) -> Result<Absorbed, Error>;

    /// Replaces the limits by stage.
    async fn allocate(&self, run: RunId, epoch: &Epoch, limits: Allocation) -> Result<(), Error>;

    /// Replaces the run's limit if it is `expected`; once for each request id. It may also be lowered, not below what is used.
    async fn raise(&self, run: RunId, request_id: &str, expected: Limit, new: Limit) -> Result<Raise, Error>;

    /// Takes a closed run up again, with `new` as its limit if the present one is `expected`; once for each request id. What is spent and
    /// burned stays on the books and counts against the new limit, which must cover it. Late settles that were audited while the run
    /// was closed stay audit records.
    async fn reopen(
        &self,
        run: RunId,
        epoch: &Epoch,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Reopen, Error>;

    /// Stops `open` and `begin` until [`Self::resume`].
    async fn pause(&self, run: RunId, reason: &str) -> Result<(), Error>;

    /// Lifts a pause; nothing else.
    async fn resume(&self, run: RunId) -> Result<(), Error>;

    /// Stops `open` and `begin` for good.
    async fn cancel(&self, run: RunId) -> Result<(), Error>;

    /// Stops `open` and `begin` until [`Self::unfreeze`], with an alert.
    async fn freeze(&self, run: RunId, reason: &str) -> Result<(), Error>;

    /// Lifts a freeze; a pause from before or during it holds on.
    async fn unfreeze(&self, run: RunId) -> Result<(), Error>;

    /// Ends the run, once nothing is started and nothing is open, until it is reopened.
    async fn close(&self, run: RunId, epoch: &Epoch) -> Result<Close, Error>;

    /// The account as it stands.
    async fn account(&self, run: RunId) -> Result<Account, Error>;

    /// The attempts of a task, in order: all of them until it is absorbed, only the burned ones after, none when it is unknown.
    async fn attempts(&self, run: RunId, task: TaskId) -> Result<Vec<Attempt>, Error>;
}
