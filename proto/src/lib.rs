//! `gristmill.v1`: what crosses a queue, waits in a ledger or lies in a segment, with a version on each.
//!
//! The crate owns the wire and storage formats and their conversion to domain types. It refuses to guess: an unknown version is an
//! error, never a best effort.

mod account;
mod format;
mod mirror;
mod segment;
mod task;

/// Generated from `gristmill/v1/*.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/gristmill.v1.rs"));
}

/// The compiled definitions, for servers that describe themselves (gRPC reflection).
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gristmill.v1.bin"));

pub use account::stage_of;
pub use format::FormatVersion;
pub use mirror::mirrored;
pub use segment::{Record, Segment, SegmentKind};
pub use task::{
    Envelope, SealedEnvelope, Settlement, decode_report, decode_settlement, encode_pointer, encode_report,
};

/// The version that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// Bytes that are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the expected message at all.
    #[error("the {what} is not valid protobuf")]
    Protobuf {
        /// Which message.
        what: &'static str,
        /// Where it breaks.
        #[source]
        source: prost::DecodeError,
    },
    /// Written by another version of the program.
    #[error("the {what} has version {found}, this program reads version {VERSION}")]
    Version {
        /// Which message.
        what: &'static str,
        /// Its version.
        found: u32,
    },
    /// The JSON inside does not fit its type.
    #[error("the {what} holds unexpected JSON")]
    Json {
        /// Which message.
        what: &'static str,
        /// Where it breaks.
        #[source]
        source: serde_json::Error,
    },
    /// A message and the type that it mirrors do not have the same members.
    #[error("the {what} does not fit this version's messages")]
    Mirror {
        /// Which message.
        what: &'static str,
        /// The member.
        #[source]
        source: serde_json::Error,
    },
    /// Something else is off.
    #[error("the {what} is damaged: {detail}")]
    Damaged {
        /// Which message.
        what: &'static str,
        /// What is off.
        detail: String,
    },
}
