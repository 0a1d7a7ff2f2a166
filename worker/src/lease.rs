//! Keeps the leases of running attempts alive, in one batch a beat.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_ports::ledger::{Fence, Ledger};
use tokio_util::sync::CancellationToken;

/// The attempts that run in this worker.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashSet<Fence>>);

/// One running attempt; its lease is renewed until this is dropped.
pub(crate) struct Held {
    leases: Arc<Leases>,
    fence: Fence,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.fence);
    }
}

impl Leases {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Fence>> {
        // A panic elsewhere cannot leave a set of fences half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to keep an attempt's lease alive.
    pub(crate) fn hold(self: &Arc<Self>, fence: Fence) -> Held {
        self.lock().insert(fence);
        Held {
            leases: Arc::clone(self),
            fence,
        }
    }

    /// Renews all leases every `beat` until told to stop.
    pub(crate) async fn keep(
        &self,
        run: RunId,
        ledger: &dyn Ledger,
        beat: Duration,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(beat);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let fences: Vec<Fence> = self.lock().iter().copied().collect();
            if fences.is_empty() {
                continue;
            }
            // A failed renewal is made up for by the next: leases outlast several beats.
            if let Err(error) = ledger.renew(run, &fences).await {
                tracing::warn!(%run, attempts = fences.len(), error = &error as &dyn std::error::Error, "leases were not renewed");
            }
        }
    }
}
