//! What the tests stand on: a virtual host with its queues, and waiting with a deadline.

use std::time::Duration;

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Consumer, DeadLetter, DeadLetters, Delivery, Publisher};
use gristmill_rabbitmq::{Broker, Options, RabbitConsumer, RabbitDeadLetters};
use gristmill_servers::rabbitmq::Server;
use tokio::time::timeout;

/// What must happen happens within this, on a busy machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
/// What must not happen has not, after this.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Work on the server, which waits for processes.
pub(crate) fn blocking<T>(work: impl FnOnce() -> anyhow::Result<T>) -> T {
    tokio::task::block_in_place(work).unwrap()
}

/// A virtual host with its queues declared.
pub(crate) struct Stand {
    pub(crate) server: &'static Server,
    pub(crate) vhost: String,
    pub(crate) broker: Broker,
}

impl Stand {
    /// On the server that most tests share.
    pub(crate) async fn new() -> Self {
        let server = blocking(Server::shared);
        let vhost = blocking(|| server.vhost());
        let broker = Broker::connect(options(server, &vhost)).await.unwrap();
        broker.setup().await.unwrap();
        Self {
            server,
            vhost,
            broker,
        }
    }

    pub(crate) async fn publish(&self, text: &str) {
        publish(&self.broker, text).await;
    }

    pub(crate) async fn consumer(&self, prefetch: usize) -> RabbitConsumer {
        self.broker.consumer(Stage::Generate, prefetch).await.unwrap()
    }
}

/// Options for a server, with patience that suits tests.
pub(crate) fn options(server: &Server, vhost: &str) -> Options {
    let mut options = Options::new(server.url(vhost));
    options.patience = DEADLINE;
    // Often, so that all tests run across it.
    options.idle = Duration::from_secs(1);
    options
}

pub(crate) async fn publish(broker: &Broker, text: &str) {
    broker
        .publisher()
        .publish(Stage::Generate, text.into())
        .await
        .unwrap();
}

pub(crate) async fn next(consumer: &mut RabbitConsumer) -> Delivery {
    timeout(DEADLINE, consumer.next())
        .await
        .expect("a message in time")
        .unwrap()
        .expect("the queue is there")
}

pub(crate) async fn next_dead(dead: &mut RabbitDeadLetters) -> DeadLetter {
    timeout(DEADLINE, dead.next())
        .await
        .expect("a dead letter in time")
        .unwrap()
        .expect("the queue is there")
}

pub(crate) async fn nothing(consumer: &mut RabbitConsumer) {
    if let Ok(next) = timeout(QUIET, consumer.next()).await {
        let envelope = next.unwrap().unwrap().envelope;
        panic!("unexpected: {}", String::from_utf8_lossy(&envelope));
    }
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.envelope).into_owned()
}

/// The messages of an error and all that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    std::iter::once(error.to_string())
        .chain(causes.map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}
