//! What a sandbox is given, and why it could not be opened.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::databases::{self, Source};
use crate::error::Error;

/// What one query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Steps of SQLite's virtual machine; the limit that stops runaway queries, at the same point on every computer.
    pub steps_max: u64,
    /// Processor time: the net below `steps_max`, for single steps that take long.
    pub cpu: Duration,
    /// Wall time after which the child is killed: the net below `cpu`, generous, since the machine may be busy.
    pub wall: Duration,
    /// Bytes that SQLite may hold.
    pub memory_bytes_max: u64,
    /// Rows of a result.
    pub rows_max: usize,
    /// Bytes of a result, and of any single value on the way to it.
    pub result_bytes_max: usize,
    /// Bytes of a query's text.
    pub query_bytes_max: usize,
}

impl Default for Limits {
    /// 100 million steps (about a second), 5 s of processor, 20 s of wall time, 256 MiB, 10,000 rows in 4 MiB, 64 KiB of text.
    fn default() -> Self {
        Self {
            steps_max: 100_000_000,
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(20),
            memory_bytes_max: 256 << 20,
            rows_max: 10_000,
            result_bytes_max: 4 << 20,
            query_bytes_max: 64 << 10,
        }
    }
}

/// How to open a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Databases by the name that queries use.
    pub databases: BTreeMap<String, Source>,
    /// What each query may use.
    pub limits: Limits,
    /// Queries at once, and so children.
    pub slots: NonZeroUsize,
    /// Where databases made from dumps are kept, named by their content, so that a later start finds them; `None` is a
    /// temporary folder that goes with the sandbox.
    pub cache: Option<PathBuf>,
    /// The program that becomes a child when started with the hidden argument; `None` is this program.
    pub program: Option<PathBuf>,
}

impl Options {
    /// These databases, default limits, a slot a processor.
    pub fn new(databases: BTreeMap<String, Source>) -> Self {
        Self {
            databases,
            limits: Limits::default(),
            slots: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            cache: None,
            program: None,
        }
    }

    /// Every `*.sql`, `*.sqlite`, `*.sqlite3` and `*.db` file of a folder, named by its stem.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        databases::in_folder(folder).map(Self::new)
    }
}
