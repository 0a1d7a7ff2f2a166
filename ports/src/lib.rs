//! The traits through which the coordinator and the worker reach their neighbours, each with its contract in its docs.
//!
//! The crate owns no behaviour but the words of checks ([`check`]). Contract suites that every implementation must pass stand beside the traits.

pub mod batch;
pub mod blob;
pub mod check;
#[cfg(feature = "contract")]
pub mod contract;
pub mod ledger;
pub mod limiter;
pub mod line;
pub mod metric;
pub mod model;
pub mod queue;
pub mod register;
pub mod sql;
pub mod trace;
pub mod trainer;
pub mod upkeep;
