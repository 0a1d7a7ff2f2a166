//! Keeps an eye on a coordinator's neighbours: whether it is ready, and what it can say of the whole cluster.

use std::sync::Arc;
use std::time::Duration;

use gristmill_coordinator::Services;
use gristmill_ports::queue::Depths as _;
use gristmill_rabbitmq::Broker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::overview::Overview;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until told to stop.
pub(super) async fn watch(
    services: Services,
    broker: Broker,
    overview: Arc<Overview>,
    ready: watch::Sender<Option<String>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        overview.look_at_store();
        let queues = look_at_queues(&broker, &overview).await;
        let books = look_at_runs(&services, &overview).await;
        let wrong = [queues.err(), books.err()].into_iter().flatten().next();
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
    depths.map_err(|error| format!("RabbitMQ does not answer: {error}"))?;
    // A broker with a full disk still tells its depths.
    broker
        .ready()
        .await
        .map_err(|error| format!("RabbitMQ is not ready: {error}"))
}

async fn look_at_runs(services: &Services, overview: &Overview) -> Result<(), String> {
    let looked = overview.look(services).await;
    looked.map_err(|error| format!("the register does not answer: {error}"))
}
