//! A coordinator among others: which runs of the register it drives, and how it gives them back.
//!
//! A run is driven by whoever holds its lease in the register; the ledger's epoch fences those who lost it without noticing. A driver
//! that stops for whatever reason gives its run back, and whoever claims it next goes on from what is stored: recovery is the path that
//! always runs. What a person has to mend (a paused or frozen account) is driven until nothing of it is in flight, and then left alone until
//! the ledger says otherwise.

mod adopt;
mod board;
mod dead;
mod drive;
mod settled;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Account;
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::blob::Blobs;
use gristmill_ports::ledger::{AccountState, Ledger};
use gristmill_ports::metric::Source;
use gristmill_ports::queue::Publisher;
use gristmill_ports::register::{Register, Run};
use gristmill_ports::trace::Propagator;
use gristmill_ports::upkeep::Upkeep;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Finished, Health, RunGauges, SeedStore, Start, Window, meter};

#[cfg(feature = "api")]
pub(crate) use adopt::{AdoptError, Adoption};
use board::Board;
pub use dead::bury;
use settled::SettledRuns;

/// Writes the dataset of a finished run where it belongs.
#[async_trait]
pub trait Assembler: Send + Sync {
    /// Assembles the dataset from the run's journal; what was there before stays until the new one is whole.
    ///
    /// # Errors
    /// Why it could not be written.
    async fn assemble(
        &self,
        start: &Start,
        seeds: &SeedStore,
        finished: &Finished,
        account: &Account,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Where the state of each run lies.
pub type States = Arc<dyn Fn(RunId) -> Arc<dyn Blobs> + Send + Sync>;

/// What the coordinators of a cluster share.
#[derive(Clone)]
pub struct Services {
    /// Which runs there are.
    pub register: Arc<dyn Register>,
    /// What they may spend.
    pub ledger: Arc<dyn Ledger>,
    /// The same ledger, whose store can lose writes and must give its memory back.
    pub upkeep: Arc<dyn Upkeep>,
    /// Their batches that are out, to show them.
    pub batch_jobs: Arc<dyn BatchJobs>,
    /// Where their tasks go.
    pub queue: Arc<dyn Publisher>,
    /// Where their state lies.
    pub states: States,
    /// The store itself: a folder a run.
    pub root: Arc<dyn Blobs>,
    /// The store, in words that people can look it up by.
    pub store: String,
    /// Carries their traces to the workers.
    pub propagator: Arc<dyn Propagator>,
    /// What cannot be used now.
    pub health: Arc<Health>,
}

#[cfg(feature = "api")]
impl Services {
    /// Where a run is stored, in words that people can look it up by.
    pub(crate) fn folder(&self, run: RunId) -> String {
        format!("{}/{run}", self.store.trim_end_matches('/'))
    }

    /// Where a finished run's dataset is stored.
    pub(crate) fn dataset(&self, run: RunId) -> String {
        format!("{}/dataset", self.folder(run))
    }
}

/// How a coordinator shares the runs with others.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// This process's name: a restarted process is another.
    pub holder: String,
    /// Time after which a run whose coordinator is silent is taken over.
    pub lease: Duration,
    /// Tasks that all runs of the cluster together may have open.
    pub window: usize,
    /// Time between two looks at the register.
    pub tick: Duration,
}

/// Open tasks that each run may have, however many runs there are: below that, round trips would be all that is seen of it.
const WINDOW_MIN: usize = 64;

/// Time between two looks whether the register has been lost, while nothing goes on.
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// A coordinator among others.
pub struct Fleet {
    services: Services,
    assembler: Arc<dyn Assembler>,
    options: FleetOptions,
    board: Arc<Board>,
    settled: SettledRuns,
}

/// A run that this process drives.
#[derive(Clone)]
struct Driven {
    stop: CancellationToken,
    window: Window,
    gauges: RunGauges,
}

/// How a driver let its run go.
enum LetGo {
    /// The register knows its ending.
    Ended,
    /// Somebody may go on at once: it was told to stop, or lost its lease.
    Free,
    /// Something failed that may be over soon, or needs a person.
    Stuck,
    /// A bug.
    Panicked,
}

impl Fleet {
    /// A coordinator that drives runs with these services.
    pub fn new(services: Services, assembler: Arc<dyn Assembler>, options: FleetOptions) -> Self {
        meter::start();
        Self {
            services,
            assembler,
            board: Board::new(options.lease),
            settled: SettledRuns::default(),
            options,
        }
    }

    /// The metrics of the runs that it drives.
    pub fn metrics(&self) -> Arc<dyn Source> {
        Arc::clone(&self.board) as Arc<dyn Source>
    }

    /// Drives runs until told to stop, then gives them back.
    pub async fn run(self, stop: CancellationToken) {
        let fleet = Arc::new(self);
        let mut driven: HashMap<RunId, Driven> = HashMap::new();
        let mut drivers: JoinSet<(RunId, LetGo)> = JoinSet::new();
        // Runs that nobody takes up before then, here: they failed a moment ago.
        let mut resting: HashMap<RunId, Instant> = HashMap::new();
        let mut renewed = Instant::now();
        let mut looked: Option<Instant> = None;
        while !stop.is_cancelled() {
            while let Some(ended) = drivers.try_join_next() {
                fleet.reap(ended, &mut driven, &mut resting).await;
            }
            if renewed.elapsed() >= fleet.options.lease / 4 {
                renewed = Instant::now();
                fleet.renew(&driven).await;
            }
            match fleet.services.register.active().await {
                Ok(active) => {
                    let due = |at: Instant| active.is_empty() && at.elapsed() >= ADOPT_EVERY;
                    if looked.is_none_or(due) {
                        fleet.adopt_forgotten(looked.is_none()).await;
                        looked = Some(Instant::now());
                    }
                    resting.retain(|_, until| *until > Instant::now());
                    fleet.share(&active, &driven);
                    fleet.board.look(&active, &fleet.options.holder);
                    let asked = Instant::now();
                    if let Some(run) = fleet.claim(&active, &driven, &resting).await {
                        let taken = Driven {
                            stop: CancellationToken::new(),
                            window: Window::new(fleet.part(&active)),
                            gauges: fleet.board.take(run.run, asked),
                        };
                        fleet.start(&mut drivers, run, taken.clone());
                        driven.insert(run.run, taken);
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the register does not answer"
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(fleet.options.tick) => {}
            }
        }
        driven.values().for_each(|driven| driven.stop.cancel());
        while let Some(ended) = drivers.join_next().await {
            fleet.reap(ended, &mut driven, &mut resting).await;
        }
    }

    /// Enters the runs of the store into a register that knows none: it was lost with all of Redis.
    async fn adopt_forgotten(&self, first: bool) {
        let options = &self.options;
        match self
            .services
            .adopt_forgotten(&options.holder, options.lease, first)
            .await
        {
            Ok(adopted) => {
                // What cannot be adopted is said once, not at every look.
                for (run, adoption) in adopted.into_iter().filter(|(_, a)| first || a.is_new()) {
                    tracing::warn!(%run, outcome = %adoption, "a run of the store");
                }
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the runs of the store could not be looked at"
            ),
        }
    }

    /// Drives a run on a thread of its own: deciding on rows is work for a processor, and nobody else waits for it there.
    fn start(self: &Arc<Self>, drivers: &mut JoinSet<(RunId, LetGo)>, run: &Run, taken: Driven) {
        let (fleet, id, name) = (Arc::clone(self), run.run, run.name.clone());
        let runtime = tokio::runtime::Handle::current();
        tracing::info!(run = %id, name, "taken up");
        // A run that was reported on was driven before.
        meter::taken_up(run.reported_ms > 0);
        drivers.spawn_blocking(move || {
            // Its state is dropped either way: what was stored is what the next driver goes on from.
            let drive = AssertUnwindSafe(|| runtime.block_on(fleet.drive(id, taken)));
            (id, catch_unwind(drive).unwrap_or(LetGo::Panicked))
        });
    }

    async fn reap(
        &self,
        ended: Result<(RunId, LetGo), tokio::task::JoinError>,
        driven: &mut HashMap<RunId, Driven>,
        resting: &mut HashMap<RunId, Instant>,
    ) {
        // Drivers are never cancelled, and catch their panics.
        let Ok((run, how)) = ended else { return };
        driven.remove(&run);
        self.board.let_go(run);
        match how {
            LetGo::Ended => return,
            LetGo::Free => {}
            LetGo::Panicked => {
                tracing::error!(%run, "its driver ended by a panic, which is a bug: the run is taken up again");
                meter::interrupted(meter::PANIC);
                resting.insert(run, Instant::now() + self.options.lease);
            }
            LetGo::Stuck => {
                resting.insert(run, Instant::now() + self.options.lease / 4);
            }
        }
        if let Err(error) = self.services.register.release(run, &self.options.holder).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "the lease could not be given back: it runs out");
        }
    }

    /// Extends the leases; drivers of runs that are lost stop.
    async fn renew(&self, driven: &HashMap<RunId, Driven>) {
        let runs: Vec<RunId> = driven.keys().copied().collect();
        if runs.is_empty() {
            return;
        }
        let asked = Instant::now();
        match self
            .services
            .register
            .renew(&self.options.holder, &runs, self.options.lease)
            .await
        {
            Ok(held) => {
                self.board.renewed(&held, asked);
                for (run, driven) in driven.iter().filter(|(run, _)| !held.contains(run)) {
                    tracing::warn!(%run, "another coordinator has it now");
                    if !driven.stop.is_cancelled() {
                        meter::interrupted(meter::LEASE_LOST);
                    }
                    driven.stop.cancel();
                }
            }
            // The ledger's epoch fences whoever goes on too long.
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "leases were not renewed"
                );
            }
        }
    }

    /// What one run may have open: an even part of the cluster's window.
    fn part(&self, active: &[Run]) -> usize {
        let driven = active.iter().filter(|run| run.holder.is_some()).count();
        (self.options.window / driven.max(1)).max(WINDOW_MIN)
    }

    fn share(&self, active: &[Run], driven: &HashMap<RunId, Driven>) {
        let part = self.part(active);
        driven.values().for_each(|driven| driven.window.set(part));
    }

    /// Claims the oldest run that nobody drives, one a look, so that several coordinators share them.
    async fn claim<'a>(
        &self,
        active: &'a [Run],
        driven: &HashMap<RunId, Driven>,
        resting: &HashMap<RunId, Instant>,
    ) -> Option<&'a Run> {
        // A run that is taken up now would fail, again and again.
        if self.services.health.stops_runs() {
            return None;
        }
        for run in active {
            if run.holder.is_some() || driven.contains_key(&run.run) || resting.contains_key(&run.run) {
                continue;
            }
            if self.waits_for_a_person(run.run).await {
                continue;
            }
            match self
                .services
                .register
                .claim(run.run, &self.options.holder, self.options.lease)
                .await
            {
                Ok(true) => return Some(run),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(run = %run.run, error = &error as &dyn std::error::Error, "it could not be claimed");
                    return None;
                }
            }
        }
        None
    }

    async fn waits_for_a_person(&self, run: RunId) -> bool {
        match self.services.ledger.account(run).await {
            Ok(account) => {
                self.board.see(&account);
                let stands = match account.state {
                    AccountState::Paused { .. } => true,
                    AccountState::Frozen { shaken, .. } => !shaken,
                    AccountState::Active | AccountState::Cancelled | AccountState::Closed => false,
                };
                if !stands {
                    self.settled.forget(run);
                    return false;
                }
                let state = (self.services.states)(run);
                match self.settled.holds(&account, state.as_ref()).await {
                    Ok(settled) => settled,
                    Err(error) => {
                        tracing::warn!(%run, error = &error as &dyn std::error::Error, "whether it stands still with nothing in flight is not known");
                        true
                    }
                }
            }
            // No account yet: its first driver opens it.
            Err(gristmill_ports::ledger::Error::UnknownRun(_)) => false,
            Err(error) => {
                tracing::warn!(%run, error = &error as &dyn std::error::Error, "the ledger does not answer");
                true
            }
        }
    }
}
