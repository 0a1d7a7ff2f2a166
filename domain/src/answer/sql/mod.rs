//! SQL answers: reading the query out of a completion, and deciding whether two result tables are the same answer.
//!
//! The comparison follows test-suite evaluation (Zhong, Yu, Klein 2020, arXiv 2010.02840): rows as a bag, columns up to a
//! permutation, row order only where the gold query orders at its top level, on the database and on [altered copies](alter) of it.
//! Running queries is an adapter's task.

pub mod alter;
mod compare;
mod fingerprint;
mod query;
mod table;

pub use compare::{Difference, same};
pub use fingerprint::{Fingerprint, fingerprint, fingerprints};
pub use query::{extract, ordered};
pub use table::{Cell, Table};
