//! The ledger of one run folder, in SQLite.
//!
//! Owns the file `ledger.sqlite` and its lock `ledger.lock`. The rules are [`gristmill_domain::ledger`]'s; this crate makes them durable:
//!
//! - One writer thread owns the connection (WAL, `synchronous=FULL`). Operations queue in a bounded channel; what is queued is
//!   carried out in one transaction, a savepoint each, and answered after the commit. So hundreds of concurrent callers share
//!   one fsync, and an operation that fails takes no other with it.
//! - The account is kept in memory and written once a commit, in the transaction that holds what it counts.
//! - The folder is locked exclusively by the process that opened it; a second one is refused with the first one's process id.
//! - At reopening, whatever was started burns at once, unless it was lent: the process that made those calls is gone.
//! - It also keeps the [batch jobs](gristmill_ports::batch::BatchJobs) of the run's batches, so that no second file has to agree with it.
//! - [`ReadOnly`] looks at the account while a run is live, without the lock.
//!
//! It refuses to decide anything: no budget, lease or retry rule stands here. `rusqlite` was chosen over asynchronous wrappers because
//! one writer with group commit needs the connection on its own thread, and bundles SQLite so that nothing is to be installed.

mod batch_jobs;
mod clock;
mod desk;
mod error;
mod ledger;
mod lock;
mod read_only;
mod rows;
mod schema;
mod store;
mod writer;

pub use clock::{Clock, system_clock};
pub use error::Error;
pub use ledger::SqliteLedger;
pub use lock::running_in;
pub use read_only::ReadOnly;
