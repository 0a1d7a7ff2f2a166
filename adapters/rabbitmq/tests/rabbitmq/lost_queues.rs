//! Queues that are deleted in mid-run: case 14 of the reliability table.

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::Publisher;

use crate::stand::{Stand, blocking, next, next_dead, nothing, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_declares_its_deleted_queue_again() {
    let stand = Stand::new().await;
    let mut consumer = stand.consumer(2).await;
    stand.publish("before").await;
    next(&mut consumer).await.receipt.ack().await.unwrap();
    let waiting = tokio::spawn(async move {
        let delivery = next(&mut consumer).await;
        (text(&delivery), delivery, consumer)
    });
    blocking(|| stand.server.delete_queue(&stand.vhost, "generate"));
    stand.publish("after").await;
    let (seen, delivery, mut consumer) = waiting.await.unwrap();
    assert_eq!(seen, "after");
    delivery.receipt.ack().await.unwrap();
    // With its prefetch.
    for number in 0..3 {
        stand.publish(&number.to_string()).await;
    }
    let _held = [next(&mut consumer).await, next(&mut consumer).await];
    nothing(&mut consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_declares_a_deleted_queue_again_and_loses_nothing_sent_after() {
    let stand = Stand::new().await;
    stand.publish("opens the channel").await;
    for queue in ["generate", "dead"] {
        blocking(|| stand.server.delete_queue(&stand.vhost, queue));
    }
    let batch = (0..300_u32)
        .map(|number| number.to_string().into_bytes())
        .collect();
    stand
        .broker
        .publisher()
        .publish_all(Stage::Generate, batch)
        .await
        .unwrap();
    let mut consumer = stand.consumer(16).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 300 {
        let delivery = next(&mut consumer).await;
        seen.insert(text(&delivery));
        delivery.receipt.ack().await.unwrap();
    }
    // Dead letters have a place to go again.
    stand.publish("garbage").await;
    next(&mut consumer).await.receipt.dead_letter("no").await.unwrap();
    let letter = next_dead(&mut stand.broker.dead()).await;
    assert_eq!(letter.envelope, b"garbage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_queues_are_not_ready() {
    let stand = Stand::new().await;
    stand.broker.ready().await.unwrap();
    blocking(|| stand.server.delete_queue(&stand.vhost, "judge"));
    let error = stand.broker.ready().await.unwrap_err();
    assert!(error.to_string().contains("`judge`"), "{error}");
    stand.broker.setup().await.unwrap();
    stand.broker.ready().await.unwrap();
}
