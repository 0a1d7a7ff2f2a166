//! Reads tables of seeds: JSON Lines and lists in JSON, CSV (with commas, semicolons, tabs or bars) and Parquet; the texts in UTF-8 or UTF-16,
//! and also compressed with gzip or zstd.
//!
//! Owns: finding the files that patterns name, telling formats apart, and turning each row into a JSON object with the
//! file and line it came from. Memory is bounded by one row (one batch of at most about 8 MiB for Parquet), never by a file.
//!
//! Refuses: to guess what a column means, to hold or sort rows, to repair a bad row, to follow a URL, to read a pipe (each
//! file is opened twice: once to check it before anything is spent, once to read it).
//!
//! Two kinds of trouble are kept apart: what makes the input as a whole unusable is an [`Error`] when it is opened; what
//! spoils one row is a [`BadRow`] among the rows, so that the caller decides which share of them is too many. A
//! [`BadRow`] that [ends its file](BadRow::ends_file) (a cut archive, a failing disk) is never just a share: rows behind
//! it exist and were not seen.

mod columns;
mod delimited;
mod delimiter;
mod error;
mod json;
mod lines;
mod reader;
mod row;
mod select;
mod several;
mod sniff;
mod source;
mod utf16;
mod values;

pub use error::Error;
pub use reader::{Format, Options, Reader};
pub use row::{BadRow, Reason, Record};
pub use select::files;
pub use sniff::{Column, Kind, Profile, sniff};
