//! `gristmill worker`: works on tasks of any run, until a signal or an operator tells it to finish.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use gristmill_coordinator::LEASE_MS;
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::Ledger;
use gristmill_ports::metric::{self, Role};
use gristmill_ports::register::{Beat, Register, WorkerReport};
use gristmill_rabbitmq::Broker;
use gristmill_redis::RedisLimiter;
use gristmill_telemetry::W3c;
use gristmill_worker::{Handle, Options, RunContexts, Source, Worker};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::looks::Looks;
use super::run_contexts::ClusterContexts;
use super::servers::Servers;
use super::{http, open_files};
use crate::args::{ProgressStyle, WorkerArgs};
use crate::failure::Failure;
use crate::view::View;
use crate::workshop::{JobAccess, Workshop};

/// Time between two beats.
const BEAT_EVERY: Duration = Duration::from_secs(3);
/// Time for which a beat holds: one that is lost is shown as silent until its leases have ended.
const BEAT_HOLDS: Duration = Duration::from_millis(LEASE_MS + 10_000);
/// Time for which the last one does.
const LAST_BEAT_HOLDS: Duration = Duration::from_millis(1);

/// Embedding is work for processors: more at once would only wait for each other.
fn slots(stage: Stage, slots: u16) -> usize {
    match stage {
        Stage::Generate | Stage::Judge => slots.into(),
        Stage::Embed => gristmill_measure::cores().get(),
    }
}

/// Works until told to finish.
pub(crate) async fn work(args: &WorkerArgs) -> Result<(), Failure> {
    let telemetry = super::telemetry("gristmill-worker", Role::Worker)?;
    let open_files = open_files::raise();
    let servers = Servers::connect(&args.cluster).await.map_err(Failure::Input)?;
    let http_listener = http::listen(args.http, "--http").map_err(Failure::Input)?;
    let place = JobAccess::Worker {
        keys: args.keys.clone(),
        key_folder: args.key_folder.clone(),
    };
    let workshop = Workshop::new(place, args.endpoints.clone(), View::new(ProgressStyle::Plain));
    let name = args.name.clone().unwrap_or_else(|| super::name("worker"));
    let contexts = Arc::new(ClusterContexts::new(
        Arc::clone(&servers.register),
        servers.states.clone(),
        workshop,
        args.allow_commands,
        name.clone(),
    ));
    let limiter = Arc::new(RedisLimiter::new(servers.redis.clone()));
    let options = Options {
        renew_every: Duration::from_millis(LEASE_MS / 4),
        grace: Duration::from_secs(args.grace),
    };
    let worker = Worker::new(
        Arc::clone(&contexts) as Arc<dyn RunContexts>,
        Arc::clone(&servers.ledger) as Arc<dyn Ledger>,
        limiter,
        Arc::clone(&servers.batch_jobs),
        options,
    )
    .traced(Arc::new(W3c));
    let mut stages = args.stages.clone();
    stages.sort();
    stages.dedup();
    let about = About {
        name,
        stages,
        slots: args.slots,
        handle: worker.handle(),
        contexts,
    };
    // Before the queues are consumed: a drained worker takes not even one task.
    about.admitted(servers.register.as_ref()).await?;
    let sources = about.sources(&servers.broker).await.map_err(Failure::Input)?;
    let http = http_listener.local_addr().unwrap_or(args.http);
    let takes = about
        .stages
        .iter()
        .map(|stage| stage.name())
        .collect::<Vec<_>>()
        .join(",");
    tracing::info!(name = about.name, stages = takes, slots = args.slots, %http, "working");
    let stop = super::stop_on_signal();
    let (ready, readiness) = watch::channel(None);
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    // The look-outs end when the work has: a draining worker still says that it is there.
    let done = CancellationToken::new();
    let (work_stop, work_done) = (stop.clone(), done.clone());
    tasks.spawn(async move {
        worker.run(sources, work_stop.clone()).await;
        work_done.cancel();
        anyhow::ensure!(
            work_stop.is_cancelled(),
            "the queues have gone: is RabbitMQ there?"
        );
        Ok(())
    });
    tasks.spawn(beat(
        about,
        Arc::clone(&servers.register),
        servers.looks.clone(),
        ready,
        stop.clone(),
        done.clone(),
    ));
    tasks.spawn(http::serve(
        http::listener(http_listener, open_files),
        http::probes(telemetry.metrics(), readiness),
        done.clone(),
    ));
    let ended = super::until_one_ends(tasks, done).await;
    tracing::info!("finished what was in hand");
    drop(telemetry);
    ended.map_err(Failure::Other)
}

/// What a worker says of itself.
struct About {
    name: String,
    stages: Vec<Stage>,
    slots: u16,
    handle: Handle,
    contexts: Arc<ClusterContexts>,
}

impl About {
    /// Says for the first time that the worker is there; refuses one that is not to take tasks.
    async fn admitted(&self, register: &dyn Register) -> Result<(), Failure> {
        let beat = |holds| register.beat(self.beat(), holds);
        let drained = beat(BEAT_HOLDS)
            .await
            .context("Redis does not take the worker's name")
            .map_err(Failure::Input)?;
        if !drained {
            return Ok(());
        }
        // It is listed as drained whether this is heard or not.
        let _gone = beat(LAST_BEAT_HOLDS).await;
        let name = &self.name;
        Err(Failure::Drained(format!(
            "worker `{name}` was drained by an operator, which also holds whenever it is started again: it has taken no task\n\
             help: `gristmill undrain {name}` lets it work from its next start on; another `--name` is another worker"
        )))
    }

    /// The queues that it takes tasks from.
    async fn sources(&self, broker: &Broker) -> anyhow::Result<Vec<Source>> {
        let mut sources = Vec::new();
        for stage in &self.stages {
            let slots = slots(*stage, self.slots);
            let consumer = broker.consumer(*stage, slots).await;
            sources.push(Source {
                stage: *stage,
                consumer: Box::new(consumer.context("the queues cannot be consumed")?),
                slots,
            });
        }
        Ok(sources)
    }

    fn beat(&self) -> Beat {
        Beat {
            worker: self.name.clone(),
            report: self.report(),
        }
    }

    fn report(&self) -> Vec<u8> {
        let report = WorkerReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stages: self.stages.clone(),
            slots: self.slots,
            in_flight: self.handle.in_flight(),
            oldest_seconds: self.handle.oldest_attempt().map(|age| age.as_secs()),
            stopping: self.handle.draining(),
            refused: self.contexts.put_off(&self.handle.silences()),
            lines: self.handle.lines(),
        };
        serde_json::to_vec(&report).unwrap_or_default()
    }
}

/// Says that the worker is there, and hears whether it shall finish.
async fn beat(
    about: About,
    register: Arc<dyn Register>,
    looks: Looks,
    ready: watch::Sender<Option<String>>,
    stop: CancellationToken,
    done: CancellationToken,
) -> anyhow::Result<()> {
    while !done.is_cancelled() {
        looks.look_again().await;
        let taken = register.beat(about.beat(), BEAT_HOLDS).await;
        if taken.is_ok() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            metrics::gauge!(metric::HEARTBEAT).set(now.as_secs_f64());
        }
        let wrong = match taken {
            Ok(true) if !stop.is_cancelled() => {
                let name = &about.name;
                tracing::info!(
                    name,
                    "an operator drained this worker: it finishes what it has and ends, and no worker of this name takes tasks until `gristmill undrain {name}`"
                );
                stop.cancel();
                Some("draining".to_owned())
            }
            Ok(_) if stop.is_cancelled() => Some("draining".to_owned()),
            Ok(_) => looks.told(),
            Err(error) => Some(Failure::Other(error.into()).text()),
        };
        ready.send_replace(wrong);
        tokio::select! {
            () = done.cancelled() => {}
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    }
    // The last word: a worker that has ended is not looked for.
    if let Err(error) = register.beat(about.beat(), LAST_BEAT_HOLDS).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "it is listed for a while yet"
        );
    }
    Ok(())
}
