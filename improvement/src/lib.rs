//! A loop of generations: rows are bought, a student is trained and evaluated, and its errors say what to buy next, under one budget.
//!
//! This crate owns what the loop decides ([`Policy`]: how much the next generation may cost, and whether it is worth it), what it has done
//! ([`Record`]: the file that a loop goes on from), and how that is told. It runs, trains and asks nothing: `gristmill loop` does.

mod chart;
mod cost;
mod error;
mod policy;
mod record;
mod told;

pub use chart::chart;
pub use cost::Cost;
pub use error::Error;
pub use policy::{Next, Policy, Stop};
pub use record::{Aim, Costs, Generation, Grant, Headline, Record, Settings, Student};
pub use told::{generation_text, record_text};
