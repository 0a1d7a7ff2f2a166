//! The slower, cheaper lane: tasks whose model is asked in batches, through the provider's batch API.
//!
//! | step | what is durable after it | who died before the next one is made up for by |
//! |---|---|---|
//! | gather | nothing: the deliveries are not acked | the queue, which delivers them again |
//! | begin each | the reservation, for a lease | the lease, which runs out and burns |
//! | write down tasks and fences, enter the batch job, lend the attempts | who is in the batch | whoever claims the batch job: looks for the batch by its name, and burns what was in it where there is none |
//! | hand in, write down what the provider calls it, ack | the batch | whoever claims the batch job: looks at it until it has ended |
//! | book each result, strike the batch job | the results | whoever claims the batch job: what is booked is booked once |
//!
//! Deliveries hold their slots while a batch gathers and is handed in, and none while the provider works. No permit is taken: a provider's
//! limits of batches are not those of single calls, and a batch is one request.

mod contents;
mod gather;
mod hand_in;
mod look;
mod tend;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_domain::work::Task;
use gristmill_ports::batch::BatchJobs;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Time for which a batch job is held, renewed at each look around: less than an attempt's lease.
const HOLD: Duration = Duration::from_secs(12);
/// Time between two looks around for batch jobs in nobody's hands.
const LOOK_AROUND: Duration = Duration::from_secs(3);
/// Time for which attempts are lent: the day that providers take at most, and what it takes to notice.
const LENT: Duration = Duration::from_secs(26 * 60 * 60);

/// Run and model.
type Key = (RunId, String);

/// Tasks that wait for their batch to be full.
struct Gathering {
    /// Tells it from an earlier one of the same run and model.
    number: u64,
    first: Instant,
    last: Instant,
    waiting: Vec<Waiting>,
}

/// A task, and the delivery that waits for it.
struct Waiting {
    task: Task,
    /// Dropped when the delivery may be acked.
    _delivery: oneshot::Sender<()>,
}

/// What the lane of a worker knows between two steps.
pub(crate) struct BatchLane {
    batch_jobs: Arc<dyn BatchJobs>,
    /// Names this worker among those that look after batches.
    holder: String,
    gathering: Mutex<HashMap<Key, Gathering>>,
    gathered: AtomicU64,
    /// BatchJobs whose batch this worker is handing in.
    handing_in: Mutex<HashSet<String>>,
    /// A batch was handed in, or given up: there may be something to tend.
    entered: Notify,
}

impl BatchLane {
    pub(crate) fn new(batch_jobs: Arc<dyn BatchJobs>) -> Self {
        Self {
            batch_jobs,
            holder: format!("{:032x}", rand::random::<u128>()),
            gathering: Mutex::default(),
            gathered: AtomicU64::new(0),
            handing_in: Mutex::default(),
            entered: Notify::new(),
        }
    }

    fn handing_in(&self) -> MutexGuard<'_, HashSet<String>> {
        // Each change is a single insert or remove: a panic elsewhere leaves nothing half-done.
        self.handing_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
