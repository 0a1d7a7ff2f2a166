//! The ledger's state machine: who may spend what, and what became of it. Pure, and the same for every store.

mod account;
mod task;
mod words;

pub use account::{Account, AccountState, Alert, Books, Counts, Limits, Subtotal};
pub use task::{Attempt, AttemptState, Decision, Ending, OpenTask, Settled};
pub use words::{
    Absorbed, Allocation, Begin, Close, Epoch, Fence, NewAccount, NewTask, Nonce, Open, Outcome, Purse,
    Raise, Settle, VoidProof,
};
