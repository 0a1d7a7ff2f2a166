//! A subscription that comes back: whatever ends it (a lost connection, a closed channel, a deleted queue), the next call makes another.
//!
//! One that nothing ends may be dead all the same. When a queue is deleted and declared again at once, RabbitMQ attaches the consumers of the
//! old one to the new one by itself, and its channel then takes the first messages for ones that it has delivered already and drops them
//! (seen on 3.10: `rabbit_channel` consumes again with the client state of the old queue). They stay unacknowledged, unseen, and use up the
//! prefetch. So a subscription that has been quiet for long while nothing was in hand is made anew: what was stuck comes back with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Acker, BasicProperties, Channel, Consumer};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::error::{Error, NOT_FOUND, reply};
use crate::link::STEP;
use crate::retry::Retry;
use crate::shared::Shared;
use crate::topology::{Queue, declare};

/// Messages of one queue, with so many out at once at most.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    queue: Queue,
    prefetch: u16,
    open: Option<Subscription>,
    /// Goes on where it was when a call is cancelled.
    opening: Option<BoxFuture<'static, Result<Subscription, Error>>>,
    /// The subscription that looks have ended, while what it was sent is not taken. Giving that back would count as failed deliveries, which end as
    /// dead letters where many workers leave a message to others one after the other.
    ending: Option<Ending>,
    /// The channel of looks.
    looks: Option<Arc<Channel>>,
    /// Goes on where it was when a call is cancelled.
    looking: Option<BoxFuture<'static, Result<Look, Error>>>,
    retry: Retry,
    hand: Arc<Hand>,
}

/// What this feed has handed out.
struct Hand {
    unsettled: AtomicUsize,
    /// When a message was last taken or settled, or the subscription made.
    moved: Mutex<Instant>,
}

/// A subscription that gets no more messages once the broker has heard of it.
struct Ending {
    subscription: Subscription,
    heard: bool,
}

/// What a look found, and the channel that it was made on.
struct Look {
    channel: Arc<Channel>,
    found: Option<Delivery>,
}

struct Subscription {
    channel: Arc<Channel>,
    messages: Consumer,
}

/// One message and the duty to settle it. Dropped unsettled, it goes back to its queue.
pub(crate) struct Taken {
    pub(crate) envelope: Vec<u8>,
    pub(crate) properties: BasicProperties,
    pub(crate) hold: Hold,
}

/// The broker's side of a message in hand.
pub(crate) struct Hold {
    /// `None` once settled.
    acker: Option<Acker>,
    /// A channel lives as long as someone may settle through it.
    _channel: Arc<Channel>,
    hand: Arc<Hand>,
}

impl Feed {
    pub(crate) fn new(shared: Arc<Shared>, queue: Queue, prefetch: u16) -> Self {
        let retry = Retry::new(shared.patience);
        Self {
            shared,
            queue,
            prefetch,
            open: None,
            opening: None,
            ending: None,
            looks: None,
            looking: None,
            retry,
            hand: Arc::new(Hand {
                unsettled: AtomicUsize::new(0),
                moved: Mutex::new(Instant::now()),
            }),
        }
    }

    /// Subscribes now, if that is not done.
    pub(crate) async fn subscribe(&mut self) -> Result<(), Error> {
        while self.open.is_none() {
            self.retry.pause().await;
            let opening = self
                .opening
                .get_or_insert_with(|| open(Arc::clone(&self.shared), self.queue, self.prefetch).boxed());
            let opened = opening.await;
            self.opening = None;
            match opened {
                Ok(subscription) => {
                    self.retry.worked();
                    self.hand.touch();
                    self.open = Some(subscription);
                }
                Err(error) => self.retry.failed(error)?,
            }
        }
        Ok(())
    }

    /// The next message. Cancelling loses none.
    pub(crate) async fn next(&mut self) -> Result<Taken, Error> {
        if let Some(taken) = self.sent_before().await {
            return Ok(taken);
        }
        loop {
            self.subscribe().await?;
            let Some(subscription) = &mut self.open else {
                continue;
            };
            let received = tokio::select! {
                biased;
                received = subscription.messages.next() => received,
                () = self.hand.quiet(self.shared.idle) => {
                    if let Some(subscription) = self.open.take() {
                        subscription.leave(&self.hand);
                    }
                    continue;
                }
            };
            let failure = match received {
                // Its channel has gone while it waited here: it comes again, and working on this copy would be for nothing.
                Some(Ok(delivery)) if !delivery.acker.usable() => continue,
                Some(Ok(delivery)) => return Ok(taken(&subscription.channel, delivery, &self.hand)),
                Some(Err(source)) => Error::of("consuming", source),
                // The broker ends a subscription when its queue is deleted.
                None => Error::Unroutable {
                    queue: self.shared.names.of(self.queue),
                },
            };
            self.open = None;
            self.retry.failed(failure)?;
        }
    }
}

impl Feed {
    /// A message that the subscription was sent which looks have ended.
    async fn sent_before(&mut self) -> Option<Taken> {
        let ending = self.ending.as_mut()?;
        if !ending.heard {
            let tag = ending.subscription.messages.tag();
            let cancelling = ending
                .subscription
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            // If the broker does not answer, its connection goes, and everything with it.
            let _gone = timeout(STEP, cancelling).await;
            ending.heard = true;
        }
        while let Some(Some(Ok(delivery))) = ending.subscription.messages.next().now_or_never() {
            // One whose channel has gone comes again.
            if delivery.acker.usable() {
                return Some(taken(&ending.subscription.channel, delivery, &self.hand));
            }
        }
        self.ending = None;
        None
    }

    /// One message, if one waits. The subscription ends; what it was sent comes first.
    pub(crate) async fn look(&mut self) -> Result<Option<Taken>, Error> {
        self.opening = None;
        if let Some(subscription) = self.open.take() {
            self.ending = Some(Ending {
                subscription,
                heard: false,
            });
        }
        if let Some(taken) = self.sent_before().await {
            return Ok(Some(taken));
        }
        loop {
            self.retry.pause().await;
            let (shared, queue, channel) = (&self.shared, self.queue, &self.looks);
            let looking = self
                .looking
                .get_or_insert_with(|| look(Arc::clone(shared), queue, channel.clone()).boxed());
            let looked = looking.await;
            self.looking = None;
            match looked {
                Ok(Look { channel, found }) => {
                    self.retry.worked();
                    let taken = found.map(|delivery| taken(&channel, delivery, &self.hand));
                    self.looks = Some(channel);
                    return Ok(taken);
                }
                Err(error) => {
                    self.looks = None;
                    self.retry.failed(error)?;
                }
            }
        }
    }
}

impl Hand {
    fn moved(&self) -> MutexGuard<'_, Instant> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.moved() = Instant::now();
    }

    /// Waits until nothing is in hand and nothing has moved for so long.
    async fn quiet(&self, idle: Duration) {
        loop {
            let due = *self.moved() + idle;
            if Instant::now() < due {
                sleep_until(due).await;
            } else if self.unsettled.load(Ordering::Relaxed) == 0 {
                return;
            } else {
                sleep(idle).await;
            }
        }
    }
}

/// Subscribes on a channel of its own; declares the queue if it is not there.
async fn open(shared: Arc<Shared>, queue: Queue, prefetch: u16) -> Result<Subscription, Error> {
    let live = shared.consuming.live().await?;
    let subscribing = async {
        let channel = live.channel().await?;
        match subscribe_on(&channel, &shared, queue, prefetch).await {
            Ok(messages) => Ok(Subscription {
                channel: Arc::new(channel),
                messages,
            }),
            // Asked first, so that a worker needs no right to declare queues.
            Err(Error::Failed { source, .. })
                if reply(&source).is_some_and(|(code, _)| code == NOT_FOUND) =>
            {
                let channel = live.channel().await?;
                tracing::warn!(
                    queue = shared.names.of(queue),
                    "the queue is not there: it is declared"
                );
                declare(&channel, &shared.names, queue).await?;
                let messages = subscribe_on(&channel, &shared, queue, prefetch).await?;
                Ok(Subscription {
                    channel: Arc::new(channel),
                    messages,
                })
            }
            Err(error) => Err(error),
        }
    };
    timeout(STEP, subscribing).await.unwrap_or_else(|_| {
        shared.consuming.give_up(&live);
        Err(Error::TimedOut {
            doing: "subscribing".into(),
            after: STEP,
        })
    })
}

/// Asks the queue for one message, on this channel or a new one.
async fn look(shared: Arc<Shared>, queue: Queue, channel: Option<Arc<Channel>>) -> Result<Look, Error> {
    let live = shared.consuming.live().await?;
    let asking = async {
        let channel = match channel.filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => Arc::new(live.channel().await?),
        };
        let name = shared.names.short(queue);
        let asked = channel.basic_get(name.clone(), BasicGetOptions::default()).await;
        let (channel, answer) = match asked {
            Err(source) if reply(&source).is_some_and(|(code, _)| code == NOT_FOUND) => {
                let channel = Arc::new(live.channel().await?);
                declare(&channel, &shared.names, queue).await?;
                let asked = channel.basic_get(name, BasicGetOptions::default()).await;
                (channel, asked)
            }
            asked => (channel, asked),
        };
        let failed = |source| Error::of(format!("looking into `{}`", shared.names.of(queue)), source);
        let found = answer.map_err(failed)?.map(|message| message.delivery);
        Ok(Look { channel, found })
    };
    timeout(STEP, asking).await.unwrap_or_else(|_| {
        shared.consuming.give_up(&live);
        Err(Error::TimedOut {
            doing: "looking for a message".into(),
            after: STEP,
        })
    })
}

async fn subscribe_on(
    channel: &Channel,
    shared: &Shared,
    queue: Queue,
    prefetch: u16,
) -> Result<Consumer, Error> {
    let failed = |source| Error::of(format!("consuming `{}`", shared.names.of(queue)), source);
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .map_err(failed)?;
    channel
        .basic_consume(
            shared.names.short(queue),
            // The broker thinks of a name that nobody has.
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(failed)
}

fn taken(channel: &Arc<Channel>, delivery: Delivery, hand: &Arc<Hand>) -> Taken {
    hand.unsettled.fetch_add(1, Ordering::Relaxed);
    hand.touch();
    Taken {
        envelope: delivery.data,
        properties: delivery.properties,
        hold: Hold {
            acker: Some(delivery.acker),
            _channel: Arc::clone(channel),
            hand: Arc::clone(hand),
        },
    }
}

impl Subscription {
    /// Ends the subscription and gives back at once what came and was not taken: messages in hand keep the channel open, perhaps for long.
    fn leave(mut self, hand: &Arc<Hand>) {
        // Without a runtime nothing is in hand any more, and the channel ends here.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let hand = Arc::clone(hand);
        runtime.spawn(async move {
            let tag = self.messages.tag();
            let cancelling = self.channel.basic_cancel(tag, BasicCancelOptions::default());
            // If the broker does not answer, its connection goes, and everything with it.
            let _gone = timeout(STEP, cancelling).await;
            while let Some(Some(Ok(delivery))) = self.messages.next().now_or_never() {
                drop(taken(&self.channel, delivery, &hand));
            }
        });
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let ending = self.ending.take().map(|ending| ending.subscription);
        for subscription in self.open.take().into_iter().chain(ending) {
            subscription.leave(&self.hand);
        }
    }
}

impl Hold {
    /// Settles the message as done.
    pub(crate) async fn ack(mut self) -> Result<(), Error> {
        let Some(acker) = self.acker.take() else {
            return Ok(());
        };
        settled(acker.ack(Default::default()).await, "acknowledging")
    }

    /// Has the broker put the message among the dead letters.
    pub(crate) async fn reject(mut self) -> Result<(), Error> {
        let Some(acker) = self.acker.take() else {
            return Ok(());
        };
        let options = BasicNackOptions {
            multiple: false,
            requeue: false,
        };
        settled(acker.nack(options).await, "rejecting")
    }
}

/// The library says `false` when the channel of the delivery is gone.
fn settled(answer: lapin::Result<bool>, doing: &str) -> Result<(), Error> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Late),
        Err(source) => Err(Error::of(doing, source)),
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hand.unsettled.fetch_sub(1, Ordering::Relaxed);
        self.hand.touch();
        if let Some(acker) = self.acker.take() {
            let options = BasicNackOptions {
                multiple: false,
                requeue: true,
            };
            // The first poll hands the frame over; there is nothing to wait for. On a channel that is gone the message comes back by
            // itself.
            let _sent = acker.nack(options).now_or_never();
        }
    }
}
