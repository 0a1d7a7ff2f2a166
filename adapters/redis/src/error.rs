//! What can go wrong between here and Redis. No password is in any of it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why Redis could not be asked, or what it refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error(
        "the Redis address is not usable: {detail}; write redis://user:password@host:6379/0, rediss:// for TLS, or redis+sentinel://user:password@host:26379,host:26379/service/0, with ?sentinel_user=…&sentinel_password=… behind it where the sentinels ask for a login"
    )]
    Address {
        /// What is wrong with it, without the address itself: it may hold a password.
        detail: String,
    },
    /// No connection.
    #[error("cannot connect to Redis at {place}")]
    Connect {
        /// Where it was looked for.
        place: String,
        /// What went wrong.
        #[source]
        source: RedisError,
    },
    /// No connection in time.
    #[error("Redis at {place} did not accept a connection within {seconds} s")]
    ConnectTimeout {
        /// Where it was looked for.
        place: String,
        /// The time it had.
        seconds: u64,
    },
    /// The connection broke, or no reply came in time.
    #[error("lost touch with Redis while it carried out `{what}`: whether it did is not known")]
    Lost {
        /// Script or command.
        what: &'static str,
        /// What went wrong.
        #[source]
        source: RedisError,
    },
    /// Redis answered with an error.
    #[error("Redis refused `{what}`")]
    Refused {
        /// Script or command.
        what: &'static str,
        /// What it said.
        #[source]
        source: RedisError,
    },
    /// Too few replicas confirmed in time.
    #[error(
        "fewer than {wanted} replicas confirmed a write in time; it may be lost in a failover, and is not relied on"
    )]
    Replicas {
        /// How many should have.
        wanted: u32,
    },
    /// The reply is not what the script returns.
    #[error(
        "the reply to `{what}` cannot be read; its keys were changed from outside, or by another version: {detail}"
    )]
    Reply {
        /// Script or command.
        what: &'static str,
        /// What was found.
        detail: String,
    },
}

impl Error {
    /// Sorts an error of the client library.
    pub(crate) fn of(what: &'static str, source: RedisError) -> Self {
        if lost(&source) {
            Self::Lost { what, source }
        } else {
            Self::Refused { what, source }
        }
    }

    /// Whether the server is on its way and the same request may succeed soon: it starts, fails over, or cannot be reached.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connect { source, .. } => source.kind() != ErrorKind::InvalidClientConfig,
            Self::ConnectTimeout { .. } | Self::Lost { .. } | Self::Replicas { .. } => true,
            Self::Refused { source, .. } => starting(source),
            Self::Address { .. } | Self::Reply { .. } => false,
        }
    }

    /// Whether Redis refused because its memory is full.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if source.code() == Some("OOM")
            || source.detail().is_some_and(|detail| detail.contains("OOM command not allowed")))
    }
}

/// Whether nobody knows what became of the request.
fn lost(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
}

/// Whether the connection must be made anew: broken, or it leads to a server that is no longer the one that is written to.
pub(crate) fn breaks_link(error: &RedisError) -> bool {
    lost(error)
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

fn starting(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
        )
    )
}
