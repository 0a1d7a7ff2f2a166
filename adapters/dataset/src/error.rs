//! Why a dataset cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// Why a dataset cannot be written or read. Whatever it is, a dataset published before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option makes no sense.
    #[error("{0}")]
    Options(String),
    /// The output cannot be a folder at this place.
    #[error("{}: cannot be the output folder: {reason}", folder.display())]
    Target {
        /// The place.
        folder: PathBuf,
        /// Why not, with the way out.
        reason: &'static str,
    },
    /// The output folder holds something that is no part of a dataset and would be lost.
    #[error(
        "{}: will not be replaced, because it holds `{entry}`, which is no part of a dataset; name another output \
         folder or move that away",
        folder.display()
    )]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// The first entry that does not belong.
        entry: String,
    },
    /// Another process writes to the same output folder.
    #[error("{}: another process is writing this dataset; wait for it or name another output folder", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A row cannot be written in this layout. The writer can go on with the next row.
    #[error("row {id:?}: {reason}")]
    Row {
        /// The row.
        id: String,
        /// Why not.
        reason: String,
    },
    /// A file names rows in no form that is known.
    #[error("{}: {reason}", file.display())]
    RowList {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, with its line.
        reason: String,
    },
    /// A further file cannot be added under this name.
    #[error("`{name}` cannot be added to the dataset: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// No space is left.
    #[error("{}: no space left to write it; free some or name an output folder on another disk", file.display())]
    DiskFull {
        /// The file being written.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot {doing}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The writer was used after it failed.
    #[error("{}: writing it failed before; the dataset is incomplete and will not be published", file.display())]
    Broken {
        /// The output folder.
        file: PathBuf,
    },
    /// A Parquet file cannot be read or written.
    #[error("{}: no usable Parquet file", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
        /// The library's reason.
        source: ParquetError,
    },
    /// A Parquet file is not one of ours.
    #[error("{}: is no dataset written by Gristmill: column `{column}` is missing or no {expected}", file.display())]
    Column {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Error {
    /// Names what the operating system refused.
    pub(crate) fn io(file: &Path, doing: &'static str, source: io::Error) -> Self {
        let file = file.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { file },
            _ => Self::Io { file, doing, source },
        }
    }

    /// For use with `map_err`.
    pub(crate) fn at(file: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::io(file, doing, source)
    }

    /// What stopped the Parquet library: the operating system below it, or itself.
    pub(crate) fn parquet(file: &Path, error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::io(file, "read or write it", *source),
                Err(inner) => Self::Parquet {
                    file: file.to_owned(),
                    source: ParquetError::External(inner),
                },
            },
            source => Self::Parquet {
                file: file.to_owned(),
                source,
            },
        }
    }
}
