//! The contract suites that every implementation of a port must pass, as library code so that adapters can run them.

pub mod ledger;
