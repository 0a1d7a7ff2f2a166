//! Consumers of a stage and of the dead letters, and how their messages are settled.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{self, Consumer, DeadLetter, DeadLetters, DeadReceipt, Delivery, Receipt};
use lapin::BasicProperties;

use crate::error::Error;
use crate::feed::{Feed, Hold, Taken};
use crate::headers;
use crate::outlet::Message;
use crate::shared::Shared;
use crate::topology::{Names, Queue};

/// Takes the tasks of one stage. It comes back by itself, with its prefetch, when the broker was away, closed its channel, or lost the
/// queue; an error means that waiting longer is of no use.
pub struct RabbitConsumer {
    shared: Arc<Shared>,
    stage: Stage,
    feed: Feed,
}

impl RabbitConsumer {
    pub(crate) async fn open(shared: Arc<Shared>, stage: Stage, prefetch: u16) -> Result<Self, Error> {
        let mut feed = Feed::new(Arc::clone(&shared), Queue::Stage(stage), prefetch);
        feed.subscribe().await?;
        Ok(Self { shared, stage, feed })
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, queue::Error> {
        let taken = self.feed.next().await;
        let taken = taken.map_err(|error| self.silent(error))?;
        Ok(Some(self.delivery(taken)))
    }

    async fn look(&mut self) -> Result<Option<Delivery>, queue::Error> {
        let taken = self.feed.look().await;
        let taken = taken.map_err(|error| self.silent(error))?;
        Ok(taken.map(|taken| self.delivery(taken)))
    }
}

impl RabbitConsumer {
    fn silent(&self, error: Error) -> queue::Error {
        let name = self.shared.names.of(Queue::Stage(self.stage));
        error.at(&name, "gives no messages")
    }

    fn delivery(&self, taken: Taken) -> Delivery {
        let Taken {
            envelope,
            properties,
            hold,
        } = taken;
        let waited = headers::age(&properties);
        let receipt = RabbitReceipt {
            shared: Arc::clone(&self.shared),
            stage: self.stage,
            body: envelope.clone(),
            properties,
            hold,
        };
        Delivery {
            envelope,
            waited,
            receipt: Box::new(receipt),
        }
    }
}

struct RabbitReceipt {
    shared: Arc<Shared>,
    stage: Stage,
    /// For the message that it may become again, here or among the dead letters.
    body: Vec<u8>,
    properties: BasicProperties,
    hold: Hold,
}

impl RabbitReceipt {
    fn name(&self) -> String {
        self.shared.names.of(Queue::Stage(self.stage))
    }
}

#[async_trait]
impl Receipt for RabbitReceipt {
    async fn ack(self: Box<Self>) -> Result<(), queue::Error> {
        let name = self.name();
        self.hold
            .ack()
            .await
            .map_err(|error| error.at(&name, "took no acknowledgement"))
    }

    fn can_put_back(&self) -> bool {
        !self.shared.takes_only.load(Ordering::Relaxed)
    }

    /// Published once more with the properties that it came with, then acknowledged: given back, it would come first again, and count as a failed
    /// delivery. Where publishing fails, it is given back; where the broker refuses it, this is not tried again.
    async fn put_back(self: Box<Self>) -> Result<(), queue::Error> {
        let (name, queue) = (self.name(), Queue::Stage(self.stage));
        let message = Message {
            properties: self.properties,
            body: self.body,
        };
        let published = self.shared.outlet.publish(queue, vec![message]).await;
        if let Err(Error::Refused { detail, .. }) = &published
            && !self.shared.takes_only.swap(true, Ordering::Relaxed)
        {
            tracing::info!(
                detail,
                "this user may put no message back: what others are to work on goes through the coordinator"
            );
        }
        published.map_err(|error| error.at(&name, "took no message back"))?;
        self.hold
            .ack()
            .await
            .map_err(|error| error.at(&name, "took no acknowledgement"))
    }

    /// Published to the dead letters with the reason, then acknowledged. Where publishing fails, the broker moves the message by itself,
    /// without the reason: it is never lost between the two.
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), queue::Error> {
        let name = self.name();
        tracing::error!(stage = %self.stage, reason, "a message is a dead letter");
        let letter = Message {
            properties: headers::of_dead(&self.properties, self.stage, reason),
            body: self.body,
        };
        let settled = match self.shared.outlet.publish(Queue::Dead, vec![letter]).await {
            Ok(()) => self.hold.ack().await,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a dead letter goes without its reason"
                );
                self.hold.reject().await
            }
        };
        settled.map_err(|error| error.at(&name, "took no dead letter"))
    }
}

/// Takes the dead letters, those that workers refused and those that the broker gave up. It comes back like [`RabbitConsumer`].
pub struct RabbitDeadLetters {
    names: Names,
    feed: Feed,
}

impl RabbitDeadLetters {
    /// Letters that are out at once at most.
    const PREFETCH: u16 = 64;

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            names: shared.names.clone(),
            feed: Feed::new(shared, Queue::Dead, Self::PREFETCH),
        }
    }
}

#[async_trait]
impl DeadLetters for RabbitDeadLetters {
    async fn next(&mut self) -> Result<Option<DeadLetter>, queue::Error> {
        let name = self.names.of(Queue::Dead);
        let taken = self
            .feed
            .next()
            .await
            .map_err(|error| error.at(&name, "gives no messages"))?;
        let death = headers::death(&self.names, &taken.properties);
        Ok(Some(DeadLetter {
            origin: death.origin,
            envelope: taken.envelope,
            cause: death.cause,
            died_at_ms: death.at_ms,
            receipt: Box::new(RabbitDeadReceipt {
                name,
                hold: taken.hold,
            }),
        }))
    }
}

struct RabbitDeadReceipt {
    name: String,
    hold: Hold,
}

#[async_trait]
impl DeadReceipt for RabbitDeadReceipt {
    async fn ack(self: Box<Self>) -> Result<(), queue::Error> {
        let name = self.name;
        self.hold
            .ack()
            .await
            .map_err(|error| error.at(&name, "took no acknowledgement"))
    }
}
