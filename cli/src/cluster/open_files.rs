//! How many files a server may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is assumed where the system states no limit.
const UNLIMITED: u64 = 1 << 20;

/// Raises the limit on open files as far as the system lets this process, and returns it. Connections count as files, and the limit that
/// systems begin with, 1,024, is for programs that have few.
pub(super) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the limit on open files stays as it is"
            );
            limit.current
        }
    };
    current.unwrap_or(UNLIMITED)
}
