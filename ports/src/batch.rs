//! Batches: many requests handed to a provider at once, answered within hours at a lower price.

use async_trait::async_trait;
use futures::stream::BoxStream;
use gristmill_domain::chat::{Request, Response};

use crate::model::CallError;

/// A batch as its provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(pub String);

/// One request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRequest {
    /// The caller's name for it: 1 to 64 letters, digits, `-` and `_`, once in a batch.
    pub custom_id: String,
    /// What is asked.
    pub request: Request,
}

/// Most that one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Requests.
    pub requests: usize,
    /// Bytes of all requests in the provider's format.
    pub bytes: usize,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchState {
    /// Taken in, checked or worked on.
    Working {
        /// Requests that have ended, one way or another; providers count late.
        ended: u64,
        /// Requests of the batch.
        total: u64,
    },
    /// At its end: completed, out of time, or cancelled. Its results can be read.
    Ended {
        /// Requests that were answered.
        answered: u64,
        /// Requests of the batch.
        total: u64,
    },
    /// Turned down as a whole before any work: nothing was billed and there are no results.
    Refused {
        /// What the provider said.
        reason: String,
    },
}

/// The end of one request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult {
    /// The caller's name for it.
    pub custom_id: String,
    /// The answer, or what its lack cost. Requests that were cancelled or ran out of time are not billed and may be sent again.
    pub result: Result<Response, CallError>,
}

/// A model whose provider takes batches.
///
/// Nothing is sent twice by itself. Usage comes in tokens: the discount is the caller's to apply where tokens become money. Every request's worst
/// case is reserved before `submit`, each result settles its own; a `submit` that fails with [`CallError::Unknown`] may have left a
/// batch behind that is billed.
#[async_trait]
pub trait BatchModel: Send + Sync {
    /// Most that one batch may hold.
    fn limits(&self) -> BatchLimits;

    /// Hands in a batch.
    async fn submit(&self, requests: &[BatchRequest]) -> Result<BatchId, CallError>;

    /// Looks how far a batch is. Free, and safe to repeat.
    async fn poll(&self, batch: &BatchId) -> Result<BatchState, CallError>;

    /// Reads the results of a batch that has ended, in any order, each as it arrives. Free, and safe to repeat. An `Err` ends the stream; a
    /// request that is in no result has an unknown outcome.
    async fn results(
        &self,
        batch: &BatchId,
    ) -> Result<BoxStream<'static, Result<BatchResult, CallError>>, CallError>;

    /// Asks for the end of a batch. What was answered before is billed and can be read once the batch has ended.
    async fn cancel(&self, batch: &BatchId) -> Result<(), CallError>;
}
