//! What attempts work with: the bench that they share, and one attempt's place at it.

use std::collections::BTreeSet;
use std::sync::Arc;

use gristmill_domain::work::Task;
use gristmill_ports::ledger::Ledger;
use gristmill_ports::limiter::Limiter;
use gristmill_ports::trace::Propagator;

use crate::batch_lane::BatchLane;
use crate::board::Handle;
use crate::gate::Gates;
use crate::lease::Leases;
use crate::run_context::{RunContext, RunContexts};
use crate::trials::Trials;
use crate::unreadable::Unreadable;

/// What all attempts of a worker share.
pub(crate) struct Bench {
    pub(crate) contexts: Arc<dyn RunContexts>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) limiter: Arc<dyn Limiter>,
    pub(crate) propagator: Arc<dyn Propagator>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) lane: BatchLane,
    pub(crate) gates: Gates,
    pub(crate) trials: Trials,
    pub(crate) unreadable: Unreadable,
    pub(crate) handle: Handle,
    /// What this worker can do.
    pub(crate) abilities: BTreeSet<String>,
    /// Whoever runs the worker tells what is given up when it stops.
    pub(crate) stops_quietly: bool,
}

/// One delivery's place at the bench.
#[derive(Clone, Copy)]
pub(crate) struct AttemptContext<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) context: &'a RunContext,
    pub(crate) task: &'a Task,
}
