//! The loop that carries tasks out: open → publish → collect → absorb → store, with a bounded window and a sweep.
//!
//! It knows nothing of what the tasks are for: a [`Producer`] says which it wants and takes what they brought. Results that a
//! journal or the ledger already holds are handed to the producer the moment it asks for their task, so that recovery is not
//! a path of its own: a restarted producer asks for the same tasks again, and those that are paid for answer at once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::chat::Price;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::row::Row;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, Report, Task, Work, embedding_worst_case};
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::ledger::{Account, AccountState, Decision, Epoch, Ledger, NewTask, Open, Settled};
use gristmill_ports::queue::Publisher;
use gristmill_ports::trace::Propagator;
use gristmill_ports::upkeep::StoreHealth;
use gristmill_proto::{Envelope, Record, SegmentKind, Settlement, decode_report, decode_settlement};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::journal::{Journal, TaskResult};
use crate::mend::Care;
use crate::meter;
use crate::progress::{Ahead, Progress};
use crate::window::Window;

/// What a task brought: its report, or why it failed for good.
pub(crate) type Brought = Result<Report, String>;

/// How the reason of a task that could not be paid for begins.
pub(crate) const UNFUNDED: &str = "unfunded: ";

/// Wants tasks done and takes what they brought.
pub(crate) trait Producer: Send {
    /// At most `room` further tasks; fewer when others must be absorbed first.
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error>;

    /// Takes what a task brought and cost.
    fn absorb(&mut self, address: Address, brought: Brought, cost: Amount) -> Result<(), Error>;

    /// Rows that were decided since the last call, in the order of their candidates.
    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)>;

    /// True once nothing more is wanted.
    fn finished(&self) -> bool;

    /// Candidates that are decided and that [`Producer::take_rows`] has not given out yet.
    fn ahead(&self) -> Ahead {
        Ahead::default()
    }
}

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
}

/// Attempts that cost nothing which a task may have: with waits of up to a minute, a provider may throttle for an hour.
const MAX_VOIDS: u32 = 64;
/// Results that are stored together.
const CHECKPOINT_RESULTS: usize = 256;
/// Time after which fewer are stored as well.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(400);
/// Tasks that may be opened when none is in flight, however full the window is of results that came early.
const ROOM_MIN: usize = 16;
/// Tasks opened in one step.
pub(crate) const OPEN_BATCH: usize = 128;

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
}

struct InFlight {
    address: Address,
    worst: Amount,
    /// What a crash may burn of it.
    at_risk: Amount,
}

/// Carries out one producer's tasks.
pub(crate) struct Engine<'a, 'b> {
    pub(crate) site: &'b mut Site<'a>,
    round: u32,
    in_flight: HashMap<TaskId, InFlight>,
    /// Worst cases of those of them that a crash may burn.
    at_risk: Amount,
    /// Tasks that wait until less is at risk.
    held_back: VecDeque<Task>,
    /// Results that are stored, of tasks that the producer has not asked for yet.
    known: HashMap<TaskId, TaskResult>,
    stored: HashSet<TaskId>,
    results: Vec<TaskResult>,
    rows: Vec<Record<Row>>,
    next_results: u64,
    next_rows: u64,
    last_checkpoint: Instant,
    last_sweep: Instant,
    /// The ledger was found whole, so that tasks may be opened.
    whole: bool,
}

impl<'a, 'b> Engine<'a, 'b> {
    /// An engine for one round, with the results of it that are stored.
    pub(crate) async fn new(site: &'b mut Site<'a>, round: u32) -> Result<Self, Error> {
        let mut known = HashMap::new();
        let segments = site.journal.segments(SegmentKind::Results, round).await?;
        for name in &segments {
            known.extend(
                site.journal
                    .results(name)
                    .await?
                    .into_iter()
                    .map(|result| (result.task, result)),
            );
        }
        let next_rows = site.journal.segments(SegmentKind::Rows, round).await?.len() as u64;
        Ok(Self {
            site,
            round,
            in_flight: HashMap::new(),
            at_risk: Amount::ZERO,
            held_back: VecDeque::new(),
            stored: known.keys().copied().collect(),
            known,
            results: Vec::new(),
            rows: Vec::new(),
            next_results: segments.len() as u64,
            next_rows,
            last_checkpoint: Instant::now(),
            last_sweep: Instant::now(),
            whole: false,
        })
    }

    /// Shows candidates as they are decided: those of the producer, and those whose rows are about to be stored.
    fn show_decided(&self, mut ahead: Ahead) {
        ahead.decided += self.rows.len() as u64;
        ahead.accepted += self.rows.iter().filter(|row| row.value.accepted()).count() as u64;
        self.site
            .progress
            .send_if_modified(|progress| progress.settle(ahead));
    }

    /// Runs the producer to its end. `decided` sees each row once it is stored.
    pub(crate) async fn drive(
        mut self,
        producer: &mut dyn Producer,
        mut decided: impl FnMut(&Row) + Send,
    ) -> Result<(), Error> {
        // What an earlier coordinator left behind comes first: it takes room in the window.
        while self.collect(producer, Duration::ZERO).await? {}
        loop {
            let dispatched = self.dispatch(producer).await?;
            self.rows
                .extend(producer.take_rows().into_iter().map(|(value, vector)| Record {
                    value,
                    vectors: vector.into_iter().collect(),
                }));
            self.show_decided(producer.ahead());
            let finished = producer.finished() && self.in_flight.is_empty() && self.held_back.is_empty();
            let due = self.last_checkpoint.elapsed() >= CHECKPOINT_EVERY;
            if self.results.len() >= CHECKPOINT_RESULTS || due || finished {
                self.checkpoint(&mut decided).await?;
            }
            if finished {
                // A round may end before its first sweep, and what it spent belongs on the screen.
                let account = self.site.ledger.account(self.site.run).await?;
                self.site
                    .progress
                    .send_modify(|progress| progress.see(&account, 0));
                return Ok(());
            }
            if self.site.stop.is_cancelled() {
                self.checkpoint(&mut decided).await?;
                return Err(Error::Interrupted);
            }
            if !dispatched {
                let wait = self.site.options.sweep_every.min(CHECKPOINT_EVERY);
                self.collect(producer, wait).await?;
            }
            if self.last_sweep.elapsed() >= self.site.options.sweep_every {
                self.sweep().await?;
            }
        }
    }

    /// Opens and publishes what the window has room for; true when there may be more to dispatch at once: the batch was full, or a
    /// task was answered by what is stored, which may call for another.
    async fn dispatch(&mut self, producer: &mut dyn Producer) -> Result<bool, Error> {
        // What an earlier coordinator opened is in the ledger too, whether it was asked for again yet or not. Results that nobody will
        // ask for must not stop the rest.
        let held = self.in_flight.len() + self.results.len() + self.site.early.len();
        let idle = self.in_flight.is_empty() && self.results.is_empty();
        let least = if idle { ROOM_MIN } else { 0 };
        let room = self.site.options.window.tasks().saturating_sub(held).max(least);
        let mut more = false;
        if self.held_back.is_empty() {
            let asked = self.ask(producer, room.min(OPEN_BATCH)).await?;
            let mut fresh = asked.0;
            more = asked.1;
            if !fresh.is_empty() && !self.whole {
                fresh = self.mend(producer, fresh).await?;
                self.whole = true;
            }
            self.held_back.extend(fresh);
        }
        more |= self.take_early(producer).await?;
        let affordable = self.affordable();
        // What is held back is opened when something in flight has ended.
        more &= self.held_back.is_empty();
        if !affordable.is_empty() {
            self.open(affordable).await?;
        }
        Ok(more)
    }

    /// Takes what came for tasks that are held back, which a rebuilt ledger holds open before they are opened here; whether there was any.
    async fn take_early(&mut self, producer: &mut dyn Producer) -> Result<bool, Error> {
        if self.site.early.is_empty() {
            return Ok(false);
        }
        let held_back = std::mem::take(&mut self.held_back);
        let mut some = false;
        for task in held_back {
            match self.site.early.remove(&task.id) {
                Some(settled) => {
                    some = true;
                    self.take(producer, task.address, settled).await?;
                }
                None => self.held_back.push_back(task),
            }
        }
        Ok(some)
    }

    /// Takes as many of the tasks that are held back as may be at risk at once; one, where nothing else is.
    fn affordable(&mut self) -> Vec<Task> {
        let most = self.site.limit.share(self.site.options.at_risk);
        let mut tasks = Vec::new();
        let mut at_risk = self.at_risk;
        while let Some(task) = self.held_back.pop_front() {
            let worst = self.worst_of(&task);
            let alone = at_risk == Amount::ZERO;
            if !alone && !most.covers(at_risk + worst) {
                self.held_back.push_front(task);
                break;
            }
            at_risk += worst;
            tasks.push(task);
        }
        tasks
    }

    /// What a crash may burn of a task.
    fn worst_of(&self, task: &Task) -> Amount {
        if self.site.batched.contains(&task.model) {
            return Amount::ZERO;
        }
        let Amount { usd, calls, .. } = self.worst_case(task);
        Amount {
            usd,
            calls,
            ..Amount::ZERO
        }
    }

    /// Asks the producer for tasks. Those that are answered by what is stored, or came early, are absorbed at once; returns the others, and
    /// whether there may be more at once: the batch was full, or an answered task may call for another.
    pub(crate) async fn ask(
        &mut self,
        producer: &mut dyn Producer,
        room: usize,
    ) -> Result<(Vec<Task>, bool), Error> {
        let tasks = producer.next_tasks(room)?;
        let mut more = tasks.len() == OPEN_BATCH;
        let mut fresh = Vec::new();
        for task in tasks {
            if let Some(result) = self.known.remove(&task.id) {
                producer.absorb(task.address, result.brought, result.cost)?;
                more = true;
            } else if let Some(settled) = self.site.early.remove(&task.id) {
                self.take(producer, task.address, settled).await?;
                more = true;
            } else {
                fresh.push(task);
            }
        }
        Ok((fresh, more))
    }

    /// Opens tasks and publishes them. A trace a batch: what becomes of its tasks hangs below it.
    #[tracing::instrument(name = "dispatch", skip_all, fields(run = %self.site.run, round = self.round, tasks = tasks.len()))]
    async fn open(&mut self, tasks: Vec<Task>) -> Result<(), Error> {
        let mut opened = Vec::with_capacity(tasks.len());
        for task in tasks {
            opened.push(self.new_task(&task)?);
            let at_risk = self.worst_of(&task);
            self.at_risk += at_risk;
            let in_flight = InFlight {
                address: task.address,
                worst: self.worst_case(&task),
                at_risk,
            };
            self.in_flight.insert(task.id, in_flight);
        }
        match self
            .site
            .ledger
            .open(self.site.run, &self.site.epoch, opened)
            .await?
        {
            Open::Opened { .. } => {}
            // The account says why; what was not opened is asked for again after a restart.
            Open::Paused | Open::Frozen | Open::Cancelled | Open::Closed => {
                return Err(self.halted().await?);
            }
        }
        self.publish_due().await
    }

    /// A task as the ledger holds it.
    pub(crate) fn new_task(&self, task: &Task) -> Result<NewTask, Error> {
        let payload = Envelope {
            run: self.site.run,
            task: task.clone(),
            trace: self.site.options.propagator.inject(),
        }
        .encode()?;
        Ok(NewTask {
            id: task.id,
            stage: task.address.step.stage,
            model: task.model.clone(),
            payload,
            max_attempts: self.site.options.max_attempts,
            max_voids: MAX_VOIDS,
        })
    }

    /// Publishes what is due: tasks just opened, and those whose wait is over or that show no progress. One way for all of them, so that the
    /// ledger knows what was handed out, and the sweep does not publish it again at once.
    async fn publish_due(&self) -> Result<(), Error> {
        loop {
            let due = self
                .site
                .ledger
                .due(self.site.run, &self.site.epoch, OPEN_BATCH)
                .await?;
            let last = due.len() < OPEN_BATCH;
            let mut batches: BTreeMap<Stage, Vec<Vec<u8>>> = BTreeMap::new();
            for task in due {
                batches.entry(task.stage).or_default().push(task.payload);
            }
            for (stage, envelopes) in batches {
                self.site.queue.publish_all(stage, envelopes).await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    pub(crate) fn worst_case(&self, task: &Task) -> Amount {
        match &task.work {
            Work::Chat { request, .. } => self
                .site
                .prices
                .get(&task.model)
                .copied()
                .unwrap_or(Price::FREE)
                .worst_case(request),
            Work::Embed { texts } => embedding_worst_case(texts),
        }
    }

    /// Takes what is settled, waiting for the first; whether there was anything.
    async fn collect(&mut self, producer: &mut dyn Producer, wait: Duration) -> Result<bool, Error> {
        let settled = self
            .site
            .ledger
            .results(self.site.run, self.site.cursor, 512, wait)
            .await?;
        let some = !settled.is_empty();
        for result in settled {
            self.site.cursor = self.site.cursor.max(result.seq);
            match self.in_flight.remove(&result.task) {
                Some(in_flight) => {
                    self.at_risk = self.at_risk.checked_sub(in_flight.at_risk).unwrap_or_default();
                    self.take(producer, in_flight.address, result).await?;
                }
                // Stored before a crash, absorbed after it.
                None if self.stored.contains(&result.task) => {
                    self.site
                        .ledger
                        .absorb(self.site.run, &self.site.epoch, &[result.task])
                        .await?;
                }
                None => {
                    self.site.early.insert(result.task, result);
                }
            }
        }
        Ok(some)
    }

    pub(crate) async fn take(
        &mut self,
        producer: &mut dyn Producer,
        address: Address,
        settled: Settled,
    ) -> Result<(), Error> {
        let brought = match settled.decision {
            Decision::Done(bytes) => Ok(match decode_settlement(&bytes)? {
                Settlement::Report(report) => report,
                Settlement::Blob(name) => decode_report(&self.site.journal.blob(&name).await?)?,
            }),
            Decision::Failed { reason } => Err(reason),
        };
        self.results.push(TaskResult {
            task: settled.task,
            address,
            model: settled.model,
            brought: brought.clone(),
            cost: settled.cost,
            attempts: u32::try_from(settled.attempts.len()).unwrap_or(u32::MAX),
        });
        producer.absorb(address, brought, settled.cost)
    }

    /// Stores results and rows, then has the ledger forget the tasks.
    async fn checkpoint(&mut self, decided: &mut (impl FnMut(&Row) + Send)) -> Result<(), Error> {
        self.last_checkpoint = Instant::now();
        let ids: Vec<TaskId> = self.results.iter().map(|result| result.task).collect();
        if let Some(care) = &mut self.site.care {
            care.stored += ids.len() as u64;
        }
        let results = std::mem::take(&mut self.results);
        self.site
            .journal
            .append_results(self.round, &mut self.next_results, results)
            .await?;
        let rows = std::mem::take(&mut self.rows);
        self.site
            .journal
            .append_rows(self.round, &mut self.next_rows, &rows)
            .await?;
        for row in &rows {
            meter::decided(&row.value);
            decided(&row.value);
        }
        if !ids.is_empty() {
            self.site
                .ledger
                .absorb(self.site.run, &self.site.epoch, &ids)
                .await?;
            meter::absorbed(ids.len());
        }
        Ok(())
    }

    /// Burns leases that ran out, publishes what is due, fails what can never be paid for, and looks at the account.
    async fn sweep(&mut self) -> Result<(), Error> {
        self.last_sweep = Instant::now();
        let (run, epoch) = (self.site.run, self.site.epoch.clone());
        if let Some(care) = &self.site.care
            && care.upkeep.health(run, &epoch, care.stored).await? != StoreHealth::Whole
        {
            // Taken up again, the run looks into it before anything is opened.
            return Err(Error::Shaken);
        }
        let burned = self.site.ledger.expire(run, &epoch).await?;
        if burned > 0 {
            meter::expired(burned);
            tracing::warn!(%run, attempts = burned, "leases ran out: their worst case is booked");
        }
        self.publish_due().await?;
        let account = self.site.ledger.account(run).await?;
        if account.state != AccountState::Active {
            return Err(self.halted().await?);
        }
        self.site.limit = account.limit;
        self.fail_unfunded(&account).await?;
        let in_flight = self.in_flight.len() as u64;
        let in_batches = self.in_batches().await;
        self.site.progress.send_modify(|progress| {
            progress.see(&account, in_flight);
            progress.in_batches = in_batches.unwrap_or(progress.in_batches);
        });
        Ok(())
    }

    /// Tasks that wait in batches; `None` where that cannot be told.
    async fn in_batches(&self) -> Option<u64> {
        let batch_jobs = self.site.batch_jobs?;
        match batch_jobs.out(self.site.run).await {
            Ok(tasks) => Some(tasks),
            Err(error) => {
                tracing::debug!(run = %self.site.run, error = &error as &dyn std::error::Error, "the tasks in batches were not counted");
                None
            }
        }
    }

    /// With nothing started, nothing can be freed any more: tasks whose worst case does not fit into what is left fail.
    async fn fail_unfunded(&mut self, account: &Account) -> Result<(), Error> {
        if account.total().started.calls > 0 {
            return Ok(());
        }
        let poor = |stage: Stage, worst: Amount| {
            let run = account.limit.covers(account.total().used() + worst);
            let share = account.stage_limits.get(&stage);
            !run || share.is_some_and(|limit| !limit.covers(account.stage_total(stage).used() + worst))
        };
        // Those that wait for less to be at risk would each wait for a sweep of its own. They put nothing at risk: none can begin.
        let held_back = std::mem::take(&mut self.held_back);
        let (unpayable, rest): (Vec<Task>, Vec<Task>) = held_back
            .into_iter()
            .partition(|task| poor(task.address.step.stage, self.worst_case(task)));
        self.held_back = rest.into();
        if !unpayable.is_empty() {
            self.open(unpayable).await?;
        }
        let ids: Vec<TaskId> = self
            .in_flight
            .iter()
            .filter(|(_, entry)| poor(entry.address.step.stage, entry.worst))
            .map(|(id, _)| *id)
            .collect();
        if !ids.is_empty() {
            let reason = format!("{UNFUNDED}what is left of the budget does not cover its worst case");
            let failed = self
                .site
                .ledger
                .fail(self.site.run, &self.site.epoch, &ids, &reason)
                .await?;
            tracing::info!(run = %self.site.run, tasks = failed, "the budget does not reach for some tasks");
        }
        Ok(())
    }

    /// Why the account lets nothing begin. Tasks of a cancelled run fail: nobody will ask for them again.
    async fn halted(&self) -> Result<Error, Error> {
        let account = self.site.ledger.account(self.site.run).await?;
        Ok(match account.state {
            AccountState::Paused { reason } => Error::Paused { reason },
            AccountState::Frozen { shaken: true, .. } => Error::Shaken,
            AccountState::Frozen { reason, .. } => Error::Frozen { reason },
            AccountState::Cancelled => {
                let ids: Vec<TaskId> = self.in_flight.keys().copied().collect();
                if !ids.is_empty() {
                    self.site
                        .ledger
                        .fail(self.site.run, &self.site.epoch, &ids, "cancelled")
                        .await?;
                }
                Error::Cancelled
            }
            AccountState::Closed => Error::ResultsMissing,
            AccountState::Active => Error::Shaken,
        })
    }
}
