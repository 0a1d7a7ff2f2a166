//! Gathers the tasks of one run and model that come within a moment into a batch.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{BatchLane, Gathering, Key, Waiting};
use crate::bench::AttemptContext;
use crate::run_context::{BatchLine, RunContext};

/// A batch is handed in when nothing more has come for this long: what the coordinator opened at once is there by then.
const QUIET: Duration = Duration::from_secs(1);
/// Longest time that the first task of a batch waits for others.
const GATHER_MAX: Duration = Duration::from_secs(10);

impl BatchLane {
    /// Has a task be part of the next batch; returns when its delivery may be acked.
    pub(crate) async fn join(&self, place: AttemptContext<'_>, line: &BatchLine) {
        let (delivery, acked) = oneshot::channel();
        let waiting = Waiting {
            task: place.task.clone(),
            _delivery: delivery,
        };
        match self.add(place.context, waiting, line.requests) {
            Joined::Full(batch) => self.hand_in(place.bench, place.context, line, batch).await,
            Joined::First(number) => self.lead(&place, number, line).await,
            Joined::Later => {}
        }
        // The sender goes when the batch is handed in; it never says anything.
        let _gone = acked.await;
    }

    /// Waits until nothing more comes, and hands the batch in; whoever fills it is faster.
    async fn lead(&self, place: &AttemptContext<'_>, number: u64, line: &BatchLine) {
        let leader = Leader {
            lane: self,
            key: (place.context.run, place.task.model.clone()),
            number,
        };
        while let Some(wake) = leader.wake() {
            if wake <= Instant::now() {
                break;
            }
            tokio::time::sleep_until(wake).await;
        }
        if let Some(batch) = leader.take() {
            self.hand_in(place.bench, place.context, line, batch).await;
        }
    }

    fn gathering(&self) -> MutexGuard<'_, HashMap<Key, Gathering>> {
        // Each change is a single insert, push or remove: a panic elsewhere leaves nothing half-done.
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, context: &RunContext, waiting: Waiting, requests: usize) -> Joined {
        let now = Instant::now();
        let key = (context.run, waiting.task.model.clone());
        let mut gathering = self.gathering();
        let found = gathering.entry(key.clone()).or_insert_with(|| Gathering {
            number: self.gathered.fetch_add(1, Ordering::Relaxed),
            first: now,
            last: now,
            waiting: Vec::new(),
        });
        found.last = now;
        found.waiting.push(waiting);
        if found.waiting.len() >= requests {
            let full = gathering.remove(&key).map(|found| found.waiting);
            Joined::Full(full.unwrap_or_default())
        } else if found.waiting.len() == 1 {
            Joined::First(found.number)
        } else {
            Joined::Later
        }
    }
}

/// The first task of a batch. Cut off before the batch is handed in, it lets the others go: nothing of them has begun, and the
/// coordinator's sweep publishes them again.
struct Leader<'a> {
    lane: &'a BatchLane,
    key: Key,
    number: u64,
}

impl Leader<'_> {
    /// When to look again; `None` once somebody else has handed the batch in.
    fn wake(&self) -> Option<Instant> {
        let gathering = self.lane.gathering();
        let found = gathering
            .get(&self.key)
            .filter(|found| found.number == self.number)?;
        Some((found.last + QUIET).min(found.first + GATHER_MAX))
    }

    fn take(&self) -> Option<Vec<Waiting>> {
        let mut gathering = self.lane.gathering();
        gathering
            .get(&self.key)
            .filter(|found| found.number == self.number)?;
        gathering.remove(&self.key).map(|found| found.waiting)
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What a task finds when it joins.
enum Joined {
    /// It is the last that there was room for: the batch is to be handed in.
    Full(Vec<Waiting>),
    /// It is the first: it waits for the others.
    First(u64),
    /// Others came before it.
    Later,
}
