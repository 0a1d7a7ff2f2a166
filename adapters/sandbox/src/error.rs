//! Why a sandbox could not be opened.

use std::path::PathBuf;

/// A sandbox could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Nothing to run queries on.
    #[error("no database: give at least one `.sql` dump or `.sqlite` file ({place})")]
    NoDatabase {
        /// Where they were looked for.
        place: String,
    },
    /// Two files of a folder would have one name.
    #[error("database `{name}` is there twice, as {} and {}: rename one", first.display(), second.display())]
    Twice {
        /// The name.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The file's kind is not known from its ending.
    #[error("database file {} is neither a `.sql` dump nor a `.sqlite`, `.sqlite3` or `.db` file", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// The path cannot be told to the child.
    #[error("the path {} is not valid UTF-8: move the file", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A database is still being written.
    #[error("database {} has an unmerged write-ahead log: close the program that writes it, or run `PRAGMA wal_checkpoint(TRUNCATE)` on it", path.display())]
    Unmerged {
        /// The database file.
        path: PathBuf,
    },
    /// A dump could not be loaded or a file is no database.
    #[error("database `{name}` ({}): {reason}", path.display())]
    Database {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// SQLite's message and the statement it is about.
        reason: String,
    },
    /// The validator's settings cannot be used.
    #[error("{reason}")]
    Validator {
        /// Which setting, and what is wrong with it.
        reason: String,
    },
    /// A child could not be started, or did not answer as one.
    #[error("the sandbox's child process does not start: {reason}")]
    Child {
        /// What happened.
        reason: String,
    },
}
