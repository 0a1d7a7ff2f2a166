//! A call that takes longer than the broker's acknowledgement timeout: case 6, misconfigured on purpose.

use std::time::Duration;

use gristmill_domain::stage::Stage;
use gristmill_rabbitmq::Broker;
use gristmill_servers::rabbitmq::{Options, Server};

use crate::stand::{blocking, chain, next, nothing, options, publish, text};

/// The broker looks at its consumers every second here, not every minute, so that two seconds are a timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_closed_by_the_acknowledgement_timeout_comes_back() {
    let server = blocking(|| {
        Server::start(&Options {
            consumer_timeout: Some(Duration::from_secs(2)),
            ..Options::default()
        })
    });
    let vhost = blocking(|| server.vhost());
    let broker = Broker::connect(options(&server, &vhost)).await.unwrap();
    broker.setup().await.unwrap();
    let mut consumer = broker.consumer(Stage::Generate, 2).await.unwrap();
    publish(&broker, "slow").await;
    let slow = next(&mut consumer).await;
    assert_eq!(text(&slow), "slow");
    // It comes again while the first call still runs: only the ledger can know that.
    let again = next(&mut consumer).await;
    assert_eq!(text(&again), "slow");
    let late = slow.receipt.ack().await.unwrap_err();
    assert!(chain(&late).contains("comes again"), "{}", chain(&late));
    again.receipt.ack().await.unwrap();
    nothing(&mut consumer).await;
    // With its prefetch.
    for number in 0..3 {
        publish(&broker, &number.to_string()).await;
    }
    let _held = [next(&mut consumer).await, next(&mut consumer).await];
    nothing(&mut consumer).await;
}
