//! What can go wrong at opening, and below an operation.

use std::path::PathBuf;
use std::sync::Arc;

use gristmill_ports::ledger;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or its lock file cannot be used.
    #[error("cannot use {path} for the ledger: check that it exists and may be written", path = path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process works on this run.
    #[error("run folder {path} is in use by process {pid}: wait for it, or stop it first", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The other process, as far as it could be read.
        pid: String,
    },
    /// There is no ledger where one is to be read.
    #[error("{path} does not exist: no run was started in this folder", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to something else, or to another version of this program.
    #[error("{path} is no ledger of this version of Gristmill (found {found}): use the version that wrote it, or another folder", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The store failed.
    #[error("cannot open the ledger {path}", path = path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: Fault,
    },
}

/// What went wrong below an operation.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// SQLite failed.
    #[error("SQLite failed: {0}")]
    Sql(Arc<rusqlite::Error>),
    /// A row is not what this program wrote.
    #[error(
        "a {what} in the ledger cannot be read; the file was changed from outside or the disk is failing: {detail}"
    )]
    Row {
        /// Which kind of row.
        what: &'static str,
        /// What the parser said.
        detail: String,
    },
    /// The writer has ended.
    #[error("the ledger was shut down")]
    Ended,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// Why an operation was not carried out: refused by a rule of the port, or failed below.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(ledger::Error),
    Fault(Fault),
}

impl Failure {
    /// The port's error for it.
    pub(crate) fn into_port(self, doing: &'static str) -> ledger::Error {
        match self {
            Self::Refused(error) => error,
            Self::Fault(fault) => ledger::Error::Store {
                doing,
                source: Box::new(fault),
            },
        }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}
