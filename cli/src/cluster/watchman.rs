//! Keeps an eye on a coordinator's neighbours: whether it is ready, and the gauges that dashboards draw.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_coordinator::Services;
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_ports::metric;
use gristmill_ports::queue::Depths as _;
use gristmill_rabbitmq::Broker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until told to stop.
pub(super) async fn watch(
    services: Services,
    broker: Broker,
    ready: watch::Sender<Option<String>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let queues = look_at_queues(&broker).await;
        let books = look_at_runs(&services).await;
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

async fn look_at_queues(broker: &Broker) -> Result<(), String> {
    let depths = broker
        .depths()
        .await
        .map_err(|error| format!("RabbitMQ does not answer: {error}"))?;
    for depth in depths {
        let stage = depth
            .stage
            .map_or_else(|| "dead".to_owned(), |stage| stage.to_string());
        metrics::gauge!(metric::QUEUE_READY, "stage" => stage.clone()).set(depth.waiting as f64);
        metrics::gauge!(metric::QUEUE_CONSUMERS, "stage" => stage).set(depth.consumers as f64);
    }
    // A broker with a full disk still tells its depths.
    broker
        .ready()
        .await
        .map_err(|error| format!("RabbitMQ is not ready: {error}"))
}

async fn look_at_runs(services: &Services) -> Result<(), String> {
    let active = services
        .register
        .active()
        .await
        .map_err(|error| format!("the register does not answer: {error}"))?;
    let mut states: BTreeMap<&'static str, u64> =
        BTreeMap::from([("waiting", 0), ("running", 0), ("paused", 0), ("frozen", 0)]);
    let (mut open, mut books) = (0, gristmill_domain::ledger::Books::default());
    for run in &active {
        let account = services.ledger.account(run.run).await.ok();
        let state = match account.as_ref().map(|account| &account.state) {
            Some(AccountState::Paused { .. }) => "paused",
            Some(AccountState::Frozen { .. }) => "frozen",
            _ if run.holder.is_some() => "running",
            _ => "waiting",
        };
        *states.entry(state).or_default() += 1;
        open += account
            .as_ref()
            .map_or(0, |account| account.counts_total().held());
        books = books.plus(account.as_ref().map(Account::total).unwrap_or_default());
    }
    for (state, runs) in states {
        metrics::gauge!(metric::RUNS, "state" => state).set(runs as f64);
    }
    metrics::gauge!(metric::OPEN_TASKS).set(open as f64);
    for (state, amount) in [
        ("held", books.started),
        ("spent", books.spent),
        ("burned", books.burned),
    ] {
        metrics::gauge!(metric::BUDGET_MICRO_USD, "state" => state).set(amount.usd.0 as f64);
        metrics::gauge!(metric::BUDGET_CALLS, "state" => state).set(amount.calls as f64);
    }
    Ok(())
}
