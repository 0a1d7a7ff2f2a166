//! The queues of a run that works alone: bounded channels in this process, one a stage.
//!
//! Like a broker's, a delivery that is dropped without an acknowledgement is delivered again. Unlike a broker's, nothing
//! survives the process: the coordinator's sweep publishes again what the ledger holds open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Consumer, Delivery, Error, Publisher, Receipt};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// A message that no worker could understand, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it came from.
    pub stage: Stage,
    /// The message.
    pub envelope: Vec<u8>,
    /// Why it is here.
    pub reason: String,
}

/// The queues.
pub struct Queues {
    channels: BTreeMap<Stage, Channel>,
    dead: Arc<Mutex<Vec<DeadLetter>>>,
}

struct Channel {
    sender: mpsc::Sender<Vec<u8>>,
    receiver: Arc<AsyncMutex<mpsc::Receiver<Vec<u8>>>>,
}

impl Queues {
    /// Dead letters that are kept; what comes after is only logged.
    const DEAD_LETTERS: usize = 1_000;

    /// Queues that hold up to `capacity` messages each; publishing waits while one is full.
    pub fn new(capacity: usize) -> Self {
        let channel = || {
            let (sender, receiver) = mpsc::channel(capacity.max(1));
            Channel {
                sender,
                receiver: Arc::new(AsyncMutex::new(receiver)),
            }
        };
        Self {
            channels: Stage::ALL.into_iter().map(|stage| (stage, channel())).collect(),
            dead: Arc::default(),
        }
    }

    /// A consumer of one stage; several share its messages.
    pub fn consumer(&self, stage: Stage) -> Option<Box<dyn Consumer>> {
        let channel = self.channels.get(&stage)?;
        Some(Box::new(MemoryConsumer {
            stage,
            receiver: Arc::clone(&channel.receiver),
            sender: channel.sender.downgrade(),
            dead: Arc::clone(&self.dead),
        }))
    }

    /// What could not be understood so far.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Publisher for Queues {
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), Error> {
        let gone = || Error {
            stage,
            doing: "has no consumer left".into(),
            source: None,
        };
        self.channels
            .get(&stage)
            .ok_or_else(gone)?
            .sender
            .send(envelope)
            .await
            .map_err(|_| gone())
    }
}

struct MemoryConsumer {
    stage: Stage,
    receiver: Arc<AsyncMutex<mpsc::Receiver<Vec<u8>>>>,
    /// Weak, so that a queue ends when its publisher has gone.
    sender: mpsc::WeakSender<Vec<u8>>,
    dead: Arc<Mutex<Vec<DeadLetter>>>,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, Error> {
        let Some(envelope) = self.receiver.lock().await.recv().await else {
            return Ok(None);
        };
        let receipt = MemoryReceipt {
            stage: self.stage,
            envelope: Some(envelope.clone()),
            sender: self.sender.clone(),
            dead: Arc::clone(&self.dead),
        };
        Ok(Some(Delivery {
            envelope,
            receipt: Box::new(receipt),
        }))
    }
}

struct MemoryReceipt {
    stage: Stage,
    /// Taken once the delivery is settled.
    envelope: Option<Vec<u8>>,
    sender: mpsc::WeakSender<Vec<u8>>,
    dead: Arc<Mutex<Vec<DeadLetter>>>,
}

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.envelope = None;
        Ok(())
    }

    async fn dead_letter(mut self: Box<Self>, reason: &str) -> Result<(), Error> {
        tracing::error!(stage = %self.stage, reason, "a message is a dead letter");
        if let Some(envelope) = self.envelope.take() {
            let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
            if dead.len() < Queues::DEAD_LETTERS {
                dead.push(DeadLetter {
                    stage: self.stage,
                    envelope,
                    reason: reason.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Drop for MemoryReceipt {
    fn drop(&mut self) {
        if let (Some(envelope), Some(sender)) = (self.envelope.take(), self.sender.upgrade()) {
            // A full queue loses the message; the coordinator's sweep brings the task back.
            if sender.try_send(envelope).is_err() {
                tracing::warn!(stage = %self.stage, "a dropped delivery did not fit back into its queue");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_delivery_comes_again_and_an_acked_one_does_not() {
        let queues = Queues::new(4);
        let mut consumer = queues.consumer(Stage::Generate).unwrap();
        queues.publish(Stage::Generate, b"a".to_vec()).await.unwrap();
        drop(consumer.next().await.unwrap().unwrap());
        let again = consumer.next().await.unwrap().unwrap();
        assert_eq!(again.envelope, b"a");
        again.receipt.ack().await.unwrap();
        drop(queues);
        assert!(consumer.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_dead_letter_is_kept_with_its_reason() {
        let queues = Queues::new(4);
        let mut consumer = queues.consumer(Stage::Judge).unwrap();
        queues.publish(Stage::Judge, b"?".to_vec()).await.unwrap();
        let delivery = consumer.next().await.unwrap().unwrap();
        delivery.receipt.dead_letter("not protobuf").await.unwrap();
        let expected = DeadLetter {
            stage: Stage::Judge,
            envelope: b"?".to_vec(),
            reason: "not protobuf".into(),
        };
        assert_eq!(queues.dead_letters(), [expected]);
    }
}
