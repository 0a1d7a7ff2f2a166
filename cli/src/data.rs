//! Verbs that work on any table, without a job: measure, dedup, filter, decontaminate, map.
//!
//! Rows stream. What is held grows with kept rows (dedup), held-out items (decontaminate) or a stated number of drawn rows (measure, map). What is
//! written appears whole or not at all.

mod decontaminate;
mod dedup;
mod fields;
mod filter;
mod keep;
mod map;
mod measure;
pub(crate) mod out;
pub(crate) mod sample;
mod scratch;
mod source;
mod table;
pub(crate) mod task;
pub(crate) mod vectors;

pub(crate) use decontaminate::decontaminate;
pub(crate) use dedup::dedup;
pub(crate) use filter::filter;
pub(crate) use map::map;
pub(crate) use measure::measure;
