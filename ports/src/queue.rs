//! The queues: one a stage, each message a planned task, and one for dead letters.
//!
//! Delivery is at least once. What a message may cause is decided by the ledger, so a lost, late or doubled message costs time
//! and nothing else; the coordinator's sweep publishes again what shows no progress.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;

/// A queue could not take or give a message.
#[derive(Debug, thiserror::Error)]
#[error("the queue `{queue}` {doing}")]
pub struct Error {
    /// Which queue, by the name that its server knows.
    pub queue: String,
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
    /// not be there. Returns in bounded time, whatever the queue's server does.
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), Error>;

    /// Publishes several, in this order, and returns once the queue is answerable for all of them. An error means that each of them
    /// may or may not be there. Where publishing means waiting for a server, a batch waits once.
    async fn publish_all(&self, stage: Stage, envelopes: Vec<Vec<u8>>) -> Result<(), Error> {
        for envelope in envelopes {
            self.publish(stage, envelope).await?;
        }
        Ok(())
    }
}

/// Where a worker takes its work from.
#[async_trait]
pub trait Consumer: Send {
    /// The next message, or `None` once the queue has gone for good. Waits while as many deliveries are unsettled as the consumer
    /// may have, and while the queue's server is away: an error means that waiting longer is of no use. Cancelling the call loses
    /// no message.
    async fn next(&mut self) -> Result<Option<Delivery>, Error>;

    /// A message that waits, if there is one; those that were sent to this consumer already come first. Unlike [`Self::next`] it takes no more than
    /// the one that it returns: until `next` is called again, nothing is sent to this consumer. Waits while the queue's server is away, and loses
    /// no message when it is cancelled, like `next`.
    async fn look(&mut self) -> Result<Option<Delivery>, Error>;
}

/// One message in a worker's hands. Dropped without a word, it is delivered again.
pub struct Delivery {
    /// The encoded task envelope.
    pub envelope: Vec<u8>,
    /// Time since it was published, where the queue tells.
    pub waited: Option<Duration>,
    /// How the queue is told. It may outlive the consumer.
    pub receipt: Box<dyn Receipt>,
}

/// The queue's side of a delivery.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// Done with: the ledger knows all there is to know. An error means that the message comes again.
    async fn ack(self: Box<Self>) -> Result<(), Error>;

    /// Whether [`Self::put_back`] can be of use: a queue's server may let this process only take messages.
    fn can_put_back(&self) -> bool {
        true
    }

    /// Left to other consumers: the message goes behind those that wait, as old as it is, and this does not count as a delivery that failed.
    /// An error means that it comes again all the same.
    async fn put_back(self: Box<Self>) -> Result<(), Error>;

    /// Can never be understood: to the dead letters. An error means that the message comes again.
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), Error>;
}

/// Where the coordinator takes the messages that no worker could settle.
#[async_trait]
pub trait DeadLetters: Send {
    /// The next dead letter; waits, ends and may be cancelled like [`Consumer::next`].
    async fn next(&mut self) -> Result<Option<DeadLetter>, Error>;
}

/// A message that no worker could settle. Dropped without a word, it is delivered again.
pub struct DeadLetter {
    /// The stage that it was published to, where that is known.
    pub origin: Option<Stage>,
    /// The message as it was published; nothing promises that it can be decoded.
    pub envelope: Vec<u8>,
    /// Why it is here.
    pub cause: Cause,
    /// When it first became a dead letter, in milliseconds since 1970 by the clock of whoever gave it up.
    pub died_at_ms: Option<u64>,
    /// How the queue is told that the coordinator has recorded it.
    pub receipt: Box<dyn DeadReceipt>,
}

/// Why a message is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A worker could not understand it, and said why.
    Refused(String),
    /// It was delivered as often as the queue allows, and nobody settled it: it may be what kills those who take it.
    DeliveredTooOften,
    /// The queue's server gave it up, for a reason in its own words.
    Server(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::DeliveredTooOften => f.write_str("delivered again and again, and settled by nobody"),
            Self::Server(reason) => write!(f, "given up by the queue's server: {reason}"),
        }
    }
}

/// The queue's side of a dead letter.
#[async_trait]
pub trait DeadReceipt: Send + Sync {
    /// Recorded: it need not be kept here. An error means that it comes again.
    async fn ack(self: Box<Self>) -> Result<(), Error>;
}

/// What stands in the queues, for dashboards and readiness.
#[async_trait]
pub trait Depths: Send + Sync {
    /// Every queue: the stages in order, then the dead letters.
    async fn depths(&self) -> Result<Vec<Depth>, Error>;
}

/// How full one queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Which queue; `None` for the dead letters.
    pub stage: Option<Stage>,
    /// Messages that nobody has in hand.
    pub waiting: u64,
    /// Consumers of the queue.
    pub consumers: u64,
}
