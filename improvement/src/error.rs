//! What can go wrong with a loop's record.

use std::path::{Path, PathBuf};

/// Why a record cannot be read, written, or gone on from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("{path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no record, or one of a newer program.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record of a loop that began with other settings.
    #[error(
        "{folder} holds a loop with another {what}\nhelp: name another folder with `--out`, or give the loop what it began with"
    )]
    Other {
        /// The loop's folder.
        folder: PathBuf,
        /// What is not the same.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
