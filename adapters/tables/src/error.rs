//! Why the input as a whole cannot be read.

use std::io;
use std::path::{Path, PathBuf};

/// Why the input as a whole cannot be read. Raised before the first row, so before anything is spent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file was named at all.
    #[error("no input files were named; give at least one file or pattern")]
    Nothing,
    /// A named file does not exist.
    #[error("{}: no such file{}", file.display(), hint(nearest.as_deref()))]
    Missing {
        /// The file as named.
        file: PathBuf,
        /// The most similar name in the same folder.
        nearest: Option<String>,
    },
    /// A named file's folder does not exist.
    #[error("{}: the folder {} does not exist", file.display(), folder.display())]
    MissingFolder {
        /// The file as named.
        file: PathBuf,
        /// The first folder on the way that does not exist.
        folder: PathBuf,
    },
    /// A pattern is not well formed.
    #[error("`{pattern}` is no valid file pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it, with its position.
        reason: String,
    },
    /// A pattern matches no file.
    #[error("no file matches `{pattern}`; patterns are matched from the folder {}", folder.display())]
    NoMatch {
        /// The pattern as given.
        pattern: String,
        /// Where relative patterns start.
        folder: PathBuf,
    },
    /// The file may not be read by this user.
    #[error("{}: permission denied; make it readable for this user", file.display())]
    Denied {
        /// The file.
        file: PathBuf,
    },
    /// A folder was named where a file is needed.
    #[error("{0}: is a folder; name the files in it, for example `{0}/*.jsonl`", file.display())]
    Directory {
        /// The folder.
        file: PathBuf,
    },
    /// A pipe, socket or device was named.
    #[error("{}: is no regular file; write its contents to a file first", file.display())]
    Special {
        /// What was named.
        file: PathBuf,
    },
    /// The extension says nothing about the format.
    #[error(
        "{}: cannot tell the format from {}; use one of the extensions .jsonl .ndjson .json .csv .tsv .parquet, the text \
         ones optionally with .gz or .zst; a job may name it in `seeds.format`",
        file.display(),
        extension.as_ref().map_or_else(|| "a name without extension".to_owned(), |e| format!("`.{e}`"))
    )]
    Extension {
        /// The file.
        file: PathBuf,
        /// Its extension, if it has one.
        extension: Option<String>,
    },
    /// The first bytes show another format than the one to be read.
    #[error("{}: read as {expected}, but this is {found}", file.display())]
    Mismatch {
        /// The file.
        file: PathBuf,
        /// The format that was named or that the extension stands for.
        expected: &'static str,
        /// What the first bytes show, with the way out.
        found: &'static str,
    },
    /// A JSON file holds more than one list of rows.
    #[error(
        "{}: holds {} lists of rows, `{}`, and only one can be read: write the wanted one to a file of its own, for example with \
         `jq '.\"{}\"' {} > {}.json`",
        file.display(),
        names.len(),
        names.join("`, `"),
        names.first().map_or("train", String::as_str),
        file.display(),
        names.first().map_or("train", String::as_str)
    )]
    SeveralLists {
        /// The file.
        file: PathBuf,
        /// The lists' names, in their order.
        names: Vec<String>,
    },
    /// The header line of a CSV file cannot be used.
    #[error("{}: unusable header line: {reason}", file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A Parquet file's footer cannot be used.
    #[error("{}: unreadable Parquet file: {reason}", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused for another reason.
    #[error("{}: cannot be read", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// Names what the operating system refused for one file.
    pub(crate) fn from_io(file: &Path, source: io::Error) -> Self {
        let file = file.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { file },
            io::ErrorKind::IsADirectory => Self::Directory { file },
            _ => Self::Io { file, source },
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; its folder is empty".to_owned(),
        |name| format!("; the nearest name in its folder is `{name}`"),
    )
}
