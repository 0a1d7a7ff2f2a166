//! What parent and child say to each other.

use std::{fmt, io};

use gristmill_confine::wire::{LENGTH_BYTES, body_length, message};
use gristmill_domain::answer::sql::Table;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::options::Limits;

pub(crate) use gristmill_confine::wire::{frame, read, write};

/// The parent's first frame: what this child is for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Answer queries on these files until stdin ends.
    Serve { limits: Limits, files: Vec<String> },
    /// Make a database from a dump, then end.
    Load {
        limits: LoadLimits,
        dump: String,
        target: String,
    },
    /// Make altered copies of a database, then end.
    Alter {
        limits: LoadLimits,
        source: String,
        targets: Targets,
    },
}

/// Files that copies of a database are written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Targets {
    /// The database itself, its rows in another order.
    pub(crate) reordered: String,
    /// Each altered copy, and the same with its rows in another order.
    pub(crate) altered: Vec<[String; 2]>,
}

/// What loading a dump may use: it is the user's own file, so these are far off.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct LoadLimits {
    pub(crate) cpu_seconds: u64,
    pub(crate) file_bytes_max: u64,
}

/// Each later frame of the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Query {
    /// Index into the order's files.
    pub(crate) file: usize,
    pub(crate) text: String,
}

/// Each frame of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Confined, and waiting for queries.
    Ready,
    /// The database is whole.
    Loaded,
    /// The altered copies are whole; `reordered` says whether the database itself was small enough to be written as well.
    Altered {
        reordered: bool,
    },
    Table(Table),
    Refused(String),
    Failed(String),
    TimedOut,
    TooLarge(String),
    /// The order cannot be carried out; the child ends.
    Broken(String),
}

/// What kind of reply it is, for one that was not expected. Never what is in it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "that it is ready",
            Self::Loaded => "that a database is loaded",
            Self::Altered { .. } => "that copies are made",
            Self::Table(_) => "with a table",
            Self::Refused(_) => "that it refuses a query",
            Self::Failed(_) => "that a query failed",
            Self::TimedOut => "that a query took too long",
            Self::TooLarge(_) => "that a query needs too much",
            Self::Broken(_) => "that it cannot do what was asked",
        })
    }
}

/// Sends a frame made before and waits for the reply.
pub(crate) async fn exchange(
    to: &mut (impl AsyncWrite + Unpin),
    from: &mut (impl AsyncRead + Unpin),
    framed: &[u8],
    reply_bytes_max: usize,
) -> io::Result<Reply> {
    to.write_all(framed).await?;
    to.flush().await?;
    let mut length = [0; LENGTH_BYTES];
    from.read_exact(&mut length).await?;
    let mut body = vec![0; body_length(length, reply_bytes_max)?];
    from.read_exact(&mut body).await?;
    message(&body)
}

/// A dump may take ten minutes and make 16 GiB.
pub(crate) const LOADING: LoadLimits = LoadLimits {
    cpu_seconds: 600,
    file_bytes_max: 16 << 30,
};
