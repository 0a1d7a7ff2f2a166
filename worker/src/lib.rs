//! The worker: takes a task, does the one thing it says, settles it.
//!
//! It owns no state that outlives a delivery. What a delivery may cost is decided by the ledger; the worker's part is to tell the
//! truth about it: `settle` what was paid, `void` what provably cost nothing, `burn` the rest. It never talks to the coordinator.

mod attempt;
mod batch_lane;
mod bench;
mod board;
mod call;
mod examine;
mod gate;
mod large;
mod lease;
mod line_watch;
mod meter;
mod pace;
mod reply;
mod run_context;
mod service;
mod tell;
mod trials;
mod unreadable;
mod wait;

pub use board::{Handle, Silence};
pub use run_context::{BatchLine, Fixed, Model, NoContext, RunContext, RunContexts};
pub use service::{Options, Source, Worker};
