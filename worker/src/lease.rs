//! Keeps the leases of running attempts alive, in one batch a run and beat.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use gristmill_domain::id::RunId;
use gristmill_ports::ledger::{Fence, Ledger};
use tokio_util::sync::CancellationToken;

/// The attempts that run in this worker, by run.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<RunId, HashSet<Fence>>>);

/// One running attempt; its lease is renewed until this is dropped.
pub(crate) struct Held {
    leases: Arc<Leases>,
    run: RunId,
    fence: Fence,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut runs = self.leases.lock();
        if let Some(fences) = runs.get_mut(&self.run) {
            fences.remove(&self.fence);
            if fences.is_empty() {
                runs.remove(&self.run);
            }
        }
    }
}

impl Leases {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, HashSet<Fence>>> {
        // A panic elsewhere cannot leave a set of fences half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to keep an attempt's lease alive.
    pub(crate) fn hold(self: &Arc<Self>, run: RunId, fence: Fence) -> Held {
        self.lock().entry(run).or_default().insert(fence);
        Held {
            leases: Arc::clone(self),
            run,
            fence,
        }
    }

    /// Renews all leases every `beat` until told to stop.
    pub(crate) async fn keep(&self, ledger: &dyn Ledger, beat: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(beat);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let batches: Vec<(RunId, Vec<Fence>)> = self
                .lock()
                .iter()
                .map(|(run, fences)| (*run, fences.iter().copied().collect()))
                .collect();
            join_all(
                batches
                    .iter()
                    .map(|(run, fences)| renew(ledger, *run, fences, beat)),
            )
            .await;
        }
    }
}

/// One run's batch. A failed renewal is made up for by the next: leases outlast several beats.
async fn renew(ledger: &dyn Ledger, run: RunId, fences: &[Fence], beat: Duration) {
    let attempts = fences.len();
    match tokio::time::timeout(beat, ledger.renew(run, fences)).await {
        // One that has ended meanwhile is settled late by whoever works on it.
        Ok(Ok(_in_flight)) => {}
        Ok(Err(error)) => {
            tracing::warn!(%run, attempts, error = &error as &dyn std::error::Error, "leases were not renewed");
        }
        Err(_) => {
            tracing::warn!(%run, attempts, "leases were not renewed: the ledger did not answer within a beat")
        }
    }
}
