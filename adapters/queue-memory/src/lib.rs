//! The queues of a run that works alone: bounded, in this process, one a stage and one for dead letters.
//!
//! Like a broker's, a delivery that is dropped without an acknowledgement is delivered again, before what came after it. Unlike a
//! broker's, nothing survives the process: the coordinator's sweep publishes again what the ledger holds open.

mod bounded;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{
    Cause, Consumer, DeadLetter, DeadLetters, DeadReceipt, Delivery, Depth, Depths, Error, Publisher, Receipt,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounded::{Bounded, Seat};

/// The queues. They end when this is dropped: consumers get what still waits, and then nothing.
pub struct Queues {
    stages: [Arc<Bounded<Vec<u8>>>; Stage::ALL.len()],
    dead: Arc<Bounded<Dead>>,
}

/// A dead letter while it waits.
struct Dead {
    origin: Stage,
    envelope: Vec<u8>,
    reason: String,
    died_at_ms: u64,
}

impl Queues {
    /// Dead letters that are kept; what comes after is only logged.
    const DEAD_LETTERS: usize = 1_000;

    /// Queues that hold up to `capacity` messages each, besides those in hand; publishing waits while one is full.
    pub fn new(capacity: usize) -> Self {
        Self {
            stages: Stage::ALL.map(|_| Bounded::new(capacity)),
            dead: Bounded::new(Self::DEAD_LETTERS),
        }
    }

    fn queue(&self, stage: Stage) -> &Arc<Bounded<Vec<u8>>> {
        let [generate, judge, embed] = &self.stages;
        match stage {
            Stage::Generate => generate,
            Stage::Judge => judge,
            Stage::Embed => embed,
        }
    }

    /// A consumer of one stage that hands out whatever it is asked for: whoever asks bounds what is in hand. Several share a stage's
    /// messages.
    pub fn consumer(&self, stage: Stage) -> Option<Box<dyn Consumer>> {
        Some(self.consumer_with(stage, Semaphore::MAX_PERMITS))
    }

    /// A consumer of one stage with so many unsettled deliveries at most.
    pub fn consumer_with(&self, stage: Stage, slots: usize) -> Box<dyn Consumer> {
        Box::new(MemoryConsumer {
            stage,
            seat: self.queue(stage).seat(),
            dead: Arc::clone(&self.dead),
            slots: Arc::new(Semaphore::new(slots)),
        })
    }

    /// A consumer of the dead letters.
    pub fn dead(&self) -> Box<dyn DeadLetters> {
        Box::new(MemoryDead {
            seat: self.dead.seat(),
        })
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        self.stages.iter().for_each(|queue| queue.close());
        self.dead.close();
    }
}

#[async_trait]
impl Publisher for Queues {
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), Error> {
        self.queue(stage).put(envelope).await;
        Ok(())
    }
}

#[async_trait]
impl Depths for Queues {
    async fn depths(&self) -> Result<Vec<Depth>, Error> {
        let depth = |stage, (waiting, consumers)| Depth {
            stage,
            waiting,
            consumers,
        };
        Ok(Stage::ALL
            .into_iter()
            .map(|stage| depth(Some(stage), self.queue(stage).depth()))
            .chain([depth(None, self.dead.depth())])
            .collect())
    }
}

struct MemoryConsumer {
    stage: Stage,
    seat: Seat<Vec<u8>>,
    dead: Arc<Bounded<Dead>>,
    slots: Arc<Semaphore>,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, Error> {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
            return Ok(None);
        };
        let taken = self.seat.take().await;
        Ok(taken.map(|envelope| self.delivery(envelope, slot)))
    }

    async fn look(&mut self) -> Result<Option<Delivery>, Error> {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
            return Ok(None);
        };
        let taken = self.seat.try_take();
        Ok(taken.map(|envelope| self.delivery(envelope, slot)))
    }
}

impl MemoryConsumer {
    fn delivery(&self, envelope: Vec<u8>, slot: OwnedSemaphorePermit) -> Delivery {
        let receipt = MemoryReceipt {
            stage: self.stage,
            envelope: Some(envelope.clone()),
            queue: Arc::clone(self.seat.queue()),
            dead: Arc::clone(&self.dead),
            _slot: slot,
        };
        Delivery {
            waited: None,
            envelope,
            receipt: Box::new(receipt),
        }
    }
}

struct MemoryReceipt {
    stage: Stage,
    /// Taken once the delivery is settled.
    envelope: Option<Vec<u8>>,
    queue: Arc<Bounded<Vec<u8>>>,
    dead: Arc<Bounded<Dead>>,
    _slot: OwnedSemaphorePermit,
}

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.envelope = None;
        Ok(())
    }

    async fn put_back(mut self: Box<Self>) -> Result<(), Error> {
        if let Some(envelope) = self.envelope.take() {
            self.queue.put_back(envelope);
        }
        Ok(())
    }

    async fn dead_letter(mut self: Box<Self>, reason: &str) -> Result<(), Error> {
        tracing::error!(stage = %self.stage, reason, "a message is a dead letter");
        let Some(envelope) = self.envelope.take() else {
            return Ok(());
        };
        let died_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let letter = Dead {
            origin: self.stage,
            envelope,
            reason: reason.to_owned(),
            died_at_ms: u64::try_from(died_at.as_millis()).unwrap_or(u64::MAX),
        };
        if !self.dead.try_put(letter) {
            tracing::warn!(stage = %self.stage, "there are too many dead letters to keep this one");
        }
        Ok(())
    }
}

impl Drop for MemoryReceipt {
    fn drop(&mut self) {
        if let Some(envelope) = self.envelope.take() {
            self.queue.give_back(envelope);
        }
    }
}

struct MemoryDead {
    seat: Seat<Dead>,
}

#[async_trait]
impl DeadLetters for MemoryDead {
    async fn next(&mut self) -> Result<Option<DeadLetter>, Error> {
        Ok(self.seat.take().await.map(|dead| DeadLetter {
            origin: Some(dead.origin),
            envelope: dead.envelope.clone(),
            cause: Cause::Refused(dead.reason.clone()),
            died_at_ms: Some(dead.died_at_ms),
            receipt: Box::new(MemoryDeadReceipt {
                dead: Some(dead),
                queue: Arc::clone(self.seat.queue()),
            }),
        }))
    }
}

struct MemoryDeadReceipt {
    /// Taken once the letter is recorded.
    dead: Option<Dead>,
    queue: Arc<Bounded<Dead>>,
}

#[async_trait]
impl DeadReceipt for MemoryDeadReceipt {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.dead = None;
        Ok(())
    }
}

impl Drop for MemoryDeadReceipt {
    fn drop(&mut self) {
        if let Some(dead) = self.dead.take() {
            self.queue.give_back(dead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queues_that_are_gone_give_what_waits_and_then_nothing() {
        let queues = Queues::new(4);
        let mut consumer = queues.consumer(Stage::Generate).unwrap();
        queues.publish(Stage::Generate, b"a".to_vec()).await.unwrap();
        drop(queues);
        consumer
            .next()
            .await
            .unwrap()
            .unwrap()
            .receipt
            .ack()
            .await
            .unwrap();
        assert!(consumer.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_full_queue_holds_its_publisher_and_takes_back_what_was_dropped() {
        let queues = Queues::new(1);
        let mut consumer = queues.consumer(Stage::Generate).unwrap();
        queues.publish(Stage::Generate, b"a".to_vec()).await.unwrap();
        let held = consumer.next().await.unwrap().unwrap();
        queues.publish(Stage::Generate, b"b".to_vec()).await.unwrap();
        let mut third = Box::pin(queues.publish(Stage::Generate, b"c".to_vec()));
        assert!(
            tokio::time::timeout(std::time::Duration::ZERO, &mut third)
                .await
                .is_err()
        );
        drop(held);
        for expected in [b"a", b"b"] {
            let delivery = consumer.next().await.unwrap().unwrap();
            assert_eq!(delivery.envelope, expected);
            delivery.receipt.ack().await.unwrap();
        }
        third.await.unwrap();
    }
}
