//! What may go wrong, and whether waiting helps.

use std::time::Duration;

use gristmill_ports::queue;
use lapin::ErrorKind;

/// The broker could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an AMQP URL.
    #[error("`{address}` is no address of a RabbitMQ server: {reason}")]
    Address {
        /// The address, without user and password.
        address: String,
        /// Why not.
        reason: String,
    },
    /// Not a beginning of queue names.
    #[error(
        "queue names cannot begin with `{0}`: letters, digits, `.`, `-` and `_` are possible, 200 at most"
    )]
    Prefix(String),
    /// No connection.
    #[error("RabbitMQ at {address} cannot be reached")]
    Connect {
        /// The node, without user and password.
        address: String,
        /// Why not.
        source: lapin::Error,
    },
    /// Something took too long.
    #[error("{doing} was not done within {after:?}")]
    TimedOut {
        /// What.
        doing: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The broker takes nothing for now, to save its memory or its disk.
    #[error("RabbitMQ takes no messages now: {reason}")]
    Blocked {
        /// In the broker's words.
        reason: String,
    },
    /// A queue is there, and is another one.
    #[error(
        "the queue `{queue}` exists with other properties ({detail}). Let its workers finish, delete it (`rabbitmqctl delete_queue \
         {queue}`) and run `gristmill broker setup`, or use another virtual host"
    )]
    Mismatch {
        /// Which queue.
        queue: String,
        /// In the broker's words.
        detail: String,
    },
    /// The user may not.
    #[error("RabbitMQ refuses {doing}: {detail}")]
    Refused {
        /// What.
        doing: String,
        /// In the broker's words.
        detail: String,
    },
    /// The broker took a message and gave it back.
    #[error("there is no queue `{queue}`, although it was just declared")]
    Unroutable {
        /// Which queue.
        queue: String,
    },
    /// The queue does not take the message.
    #[error("the queue `{queue}` takes no more messages: it is full, or too few of its replicas are up")]
    Rejected {
        /// Which queue.
        queue: String,
    },
    /// A delivery was lost while it was in hand.
    #[error("the connection of this delivery has gone: it comes again")]
    Late,
    /// The broker has been away for too long.
    #[error("still so after {after:?}")]
    GaveUp {
        /// How long it was tried.
        after: Duration,
        /// The last failure.
        source: Box<Error>,
    },
    /// The management API could not be used.
    #[error("RabbitMQ's management API ({place}) could not be used: {detail}")]
    Management {
        /// Where it is, without user and password.
        place: String,
        /// What went wrong.
        detail: String,
        /// Whether trying again soon is of no use.
        lasts: bool,
    },
    /// Anything else between client and broker.
    #[error("{doing} failed")]
    Failed {
        /// What.
        doing: String,
        /// Why.
        source: lapin::Error,
    },
}

/// Reply codes of AMQP 0-9-1 that are told apart here.
pub(crate) const ACCESS_REFUSED: u16 = 403;
pub(crate) const NOT_FOUND: u16 = 404;
pub(crate) const PRECONDITION_FAILED: u16 = 406;
pub(crate) const NOT_ALLOWED: u16 = 530;

/// The broker's own reply code, if the error is one that the broker reported, and its words.
pub(crate) fn reply(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}

/// Whether the broker's certificate is not to be trusted, or what answers speaks no TLS: rustls says both as invalid data, which the client library
/// wraps.
fn is_distrusted(error: &lapin::Error) -> bool {
    let ErrorKind::IOError(error) = error.kind() else {
        return false;
    };
    let mut error: &std::io::Error = error;
    loop {
        if error.kind() == std::io::ErrorKind::InvalidData {
            return true;
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(inner) => error = inner,
            None => return false,
        }
    }
}

impl Error {
    /// Classifies a failure of the client library.
    pub(crate) fn of(doing: impl Into<String>, source: lapin::Error) -> Self {
        let doing = doing.into();
        match reply(&source) {
            Some((ACCESS_REFUSED, detail)) => Self::Refused { doing, detail },
            _ => Self::Failed { doing, source },
        }
    }

    /// Whether trying again soon is of no use.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Address { .. }
            | Self::Prefix(_)
            | Self::Mismatch { .. }
            | Self::Refused { .. }
            | Self::GaveUp { .. } => true,
            Self::Management { lasts, .. } => *lasts,
            Self::Connect { source, .. } => {
                matches!(reply(source), Some((ACCESS_REFUSED, _))) || is_distrusted(source)
            }
            Self::TimedOut { .. }
            | Self::Blocked { .. }
            | Self::Unroutable { .. }
            | Self::Rejected { .. }
            | Self::Late
            | Self::Failed { .. } => false,
        }
    }

    /// As the port's error about one queue.
    pub(crate) fn at(self, queue: &str, doing: &str) -> queue::Error {
        queue::Error {
            queue: queue.to_owned(),
            doing: doing.to_owned(),
            source: Some(Box::new(self)),
        }
    }
}
