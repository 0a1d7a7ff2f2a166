//! The limits that children take on, by what they are for.

use std::io;
use std::time::Duration;

use gristmill_confine::Memory;

use crate::options::Limits;
use crate::wire::LoadLimits;

pub(super) use gristmill_confine::{allow_cpu, cpu_used};

/// Files at once: the connections that are kept open, with their pipes.
const FILES_MAX: u64 = 64;
/// Address space beyond SQLite's heap: the result being built and sent, stacks, the allocator's slack.
const SLACK_BYTES: u64 = 128 << 20;

/// For answering queries: no files written, no processes, bounded memory and file handles. Processor time is allowed anew for each query.
pub(super) fn server(limits: &Limits) -> io::Result<()> {
    let results = 8 * limits.result_bytes_max as u64;
    gristmill_confine::Limits {
        memory: Memory::Beyond(limits.memory_bytes_max + results + SLACK_BYTES),
        file_bytes: 0,
        open_files: Some(FILES_MAX),
        processes: false,
        cpu: None,
    }
    .apply()
}

/// For loading a dump: files may be written, up to a size.
pub(super) fn loader(limits: LoadLimits) -> io::Result<()> {
    gristmill_confine::Limits {
        memory: Memory::Open,
        file_bytes: limits.file_bytes_max,
        open_files: None,
        processes: false,
        cpu: Some(Duration::from_secs(limits.cpu_seconds)),
    }
    .apply()
}
