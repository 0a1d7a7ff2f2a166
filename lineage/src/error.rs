//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use crate::leaks::Leaks;

/// Why a generation could not be made or read. Whatever it is, the generations that are there are as they were.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A dataset cannot be read, or a generation's cannot be written.
    #[error(transparent)]
    Dataset(#[from] gristmill_dataset::Error),
    /// What was given cannot be used.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// Why, and the way out.
        reason: String,
    },
    /// Held-out rows are in what is trained on, or would be.
    #[error("{}: {leaks}{way_out}", path.display())]
    Leaks {
        /// The folder of the lineage, the dataset or the student.
        path: PathBuf,
        /// The pairs.
        leaks: Leaks,
        /// The way out.
        way_out: &'static str,
    },
    /// A quarantine rule cannot be read.
    #[error("`{text}` is not a rule of quarantine: {reason}")]
    Rule {
        /// The rule as it was written.
        text: String,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// Another process makes a generation here.
    #[error("{}: another process makes a generation here: wait for it", .0.display())]
    Busy(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that Gristmill wrote was changed, or cannot be read back.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Vectors could not be computed, or the work was [interrupted](gristmill_datasets::Interrupted).
    #[error(transparent)]
    Compare(#[from] anyhow::Error),
}

impl Error {
    /// Refuses `path` for these leaks, where there are any. The way out begins with a line of its own.
    ///
    /// # Errors
    /// [`Error::Leaks`].
    pub fn refuse_leaks(path: &Path, leaks: Leaks, way_out: &'static str) -> Result<(), Self> {
        match leaks.count {
            0 => Ok(()),
            _ => Err(Self::Leaks {
                path: path.to_owned(),
                leaks,
                way_out,
            }),
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
