//! The queues: one a stage, each message a planned task.
//!
//! Delivery is at least once. What a message may cause is decided by the ledger, so a lost, late or doubled message costs time
//! and nothing else; the coordinator's sweep publishes again what shows no progress.

use async_trait::async_trait;
use gristmill_domain::stage::Stage;

/// A queue could not take or give a message.
#[derive(Debug, thiserror::Error)]
#[error("the `{stage}` queue {doing}")]
pub struct Error {
    /// Which queue.
    pub stage: Stage,
    /// What failed.
    pub doing: String,
    /// Why.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Where the coordinator publishes.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes an encoded task envelope and returns once the queue is answerable for it. An error means that it may or may
    /// not be there.
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), Error>;
}

/// Where a worker takes its work from.
#[async_trait]
pub trait Consumer: Send {
    /// The next message, or `None` once the queue has gone for good. Cancelling the call loses no message.
    async fn next(&mut self) -> Result<Option<Delivery>, Error>;
}

/// One message in a worker's hands. Dropped without a word, it is delivered again.
pub struct Delivery {
    /// The encoded task envelope.
    pub envelope: Vec<u8>,
    /// How the queue is told.
    pub receipt: Box<dyn Receipt>,
}

/// The queue's side of a delivery.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// Done with: the ledger knows all there is to know.
    async fn ack(self: Box<Self>) -> Result<(), Error>;

    /// Can never be understood: to the dead letters.
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), Error>;
}
