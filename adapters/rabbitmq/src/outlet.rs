//! Publishing: confirmed, mandatory, and over within a time-out.
//!
//! Each queue has a channel of its own. The client library gives a returned message to whichever confirmation comes next on its channel;
//! where all messages of a channel go to one queue, that cannot make one message pass for another.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::Error;
use crate::link::{Link, Live, STEP};
use crate::retry::Retry;
use crate::topology::{Names, Queue, declare};

/// Messages of one batch that wait for their confirmation at once.
const UNCONFIRMED_MAX: usize = 512;

/// A message on its way out.
pub(crate) struct Message {
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

/// The way out.
pub(crate) struct Outlet {
    link: Link,
    names: Names,
    limit: Duration,
    channels: [Mutex<Option<Arc<PublishChannel>>>; Queue::ALL.len()],
}

/// A channel that publishes to one queue.
struct PublishChannel {
    live: Arc<Live>,
    channel: Channel,
    queue: ShortString,
    /// Held while a message is numbered and handed over: the client library does not do both in one step, and a number given to another
    /// message would confirm the wrong one.
    turn: std::sync::Mutex<()>,
}

/// What became of one message.
enum Fate {
    Confirmed,
    /// There is no such queue.
    Returned,
    /// The queue does not take it now.
    Rejected,
    /// The channel ended before the answer.
    Unknown(lapin::Error),
}

impl Outlet {
    pub(crate) fn new(link: Link, names: Names, limit: Duration) -> Self {
        Self {
            link,
            names,
            limit,
            channels: Default::default(),
        }
    }

    /// The connection that messages go out through.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Publishes all messages, and those again whose fate is not known, until all are confirmed or time is up.
    pub(crate) async fn publish(&self, queue: Queue, messages: Vec<Message>) -> Result<(), Error> {
        let mut used = None;
        let work = self.until_confirmed(queue, messages, &mut used);
        if let Ok(result) = timeout(self.limit, work).await {
            return result;
        }
        let blocked = match &used {
            Some(channel) => channel.live.blocked(),
            None => self.link.blocked(),
        };
        if let Some(channel) = used {
            self.leave(queue, &channel);
            if blocked.is_none() {
                // It may swallow everything: a connection that is only blocked still answers.
                self.link.give_up(&channel.live);
            }
        }
        Err(match blocked {
            Some(reason) => Error::Blocked { reason },
            None => Error::TimedOut {
                doing: "publishing".into(),
                after: self.limit,
            },
        })
    }

    async fn until_confirmed(
        &self,
        queue: Queue,
        mut open: Vec<Message>,
        used: &mut Option<Arc<PublishChannel>>,
    ) -> Result<(), Error> {
        let mut retry = Retry::new(self.limit);
        while !open.is_empty() {
            retry.pause().await;
            let failure = match self.channel(queue).await {
                Ok(channel) => {
                    *used = Some(Arc::clone(&channel));
                    let fates = channel.send_all(&open).await;
                    self.sort(queue, &channel, &mut open, fates).await?
                }
                Err(error) => Some(error),
            };
            if let Some(failure) = failure {
                retry.failed(failure)?;
            }
        }
        Ok(())
    }

    /// Leaves the messages that are not confirmed, and says why they are not.
    async fn sort(
        &self,
        queue: Queue,
        channel: &Arc<PublishChannel>,
        open: &mut Vec<Message>,
        fates: Vec<Fate>,
    ) -> Result<Option<Error>, Error> {
        let mut failure = None;
        let mut missing = false;
        let mut left = Vec::new();
        for (message, fate) in std::mem::take(open).into_iter().zip(fates) {
            match fate {
                Fate::Confirmed => continue,
                Fate::Returned => missing = true,
                Fate::Rejected => {
                    // The broker keeps what it thinks of a queue by channel, also after a change of leader: a new channel asks anew.
                    self.leave(queue, channel);
                    failure.get_or_insert(Error::Rejected {
                        queue: self.names.of(queue),
                    });
                }
                Fate::Unknown(error) => {
                    self.leave(queue, channel);
                    failure.get_or_insert(Error::of("publishing", error));
                }
            }
            left.push(message);
        }
        *open = left;
        if missing {
            let name = self.names.of(queue);
            tracing::warn!(queue = name, "the queue is gone: it is declared again");
            self.leave(queue, channel);
            let channel = self.link.live().await?.channel().await?;
            declare(&channel, &self.names, queue).await?;
            failure.get_or_insert(Error::Unroutable { queue: name });
        }
        Ok(failure)
    }

    /// The channel for a queue; opened now if there is none.
    async fn channel(&self, queue: Queue) -> Result<Arc<PublishChannel>, Error> {
        let mut slot = self.channels[queue.index()].lock().await;
        let channel = match &*slot {
            Some(channel) if channel.channel.status().connected() && channel.live.connected() => {
                Arc::clone(channel)
            }
            _ => {
                *slot = None;
                let live = self.link.live().await?;
                // A blocked connection opens no channels either.
                live.unblocked().await;
                let channel = live.channel().await?;
                timeout(STEP, channel.confirm_select(ConfirmSelectOptions::default()))
                    .await
                    .map_err(|_| Error::TimedOut {
                        doing: "asking for confirmations".into(),
                        after: STEP,
                    })?
                    .map_err(|source| Error::of("asking for confirmations", source))?;
                let channel = Arc::new(PublishChannel {
                    live,
                    channel,
                    queue: self.names.short(queue),
                    turn: std::sync::Mutex::default(),
                });
                *slot = Some(Arc::clone(&channel));
                channel
            }
        };
        drop(slot);
        // What is sent now would pile up in this process.
        channel.live.unblocked().await;
        Ok(channel)
    }

    /// Has the next message to a queue take a new channel. Whoever holds the slot is opening one already.
    fn leave(&self, queue: Queue, old: &Arc<PublishChannel>) {
        if let Ok(mut slot) = self.channels[queue.index()].try_lock()
            && slot.as_ref().is_some_and(|channel| Arc::ptr_eq(channel, old))
        {
            *slot = None;
        }
    }
}

impl PublishChannel {
    /// Sends the messages in their order, without waiting for one confirmation before the next message.
    async fn send_all(&self, messages: &[Message]) -> Vec<Fate> {
        let sendings: Vec<_> = messages.iter().map(|message| self.send(message)).collect();
        stream::iter(sendings).buffered(UNCONFIRMED_MAX).collect().await
    }

    async fn send(&self, message: &Message) -> Fate {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let mut sending = Box::pin(self.channel.basic_publish(
            ShortString::default(),
            self.queue.clone(),
            options,
            &message.body,
            message.properties.clone(),
        ));
        // The first poll numbers the message and hands it over; the rest is waiting.
        let first = {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            (&mut sending).now_or_never()
        };
        let sent = match first {
            Some(sent) => sent,
            None => sending.await,
        };
        let confirmation = match sent {
            Ok(confirmation) => confirmation.await,
            Err(error) => return Fate::Unknown(error),
        };
        match confirmation {
            Ok(Confirmation::Ack(None)) => Fate::Confirmed,
            Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => Fate::Returned,
            // A channel without confirmations is none that was opened here.
            Ok(Confirmation::Nack(None) | Confirmation::NotRequested) => Fate::Rejected,
            Err(error) => Fate::Unknown(error),
        }
    }
}
