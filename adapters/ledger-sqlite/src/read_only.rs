//! A look at the books while a run is live, or after it.

use std::path::{Path, PathBuf};

use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{Account, Attempt};
use rusqlite::Connection;

use crate::error::{Error, Fault};
use crate::{batch_jobs, rows, schema};

/// Reads committed state without the folder's lock, and cannot write. Each call sees the newest commit. Blocks on the disk.
pub struct ReadOnly {
    conn: Connection,
    path: PathBuf,
}

impl ReadOnly {
    /// Opens the folder's ledger for reading.
    ///
    /// # Errors
    /// [`Error::Missing`] when no run was started in the folder; see [`Error`] for the rest.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            conn: schema::open_reader(folder)?,
            path: folder.join(schema::FILE),
        })
    }

    /// Every account of the folder, oldest first.
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        let accounts = rows::accounts(&self.conn).map_err(|fault| self.failed(fault))?;
        Ok(accounts.into_iter().map(|(_, account)| account).collect())
    }

    /// One run's account; `None` when it is not in this folder.
    pub fn account(&self, run: RunId) -> Result<Option<Account>, Error> {
        let found = rows::account(&self.conn, run).map_err(|fault| self.failed(fault))?;
        Ok(found.map(|(_, account)| account))
    }

    /// The attempts of a task: all of them until it is absorbed, the burned ones after.
    pub fn attempts(&self, run: RunId, task: TaskId) -> Result<Vec<Attempt>, Error> {
        let found = rows::account(&self.conn, run).map_err(|fault| self.failed(fault))?;
        let Some((key, _)) = found else {
            return Ok(Vec::new());
        };
        rows::attempts(&self.conn, key, task).map_err(|fault| self.failed(fault))
    }

    /// Tasks of a run that are in batches.
    pub fn in_batches(&self, run: RunId) -> Result<u64, Error> {
        batch_jobs::out(&self.conn, run).map_err(|fault| self.failed(fault))
    }

    fn failed(&self, source: Fault) -> Error {
        Error::Store {
            path: self.path.clone(),
            source,
        }
    }
}
