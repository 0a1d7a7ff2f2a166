//! Keeps an eye on a coordinator's neighbours: whether it is ready, and what it can say of the whole cluster.

use std::sync::Arc;
use std::time::Duration;

use gristmill_coordinator::{Dependency, Services};
use gristmill_ports::queue::Depths as _;
use gristmill_rabbitmq::Broker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::looks::Looks;
use super::overview::Overview;
use crate::failure::Failure;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until told to stop.
pub(super) async fn watch(
    services: Services,
    broker: Broker,
    overview: Arc<Overview>,
    looks: Looks,
    ready: watch::Sender<Option<String>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        overview.look_at_store();
        let (queues, books, ()) = tokio::join!(
            look_at_queues(&broker, &overview),
            look_at_runs(&services, &overview),
            looks.look()
        );
        match queues {
            Ok(()) => looks.health.works(Dependency::RabbitMq),
            Err(why) => looks.health.fails(Dependency::RabbitMq, "other", why),
        }
        // A register that does not answer is Redis, which says more about itself.
        let wrong = looks.told().or(books.err());
        ready.send_if_modified(|now| {
            let changed = *now != wrong;
            now.clone_from(&wrong);
            changed
        });
        tokio::select! {
            () = stop.cancelled() => {
                ready.send_replace(Some("stopping".into()));
                return Ok(());
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look_at_queues(broker: &Broker, overview: &Overview) -> Result<(), String> {
    let depths = broker.depths().await;
    overview.queues(depths.as_deref().unwrap_or_default());
    depths.map_err(|error| rabbitmq("RabbitMQ does not answer", error))?;
    // A broker with a full disk still tells its depths.
    broker
        .ready()
        .await
        .map_err(|error| rabbitmq("RabbitMQ is not ready", error))
}

fn rabbitmq(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> String {
    let error = Failure::Other(error.into()).text();
    format!("{what}: see whether it runs, can be reached from here and has room ({error})")
}

async fn look_at_runs(services: &Services, overview: &Overview) -> Result<(), String> {
    let looked = overview.look(services).await;
    looked.map_err(|error| format!("the register does not answer: {error}"))
}
