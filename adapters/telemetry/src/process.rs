//! What the process uses, and which program it is.

use gristmill_ports::metric::process::{
    BUILD_INFO, CPU_SECONDS, MAX_FDS, OPEN_FDS, RESIDENT_MEMORY, START_TIME, VIRTUAL_MEMORY,
};
use gristmill_ports::metric::{Sample, Source};
use metrics_process::collector::collect;

/// This process.
pub(crate) struct Process;

impl Source for Process {
    fn samples(&self) -> Vec<Sample> {
        let seen = collect();
        let whole = |number: Option<u64>| number.map(|number| number as f64);
        let values = [
            (CPU_SECONDS, seen.cpu_seconds_total),
            (OPEN_FDS, whole(seen.open_fds)),
            (MAX_FDS, whole(seen.max_fds)),
            (VIRTUAL_MEMORY, whole(seen.virtual_memory_bytes)),
            (RESIDENT_MEMORY, whole(seen.resident_memory_bytes)),
            (START_TIME, whole(seen.start_time_seconds)),
        ];
        let build = Sample {
            name: BUILD_INFO,
            labels: vec![env!("CARGO_PKG_VERSION").to_owned()],
            value: 1.0,
        };
        let of_process = values.into_iter().filter_map(|(name, value)| {
            Some(Sample {
                name,
                labels: Vec::new(),
                value: value?,
            })
        });
        std::iter::once(build).chain(of_process).collect()
    }
}
