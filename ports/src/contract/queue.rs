//! What all queues must do, by scenario.
//!
//! An implementation gives a [`Harness`] and writes one line, `gristmill_ports::queue_contract!(MyHarness)`, in a test file; it needs
//! `tokio` with its macros there. Order is asked for only where one consumer takes what one publisher sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use tokio::time::timeout;

use crate::queue::{Cause, Consumer, DeadLetter, DeadLetters, Delivery, Depth, Depths, Publisher};

/// Starts empty queues.
#[async_trait]
pub trait Harness: Send + Sync {
    /// New, empty queues.
    async fn start(&self) -> Box<dyn Rig>;
}

/// Queues under test.
#[async_trait]
pub trait Rig: Send + Sync {
    /// A publisher.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// A consumer of one stage that may have so many unsettled deliveries.
    async fn consumer(&self, stage: Stage, prefetch: u16) -> Box<dyn Consumer>;

    /// A consumer of the dead letters.
    async fn dead(&self) -> Box<dyn DeadLetters>;

    /// A look at how full the queues are.
    fn depths(&self) -> Arc<dyn Depths>;
}

/// What must happen happens within this.
const DEADLINE: Duration = Duration::from_secs(60);
/// What must not happen has not, after this.
const QUIET: Duration = Duration::from_millis(300);

/// One test a scenario.
#[macro_export]
macro_rules! queue_contract {
    ($harness:expr) => {
        $crate::queue_contract!(@async $harness,
            a_message_comes_once_and_acked_is_gone
            a_dropped_delivery_comes_again
            cancelling_next_loses_nothing
            a_dead_letter_says_why_and_whence
            a_dead_letter_stays_until_it_is_recorded
            consumers_share
            a_consumer_has_no_more_than_its_slots
            a_consumer_that_goes_gives_back_what_it_holds
            a_receipt_outlives_its_consumer
            a_look_takes_one_message_and_leaves_the_rest
            what_is_put_back_comes_behind_what_waits
            messages_come_in_order
            a_batch_arrives_whole
            stages_do_not_mix
            big_and_empty_messages_arrive_as_they_were
            many_publishers_and_consumers_lose_nothing
            depths_count_what_waits
        );
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $crate::contract::queue::$scenario(&$harness).await;
        }
    )*};
}

async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    timeout(DEADLINE, consumer.next())
        .await
        .expect("a message in time")
        .expect("next")
        .expect("the queue is there")
}

async fn next_dead(dead: &mut Box<dyn DeadLetters>) -> DeadLetter {
    timeout(DEADLINE, dead.next())
        .await
        .expect("a dead letter in time")
        .expect("next")
        .expect("the queue is there")
}

async fn nothing(consumer: &mut Box<dyn Consumer>) {
    if let Ok(next) = timeout(QUIET, consumer.next()).await {
        let delivery = next.expect("next").expect("the queue is there");
        panic!("unexpected: {}", String::from_utf8_lossy(&delivery.envelope));
    }
}

/// Waits until the depths are as wanted; a server's count may lag behind.
async fn settle(depths: &dyn Depths, wanted: impl Fn(&Depth) -> bool) {
    let look = async {
        while !depths.depths().await.expect("depths").iter().all(&wanted) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(DEADLINE, look).await.is_err() {
        panic!("{:?}", depths.depths().await);
    }
}

fn numbered(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_string().into_bytes()).collect()
}

pub async fn a_message_comes_once_and_acked_is_gone(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Generate, 4).await;
    rig.publisher()
        .publish(Stage::Generate, b"a".to_vec())
        .await
        .expect("publish");
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.envelope, b"a");
    nothing(&mut consumer).await;
    delivery.receipt.ack().await.expect("ack");
    drop(consumer);
    let mut another = rig.consumer(Stage::Generate, 4).await;
    nothing(&mut another).await;
    settle(rig.depths().as_ref(), |depth| depth.waiting == 0).await;
}

pub async fn a_dropped_delivery_comes_again(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Judge, 1).await;
    rig.publisher()
        .publish(Stage::Judge, b"a".to_vec())
        .await
        .expect("publish");
    for _ in 0..3 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope, b"a");
        drop(delivery);
    }
    next(&mut consumer).await.receipt.ack().await.expect("ack");
    nothing(&mut consumer).await;
}

pub async fn cancelling_next_loses_nothing(harness: &dyn Harness) {
    const COUNT: u32 = 200;
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Generate, 8).await;
    // While there is nothing yet.
    nothing(&mut consumer).await;
    let publisher = rig.publisher();
    let sender = tokio::spawn(async move {
        for envelope in numbered(COUNT) {
            publisher
                .publish(Stage::Generate, envelope)
                .await
                .expect("publish");
        }
    });
    let mut seen = BTreeSet::new();
    let mut cancelled = 0_u32;
    let collect = async {
        while seen.len() < COUNT as usize {
            // Short enough to strike in the middle of everything: connecting, waiting, taking.
            let wait = Duration::from_micros(u64::from(cancelled % 7) * 200);
            match timeout(wait, consumer.next()).await {
                Ok(delivery) => {
                    let delivery = delivery.expect("next").expect("the queue is there");
                    assert!(seen.insert(delivery.envelope), "delivered twice");
                    delivery.receipt.ack().await.expect("ack");
                }
                Err(_) => cancelled += 1,
            }
        }
    };
    timeout(DEADLINE, collect).await.expect("all messages in time");
    sender.await.expect("the publisher");
    nothing(&mut consumer).await;
}

pub async fn a_dead_letter_says_why_and_whence(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Embed, 4).await;
    rig.publisher()
        .publish(Stage::Embed, b"\xff\x00 garbage".to_vec())
        .await
        .expect("publish");
    let delivery = next(&mut consumer).await;
    delivery
        .receipt
        .dead_letter("not protobuf: wire type 7")
        .await
        .expect("dead letter");
    let mut dead = rig.dead().await;
    let letter = next_dead(&mut dead).await;
    assert_eq!(letter.origin, Some(Stage::Embed));
    assert_eq!(letter.envelope, b"\xff\x00 garbage");
    assert_eq!(letter.cause, Cause::Refused("not protobuf: wire type 7".into()));
    // Some time after 2020.
    assert!(
        letter.died_at_ms.is_some_and(|ms| ms > 1_577_000_000_000),
        "{:?}",
        letter.died_at_ms
    );
    letter.receipt.ack().await.expect("ack");
    nothing(&mut consumer).await;
}

pub async fn a_dead_letter_stays_until_it_is_recorded(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Generate, 4).await;
    rig.publisher()
        .publish(Stage::Generate, b"?".to_vec())
        .await
        .expect("publish");
    next(&mut consumer)
        .await
        .receipt
        .dead_letter("no")
        .await
        .expect("dead letter");
    let mut dead = rig.dead().await;
    drop(next_dead(&mut dead).await);
    let again = next_dead(&mut dead).await;
    assert_eq!(again.cause, Cause::Refused("no".into()));
    assert_eq!(again.origin, Some(Stage::Generate));
    again.receipt.ack().await.expect("ack");
    assert!(timeout(QUIET, dead.next()).await.is_err(), "it was recorded");
}

pub async fn consumers_share(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut first = rig.consumer(Stage::Generate, 2).await;
    let mut second = rig.consumer(Stage::Generate, 2).await;
    rig.publisher()
        .publish_all(Stage::Generate, numbered(4))
        .await
        .expect("publish");
    // Neither can hold more than two, so each gets two.
    let held = [
        next(&mut first).await,
        next(&mut second).await,
        next(&mut first).await,
        next(&mut second).await,
    ];
    let seen: BTreeSet<Vec<u8>> = held.iter().map(|delivery| delivery.envelope.clone()).collect();
    assert_eq!(seen.len(), 4, "each came to one of them");
}

pub async fn a_consumer_has_no_more_than_its_slots(harness: &dyn Harness) {
    let rig = harness.start().await;
    let mut consumer = rig.consumer(Stage::Generate, 2).await;
    rig.publisher()
        .publish_all(Stage::Generate, numbered(4))
        .await
        .expect("publish");
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    nothing(&mut consumer).await;
    first.receipt.ack().await.expect("ack");
    let third = next(&mut consumer).await;
    nothing(&mut consumer).await;
    second.receipt.dead_letter("no").await.expect("dead letter");
    let fourth = next(&mut consumer).await;
    assert_eq!(
        (&third.envelope[..], &fourth.envelope[..]),
        (&b"2"[..], &b"3"[..])
    );
}

pub async fn a_consumer_that_goes_gives_back_what_it_holds(harness: &dyn Harness) {
    let rig = harness.start().await;
    rig.publisher()
        .publish_all(Stage::Generate, numbered(6))
        .await
        .expect("publish");
    let mut first = rig.consumer(Stage::Generate, 6).await;
    // One in hand; the others may wait in the consumer already.
    let held = next(&mut first).await;
    drop(first);
    drop(held);
    let mut second = rig.consumer(Stage::Generate, 6).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 6 {
        let delivery = next(&mut second).await;
        seen.insert(delivery.envelope);
        delivery.receipt.ack().await.expect("ack");
    }
    nothing(&mut second).await;
}

pub async fn a_receipt_outlives_its_consumer(harness: &dyn Harness) {
    let rig = harness.start().await;
    rig.publisher()
        .publish_all(Stage::Generate, numbered(3))
        .await
        .expect("publish");
    let mut first = rig.consumer(Stage::Generate, 3).await;
    let held = next(&mut first).await;
    drop(first);
    let mut second = rig.consumer(Stage::Generate, 3).await;
    // What the first had not handed out comes at once, while its delivery is still in hand.
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        let delivery = next(&mut second).await;
        seen.insert(delivery.envelope);
        delivery.receipt.ack().await.expect("ack");
    }
    assert!(!seen.contains(&held.envelope));
    held.receipt.ack().await.expect("ack");
    nothing(&mut second).await;
}

pub async fn a_look_takes_one_message_and_leaves_the_rest(harness: &dyn Harness) {
    let rig = harness.start().await;
    let publisher = rig.publisher();
    let publish = async |envelopes| {
        publisher
            .publish_all(Stage::Judge, envelopes)
            .await
            .expect("publish")
    };
    let mut one = rig.consumer(Stage::Judge, 8).await;
    assert!(one.look().await.expect("look").is_none(), "nothing waits");
    // Sent to a consumer that has room for all of them, and takes the first: looks bring the others.
    publish(numbered(4)).await;
    let mut seen = BTreeSet::new();
    let mut taken = Some(next(&mut one).await);
    let by = Instant::now() + DEADLINE;
    while seen.len() < 4 {
        if let Some(delivery) = taken {
            seen.insert(delivery.envelope);
            delivery.receipt.ack().await.expect("ack");
        }
        assert!(Instant::now() < by, "{seen:?}");
        taken = one.look().await.expect("look");
    }
    assert_eq!(seen, numbered(4).into_iter().collect());
    assert!(taken.is_none());
    publish(vec![b"a".to_vec(), b"b".to_vec()]).await;
    let mut looked = None;
    while looked.is_none() {
        assert!(Instant::now() < by, "a message waits");
        looked = one.look().await.expect("look");
    }
    let looked = looked.expect("a message");
    let mut another = rig.consumer(Stage::Judge, 8).await;
    let rest = next(&mut another).await;
    let both: BTreeSet<Vec<u8>> = [&looked, &rest].map(|delivery| delivery.envelope.clone()).into();
    assert_eq!(both, [b"a".to_vec(), b"b".to_vec()].into());
    for delivery in [looked, rest] {
        delivery.receipt.ack().await.expect("ack");
    }
    // Asked for the next one, it has messages sent again.
    drop(another);
    publish(vec![b"c".to_vec()]).await;
    next(&mut one).await.receipt.ack().await.expect("ack");
    nothing(&mut one).await;
}

pub async fn what_is_put_back_comes_behind_what_waits(harness: &dyn Harness) {
    let rig = harness.start().await;
    rig.publisher()
        .publish_all(Stage::Embed, numbered(2))
        .await
        .expect("publish");
    let mut consumer = rig.consumer(Stage::Embed, 1).await;
    // More often than a message may be delivered before it is taken for poison.
    for _ in 0..30 {
        for number in numbered(2) {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.envelope, number);
            delivery.receipt.put_back().await.expect("put back");
        }
    }
    for number in numbered(2) {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope, number);
        delivery.receipt.ack().await.expect("ack");
    }
    nothing(&mut consumer).await;
}

pub async fn messages_come_in_order(harness: &dyn Harness) {
    const COUNT: u32 = 300;
    let rig = harness.start().await;
    let publisher = rig.publisher();
    let half = numbered(COUNT).split_off(COUNT as usize / 2);
    publisher
        .publish_all(Stage::Generate, numbered(COUNT / 2))
        .await
        .expect("publish");
    for envelope in half {
        publisher
            .publish(Stage::Generate, envelope)
            .await
            .expect("publish");
    }
    let mut consumer = rig.consumer(Stage::Generate, 16).await;
    for envelope in numbered(COUNT) {
        let delivery = next(&mut consumer).await;
        assert_eq!(
            String::from_utf8_lossy(&delivery.envelope),
            String::from_utf8_lossy(&envelope)
        );
        delivery.receipt.ack().await.expect("ack");
    }
}

pub async fn a_batch_arrives_whole(harness: &dyn Harness) {
    const COUNT: u32 = 2_000;
    let rig = harness.start().await;
    let publisher = rig.publisher();
    publisher
        .publish_all(Stage::Judge, Vec::new())
        .await
        .expect("an empty batch is published");
    let sender = tokio::spawn(async move {
        publisher
            .publish_all(Stage::Judge, numbered(COUNT))
            .await
            .expect("publish")
    });
    let mut consumer = rig.consumer(Stage::Judge, 64).await;
    let mut seen = BTreeSet::new();
    while seen.len() < COUNT as usize {
        let delivery = next(&mut consumer).await;
        assert!(seen.insert(delivery.envelope), "delivered twice");
        delivery.receipt.ack().await.expect("ack");
    }
    sender.await.expect("the publisher");
    nothing(&mut consumer).await;
}

pub async fn stages_do_not_mix(harness: &dyn Harness) {
    let rig = harness.start().await;
    for stage in Stage::ALL {
        rig.publisher()
            .publish(stage, stage.name().into())
            .await
            .expect("publish");
    }
    for stage in Stage::ALL {
        let mut consumer = rig.consumer(stage, 4).await;
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.envelope, stage.name().as_bytes());
        delivery.receipt.ack().await.expect("ack");
        nothing(&mut consumer).await;
    }
}

pub async fn big_and_empty_messages_arrive_as_they_were(harness: &dyn Harness) {
    let rig = harness.start().await;
    let big: Vec<u8> = (0..1_u32 << 20).map(|index| (index * 7 % 251) as u8).collect();
    let mut consumer = rig.consumer(Stage::Generate, 2).await;
    for envelope in [big, Vec::new()] {
        rig.publisher()
            .publish(Stage::Generate, envelope.clone())
            .await
            .expect("publish");
        let delivery = next(&mut consumer).await;
        assert!(delivery.envelope == envelope, "{} bytes", delivery.envelope.len());
        delivery.receipt.ack().await.expect("ack");
    }
}

/// Eight publishers, four consumers of which each drops every seventh delivery once, and one that goes away in the middle.
pub async fn many_publishers_and_consumers_lose_nothing(harness: &dyn Harness) {
    const PUBLISHERS: u32 = 8;
    const EACH: u32 = 50;
    let rig = harness.start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let queue = rig.publisher();
        tasks.spawn(async move {
            for number in 0..EACH {
                let envelope = format!("{publisher}/{number}").into_bytes();
                queue.publish(Stage::Generate, envelope).await.expect("publish");
            }
        });
    }
    let (done, mut results) = tokio::sync::mpsc::channel::<(Vec<u8>, bool)>(16);
    let mut consumers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut consumer = rig.consumer(Stage::Generate, 3).await;
        let done = done.clone();
        consumers.spawn(async move {
            let mut taken = 0_u32;
            loop {
                let delivery = consumer.next().await.expect("next").expect("the queue is there");
                taken += 1;
                let keep = !taken.is_multiple_of(7);
                if keep {
                    delivery.receipt.ack().await.expect("ack");
                } else {
                    drop(delivery.receipt);
                }
                if done.send((delivery.envelope, keep)).await.is_err() {
                    return;
                }
            }
        });
    }
    let mut acked: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let total = (PUBLISHERS * EACH) as usize;
    let collect = async {
        while acked.len() < total {
            let (envelope, keep) = results.recv().await.expect("the consumers");
            if keep {
                *acked.entry(envelope).or_default() += 1;
            }
            if acked.len() == total / 2 {
                // Whatever they hold goes to the others.
                let mut gone = rig.consumer(Stage::Generate, 3).await;
                drop(timeout(QUIET, gone.next()).await);
            }
        }
    };
    timeout(DEADLINE, collect).await.expect("all messages in time");
    while let Some(task) = tasks.join_next().await {
        task.expect("a publisher");
    }
    assert!(acked.values().all(|times| *times == 1), "acked is gone");
    consumers.shutdown().await;
}

pub async fn depths_count_what_waits(harness: &dyn Harness) {
    let rig = harness.start().await;
    let depths = rig.depths();
    let empty = depths.depths().await.expect("depths");
    let order: Vec<Option<Stage>> = empty.iter().map(|depth| depth.stage).collect();
    assert_eq!(
        order,
        [
            Some(Stage::Generate),
            Some(Stage::Judge),
            Some(Stage::Embed),
            None
        ]
    );
    assert!(
        empty
            .iter()
            .all(|depth| depth.waiting == 0 && depth.consumers == 0),
        "{empty:?}"
    );
    rig.publisher()
        .publish_all(Stage::Judge, numbered(5))
        .await
        .expect("publish");
    settle(depths.as_ref(), |depth| {
        depth.waiting == if depth.stage == Some(Stage::Judge) { 5 } else { 0 }
    })
    .await;
    let mut consumer = rig.consumer(Stage::Judge, 1).await;
    let held = next(&mut consumer).await;
    settle(depths.as_ref(), |depth| {
        depth.stage != Some(Stage::Judge) || (depth.waiting, depth.consumers) == (4, 1)
    })
    .await;
    held.receipt.dead_letter("no").await.expect("dead letter");
    drop(consumer);
    settle(depths.as_ref(), |depth| match depth.stage {
        Some(Stage::Judge) => (depth.waiting, depth.consumers) == (4, 0),
        None => depth.waiting == 1,
        Some(_) => depth.waiting == 0,
    })
    .await;
}
