//! Blobs: whole, immutable objects by name, on a disk or in object storage.

use async_trait::async_trait;

/// A blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none by that name.
    #[error("`{name}` does not exist in {place}")]
    Missing {
        /// Name of the blob.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// The store failed.
    #[error("{place} failed while {doing} `{name}`")]
    Store {
        /// Where.
        place: String,
        /// What it was doing: "writing", "reading", "listing".
        doing: &'static str,
        /// Name of the blob.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Whether a conditional create made the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// It was made, and is durable.
    Created,
    /// One by that name was there before; it is unchanged.
    Exists,
}

/// A store of blobs.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Makes a blob unless one by that name exists. Nobody ever sees a part of it, and it is durable when this returns.
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error>;

    /// Reads a blob whole.
    async fn read(&self, name: &str) -> Result<Vec<u8>, Error>;

    /// Names that start with the prefix, in lexical order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;
}
