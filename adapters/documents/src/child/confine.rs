//! Resource limits that the child sets on itself before it reads the first document. They hold below the readers: for
//! what they were not written to withstand, and for a child whose parent is gone.

use std::time::Duration;

use rustix::io::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::options::Limits;

/// Files at once: its pipes, and what the system opens by itself.
const FILES_MAX: u64 = 16;
/// What this program is assumed to map before it starts, where that cannot be read.
const MAPPED_BYTES_GUESS: u64 = 1 << 30;

/// No files written, no processes, no core dumps, bounded memory and file handles, no way to more rights.
pub(super) fn confine(limits: &Limits) -> Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Nproc, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, FILES_MAX)?;
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    set(Resource::As, mapped_bytes() + limits.memory_bytes_max)
}

/// Lets the process use this much more processor time before the kernel ends it. Called anew for each document: a child
/// lives long, and the kernel counts from its start.
pub(super) fn allow_cpu(more: Duration) -> Result<()> {
    let hard = getrlimit(Resource::Cpu).maximum;
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0));
    // The kernel counts whole seconds.
    let soft = (used + more).as_secs() + 1;
    setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(hard.map_or(soft, |hard| soft.min(hard))),
            maximum: hard,
        },
    )
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
