//! Redis: the ledger, the fleet's limits, the register of runs and the batch jobs of a cluster.
//!
//! One [`Redis`] is shared by all of them: a connection that is made again when it breaks, and that says which server process it
//! leads to. Everything that decides is a Lua script, since a script is the one thing that Redis carries out alone; see
//! [`connection`] for how a module brings its own.

pub mod address;
mod batch_jobs;
mod checks;
pub mod connection;
mod error;
mod fault;
pub mod ledger;
pub mod limiter;
pub mod register;
pub mod script;

pub use address::Address;
pub use batch_jobs::RedisBatchJobs;
pub use checks::{CHECKS, checks};
pub use connection::{Options, Redis, ServerId};
pub use error::Error;
pub use fault::Fault;
pub use ledger::RedisLedger;
pub use limiter::RedisLimiter;
pub use register::RedisRegister;
pub use script::{Call, Script};
