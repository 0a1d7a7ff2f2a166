//! The ledger's state machine: who may spend what, and what became of it. Pure, and the same for every store.
//!
//! A store loads an [`Account`] and one [`Task`], calls a transition with its clock's time, writes both back in one atomic
//! step with what the [`Transition`] says, and only then replies. A transition that refuses has changed nothing but the clock.
//!
//! **Account.** What each order makes of each state (`·`: left as it is). Only `Active` lets `open` and `begin` through;
//! `settle`, `void`, `burn`, `renew` and `absorb` work in every state.
//!
//! | | pause | resume | freeze | unfreeze | cancel | close¹ | reopen³ |
//! |---|---|---|---|---|---|---|---|
//! | Active | Paused | · | Frozen | · | Cancelled | Closed | · |
//! | Paused | · | Active | Frozen, paused | · | Cancelled | Closed | · |
//! | Frozen | Frozen, paused | Frozen, not paused | · | Active, or Paused if paused | Cancelled | Closed | · |
//! | Cancelled | · | · | · (alert) | · | · | Closed | · |
//! | Closed | · | · | · | · | · | · | Active |
//!
//! ¹ refused while anything is started or open.
//!
//! ³ with a limit that covers what is spent and burned; a closed run has nothing else on its books.
//!
//! **Attempt.** What each word makes of each state; the same word again never counts twice.
//!
//! | | settle | void | burn, or the lease runs out |
//! |---|---|---|---|
//! | Started | Settled: worst leaves `started`, actual enters `spent` | Voided: worst leaves `started` | Burned: worst moves to `burned` |
//! | Settled | · | · | · |
//! | Voided | · (alert if it says it cost something) | · | · |
//! | Burned | LateSettled: worst leaves `burned`, actual enters `spent`² | LateSettled at zero² | · |
//! | LateSettled | · | · | · |
//!
//! ² in a closed run: written into the attempt's audit record, no book changes. Such an attempt stays at its worst case for good, also
//! when the run is reopened.
//!
//! **Task.** Open until the first of: a settle with a result, also a late one; a settle that says trying again is pointless; the
//! last of `max_attempts` or `max_voids` used up; an order of the coordinator to fail it. Whatever comes after the first
//! decision is about money only. A decided task is absorbed by order, and gone once nothing of it runs; its burned
//! attempts stay as [`Remnant`]s so that a late settle still corrects their money.
//!
//! **Invariants**, after every transition:
//! - started + spent + burned ≤ limit for every begin that is granted, for the run and for the stage. Only an attempt that costs
//!   more than its worst case takes it beyond; that freezes the account at once, so that the overshoot is at most that of
//!   attempts already started.
//! - books = live attempts + archived subtotals; planned = open + done + failed.

mod account;
mod begin;
mod govern;
mod resolve;
mod task;
#[cfg(test)]
mod tests;
mod words;

pub use account::{Account, AccountState, Alert, Books, Counts, Subtotal};
pub use resolve::Word;
pub use task::{Attempt, AttemptState, Decision, OpenTask, Remnant, Settled, Task};
pub use words::{
    Absorbed, Allocation, Begin, Close, Ending, Epoch, Fence, Limits, NewAccount, NewTask, Nonce, Open,
    Outcome, Purse, Raise, Reopen, Settle, VoidProof,
};

/// A reply, and what the store must write besides account and task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a decision that is not stored is a lost result"]
pub struct Transition<R> {
    /// What the caller is told.
    pub reply: R,
    /// The decision that was just taken on the task, for the results stream, at the position in [`Task::decided`].
    pub decision: Option<Decision>,
}

impl<R> Transition<R> {
    fn plain(reply: R) -> Self {
        Self {
            reply,
            decision: None,
        }
    }
}
