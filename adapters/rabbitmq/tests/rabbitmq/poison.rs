//! Messages that nobody can settle: cases 22 and 36 at the queue.

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Cause, Publisher};
use gristmill_rabbitmq::DELIVERY_LIMIT;

use crate::stand::{Stand, next, next_dead, nothing, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kills_its_takers_ends_with_the_dead_letters_and_the_rest_goes_on() {
    let stand = Stand::new().await;
    let mut consumer = stand.consumer(1).await;
    stand.publish("poison").await;
    let mut deliveries = 0;
    stand.publish("good").await;
    loop {
        let delivery = next(&mut consumer).await;
        if text(&delivery) == "good" {
            delivery.receipt.ack().await.unwrap();
            break;
        }
        // As when the process dies: no word.
        deliveries += 1;
        drop(delivery);
    }
    assert_eq!(
        deliveries,
        DELIVERY_LIMIT + 1,
        "the limit counts what follows the first delivery"
    );
    let mut dead = stand.broker.dead();
    let letter = next_dead(&mut dead).await;
    assert_eq!(letter.envelope, b"poison");
    assert_eq!(letter.cause, Cause::DeliveredTooOften);
    assert_eq!(letter.origin, Some(Stage::Generate));
    assert!(letter.died_at_ms.is_some_and(|ms| ms > 1_577_000_000_000));
    letter.receipt.ack().await.unwrap();
    nothing(&mut consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_not_dropped_however_often_it_is_looked_at() {
    let stand = Stand::new().await;
    let mut consumer = stand.consumer(1).await;
    stand.publish("garbage").await;
    next(&mut consumer)
        .await
        .receipt
        .dead_letter("wrong version 9")
        .await
        .unwrap();
    let mut dead = stand.broker.dead();
    for _ in 0..DELIVERY_LIMIT + 10 {
        let letter = next_dead(&mut dead).await;
        assert_eq!(letter.cause, Cause::Refused("wrong version 9".into()));
    }
    // Tried again as a task, and refused again.
    let letter = next_dead(&mut dead).await;
    stand
        .broker
        .publisher()
        .publish(Stage::Generate, letter.envelope)
        .await
        .unwrap();
    letter.receipt.ack().await.unwrap();
    let again = next(&mut consumer).await;
    assert_eq!(text(&again), "garbage");
    again.receipt.ack().await.unwrap();
}
