//! The worker: takes a task, does the one thing it says, settles it.
//!
//! It owns no state that outlives a delivery. What a delivery may cost is decided by the ledger; the worker's part is to tell the
//! truth about it: `settle` what was paid, `void` what provably cost nothing, `burn` the rest. It never talks to the coordinator.

mod attempt;
mod examine;
mod kit;
mod lease;
mod reply;
mod service;

pub use kit::{Kit, Model};
pub use service::{Options, Worker};
