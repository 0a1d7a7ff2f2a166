//! What parent and child say to each other. The bytes of a document follow their frame as they are.

use std::fmt;

use gristmill_domain::passage::Media;
use serde::{Deserialize, Serialize};

use crate::block::Content;
use crate::options::Limits;
use crate::skip::Reason;

pub(crate) use gristmill_confine::wire::{frame, read, write};

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

/// What kind of reply it is, for one that was not expected. Never what is in it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "that it is ready",
            Self::Content(_) => "with a text",
            Self::Skipped(_) => "that it skips a document",
            Self::Broken(_) => "that it cannot do what was asked",
        })
    }
}

/// Longest frame of the parent.
pub(crate) const ORDER_BYTES_MAX: usize = 1 << 10;

/// Longest reply to a document: its text, with what surrounds each block.
pub(crate) fn reply_bytes_max(limits: &Limits) -> usize {
    3 * limits.text_bytes_max + (1 << 20)
}
