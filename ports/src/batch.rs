//! Batches: many requests handed to a provider at once, answered within hours at a lower price.
//!
//! A batch outlives whoever handed it in. What the next one must know of it is its [`BatchJob`]: entered before the batch is handed in, struck
//! when all of its requests are booked.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use gristmill_domain::chat::{Request, Response};
use gristmill_domain::id::RunId;

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

    /// Hands in a batch under a name of the caller's own: 1 to 64 letters, digits, `-` and `_`.
    async fn submit(&self, tag: &str, requests: &[BatchRequest]) -> Result<BatchId, CallError>;

    /// Looks for a batch by the name that it was handed in under; `None` where there is none, or where the provider keeps no such names.
    /// One that was handed in a moment ago may not be found yet. Free, and safe to repeat.
    async fn find(&self, tag: &str) -> Result<Option<BatchId>, CallError>;

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

/// What is known of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchJob {
    /// The batch's own name, which no other has.
    pub tag: String,
    /// The run that its tasks belong to.
    pub run: RunId,
    /// The model that is asked, by the name that tasks carry.
    pub model: String,
    /// Tasks in it.
    pub tasks: u64,
    /// What the provider calls it; `None` until it said so.
    pub batch: Option<BatchId>,
}

/// The store of batch jobs failed: whether the operation was carried out is unknown. Send the same one again.
#[derive(Debug, thiserror::Error)]
#[error("the store of batch jobs failed while one {doing}")]
pub struct BatchJobError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where batch jobs are kept, durably. Every operation is safe to send again.
///
/// A batch job is in one holder's hands, by a lease, so that one worker looks after each batch. The lease fences nothing: what a batch brought is
/// booked once, whoever books it.
#[async_trait]
pub trait BatchJobs: Send + Sync {
    /// Enters a batch job, in `holder`'s hands. One that is there stays as it is.
    async fn enter(&self, batch_job: &BatchJob, holder: &str, lease: Duration) -> Result<(), BatchJobError>;

    /// Writes down what the provider calls a batch; nothing when the batch job was struck.
    async fn name(&self, tag: &str, batch: &BatchId) -> Result<(), BatchJobError>;

    /// Takes all batch jobs that are in nobody's hands, and keeps those that `holder` has, for `lease` from now; returns all that `holder` has
    /// then, by tag.
    async fn claim(&self, holder: &str, lease: Duration) -> Result<Vec<BatchJob>, BatchJobError>;

    /// Gives back what `holder` has.
    async fn release(&self, holder: &str) -> Result<(), BatchJobError>;

    /// Forgets a batch job.
    async fn strike(&self, tag: &str) -> Result<(), BatchJobError>;

    /// Tasks of a run that are in batches.
    async fn out(&self, run: RunId) -> Result<u64, BatchJobError>;
}
