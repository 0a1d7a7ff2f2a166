//! The contract suites that every implementation of a port must pass: library code, so that adapters can run them in their tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "this is test code that ships as a library; a scenario's name says what it shows"
)]

pub mod batch_jobs;
pub mod blob;
pub mod ledger;
pub mod limiter;
pub mod queue;
pub mod register;
