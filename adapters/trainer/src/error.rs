//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model could not be read, trained or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base model's files cannot be used.
    #[error("the model {}: {reason}", path.display())]
    Model {
        /// File or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A row of the training or validation file cannot be used.
    #[error("{}:{line}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// What was asked for cannot be done by this backend.
    #[error("{0}")]
    Unsupported(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A checkpoint does not belong to this training, or is damaged.
    #[error("the checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A loss is not a finite number.
    #[error(
        "the loss is not a finite number at step {step}: lower `learning_rate`, or look for damaged rows"
    )]
    Diverged {
        /// The step.
        step: u64,
    },
    /// The thread that computes could not be started.
    #[error("cannot start the model's thread: {0}")]
    Thread(io::Error),
    /// A computation failed.
    #[error("computing with the model failed: {0}")]
    Compute(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn model(path: &Path, reason: impl ToString) -> Self {
        Self::Model {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
