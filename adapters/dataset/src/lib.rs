//! Writes datasets: a folder that `datasets.load_dataset` reads as it stands, whole or not at all.
//!
//! ```text
//! data/train-00000-of-00002.parquet …   the splits; the only files that the card's configuration names
//! jsonl/train.jsonl …                   the same rows as text (optional)
//! rejected.parquet                      every row that was not taken, with stage, reason and cost
//! README.md, manifest.json …            added by the caller before the folder is published
//! ```
//!
//! Owns: the columns of each [`Layout`], the provenance column, sharding, hashes, and the step by which a finished folder
//! takes the place of the one before. Everything is written to a hidden folder beside the target and moved in one rename,
//! so a torn file is never taken for a whole one and a full disk leaves the previous output as it was.
//!
//! Refuses: to decide which rows belong to which split, to check ids for doubles, to replace a folder that holds anything
//! it does not know, to hold rows (memory is bounded by one row group a file, see [`Writer`]).
//!
//! All calls block: run them on a thread that may.

mod card;
mod columns;
mod convert;
mod decode;
mod error;
mod file;
mod layout;
mod read;
mod row;
mod row_list;
mod staging;
mod writer;

pub use card::{About, front_matter};
pub use convert::{convert, dataset_folder, each_row, export_jsonl, rows_of, split_files};
pub use error::Error;
pub use layout::Layout;
pub use read::{Rows, read_rejected, read_rows};
pub use row::{DatasetRow, Origin, Provenance, Rejected, RejectedAnswer, Split, Verdict};
pub use row_list::RowList;
pub use writer::{FileInfo, Finished, Options, Writer};
