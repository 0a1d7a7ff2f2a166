//! Measures confirmed publishes, and publish, consume and acknowledge end to end, on a RabbitMQ of its own or one that is named.
//!
//! `cargo run --release -p gristmill-rabbitmq --example throughput -- [MESSAGES] [BYTES] [URL]`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops at the first error"
)]

use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Consumer, Publisher};
use gristmill_rabbitmq::{Broker, Options};
use gristmill_servers::rabbitmq::{self, Server};

/// What the coordinator publishes at once.
const BATCH: usize = 128;
const SLOTS: usize = 64;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (messages, bytes): (usize, usize) = (number(20_000), number(1_500));
    let (url, _server) = match arguments.next() {
        Some(url) => (url, None),
        None => {
            let server = Server::start(&rabbitmq::Options::default()).unwrap();
            let vhost = server.vhost().unwrap();
            (server.url(&vhost), Some(server))
        }
    };
    let broker = Broker::connect(Options::new(url)).await.unwrap();
    broker.setup().await.unwrap();
    let body = vec![b'x'; bytes];
    let report = |what: &str, count: usize, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{what:<58} {count:>7} in {seconds:>6.2} s: {:>6.0}/s",
            count as f64 / seconds
        );
    };

    let publisher = Arc::new(broker.publisher());
    let one_by_one = messages / 10;
    let start = Instant::now();
    for _ in 0..one_by_one {
        publisher.publish(Stage::Judge, body.clone()).await.unwrap();
    }
    report("confirmed one by one", one_by_one, start);

    for publishers in [1, 4] {
        let start = Instant::now();
        join_all((0..publishers).map(|_| {
            let (publisher, body) = (Arc::clone(&publisher), body.clone());
            tokio::spawn(async move {
                for _ in 0..messages / publishers / BATCH {
                    let batch = vec![body.clone(); BATCH];
                    publisher.publish_all(Stage::Judge, batch).await.unwrap();
                }
            })
        }))
        .await;
        let count = messages / publishers / BATCH * BATCH * publishers;
        report(
            &format!("confirmed in batches of {BATCH}, {publishers} at once"),
            count,
            start,
        );
    }

    let count = messages / BATCH * BATCH;
    let start = Instant::now();
    let feeder = {
        let (publisher, body) = (Arc::clone(&publisher), body.clone());
        tokio::spawn(async move {
            for _ in 0..count / BATCH {
                let batch = vec![body.clone(); BATCH];
                publisher.publish_all(Stage::Generate, batch).await.unwrap();
            }
        })
    };
    let mut consumer = broker.consumer(Stage::Generate, SLOTS).await.unwrap();
    for _ in 0..count {
        let delivery = consumer.next().await.unwrap().unwrap();
        delivery.receipt.ack().await.unwrap();
    }
    feeder.await.unwrap();
    report(
        &format!("end to end in batches of {BATCH}, one consumer, {SLOTS} slots"),
        count,
        start,
    );
}
