//! Runs strangers' SQL on given SQLite databases, and users' programs on answers, within limits that really stop them.
//!
//! It owns the children in which queries run: this very program, started again with a hidden argument, one long-lived child
//! a slot. A child has no environment, may write no file, start no process and hold no more memory than it is given; SQLite
//! inside is opened read-only and immutable, and its authorizer lets nothing through but reading. Limits stand one behind
//! the other: steps of SQLite's machine (the same on every computer, so that a verdict does not depend on the load), then
//! processor time, then the parent's clock and SIGKILL.
//!
//! For each database it also keeps altered copies (see `gristmill_domain::answer::sql::alter`), made in a child at the first need,
//! on which queries that mean different things return different results.
//!
//! It refuses to change a database, to run more than one statement, to answer by chance (`random`), and to compare
//! results: that is `gristmill_domain::answer::sql`. Virtual tables that need writing or PRAGMA even to be read (FTS5,
//! R-tree) are refused, too.
//!
//! A program that opens a [`Sandbox`] begins its `main`, before any thread exists, with:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     if gristmill_sandbox::is_child() {
//!         return gristmill_sandbox::child_main();
//!     }
//!     // …
//! #   std::process::ExitCode::SUCCESS
//! }
//! ```

mod child;
mod copies;
mod databases;
mod error;
mod options;
mod pool;
mod program;
mod results;
mod validation;
mod wire;
mod worker;

pub use child::{child_main, is_child};
pub use databases::Source;
pub use error::Error;
pub use options::{Limits, Options};
pub use pool::Sandbox;
pub use program::{ProgramLimits, ProgramRunner};
pub use validation::{FOLDERS, Files, Opened, Shipped, open, shipped};
