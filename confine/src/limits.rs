//! Resource limits that a child sets on itself before it looks at what it works on. They hold below the code that works: for its bugs, and
//! for a child whose parent is gone.
//!
//! A parent-death signal is left out on purpose: Linux sends it when the *thread* that started the child ends, and runtimes end idle
//! threads. A child without a parent ends at the end of its stdin, or at its processor limit.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What this program is assumed to map before it starts, where that cannot be read.
const MAPPED_BYTES_GUESS: u64 = 1 << 30;
/// The kernel counts whole seconds, and a child's own clock is to end it first.
const CPU_SLACK_SECONDS: u64 = 2;

/// What a child may use. It never writes core dumps and never gains rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space.
    pub memory: Memory,
    /// Bytes of a file that is written; 0 lets it write none.
    pub file_bytes: u64,
    /// Files that are open at once; `None` leaves it open.
    pub open_files: Option<u64>,
    /// It may start processes and threads.
    pub processes: bool,
    /// Processor time from now on; `None` leaves it open, for children that [`allow_cpu`] for each piece of work.
    pub cpu: Option<Duration>,
}

/// How much address space a child may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As much as it gets.
    Open,
    /// Bytes beyond what is mapped when the limit is set.
    Beyond(u64),
    /// Bytes in all: for a child that becomes another program at once, since this one may have more mapped already.
    Whole(u64),
}

impl Limits {
    /// Sets them on this process, for good.
    pub fn apply(&self) -> io::Result<()> {
        set(Resource::Core, 0)?;
        if !self.processes {
            set(Resource::Nproc, 0)?;
        }
        #[cfg(target_os = "linux")]
        rustix::thread::set_no_new_privs(true)?;
        set(Resource::Fsize, self.file_bytes)?;
        if let Some(files) = self.open_files {
            set(Resource::Nofile, files)?;
        }
        self.cpu.map_or(Ok(()), allow_cpu)?;
        match self.memory {
            Memory::Open => Ok(()),
            Memory::Beyond(bytes) => set(Resource::As, mapped_bytes() + bytes),
            Memory::Whole(bytes) => set(Resource::As, bytes),
        }
    }
}

/// Lets the process use this much more processor time before the kernel ends it. Called anew for each piece of work: a child lives long,
/// and the kernel counts from its start.
pub fn allow_cpu(more: Duration) -> io::Result<()> {
    let hard = getrlimit(Resource::Cpu).maximum;
    let soft = (cpu_used() + more).as_secs() + CPU_SLACK_SECONDS;
    setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(hard.map_or(soft, |hard| soft.min(hard))),
            maximum: hard,
        },
    )?;
    Ok(())
}

/// Processor time of this process since its start.
pub fn cpu_used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

/// Sets both limits, never above what the process was given. Systems other than Linux know only some of them.
fn set(resource: Resource, value: u64) -> io::Result<()> {
    let value = getrlimit(resource).maximum.map_or(value, |hard| value.min(hard));
    let limit = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    match setrlimit(resource, limit) {
        Err(_) if !cfg!(target_os = "linux") => Ok(()),
        other => Ok(other?),
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
