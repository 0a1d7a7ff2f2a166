//! What every store of batch jobs must do. An implementation gives a [`Harness`] and writes one line,
//! `gristmill_ports::batch_jobs_contract!(MyHarness)`, in a test file; it needs `tokio` with its macros there.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use tokio::time::{Instant, sleep};

use crate::batch::{BatchId, BatchJob, BatchJobError, BatchJobs};

/// Starts empty stores.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty store.
    async fn start(&self) -> Rig;
}

/// One store under test.
pub struct Rig {
    /// The store.
    pub batch_jobs: Arc<dyn BatchJobs>,
    /// What must live as long as it.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// One test a scenario.
#[macro_export]
macro_rules! batch_jobs_contract {
    ($harness:expr) => {
        $crate::batch_jobs_contract!(@async $harness,
            a_batch_job_is_kept_until_it_is_struck
            a_batch_job_is_in_one_holders_hands
            what_is_given_back_or_let_go_is_taken_over
        );
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $crate::contract::batch_jobs::$scenario(&$harness).await;
        }
    )*};
}

/// A lease that does not run out while a test runs, and one that does.
const LONG: Duration = Duration::from_secs(60 * 60);
const SHORT: Duration = Duration::from_millis(40);

fn run(number: u8) -> RunId {
    RunId::of(&[&[number]])
}

fn batch_job(tag: &str, run_number: u8, tasks: u64) -> BatchJob {
    BatchJob {
        tag: tag.to_owned(),
        run: run(run_number),
        model: "teacher/1".to_owned(),
        tasks,
        batch: None,
    }
}

pub async fn a_batch_job_is_kept_until_it_is_struck(harness: &dyn Harness) {
    let rig = harness.start().await;
    let batch_jobs = &*rig.batch_jobs;
    let (first, second) = (batch_job("b1", 1, 30), batch_job("b2", 2, 5));
    for batch_job in [&second, &first, &first] {
        batch_jobs.enter(batch_job, "w", LONG).await.unwrap();
    }
    assert_eq!(
        batch_jobs.claim("w", LONG).await.unwrap(),
        [first.clone(), second.clone()]
    );
    let named = BatchJob {
        batch: Some(BatchId("batch_7".to_owned())),
        ..first.clone()
    };
    for _ in 0..2 {
        batch_jobs
            .name("b1", &BatchId("batch_7".to_owned()))
            .await
            .unwrap();
    }
    batch_jobs.enter(&first, "w", LONG).await.unwrap();
    assert_eq!(
        batch_jobs.claim("w", LONG).await.unwrap(),
        [named, second.clone()],
        "entered again, it stays as it is"
    );
    assert_eq!(batch_jobs.out(run(1)).await.unwrap(), 30);
    assert_eq!(batch_jobs.out(run(2)).await.unwrap(), 5);
    for _ in 0..2 {
        batch_jobs.strike("b1").await.unwrap();
    }
    batch_jobs.name("b1", &BatchId("late".to_owned())).await.unwrap();
    assert_eq!(batch_jobs.claim("w", LONG).await.unwrap(), [second]);
    assert_eq!(batch_jobs.out(run(1)).await.unwrap(), 0);
}

pub async fn a_batch_job_is_in_one_holders_hands(harness: &dyn Harness) {
    let rig = harness.start().await;
    let batch_jobs = &*rig.batch_jobs;
    batch_jobs.enter(&batch_job("b1", 1, 1), "a", LONG).await.unwrap();
    batch_jobs.enter(&batch_job("b2", 1, 2), "b", LONG).await.unwrap();
    assert_eq!(
        batch_jobs.claim("a", LONG).await.unwrap(),
        [batch_job("b1", 1, 1)]
    );
    assert_eq!(
        batch_jobs.claim("b", LONG).await.unwrap(),
        [batch_job("b2", 1, 2)]
    );
    assert_eq!(batch_jobs.claim("c", LONG).await.unwrap(), []);
    assert_eq!(batch_jobs.out(run(1)).await.unwrap(), 3);
}

pub async fn what_is_given_back_or_let_go_is_taken_over(harness: &dyn Harness) {
    let rig = harness.start().await;
    let batch_jobs = &*rig.batch_jobs;
    batch_jobs.enter(&batch_job("b1", 1, 1), "a", LONG).await.unwrap();
    batch_jobs.release("b").await.unwrap();
    assert_eq!(batch_jobs.claim("b", LONG).await.unwrap(), []);
    batch_jobs.release("a").await.unwrap();
    assert_eq!(
        batch_jobs.claim("b", SHORT).await.unwrap(),
        [batch_job("b1", 1, 1)]
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while batch_jobs.claim("c", LONG).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the lease never runs out");
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        batch_jobs.claim("b", LONG).await.unwrap(),
        [],
        "it has another holder"
    );
}

struct Entry {
    batch_job: BatchJob,
    holder: String,
    until: Instant,
}

/// BatchJobs with nothing but a map beneath, for unit tests.
#[derive(Default)]
pub struct MemoryBatchJobs(Mutex<BTreeMap<String, Entry>>);

impl MemoryBatchJobs {
    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BatchJobs for MemoryBatchJobs {
    async fn enter(&self, batch_job: &BatchJob, holder: &str, lease: Duration) -> Result<(), BatchJobError> {
        self.entries()
            .entry(batch_job.tag.clone())
            .or_insert_with(|| Entry {
                batch_job: batch_job.clone(),
                holder: holder.to_owned(),
                until: Instant::now() + lease,
            });
        Ok(())
    }

    async fn name(&self, tag: &str, batch: &BatchId) -> Result<(), BatchJobError> {
        if let Some(entry) = self.entries().get_mut(tag) {
            entry.batch_job.batch = Some(batch.clone());
        }
        Ok(())
    }

    async fn claim(&self, holder: &str, lease: Duration) -> Result<Vec<BatchJob>, BatchJobError> {
        let now = Instant::now();
        let mut held = Vec::new();
        for entry in self.entries().values_mut() {
            if entry.holder == holder || entry.until <= now {
                (entry.holder, entry.until) = (holder.to_owned(), now + lease);
                held.push(entry.batch_job.clone());
            }
        }
        Ok(held)
    }

    async fn release(&self, holder: &str) -> Result<(), BatchJobError> {
        let now = Instant::now();
        for entry in self.entries().values_mut().filter(|entry| entry.holder == holder) {
            entry.until = now;
            entry.holder.clear();
        }
        Ok(())
    }

    async fn strike(&self, tag: &str) -> Result<(), BatchJobError> {
        self.entries().remove(tag);
        Ok(())
    }

    async fn out(&self, run: RunId) -> Result<u64, BatchJobError> {
        let entries = self.entries();
        let of_run = entries.values().filter(|entry| entry.batch_job.run == run);
        Ok(of_run.map(|entry| entry.batch_job.tasks).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct InMemory;

    #[async_trait]
    impl Harness for InMemory {
        async fn start(&self) -> Rig {
            Rig {
                batch_jobs: Arc::new(MemoryBatchJobs::default()),
                keep: Box::new(()),
            }
        }
    }

    crate::batch_jobs_contract!(InMemory);
}
