//! Resource limits that the child sets on itself before it reads the first query. They hold below SQLite: for its bugs, and
//! for a child whose parent is gone.
//!
//! A parent-death signal is left out on purpose: Linux sends it when the *thread* that started the child ends, and runtimes
//! end idle threads. A child without a parent ends at the end of its stdin, or at its processor limit.

use std::time::Duration;

use rustix::io::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::options::Limits;
use crate::wire::LoadLimits;

/// Files at once: the connections that are kept open, with their pipes.
const FILES_MAX: u64 = 64;
/// Address space beyond SQLite's heap: the result being built and sent, stacks, the allocator's slack.
const SLACK_BYTES: u64 = 128 << 20;
/// What this program is assumed to map before it starts, where that cannot be read.
const MAPPED_BYTES_GUESS: u64 = 1 << 30;

/// No files written, no processes, no core dumps, bounded memory and file handles, no way to more rights.
pub(super) fn server(limits: &Limits) -> Result<()> {
    always()?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, FILES_MAX)?;
    let results = 8 * limits.result_bytes_max as u64;
    set(
        Resource::As,
        mapped_bytes() + limits.memory_bytes_max + results + SLACK_BYTES,
    )
}

/// For loading a dump: files may be written, up to a size.
pub(super) fn loader(limits: LoadLimits) -> Result<()> {
    always()?;
    set(Resource::Fsize, limits.file_bytes_max)?;
    allow_cpu(Duration::from_secs(limits.cpu_seconds))
}

/// Lets the process use this much more processor time before the kernel ends it. Called anew for each query: a child
/// lives long, and the kernel counts from its start.
pub(super) fn allow_cpu(more: Duration) -> Result<()> {
    let hard = getrlimit(Resource::Cpu).maximum;
    let soft = (cpu_used() + more).as_secs() + 2;
    setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(hard.map_or(soft, |hard| soft.min(hard))),
            maximum: hard,
        },
    )
}

/// Processor time of this process since its start.
pub(super) fn cpu_used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

fn always() -> Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Nproc, 0)?;
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Sets both limits, never above what the process was given. Systems other than Linux know only some of them.
fn set(resource: Resource, value: u64) -> Result<()> {
    let value = getrlimit(resource).maximum.map_or(value, |hard| value.min(hard));
    let limit = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    match setrlimit(resource, limit) {
        Err(_) if !cfg!(target_os = "linux") => Ok(()),
        other => other,
    }
}

/// Address space in use now, which in a large program is far more than its memory.
fn mapped_bytes() -> u64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes << 10)
    };
    read().unwrap_or(MAPPED_BYTES_GUESS)
}
