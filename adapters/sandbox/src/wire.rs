//! What parent and child say to each other: frames of a length and a body, over the child's stdin and stdout.

use std::io::{self, Read, Write};

use gristmill_domain::answer::sql::Table;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::options::Limits;

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

fn bad(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A message with its length in front.
pub(crate) fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(message).map_err(bad)?;
    let length = u32::try_from(body.len()).map_err(bad)?;
    let mut framed = Vec::with_capacity(4 + body.len());
    framed.extend_from_slice(&length.to_le_bytes());
    framed.extend_from_slice(&body);
    Ok(framed)
}

fn checked(length: [u8; 4], bytes_max: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes where {bytes_max} are allowed"),
        ));
    }
    Ok(length)
}

/// Reads a frame; `None` where the other side has closed in between frames.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read, bytes_max: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; checked(length, bytes_max)?];
    from.read_exact(&mut body)?;
    postcard::from_bytes(&body).map(Some).map_err(bad)
}

pub(crate) fn write<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    to.write_all(&frame(message)?)?;
    to.flush()
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
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut body = vec![0; checked(length, reply_bytes_max)?];
    from.read_exact(&mut body).await?;
    postcard::from_bytes(&body).map_err(bad)
}
