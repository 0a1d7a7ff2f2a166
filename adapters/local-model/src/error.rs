//! Why a local model cannot be used.

use std::path::PathBuf;

/// A local model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the model {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no model that llama.cpp can load.
    #[error("{} is no model that can be loaded: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The settings do not fit the model or the machine.
    #[error("cannot run {}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The thread could not be started.
    #[error("cannot start the model's thread: {0}")]
    Thread(std::io::Error),
}
