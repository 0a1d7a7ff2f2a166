//! Metrics of the process itself, under the names that Prometheus's client libraries use.

use super::{Kind, Metric, Role, gauge};

/// Always 1: its label says which program this is.
pub const BUILD_INFO: &str = "gristmill_build_info";
/// CPU time.
pub const CPU_SECONDS: &str = "process_cpu_seconds_total";
/// Open file descriptors.
pub const OPEN_FDS: &str = "process_open_fds";
/// Most file descriptors that may be open.
pub const MAX_FDS: &str = "process_max_fds";
/// Memory that is mapped.
pub const VIRTUAL_MEMORY: &str = "process_virtual_memory_bytes";
/// Memory that is in use.
pub const RESIDENT_MEMORY: &str = "process_resident_memory_bytes";
/// When it was started.
pub const START_TIME: &str = "process_start_time_seconds";

pub(super) const METRICS: &[Metric] = &[
    gauge(BUILD_INFO, "Always 1, with the program's version.", &["version"]),
    Metric {
        name: CPU_SECONDS,
        kind: Kind::Counter,
        help: "Total user and system CPU time spent in seconds.",
        labels: &[],
        role: Role::Any,
    },
    gauge(OPEN_FDS, "Number of open file descriptors.", &[]),
    gauge(MAX_FDS, "Maximum number of open file descriptors.", &[]),
    gauge(VIRTUAL_MEMORY, "Virtual memory size in bytes.", &[]),
    gauge(RESIDENT_MEMORY, "Resident memory size in bytes.", &[]),
    gauge(
        START_TIME,
        "Start time of the process since the Unix epoch in seconds.",
        &[],
    ),
];
