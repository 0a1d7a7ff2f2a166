//! Looks after batches that are out: claims their batch jobs, looks at them until they end, books what they brought.
//!
//! There is one path: a batch that this worker has just handed in is claimed and read like one that another worker left behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gristmill_ports::batch::BatchJob;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::look::{Look, Tended};
use super::{HOLD, LOOK_AROUND};
use crate::bench::Bench;
use crate::meter;

/// Longest wait for batch jobs to be given back at the end.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// Where a batch stands with this worker.
enum Watch {
    Waits(Tended, Instant),
    LookedAt,
}

impl Bench {
    /// Looks after batches until told to stop; then gives them back.
    pub(crate) async fn tend(self: Arc<Self>, stop: CancellationToken) {
        let lane = &self.lane;
        let mut watched: HashMap<String, Watch> = HashMap::new();
        let mut looks: JoinSet<(String, Look)> = JoinSet::new();
        let mut models = BTreeMap::new();
        let mut around = tokio::time::interval(LOOK_AROUND);
        around.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = watched
                .values()
                .filter_map(|watch| match watch {
                    Watch::Waits(_, due) => Some(*due),
                    Watch::LookedAt => None,
                })
                .min();
            tokio::select! {
                () = stop.cancelled() => break,
                _ = around.tick() => {}
                () = lane.entered.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                Some(ended) = looks.join_next() => match ended {
                    Ok((tag, Look::Again(tended, wait))) => {
                        watched.insert(tag, Watch::Waits(tended, Instant::now() + wait));
                        continue;
                    }
                    Ok((tag, Look::Over)) => {
                        watched.remove(&tag);
                    }
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "a look at a batch panicked");
                        watched.retain(|_, watch| matches!(watch, Watch::Waits(..)));
                    }
                },
            }
            let batch_jobs = match lane.batch_jobs.claim(&lane.holder, HOLD).await {
                Ok(batch_jobs) => batch_jobs,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "batches are not looked after"
                    );
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(LOOK_AROUND) => continue,
                    }
                }
            };
            count(&batch_jobs, &mut models);
            watched.retain(|tag, _| batch_jobs.iter().any(|batch_job| batch_job.tag == *tag));
            for batch_job in batch_jobs {
                if lane.handing_in().contains(&batch_job.tag) {
                    continue;
                }
                let watch = watched
                    .entry(batch_job.tag.clone())
                    .or_insert_with(|| Watch::Waits(Tended::default(), Instant::now()));
                match std::mem::replace(watch, Watch::LookedAt) {
                    Watch::Waits(tended, due) if due <= Instant::now() => {
                        let bench = Arc::clone(&self);
                        looks.spawn(
                            async move { (batch_job.tag.clone(), bench.look(&batch_job, tended).await) },
                        );
                    }
                    other => *watch = other,
                }
            }
        }
        looks.shutdown().await;
        if !watched.is_empty() {
            // Given up, they are taken over when their lease has run out.
            let _late = tokio::time::timeout(GIVE_BACK, lane.batch_jobs.release(&lane.holder)).await;
        }
    }
}

/// Shows how many tasks wait in batches that this worker looks after, by model; one that has none any more shows zero.
fn count(batch_jobs: &[BatchJob], models: &mut BTreeMap<String, u64>) {
    models.values_mut().for_each(|tasks| *tasks = 0);
    for batch_job in batch_jobs {
        *models.entry(batch_job.model.clone()).or_default() += batch_job.tasks;
    }
    for (model, tasks) in models {
        meter::in_batches(model, *tasks);
    }
}
