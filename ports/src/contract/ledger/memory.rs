//! The pure rules with nothing but maps beneath: what other ledgers are compared with, and a ledger for unit tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{Remnant, Task, Transition, Word};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::START_MS;
use crate::ledger::{
    Absorbed, Account, AccountState, Allocation, Attempt, Begin, Close, Decision, Epoch, Error, Fence,
    Ledger, NewAccount, NewTask, Nonce, Open, OpenTask, Outcome, Raise, Reopen, Settle, Settled, VoidProof,
    WAIT_MAX, check_tasks,
};

struct Entry {
    task: Task,
    payload: Vec<u8>,
    decision: Option<Decision>,
    order: u64,
}

struct Shelf {
    account: Account,
    tasks: BTreeMap<TaskId, Entry>,
    remnants: BTreeMap<(TaskId, u32, u64), Remnant>,
    opened: u64,
}

impl Shelf {
    fn new(account: NewAccount) -> Self {
        Self {
            account: Account::new(account),
            tasks: BTreeMap::new(),
            remnants: BTreeMap::new(),
            opened: 0,
        }
    }

    /// Carries out a transition on a task that is there, and keeps what it brings.
    fn step<R>(
        &mut self,
        id: TaskId,
        transition: impl FnOnce(&mut Account, &mut Task) -> Transition<R>,
    ) -> Option<R> {
        let entry = self.tasks.get_mut(&id)?;
        let step = transition(&mut self.account, &mut entry.task);
        if step.decision.is_some() {
            entry.decision = step.decision;
        }
        if entry.task.archived {
            for remnant in entry.task.remnants() {
                let key = (id, remnant.attempt.number, remnant.attempt.nonce.0);
                self.remnants.insert(key, remnant);
            }
            self.tasks.remove(&id);
        }
        Some(step.reply)
    }

    fn resolve(&mut self, now_ms: u64, fence: Fence, word: Word) -> Settle {
        let known = self.tasks.get(&fence.task).map(|entry| {
            let mut attempts = entry.task.attempts.iter();
            attempts.any(|attempt| attempt.fence(fence.task) == fence)
        });
        if known == Some(true) {
            let reply = self.step(fence.task, |account, task| {
                account.resolve(now_ms, task, fence, word)
            });
            return reply.unwrap_or(Settle::Closed);
        }
        let key = (fence.task, fence.attempt, fence.nonce.0);
        match (self.remnants.get_mut(&key), known) {
            (Some(remnant), _) => self.account.resolve_remnant(now_ms, remnant, fence, &word),
            (None, Some(_)) => Settle::Unknown,
            (None, None) => Settle::Closed,
        }
    }

    /// Ids of the tasks that pick out a time, by that time and then by age, up to a time.
    fn by_time(&self, until_ms: u64, time: fn(&Task) -> Option<u64>) -> Vec<TaskId> {
        let mut picked: Vec<_> = self
            .tasks
            .values()
            .filter_map(|entry| {
                Some((
                    time(&entry.task).filter(|at| *at <= until_ms)?,
                    entry.order,
                    entry.task.id,
                ))
            })
            .collect();
        picked.sort_unstable();
        picked.into_iter().map(|(_, _, id)| id).collect()
    }

    fn due(&mut self, now_ms: u64, limit: usize) -> Vec<OpenTask> {
        let mut due = Vec::new();
        for id in self.by_time(now_ms, Task::ready_at_ms).into_iter().take(limit) {
            let Some(entry) = self.tasks.get_mut(&id) else {
                continue;
            };
            if self.account.hand_out(now_ms, &mut entry.task) {
                due.push(OpenTask {
                    id,
                    stage: entry.task.stage,
                    model: entry.task.model.clone(),
                    payload: entry.payload.clone(),
                    attempts: u32::try_from(entry.task.attempts.len()).unwrap_or(u32::MAX),
                });
            }
        }
        due
    }

    fn results(&self, after: u64, limit: usize) -> Vec<Settled> {
        let mut settled: Vec<_> = self
            .tasks
            .values()
            .filter_map(|entry| {
                let (seq, _) = entry.task.decided.filter(|(seq, _)| *seq > after)?;
                Some(Settled {
                    seq,
                    task: entry.task.id,
                    stage: entry.task.stage,
                    model: entry.task.model.clone(),
                    decision: entry.decision.clone()?,
                    cost: entry.task.cost(),
                    attempts: entry.task.attempts.clone(),
                })
            })
            .collect();
        settled.sort_unstable_by_key(|settled| settled.seq);
        settled.truncate(limit);
        settled
    }
}

/// A ledger without a store: what it holds ends with it. Its clock stands still until it is set.
pub struct MemoryLedger {
    state: Mutex<(u64, BTreeMap<RunId, Shelf>)>,
    changed: Notify,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self {
            state: Mutex::new((START_MS, BTreeMap::new())),
            changed: Notify::new(),
        }
    }
}

impl MemoryLedger {
    /// Sets the server's clock.
    pub fn set_clock(&self, now_ms: u64) {
        self.state().0 = now_ms;
    }

    /// What a ledger does whose workers are gone after a restart: everything in flight burns.
    pub fn orphan_all(&self) {
        let mut state = self.state();
        let (now_ms, shelves) = &mut *state;
        for shelf in shelves.values_mut() {
            let now_ms = shelf.account.tick(*now_ms);
            for id in shelf.by_time(u64::MAX, Task::lease_until_ms) {
                let reason = "the process that made the call ended before it settled";
                shelf.step(id, |account, task| account.orphan(now_ms, task, reason));
            }
        }
    }

    /// Whether a task is opened and not yet gone.
    pub fn holds(&self, run: RunId, task: TaskId) -> bool {
        let state = self.state();
        state
            .1
            .get(&run)
            .is_some_and(|shelf| shelf.tasks.contains_key(&task))
    }

    fn state(&self) -> MutexGuard<'_, (u64, BTreeMap<RunId, Shelf>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<Settled>, Error> {
        let state = self.state();
        let shelf = state.1.get(&run).ok_or(Error::UnknownRun(run))?;
        Ok(shelf.results(after, limit))
    }

    fn on<T>(&self, run: RunId, operation: impl FnOnce(&mut Shelf, u64) -> T) -> Result<T, Error> {
        let mut state = self.state();
        let (now_ms, shelves) = &mut *state;
        let shelf = shelves.get_mut(&run).ok_or(Error::UnknownRun(run))?;
        let now_ms = shelf.account.tick(*now_ms);
        let reply = operation(shelf, now_ms);
        drop(state);
        self.changed.notify_waiters();
        Ok(reply)
    }

    fn led<T>(
        &self,
        run: RunId,
        epoch: &Epoch,
        operation: impl FnOnce(&mut Shelf, u64) -> T,
    ) -> Result<T, Error> {
        self.on(run, |shelf, now_ms| {
            if shelf.account.coordinated_by(epoch) {
                return Ok(operation(shelf, now_ms));
            }
            Err(Error::StaleEpoch {
                run,
                held: epoch.clone(),
                current: shelf.account.epoch.clone(),
            })
        })?
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn create(&self, account: NewAccount) -> Result<(), Error> {
        let mut state = self.state();
        let shelf = state
            .1
            .entry(account.run)
            .or_insert_with(|| Shelf::new(account.clone()));
        if shelf.account.price_hash == account.price_hash {
            return Ok(());
        }
        Err(Error::PricesChanged {
            run: account.run,
            frozen: shelf.account.price_hash.clone(),
            given: account.price_hash,
        })
    }

    async fn take_over(&self, run: RunId, holder: &str) -> Result<Epoch, Error> {
        self.on(run, |shelf, _| shelf.account.take_over(holder))
    }

    async fn open(&self, run: RunId, epoch: &Epoch, tasks: Vec<NewTask>) -> Result<Open, Error> {
        check_tasks(&tasks)?;
        self.led(run, epoch, |shelf, _| {
            let Open::Opened { mut fresh } = shelf.account.may_open() else {
                return shelf.account.may_open();
            };
            for new in tasks {
                if !shelf.tasks.contains_key(&new.id) {
                    let entry = Entry {
                        task: shelf.account.open(&new),
                        payload: new.payload,
                        decision: None,
                        order: shelf.opened,
                    };
                    shelf.opened += 1;
                    shelf.tasks.insert(new.id, entry);
                    fresh += 1;
                }
            }
            Open::Opened { fresh }
        })
    }

    async fn begin(&self, run: RunId, task: TaskId, nonce: Nonce, worst: Amount) -> Result<Begin, Error> {
        self.on(run, |shelf, now_ms| {
            shelf
                .step(task, |account, task| account.begin(now_ms, task, nonce, worst))
                .unwrap_or(Begin::Closed)
        })
    }

    async fn renew(&self, run: RunId, fences: &[Fence]) -> Result<Vec<Fence>, Error> {
        self.on(run, |shelf, now_ms| {
            let mut alive = fences.to_vec();
            alive.retain(|fence| {
                shelf
                    .tasks
                    .get_mut(&fence.task)
                    .is_some_and(|entry| shelf.account.renew(now_ms, &mut entry.task, *fence))
            });
            alive
        })
    }

    async fn lend(&self, run: RunId, fences: &[Fence], lease_ms: u64) -> Result<Vec<Fence>, Error> {
        self.on(run, |shelf, now_ms| {
            let mut alive = fences.to_vec();
            alive.retain(|fence| {
                shelf
                    .tasks
                    .get_mut(&fence.task)
                    .is_some_and(|entry| shelf.account.lend(now_ms, &mut entry.task, *fence, lease_ms))
            });
            alive
        })
    }

    async fn settle(
        &self,
        run: RunId,
        fence: Fence,
        actual: Amount,
        outcome: Outcome,
    ) -> Result<Settle, Error> {
        let word = Word::Settle { actual, outcome };
        self.on(run, |shelf, now_ms| shelf.resolve(now_ms, fence, word))
    }

    async fn void(&self, run: RunId, fence: Fence, proof: VoidProof, wait_ms: u64) -> Result<Settle, Error> {
        let word = Word::Void { proof, wait_ms };
        self.on(run, |shelf, now_ms| shelf.resolve(now_ms, fence, word))
    }

    async fn burn(&self, run: RunId, fence: Fence, reason: &str, wait_ms: u64) -> Result<Settle, Error> {
        let word = Word::Burn {
            reason: reason.to_owned(),
            wait_ms,
        };
        self.on(run, |shelf, now_ms| shelf.resolve(now_ms, fence, word))
    }

    async fn defer(&self, run: RunId, task: TaskId, wait_ms: u64) -> Result<(), Error> {
        self.on(run, |shelf, now_ms| {
            if let Some(entry) = shelf.tasks.get_mut(&task) {
                shelf.account.defer(now_ms, &mut entry.task, wait_ms);
            }
        })
    }

    async fn expire(&self, run: RunId, epoch: &Epoch) -> Result<u64, Error> {
        self.led(run, epoch, |shelf, now_ms| {
            let overdue = shelf.by_time(now_ms, Task::lease_until_ms);
            let burned = overdue
                .into_iter()
                .filter_map(|id| shelf.step(id, |account, task| account.expire(now_ms, task)));
            burned.map(u64::from).sum()
        })
    }

    async fn due(&self, run: RunId, epoch: &Epoch, limit: usize) -> Result<Vec<OpenTask>, Error> {
        self.led(run, epoch, |shelf, now_ms| {
            if shelf.account.state == AccountState::Active {
                shelf.due(now_ms, limit)
            } else {
                Vec::new()
            }
        })
    }

    async fn fail(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId], reason: &str) -> Result<u64, Error> {
        self.led(run, epoch, |shelf, now_ms| {
            let failed = tasks
                .iter()
                .filter_map(|id| shelf.step(*id, |account, task| account.fail(now_ms, task, reason)));
            failed.map(u64::from).sum()
        })
    }

    async fn results(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Settled>, Error> {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let settled = self.read(run, after, limit)?;
            let over = limit == 0 || Instant::now() >= deadline;
            if !settled.is_empty() || over || timeout_at(deadline, changed).await.is_err() {
                return Ok(settled);
            }
        }
    }

    async fn absorb(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId]) -> Result<Absorbed, Error> {
        self.led(run, epoch, |shelf, now_ms| {
            let mut absorbed = Absorbed::default();
            for id in tasks {
                let reply = shelf.step(*id, |account, task| Transition {
                    reply: (account.absorb(now_ms, task), task.archived),
                    decision: None,
                });
                match reply {
                    None => absorbed.absent += 1,
                    Some((false, _)) => absorbed.unfinished += 1,
                    Some((true, true)) => absorbed.archived += 1,
                    Some((true, false)) => absorbed.waiting += 1,
                }
            }
            absorbed
        })
    }

    async fn allocate(&self, run: RunId, epoch: &Epoch, limits: Allocation) -> Result<(), Error> {
        self.led(run, epoch, |shelf, _| shelf.account.allocate(limits))
    }

    async fn raise(&self, run: RunId, request_id: &str, expected: Limit, new: Limit) -> Result<Raise, Error> {
        self.on(run, |shelf, _| shelf.account.raise(request_id, expected, new))
    }

    async fn reopen(
        &self,
        run: RunId,
        epoch: &Epoch,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Reopen, Error> {
        self.led(run, epoch, |shelf, _| {
            shelf.account.reopen(request_id, expected, new)
        })
    }

    async fn pause(&self, run: RunId, reason: &str) -> Result<(), Error> {
        self.on(run, |shelf, _| shelf.account.pause(reason))
    }

    async fn resume(&self, run: RunId) -> Result<(), Error> {
        self.on(run, |shelf, _| shelf.account.resume())
    }

    async fn cancel(&self, run: RunId) -> Result<(), Error> {
        self.on(run, |shelf, _| shelf.account.cancel())
    }

    async fn freeze(&self, run: RunId, reason: &str) -> Result<(), Error> {
        self.on(run, |shelf, now_ms| shelf.account.freeze(now_ms, reason))
    }

    async fn unfreeze(&self, run: RunId) -> Result<(), Error> {
        self.on(run, |shelf, _| shelf.account.unfreeze())
    }

    async fn close(&self, run: RunId, epoch: &Epoch) -> Result<Close, Error> {
        self.led(run, epoch, |shelf, _| shelf.account.close())
    }

    async fn account(&self, run: RunId) -> Result<Account, Error> {
        self.on(run, |shelf, _| shelf.account.clone())
    }

    async fn attempts(&self, run: RunId, task: TaskId) -> Result<Vec<Attempt>, Error> {
        self.on(run, |shelf, _| match shelf.tasks.get(&task) {
            Some(entry) => entry.task.attempts.clone(),
            None => {
                let burned = shelf.remnants.range((task, 0, 0)..=(task, u32::MAX, u64::MAX));
                burned.map(|(_, remnant)| remnant.attempt.clone()).collect()
            }
        })
    }
}
