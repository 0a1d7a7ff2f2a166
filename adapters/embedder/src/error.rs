//! Why an embedding model cannot be used.

use std::io;
use std::path::PathBuf;

/// An embedding model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is no {expected}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected there.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The model is of a kind that this encoder does not compute.
    #[error("{} describes an unsupported model: {reason}; BERT encoders with GELU and absolute positions are supported", path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// What is not supported.
        reason: String,
    },
    /// A worker thread could not be started.
    #[error("cannot start an embedding thread: {0}")]
    Thread(io::Error),
}
