//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why a student could not be prepared or recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] gristmill_dataset::Error),
    /// The dataset cannot be trained on.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// Its folder.
        path: PathBuf,
        /// Why, and the way out.
        reason: String,
    },
    /// Another process trains in the folder.
    #[error("{}: another process trains here: wait for it, or name another folder with `--out`", .0.display())]
    Busy(PathBuf),
    /// The folder holds another training.
    #[error("{}: {reason}", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// What is there, and the way out.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that Gristmill wrote cannot be read back.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
