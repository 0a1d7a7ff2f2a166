//! Why Redis fails, by what mends it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Error;

/// What is wrong with Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its memory is full, so that it refuses writes.
    Full,
    /// It does not answer, or not in time.
    Unreachable,
    /// It starts, or fails over.
    Starting,
    /// It is a replica, and takes no writes.
    Replica,
    /// It cannot save what it holds, and takes no writes until it can.
    Disk,
    /// The user may not do what was asked, or is not known.
    Denied,
    /// Something else.
    Other,
}

impl Fault {
    /// The fault that an error tells of.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Refused { .. } if error.is_out_of_memory() => Self::Full,
            Error::Refused { source, .. } => Self::of_refusal(source),
            Error::Connect { source, .. } => match Self::of_refusal(source) {
                Self::Other => Self::Unreachable,
                said => said,
            },
            Error::ConnectTimeout { .. } | Error::Lost { .. } | Error::Replicas { .. } => Self::Unreachable,
            Error::Address { .. } | Error::Reply { .. } => Self::Other,
        }
    }

    fn of_refusal(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Replica,
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown,
            ) => Self::Starting,
            ErrorKind::Server(ServerErrorKind::NoPerm) | ErrorKind::AuthenticationFailed => Self::Denied,
            _ => match error.code() {
                Some("MISCONF") => Self::Disk,
                Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Self::Denied,
                _ => Self::Other,
            },
        }
    }

    /// Its name, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unreachable => "unreachable",
            Self::Starting => "starting",
            Self::Replica => "replica",
            Self::Disk => "disk",
            Self::Denied => "denied",
            Self::Other => "other",
        }
    }

    /// What is wrong, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Full => "Redis refuses writes: its memory is full",
            Self::Unreachable => "Redis does not answer",
            Self::Starting => "Redis is starting or fails over",
            Self::Replica => "Redis refuses writes: it is a replica",
            Self::Disk => "Redis refuses writes: it cannot save its data",
            Self::Denied => "Redis refuses this user",
            Self::Other => "Redis cannot be used",
        }
    }

    /// What an operator does about it.
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Full => "raise its `maxmemory`, with Compose by `REDIS_MEMORY`",
            Self::Unreachable => "see whether it runs and can be reached from here",
            Self::Starting => "wait until it has started",
            Self::Replica => "let `--redis` name the primary",
            Self::Disk => "give its disk room, and see its log",
            Self::Denied => "correct user and password in `--redis`, or the user's rights",
            Self::Other => "see what the error says",
        }
    }
}
