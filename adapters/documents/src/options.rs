//! What a reader is given, and why it could not be opened.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cut::Cut;

/// What one document may use. What needs more is skipped and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a file.
    pub file_bytes_max: u64,
    /// Bytes of readable text in a document.
    pub text_bytes_max: usize,
    /// Bytes that one part of an archive may unpack to.
    pub unpacked_bytes_max: u64,
    /// How many times larger than its compressed form a part of an archive may be, beyond its first MiB.
    pub ratio_max: u64,
    /// Parts of an archive.
    pub entries_max: usize,
    /// Elements inside of each other.
    pub depth_max: usize,
    /// Pages.
    pub pages_max: usize,
    /// Memory of the process that reads it, beyond what that needs when it starts.
    pub memory_bytes_max: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Wall time: the net below `cpu`, generous, since the machine may be busy.
    pub wall: Duration,
}

impl Default for Limits {
    /// Files of 64 MiB with 32 MiB of text; parts of 256 MiB, at most 200 to 1 compressed, 10,000 of them; 4,096 elements
    /// deep; 20,000 pages; 1 GiB of memory; 60 s of processor and 180 s of wall time.
    fn default() -> Self {
        Self {
            file_bytes_max: 64 << 20,
            text_bytes_max: 32 << 20,
            unpacked_bytes_max: 256 << 20,
            ratio_max: 200,
            entries_max: 10_000,
            depth_max: 4_096,
            pages_max: 20_000,
            memory_bytes_max: 1 << 30,
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(180),
        }
    }
}

/// How to read documents.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How passages are cut.
    pub cut: Cut,
    /// What one document may use.
    pub limits: Limits,
    /// Where relative patterns start; `None` is the current folder.
    pub base: Option<PathBuf>,
    /// The program that becomes a child when started with the hidden argument; `None` is this program.
    pub program: Option<PathBuf>,
}

/// Documents could not be opened at all. Raised before the first one is read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to read.
    #[error("no documents were named; give at least one file, folder or pattern")]
    Nothing,
    /// A pattern is not well formed.
    #[error("`{pattern}` is no valid file pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Sizes that contradict each other.
    #[error("passages cannot be cut like this: {reason}")]
    Cut {
        /// Which, with the way out.
        reason: String,
    },
    /// A child could not be started, or did not answer as one.
    #[error("the process that reads documents does not start: {reason}")]
    Child {
        /// What happened.
        reason: String,
    },
}
