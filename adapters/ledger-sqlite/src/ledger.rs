//! The port's operations, sent to the writer.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{
    Absorbed, Account, Allocation, Attempt, Begin, Close, Epoch, Fence, NewAccount, NewTask, Nonce, Open,
    OpenTask, Outcome, Raise, Reopen, Settle, Settled, VoidProof, Word,
};
use gristmill_ports::ledger::{Error as PortError, Ledger, WAIT_MAX, check_tasks};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::clock::{Clock, system_clock};
use crate::desk::Desk;
use crate::error::{Error, Failure, Fault};
use crate::store::Store;
use crate::writer::{self, Answer, Message, Streams};
use crate::{lock, schema};

/// The ledger of one run folder. Dropping it ends the writer after what is queued; [`Self::shut_down`] also waits for that.
pub struct SqliteLedger {
    messages: mpsc::Sender<Message>,
    streams: Streams,
    burned_on_open: HashMap<RunId, Amount>,
}

impl SqliteLedger {
    /// Opens the folder's ledger, creating it when there is none, and burns what a previous process had started.
    ///
    /// Blocks on the disk. The folder must exist.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process, or another `SqliteLedger` of this one, has it open; see [`Error`] for the rest.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_with_clock(folder, system_clock())
    }

    /// As [`Self::open`], with another clock: for tests.
    pub fn open_with_clock(folder: &Path, clock: Clock) -> Result<Self, Error> {
        let lock = lock::take(folder)?;
        let path = folder.join(schema::FILE);
        let conn = schema::open_writer(folder)?;
        let (store, burned_on_open) = Store::load(conn, clock).map_err(|source| Error::Store {
            path: path.clone(),
            source,
        })?;
        let streams = Streams::default();
        let messages =
            writer::start(store, lock, streams.clone()).map_err(|source| Error::Folder { path, source })?;
        Ok(Self {
            messages,
            streams,
            burned_on_open,
        })
    }

    /// What this opening burned of a run: calls that a previous process had started and not settled, at their worst case.
    pub fn burned_on_open(&self, run: RunId) -> Amount {
        self.burned_on_open.get(&run).copied().unwrap_or_default()
    }

    /// Finishes what is queued, closes the file and releases the folder. Later operations fail.
    pub async fn shut_down(&self) {
        let (done, ended) = oneshot::channel();
        if self.messages.send(Message::Stop(done)).await.is_ok() {
            // An error means that the thread is gone, which is what was asked for.
            let _ = ended.await;
        }
    }

    /// Has the writer carry out an operation; answers after the commit.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        operation: impl FnOnce(&mut Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, PortError> {
        let (reply, answered) = oneshot::channel();
        let job = Box::new(move |store: &mut Store| -> Answer {
            let outcome = operation(store);
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(fault) => Err(Failure::Fault(fault)),
                };
                // A caller that was dropped sends the same operation again, or never cared.
                let _ = reply.send(outcome);
            })
        });
        let ended = || Failure::Fault(Fault::Ended).into_port(doing);
        self.messages.send(Message::Job(job)).await.map_err(|_| ended())?;
        answered
            .await
            .map_err(|_| ended())?
            .map_err(|failure| failure.into_port(doing))
    }

    /// An operation on one account.
    async fn on<T: Send + 'static>(
        &self,
        run: RunId,
        doing: &'static str,
        operation: impl FnOnce(&mut Desk<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, PortError> {
        self.call(doing, move |store| store.operate(run, operation)).await
    }

    /// An operation on one account that only its coordinator may ask for.
    async fn led<T: Send + 'static>(
        &self,
        run: RunId,
        epoch: &Epoch,
        doing: &'static str,
        operation: impl FnOnce(&mut Desk<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, PortError> {
        let epoch = epoch.clone();
        self.on(run, doing, move |desk| {
            desk.fence(&epoch)?;
            operation(desk)
        })
        .await
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn create(&self, account: NewAccount) -> Result<(), PortError> {
        self.call("created an account", move |store| store.create(account))
            .await
    }

    async fn take_over(&self, run: RunId, holder: &str) -> Result<Epoch, PortError> {
        let holder = holder.to_owned();
        self.on(run, "changed the coordinator", move |desk| {
            Ok(desk.account.take_over(&holder))
        })
        .await
    }

    async fn open(&self, run: RunId, epoch: &Epoch, tasks: Vec<NewTask>) -> Result<Open, PortError> {
        check_tasks(&tasks)?;
        self.led(run, epoch, "opened tasks", move |desk| desk.open(&tasks))
            .await
    }

    async fn begin(&self, run: RunId, task: TaskId, nonce: Nonce, worst: Amount) -> Result<Begin, PortError> {
        self.on(run, "began an attempt", move |desk| {
            desk.begin(task, nonce, worst)
        })
        .await
    }

    async fn renew(&self, run: RunId, fences: &[Fence]) -> Result<Vec<Fence>, PortError> {
        let fences = fences.to_vec();
        self.on(run, "renewed leases", move |desk| desk.renew(&fences))
            .await
    }

    async fn lend(&self, run: RunId, fences: &[Fence], lease_ms: u64) -> Result<Vec<Fence>, PortError> {
        let fences = fences.to_vec();
        self.on(run, "lent attempts", move |desk| desk.lend(&fences, lease_ms))
            .await
    }

    async fn settle(
        &self,
        run: RunId,
        fence: Fence,
        actual: Amount,
        outcome: Outcome,
    ) -> Result<Settle, PortError> {
        let word = Word::Settle { actual, outcome };
        self.on(run, "settled an attempt", move |desk| desk.resolve(fence, word))
            .await
    }

    async fn void(
        &self,
        run: RunId,
        fence: Fence,
        proof: VoidProof,
        wait_ms: u64,
    ) -> Result<Settle, PortError> {
        let word = Word::Void { proof, wait_ms };
        self.on(run, "voided an attempt", move |desk| desk.resolve(fence, word))
            .await
    }

    async fn burn(&self, run: RunId, fence: Fence, reason: &str, wait_ms: u64) -> Result<Settle, PortError> {
        let word = Word::Burn {
            reason: reason.to_owned(),
            wait_ms,
        };
        self.on(run, "burned an attempt", move |desk| desk.resolve(fence, word))
            .await
    }

    async fn defer(&self, run: RunId, task: TaskId, wait_ms: u64) -> Result<(), PortError> {
        self.on(run, "deferred a task", move |desk| desk.defer(task, wait_ms))
            .await
    }

    async fn expire(&self, run: RunId, epoch: &Epoch) -> Result<u64, PortError> {
        self.led(run, epoch, "burned attempts whose lease ran out", |desk| {
            desk.expire()
        })
        .await
    }

    async fn due(&self, run: RunId, epoch: &Epoch, limit: usize) -> Result<Vec<OpenTask>, PortError> {
        self.led(run, epoch, "handed tasks out", move |desk| desk.due(limit))
            .await
    }

    async fn fail(
        &self,
        run: RunId,
        epoch: &Epoch,
        tasks: &[TaskId],
        reason: &str,
    ) -> Result<u64, PortError> {
        let (tasks, reason) = (tasks.to_vec(), reason.to_owned());
        self.led(run, epoch, "failed tasks", move |desk| desk.fail(&tasks, &reason))
            .await
    }

    async fn results(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Settled>, PortError> {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        loop {
            let (settled, reached) = self
                .on(run, "read results", move |desk| desk.results(after, limit))
                .await?;
            if !settled.is_empty() || limit == 0 || Instant::now() >= deadline {
                return Ok(settled);
            }
            // What is announced is committed, so nothing that came between the read and here is missed.
            let mut stream = self.streams.subscribe(run);
            if timeout_at(
                deadline,
                stream.wait_for(|position| *position > reached.max(after)),
            )
            .await
            .is_err()
            {
                return Ok(Vec::new());
            }
        }
    }

    async fn absorb(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId]) -> Result<Absorbed, PortError> {
        let tasks = tasks.to_vec();
        self.led(run, epoch, "absorbed tasks", move |desk| desk.absorb(&tasks))
            .await
    }

    async fn allocate(&self, run: RunId, epoch: &Epoch, limits: Allocation) -> Result<(), PortError> {
        self.led(run, epoch, "allocated the budget", move |desk| {
            desk.account.allocate(limits);
            Ok(())
        })
        .await
    }

    async fn raise(
        &self,
        run: RunId,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Raise, PortError> {
        let request_id = request_id.to_owned();
        self.on(run, "raised the limit", move |desk| {
            Ok(desk.account.raise(&request_id, expected, new))
        })
        .await
    }

    async fn reopen(
        &self,
        run: RunId,
        epoch: &Epoch,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Reopen, PortError> {
        let request_id = request_id.to_owned();
        self.led(run, epoch, "reopened the run", move |desk| {
            Ok(desk.account.reopen(&request_id, expected, new))
        })
        .await
    }

    async fn pause(&self, run: RunId, reason: &str) -> Result<(), PortError> {
        let reason = reason.to_owned();
        self.on(run, "paused the run", move |desk| {
            desk.account.pause(&reason);
            Ok(())
        })
        .await
    }

    async fn resume(&self, run: RunId) -> Result<(), PortError> {
        self.on(run, "resumed the run", |desk| {
            desk.account.resume();
            Ok(())
        })
        .await
    }

    async fn cancel(&self, run: RunId) -> Result<(), PortError> {
        self.on(run, "cancelled the run", |desk| {
            desk.account.cancel();
            Ok(())
        })
        .await
    }

    async fn freeze(&self, run: RunId, reason: &str) -> Result<(), PortError> {
        let reason = reason.to_owned();
        self.on(run, "froze the account", move |desk| {
            desk.account.freeze(desk.now_ms, &reason);
            Ok(())
        })
        .await
    }

    async fn unfreeze(&self, run: RunId) -> Result<(), PortError> {
        self.on(run, "lifted the freeze", |desk| {
            desk.account.unfreeze();
            Ok(())
        })
        .await
    }

    async fn close(&self, run: RunId, epoch: &Epoch) -> Result<Close, PortError> {
        self.led(run, epoch, "closed the run", |desk| Ok(desk.account.close()))
            .await
    }

    async fn account(&self, run: RunId) -> Result<Account, PortError> {
        self.on(run, "read the account", |desk| Ok(desk.account.clone()))
            .await
    }

    async fn attempts(&self, run: RunId, task: TaskId) -> Result<Vec<Attempt>, PortError> {
        self.on(run, "read attempts", move |desk| Ok(desk.attempts(task)?))
            .await
    }
}
