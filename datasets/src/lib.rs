//! Operations on any dataset, without a job: measure, deduplicate, filter, decontaminate, map.
//!
//! Rows stream. What is held in memory grows with kept rows ([`dedup`]), held-out items ([`decontaminate`]), rows whose likelihood bounds
//! them (24 bytes each, [`filter`]) or a stated number of drawn rows ([`measure`], [`map`]). What is written appears whole or not at all.
//!
//! The crate prints nothing and reads no command line: each operation takes options and a [`Task`], and returns a value that has a text
//! for people and JSON for programs. Models are loaded by the caller ([`Host`]). All operations block and are meant for a thread of
//! their own.

mod batches;
mod decontaminate;
mod dedup;
mod fields;
mod filter;
mod held_out;
mod keep;
mod likelihood;
mod map;
mod measure;
pub mod out;
mod sample;
mod scratch;
mod source;
mod table;
mod task;
mod vectors;

pub use decontaminate::{DecontaminateOptions, LeakThreshold, decontaminate};
pub use dedup::{DedupOptions, dedup};
pub use filter::{FilterOptions, FilterRules, filter};
pub use held_out::HeldOutItems;
pub use keep::{DropReason, OutOptions, Sorted};
pub use likelihood::{LikelihoodBounds, LikelihoodOf, LikelihoodOptions};
pub use map::{DrawnMap, MapOptions, map};
pub use measure::{AgentOptions, MeasureOptions, MeasureSettings, Measurements, measure};
pub use source::RowsOptions;
pub use task::{Counter, Counting, Host, Interrupted, Task};
pub use vectors::{TextVectors, VectorOptions};
