//! A broker that dies, has no disk left, or throws everybody out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Cause, Consumer, Publisher};
use gristmill_rabbitmq::{Broker, Error};
use gristmill_servers::rabbitmq::{self, Server};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stand::{DEADLINE, Stand, blocking, chain, next, next_dead, nothing, options, publish, text};

fn own_server() -> Server {
    blocking(|| Server::start(&rabbitmq::Options::default()))
}

/// Case 11 of the reliability table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_keeps_what_it_confirmed_and_gets_its_consumers_back() {
    const COUNT: u32 = 100;
    let server = own_server();
    let vhost = blocking(|| server.vhost());
    let mut options = options(&server, &vhost);
    options.publish_timeout = Duration::from_secs(2);
    let broker = Broker::connect(options).await.unwrap();
    broker.setup().await.unwrap();
    let mut consumer = broker.consumer(Stage::Generate, 5).await.unwrap();
    let batch = (0..COUNT).map(|number| number.to_string().into_bytes()).collect();
    broker
        .publisher()
        .publish_all(Stage::Generate, batch)
        .await
        .unwrap();
    let mut done = BTreeSet::new();
    for _ in 0..10 {
        let delivery = next(&mut consumer).await;
        done.insert(text(&delivery));
        delivery.receipt.ack().await.unwrap();
    }
    let held = next(&mut consumer).await;
    let held_text = text(&held);

    blocking(|| server.kill());
    let start = Instant::now();
    let publisher = broker.publisher();
    let refused = publisher
        .publish(Stage::Generate, b"while it is away".to_vec())
        .await
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(30), "{}", chain(&refused));
    assert!(broker.ready().await.is_err());
    let late = held.receipt.ack().await.unwrap_err();
    assert!(chain(&late).contains("comes again"), "{}", chain(&late));
    blocking(|| server.run());

    // By themselves: nobody subscribes again here. The prefetch is what it was.
    let mut in_hand = Vec::new();
    for _ in 0..5 {
        in_hand.push(next(&mut consumer).await);
    }
    nothing(&mut consumer).await;
    // An acknowledgement may have died with the broker, so what was acknowledged may come again; what was not must.
    let mut seen = done.clone();
    for delivery in in_hand {
        seen.insert(text(&delivery));
        delivery.receipt.ack().await.unwrap();
    }
    while seen.len() < COUNT as usize {
        let delivery = next(&mut consumer).await;
        seen.insert(text(&delivery));
        delivery.receipt.ack().await.unwrap();
    }
    assert!(seen.contains(&held_text));
    broker.ready().await.unwrap();
    publish(&broker, "after").await;
    while text(&next(&mut consumer).await) != "after" {}
}

/// Case 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_publishing_in_time_and_nothing_else() {
    let server = own_server();
    let vhost = blocking(|| server.vhost());
    let mut options = options(&server, &vhost);
    options.publish_timeout = Duration::from_secs(2);
    let broker = Broker::connect(options).await.unwrap();
    broker.setup().await.unwrap();
    let publisher = broker.publisher();
    for number in 0..20 {
        publish(&broker, &format!("before {number}")).await;
    }
    let mut consumer = broker.consumer(Stage::Generate, 1).await.unwrap();

    blocking(|| server.fill_disk(true));
    // The broker looks at its disk in its own time: publish until it has.
    let mut accepted = 0_usize;
    let blocked = timeout(DEADLINE, async {
        loop {
            let start = Instant::now();
            match publisher.publish(Stage::Generate, b"x".to_vec()).await {
                Ok(()) => accepted += 1,
                Err(error) => {
                    assert!(start.elapsed() < Duration::from_secs(10));
                    break error;
                }
            }
        }
    })
    .await
    .expect("the disk alarm in time");
    assert!(
        chain(&blocked).contains("takes no messages now"),
        "{}",
        chain(&blocked)
    );
    assert!(matches!(broker.ready().await, Err(Error::Blocked { .. })));
    // Again at once, and nothing piles up in this process.
    let batch = vec![vec![b'x'; 100_000]; 100];
    publisher.publish_all(Stage::Generate, batch).await.unwrap_err();

    // With one slot, the next message comes only when the broker has read the acknowledgement of the one before.
    for number in 0..10 {
        let delivery = next(&mut consumer).await;
        assert_eq!(text(&delivery), format!("before {number}"));
        delivery.receipt.ack().await.unwrap();
    }
    // A dead letter cannot be published either; the broker moves it by itself.
    let garbage = next(&mut consumer).await;
    garbage.receipt.dead_letter("not protobuf").await.unwrap();
    assert_eq!(text(&next(&mut consumer).await), "before 11");

    blocking(|| server.fill_disk(false));
    timeout(DEADLINE, async { while broker.ready().await.is_err() {} })
        .await
        .expect("ready again in time");
    publish(&broker, "after").await;
    timeout(DEADLINE, async {
        loop {
            let delivery = next(&mut consumer).await;
            let last = text(&delivery) == "after";
            delivery.receipt.ack().await.unwrap();
            if last {
                break;
            }
        }
    })
    .await
    .expect("messages flow again");
    let mut dead = broker.dead();
    let letter = next_dead(&mut dead).await;
    assert_eq!(letter.envelope, b"before 10");
    assert_eq!(letter.origin, Some(Stage::Generate));
    // Refused, with the worker's words if they could still be published after the alarm.
    assert!(matches!(letter.cause, Cause::Refused(_)), "{}", letter.cause);
    letter.receipt.ack().await.unwrap();
}

/// Cases 5 and 24 at the queue: everybody is thrown out, again and again, in the middle of the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_connections_lose_nothing() {
    const COUNT: usize = 1_500;
    let stand = Stand::new().await;
    let publisher = stand.broker.publisher();
    let sender = tokio::spawn(async move {
        for start in (0..COUNT).step_by(50) {
            let batch = (start..start + 50).map(|number| number.to_string().into_bytes());
            publisher
                .publish_all(Stage::Generate, batch.collect())
                .await
                .unwrap();
        }
    });
    let (tell, mut told) = tokio::sync::mpsc::channel::<String>(64);
    let mut consumers = JoinSet::new();
    for _ in 0..3 {
        let (mut consumer, tell) = (stand.consumer(8).await, tell.clone());
        consumers.spawn(async move {
            while let Some(delivery) = consumer.next().await.unwrap() {
                let text = text(&delivery);
                // Where the connection has just gone, the message comes again.
                let _late = delivery.receipt.ack().await;
                if tell.send(text).await.is_err() {
                    return;
                }
            }
        });
    }
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut closings = 0;
    let work = async {
        while seen.len() < COUNT {
            let text = told.recv().await.expect("the consumers");
            *seen.entry(text).or_default() += 1;
            if seen.len() > (closings + 1) * COUNT / 5 && closings < 3 {
                closings += 1;
                blocking(|| stand.server.close_connections(&stand.vhost));
            }
        }
    };
    timeout(DEADLINE, work).await.expect("all messages in time");
    assert_eq!(closings, 3);
    sender.await.unwrap();
    consumers.shutdown().await;
}

/// Case 27 at the queue: copies are delivered like any other message, and each is settled by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_come_as_often_as_they_were_sent() {
    let stand = Stand::new().await;
    let publisher = stand.broker.publisher();
    // 7 and 50 have no common divisor: each number comes five times, far from its copies.
    let batch = (0..250).map(|step| (step * 7 % 50).to_string().into_bytes());
    publisher
        .publish_all(Stage::Generate, batch.collect())
        .await
        .unwrap();
    let mut consumer = stand.consumer(16).await;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..250 {
        let delivery = next(&mut consumer).await;
        *seen.entry(text(&delivery)).or_default() += 1;
        delivery.receipt.ack().await.unwrap();
    }
    nothing(&mut consumer).await;
    assert_eq!(seen.len(), 50);
    assert!(seen.values().all(|times| *times == 5), "{seen:?}");
}
