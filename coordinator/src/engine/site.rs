//! What a run's tasks are carried out with: its neighbours, and how.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::amount::Limit;
use gristmill_domain::chat::Price;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::ledger::{Epoch, Ledger, NewAccount, Settled};
use gristmill_ports::queue::Publisher;
use gristmill_ports::trace::Propagator;
use gristmill_ports::upkeep::Upkeep;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::gauges::RunGauges;
use crate::journal::Journal;
use crate::progress::Progress;
use crate::window::Window;

/// How the loop runs.
#[derive(Clone)]
pub struct Options {
    /// Tasks that may be open.
    pub window: Window,
    /// Attempts at one task that may cost something.
    pub max_attempts: u32,
    /// Share of the limit that open tasks may hold, at their worst cases.
    pub at_risk: f64,
    /// Time between two sweeps.
    pub sweep_every: Duration,
    /// Carries the trace of this process to those who do the work.
    pub propagator: Arc<dyn Propagator>,
    /// Shows the run's books and tasks to whoever exports them.
    pub gauges: RunGauges,
}

/// The neighbours of a run.
pub(crate) struct Site<'a> {
    pub(crate) run: RunId,
    pub(crate) ledger: &'a dyn Ledger,
    pub(crate) queue: &'a dyn Publisher,
    pub(crate) journal: Journal<'a>,
    pub(crate) epoch: Epoch,
    pub(crate) prices: HashMap<String, Price>,
    /// Models that are asked in batches: what they work on outlives a crash.
    pub(crate) batched: HashSet<String>,
    /// The account's limit, as it was last seen.
    pub(crate) limit: Limit,
    pub(crate) options: Options,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) stop: CancellationToken,
    /// Position in the results stream up to which results were taken.
    pub(crate) cursor: u64,
    /// Results that came for tasks which no producer has asked for yet, as after a restart.
    pub(crate) early: HashMap<TaskId, Settled>,
    /// Where the ledger's store may lose writes.
    pub(crate) care: Option<Care<'a>>,
    /// Where it shows how many tasks wait in batches, if a model is asked in them.
    pub(crate) batch_jobs: Option<&'a dyn BatchJobs>,
    /// The books are closed: what is stored is gone through, and nothing is asked.
    pub(crate) closed: bool,
    /// The run was cancelled: rounds end with what was decided by then.
    pub(crate) cancelled: bool,
}

impl Site<'_> {
    /// What may be at risk at once under a limit.
    pub(crate) fn may_risk(&self, limit: Limit) -> Limit {
        limit.share(self.options.at_risk)
    }
}

/// A ledger that may lose writes, and what its books are rebuilt from.
pub(crate) struct Care<'a> {
    pub(crate) upkeep: &'a dyn Upkeep,
    pub(crate) account: NewAccount,
    /// Tasks whose results are stored, in all rounds.
    pub(crate) stored: u64,
    /// The largest limit that the run ever had: under it was opened whatever may be lost.
    pub(crate) largest_limit: Limit,
}
