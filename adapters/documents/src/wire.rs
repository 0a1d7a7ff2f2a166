//! What parent and child say to each other: frames of a length and a body, over the child's stdin and stdout. The bytes of
//! a document follow their frame as they are.

use std::io::{self, Read, Write};

use gristmill_domain::passage::Media;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::block::Content;
use crate::options::Limits;
use crate::skip::Reason;

/// The parent's first frame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) limits: Limits,
}

/// Each later frame of the parent, with `bytes` bytes behind it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) media: Media,
    pub(crate) bytes: u64,
}

/// Each frame of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Confined, and waiting for documents.
    Ready,
    Content(Content),
    Skipped(Reason),
    /// The child cannot serve; it ends.
    Broken(String),
}

/// Longest frame of the parent.
pub(crate) const ORDER_BYTES_MAX: usize = 1 << 10;

/// Longest reply to a document: its text, with what surrounds each block.
pub(crate) fn reply_bytes_max(limits: &Limits) -> usize {
    3 * limits.text_bytes_max + (1 << 20)
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

pub(crate) fn write<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    to.write_all(&frame(message)?)?;
    to.flush()
}

/// Reads a frame; `None` where the other side has closed in between frames.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read, bytes_max: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes where {bytes_max} are allowed"),
        ));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    postcard::from_bytes(&body).map(Some).map_err(bad)
}
