//! Connections that read the file while another writes it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::schema;

/// Threads that look through the file for one answer, and connections that are kept open for them.
const THREADS_MAX: usize = 8;

/// Readers of one file.
pub(crate) struct Readers {
    path: PathBuf,
    kept: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            kept: Mutex::default(),
        }
    }

    /// Closes those that are open: their file is thrown away.
    pub(crate) fn close(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(|| schema::reader(&self.path), Ok)
    }

    fn keep(&self, connection: Connection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < THREADS_MAX {
            kept.push(connection);
        }
    }

    /// Reads in one transaction, so that all that is answered is of one moment.
    pub(crate) fn read<T>(&self, what: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.take()?;
        let answer = {
            let transaction = connection.transaction()?;
            what(&transaction)
        };
        if answer.as_ref().err().is_none_or(|error| !error.of_file()) {
            self.keep(connection);
        }
        answer
    }

    /// Reads `parts` parts of something of this length, each on a thread of its own, and gives what they came to in their order.
    pub(crate) fn in_parts<T: Send>(
        &self,
        length: u64,
        part: impl Fn(&Connection, std::ops::Range<u64>) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let threads = gristmill_measure::cores().get().min(THREADS_MAX) as u64;
        let share = length.div_ceil(threads).max(1);
        let part = &part;
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|number| (number * share).min(length)..((number + 1) * share).min(length))
                .filter(|range| !range.is_empty())
                .map(|range| scope.spawn(move || self.read(|connection| part(connection, range))))
                .collect();
            let ended = running.into_iter().map(|thread| thread.join());
            ended
                .map(|part| part.unwrap_or(Err(Error::Damaged("a part of the file"))))
                .collect()
        })
    }
}
