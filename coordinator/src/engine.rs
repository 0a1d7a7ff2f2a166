//! The loop that carries tasks out: open → publish → collect → absorb → store, with a bounded window and a sweep.
//!
//! It knows nothing of what the tasks are for: a [`Producer`] says which it wants and takes what they brought. Results that a
//! journal or the ledger already holds are handed to the producer the moment it asks for their task, so that recovery is not
//! a path of its own: a restarted producer asks for the same tasks again, and those that are paid for answer at once.

mod collect;
mod drain;
mod open;
mod site;
mod sweep;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime};

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::row::Row;
use gristmill_domain::work::{Address, Report, Task};
use gristmill_proto::{Record, SegmentKind};
use tokio::time::Instant;

use crate::Error;
use crate::failure::TaskFailure;
use crate::journal::TaskResult;
use crate::meter::Spending;
use crate::progress::Ahead;

pub use site::Options;
pub(crate) use site::{Care, Site};

/// What a task brought: its report, or why it failed for good.
pub(crate) type Brought = Result<Report, TaskFailure>;

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

    /// True where rows are made, which a cancelled run may keep.
    fn makes_rows(&self) -> bool {
        false
    }

    /// Begins nothing further, and ends with what was accepted last.
    fn wind_up(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Candidates that are decided and that [`Producer::take_rows`] has not given out yet.
    fn ahead(&self) -> Ahead {
        Ahead::default()
    }
}

/// Attempts that cost nothing which a task may have: with waits of up to a minute, a provider may throttle for an hour.
const MAX_VOIDS: u32 = 64;
/// Results that are stored together.
const CHECKPOINT_RESULTS: usize = 256;
/// Time after which fewer are stored as well.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(400);
/// Tasks that may be opened when none is in flight, however full the window is of results that came early.
const ROOM_MIN: usize = 16;
/// Batches of tasks without a result among them: what is left is never asked for again.
const IN_VAIN_MAX: usize = 64;
/// Tasks opened in one step.
pub(crate) const OPEN_BATCH: usize = 128;

/// What a task brings that a cancelled run does not wait for.
fn given_up() -> Brought {
    Err(TaskFailure::Failed(TaskFailure::CANCELLED.to_owned()))
}

struct InFlight {
    address: Address,
    worst: Amount,
    /// What a crash may burn of it.
    at_risk: Amount,
    opened: SystemTime,
}

/// Carries out one producer's tasks.
pub(crate) struct Engine<'a, 'b> {
    pub(crate) site: &'b mut Site<'a>,
    round: u32,
    in_flight: HashMap<TaskId, InFlight>,
    /// Worst cases of what a crash may burn: those in flight, and those that are settled and not stored yet, which only the ledger knows.
    at_risk: Amount,
    /// The part of it that is settled.
    unstored: Amount,
    /// Tasks that wait until less is at risk.
    held_back: VecDeque<Task>,
    /// Results that are stored, of tasks that the producer has not asked for yet.
    known: HashMap<TaskId, TaskResult>,
    stored: HashSet<TaskId>,
    results: Vec<TaskResult>,
    /// What they came to.
    spending: Spending,
    rows: Vec<Record<Row>>,
    next_results: u64,
    next_rows: u64,
    last_checkpoint: Instant,
    last_sweep: Instant,
    /// Nothing was answered yet since this start: what is decided is decided by results that an earlier one stored.
    replays: bool,
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
            unstored: Amount::ZERO,
            held_back: VecDeque::new(),
            stored: known.keys().copied().collect(),
            replays: !known.is_empty(),
            known,
            results: Vec::new(),
            spending: Spending::default(),
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
            .send_if_modified(|progress| match self.replays {
                true => progress.settle_stored(ahead),
                false => progress.settle(ahead),
            });
    }

    /// Runs the producer to its end. `decided` sees each row once it is stored.
    pub(crate) async fn drive(
        mut self,
        producer: &mut dyn Producer,
        mut decided: impl FnMut(&Row) + Send,
    ) -> Result<(), Error> {
        if producer.makes_rows() {
            self.show_unfunded();
        }
        let mut result = self.drive_to_end(producer, &mut decided).await;
        if let Err(Error::Paused { .. } | Error::Frozen { .. }) = &result
            && self.site.care.is_some()
        {
            result = self.drain(producer, &mut decided).await;
        }
        if matches!(result, Err(Error::Cancelled)) && producer.makes_rows() {
            self.wind_up(producer, &mut decided).await?;
        }
        result
    }

    async fn drive_to_end(
        &mut self,
        producer: &mut dyn Producer,
        decided: &mut (impl FnMut(&Row) + Send),
    ) -> Result<(), Error> {
        // What an earlier coordinator left behind comes first: it takes room in the window.
        while self.collect(producer, Duration::ZERO).await? {}
        self.replays |= !self.site.early.is_empty();
        loop {
            let dispatched = self.dispatch(producer).await?;
            self.take_rows(producer);
            self.show_decided(producer.ahead());
            let finished = producer.finished() && self.in_flight.is_empty() && self.held_back.is_empty();
            let due = self.last_checkpoint.elapsed() >= CHECKPOINT_EVERY;
            // What is stored makes room for more.
            let crowded = !self.held_back.is_empty() && self.unstored_holds_half();
            if self.results.len() >= CHECKPOINT_RESULTS || due || finished || crowded {
                self.checkpoint(decided).await?;
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
                self.checkpoint(decided).await?;
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

    fn take_rows(&mut self, producer: &mut dyn Producer) {
        self.rows
            .extend(producer.take_rows().into_iter().map(|(value, vector)| Record {
                value,
                vectors: vector.into_iter().collect(),
            }));
    }

    /// Stores the rows of a run that was cancelled as far as they are paid for. An accepted one waits for those before it: what these still ask
    /// for counts as failed.
    async fn wind_up(
        &mut self,
        producer: &mut dyn Producer,
        decided: &mut (impl FnMut(&Row) + Send),
    ) -> Result<(), Error> {
        while self.collect(producer, Duration::ZERO).await? {}
        self.recall(producer).await?;
        producer.wind_up()?;
        let held_back = std::mem::take(&mut self.held_back);
        let open = self.in_flight.drain().map(|(_, in_flight)| in_flight.address);
        let open: Vec<Address> = open.chain(held_back.iter().map(|task| task.address)).collect();
        for address in open {
            producer.absorb(address, given_up(), Amount::ZERO)?;
        }
        while self.ask_in_vain(producer).await? {}
        self.take_rows(producer);
        self.checkpoint(decided).await?;
        // Nothing more is stored: what else was decided only to come to an end is no row.
        self.show_decided(Ahead::default());
        Ok(())
    }

    /// Hands out what is stored of a round that was just taken up, for as long as its tasks are asked for.
    async fn recall(&mut self, producer: &mut dyn Producer) -> Result<(), Error> {
        let mut in_vain = 0;
        while in_vain < IN_VAIN_MAX {
            let stored = self.known.len() + self.site.early.len();
            if stored == 0 || !self.ask_in_vain(producer).await? {
                break;
            }
            let fewer = self.known.len() + self.site.early.len() < stored;
            in_vain = if fewer { 0 } else { in_vain + 1 };
        }
        Ok(())
    }

    /// Asks for tasks whose results are only looked up: those that are not stored count as failed. False where none is left.
    async fn ask_in_vain(&mut self, producer: &mut dyn Producer) -> Result<bool, Error> {
        let (unpaid, more) = self.ask(producer, OPEN_BATCH).await?;
        let some = more || !unpaid.is_empty();
        for task in unpaid {
            producer.absorb(task.address, given_up(), Amount::ZERO)?;
        }
        Ok(some)
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
                    self.take_early_result(producer, task.address, settled).await?;
                }
                None => self.held_back.push_back(task),
            }
        }
        Ok(some)
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
                self.take_early_result(producer, task.address, settled).await?;
                more = true;
            } else {
                fresh.push(task);
            }
        }
        Ok((fresh, more))
    }
}
