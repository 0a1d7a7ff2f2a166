//! Pulls deliveries while slots are free, and drains when told to stop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::stage::Stage;
use gristmill_domain::work::abilities;
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::ledger::Ledger;
use gristmill_ports::limiter::Limiter;
use gristmill_ports::queue::{self, Consumer, Delivery};
use gristmill_ports::trace::{Propagator, Untraced};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::attempt::{Ready, Received};
use crate::batch_lane::BatchLane;
use crate::bench::Bench;
use crate::board::Handle;
use crate::gate::Gates;
use crate::meter;
use crate::pace::Pace;
use crate::run_context::RunContexts;
use crate::trials::Trials;
use crate::unreadable::Unreadable;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Time between two renewals of the leases: a third of a lease or less.
    pub renew_every: Duration,
    /// Time that attempts in hand get to finish after a stop.
    pub grace: Duration,
}

/// A queue that a worker takes its work from.
pub struct Source {
    /// Whose tasks come from it.
    pub stage: Stage,
    /// The queue.
    pub consumer: Box<dyn Consumer>,
    /// Deliveries that may be in hand at once.
    pub slots: usize,
}

/// A worker on any number of runs.
pub struct Worker {
    bench: Bench,
    options: Options,
}

impl Worker {
    /// A worker that has its tools from `contexts`.
    pub fn new(
        contexts: Arc<dyn RunContexts>,
        ledger: Arc<dyn Ledger>,
        limiter: Arc<dyn Limiter>,
        batch_jobs: Arc<dyn BatchJobs>,
        options: Options,
    ) -> Self {
        Self {
            bench: Bench {
                contexts,
                ledger,
                limiter,
                propagator: Arc::new(Untraced),
                leases: Arc::default(),
                lane: BatchLane::new(batch_jobs),
                gates: Gates::default(),
                trials: Trials::default(),
                unreadable: Unreadable::default(),
                handle: Handle::default(),
                abilities: abilities(),
                stops_quietly: false,
            },
            options,
        }
    }

    /// Attempts become part of the traces that their messages carry.
    #[must_use]
    pub fn traced(mut self, propagator: Arc<dyn Propagator>) -> Self {
        self.bench.propagator = propagator;
        self
    }

    /// A worker that can do other things than this version can: for tests of versions side by side.
    #[must_use]
    pub fn able_to(mut self, abilities: BTreeSet<String>) -> Self {
        self.bench.abilities = abilities;
        self
    }

    /// Logs nothing of attempts that are given up when the worker stops: whoever runs it tells people.
    #[must_use]
    pub fn stopping_quietly(mut self) -> Self {
        self.bench.stops_quietly = true;
        self
    }

    /// What the worker has in hand, to look at while it runs.
    pub fn handle(&self) -> Handle {
        self.bench.handle.clone()
    }

    /// Works on what the sources bring until `stop` or until all queues have gone; then lets attempts in hand finish within the
    /// grace period. What is cut off burns when its lease runs out.
    pub async fn run(self, sources: Vec<Source>, stop: CancellationToken) {
        let bench = Arc::new(self.bench);
        let Options { renew_every, grace } = self.options;
        let keeper_stop = CancellationToken::new();
        let keeper = tokio::spawn({
            let (bench, stop) = (Arc::clone(&bench), keeper_stop.clone());
            async move { bench.leases.keep(bench.ledger.as_ref(), renew_every, stop).await }
        });
        let tender_stop = CancellationToken::new();
        let tender = tokio::spawn(Arc::clone(&bench).tend(tender_stop.clone()));
        let mut pumps = JoinSet::new();
        for source in sources {
            meter::slots(source.stage, source.slots);
            pumps.spawn(pump(Arc::clone(&bench), source, stop.clone(), grace));
        }
        while pumps.join_next().await.is_some() {}
        bench.handle.drain();
        tender_stop.cancel();
        if let Err(error) = tender.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "whoever looked after batches panicked"
            );
        }
        keeper_stop.cancel();
        // The keeper only ever ends by being told to.
        let _ended = keeper.await;
    }
}

async fn pump(bench: Arc<Bench>, mut source: Source, stop: CancellationToken, grace: Duration) {
    let free = Arc::new(Semaphore::new(source.slots));
    let (stage, pace) = (source.stage, Arc::new(Pace::default()));
    let mut attempts = JoinSet::new();
    loop {
        // A message is taken only when a slot is free to work on it.
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            slot = Arc::clone(&free).acquire_owned() => match slot {
                Ok(slot) => slot,
                Err(_) => break,
            },
        };
        let looks = pace.looks();
        let taken = tokio::select! {
            () = stop.cancelled() => break,
            taken = take(source.consumer.as_mut(), &pace, looks) => taken,
        };
        let delivery = match taken {
            Ok(Taken::Message(delivery)) => delivery,
            Ok(Taken::Nothing) => continue,
            Ok(Taken::Gone) => break,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no more messages can be had"
                );
                break;
            }
        };
        let (bench, of_attempt) = (Arc::clone(&bench), Arc::clone(&pace));
        if looks {
            // What this one turns out to be decides when to look again.
            let ready = tokio::select! {
                () = stop.cancelled() => break,
                ready = receive(&bench, stage, delivery, &pace) => ready,
            };
            if let Some(ready) = ready {
                attempts.spawn(async move {
                    bench.work_on(ready).await;
                    drop(slot);
                });
            }
        } else {
            attempts.spawn(async move {
                if let Some(ready) = receive(&bench, stage, delivery, &of_attempt).await {
                    bench.work_on(ready).await;
                }
                drop(slot);
            });
        }
        while let Some(ended) = attempts.try_join_next() {
            look_for_panic(ended);
        }
    }
    if stop.is_cancelled() {
        bench.handle.drain();
    }
    let drained = tokio::time::timeout(grace, async {
        while let Some(ended) = attempts.join_next().await {
            look_for_panic(ended);
        }
    })
    .await;
    if drained.is_err() {
        if !bench.stops_quietly {
            tracing::warn!(
                attempts = attempts.len(),
                grace_s = grace.as_secs(),
                "attempts had not ended by the end of the grace period and are given up; calls that were made count at their worst case"
            );
        }
        attempts.shutdown().await;
    }
}

/// What a queue was asked for.
enum Taken {
    Message(Delivery),
    /// Nothing now: it is asked again.
    Nothing,
    /// The queue has gone.
    Gone,
}

/// The next message: the one that is sent, or the one that is found where the worker looks for them.
async fn take(consumer: &mut dyn Consumer, pace: &Pace, looks: bool) -> Result<Taken, queue::Error> {
    if !looks {
        return tokio::select! {
            () = pace.until_left() => Ok(Taken::Nothing),
            next = consumer.next() => Ok(next?.map_or(Taken::Gone, Taken::Message)),
        };
    }
    tokio::time::sleep(pace.pause()).await;
    let found = consumer.look().await?;
    if found.is_none() {
        pace.empty();
    }
    Ok(found.map_or(Taken::Nothing, Taken::Message))
}

/// Reads a message; what is to be worked on here.
async fn receive(bench: &Bench, stage: Stage, delivery: Delivery, pace: &Pace) -> Option<Ready> {
    match bench.receive(stage, delivery).await {
        Received::Ready(ready) => {
            pace.found();
            Some(ready)
        }
        Received::Left => {
            pace.left();
            None
        }
        Received::Deferred => {
            pace.deferred();
            None
        }
        Received::Gone => None,
    }
}

/// A handler that panicked takes nobody with it: its delivery was dropped, so it comes again, and what it had begun burns when
/// its lease runs out.
fn look_for_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(error = &error as &dyn std::error::Error, "an attempt panicked");
    }
}
