//! Pulls deliveries while slots are free, and drains when told to stop.

use std::sync::Arc;
use std::time::Duration;

use gristmill_ports::ledger::Ledger;
use gristmill_ports::limiter::Limiter;
use gristmill_ports::queue::Consumer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::Bench;
use crate::kit::Kit;
use crate::lease::Leases;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Time between two renewals of the leases: a third of a lease or less.
    pub renew_every: Duration,
    /// Time that attempts in hand get to finish after a stop.
    pub grace: Duration,
}

/// A worker on one run.
pub struct Worker {
    bench: Arc<Bench>,
    options: Options,
}

impl Worker {
    /// A worker with its tools.
    pub fn new(kit: Kit, ledger: Arc<dyn Ledger>, limiter: Arc<dyn Limiter>, options: Options) -> Self {
        let leases = Arc::new(Leases::default());
        Self {
            bench: Arc::new(Bench {
                kit,
                ledger,
                limiter,
                leases,
            }),
            options,
        }
    }

    /// Works on what the consumers bring, each with its number of slots, until `stop` or until all queues have gone; then lets
    /// attempts in hand finish within the grace period. What is cut off burns when its lease runs out.
    pub async fn run(self, consumers: Vec<(Box<dyn Consumer>, usize)>, stop: CancellationToken) {
        let keeper_stop = CancellationToken::new();
        let keeper = tokio::spawn({
            let (bench, stop, beat) = (
                Arc::clone(&self.bench),
                keeper_stop.clone(),
                self.options.renew_every,
            );
            async move {
                bench
                    .leases
                    .keep(bench.kit.run, bench.ledger.as_ref(), beat, stop)
                    .await
            }
        });
        let mut pumps = JoinSet::new();
        for (consumer, slots) in consumers {
            pumps.spawn(pump(
                Arc::clone(&self.bench),
                consumer,
                slots,
                stop.clone(),
                self.options.grace,
            ));
        }
        while pumps.join_next().await.is_some() {}
        keeper_stop.cancel();
        // The keeper only ever ends by being told to.
        let _ended = keeper.await;
    }
}

async fn pump(
    bench: Arc<Bench>,
    mut consumer: Box<dyn Consumer>,
    slots: usize,
    stop: CancellationToken,
    grace: Duration,
) {
    let free = Arc::new(Semaphore::new(slots));
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
        let delivery = tokio::select! {
            () = stop.cancelled() => break,
            next = consumer.next() => match next {
                Ok(Some(delivery)) => delivery,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "no more messages can be had");
                    break;
                }
            },
        };
        let bench = Arc::clone(&bench);
        attempts.spawn(async move {
            bench.work_on(delivery).await;
            drop(slot);
        });
        while attempts.try_join_next().is_some() {}
    }
    let drained = tokio::time::timeout(grace, async { while attempts.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(
            attempts = attempts.len(),
            "the grace period is over: what is in hand is given up"
        );
        attempts.shutdown().await;
    }
}
