//! The ledger in Redis: one account a run, each operation one script.
//!
//! The scripts (`lua/`) mirror [`gristmill_domain::ledger`], whose tables they are; the contract's random histories hold the two against
//! each other. A run has eight keys under its hash tag, whatever its size, so that it lies on one node of a Redis Cluster.
//!
//! - **Atomic.** A script reads, decides, and writes at its end. Nothing can fail between its first write and its last.
//! - **Safe to send again.** A call whose reply is lost is sent again as it was, for [`crate::Options::patience`].
//! - **Time** is the server's, never less than the latest that the account has seen.
//! - **Memory.** `open` and `begin` are refused when Redis is full (`maxmemory`, with `noeviction`); `settle`, `void`, `burn` and all others
//!   are carried out. So leave room: what waits in the ledger is at most the open tasks times the largest result. Measured
//!   (`examples/throughput.rs`, Redis 7.0): 400 bytes an open task and 470 a settled one, besides payload or result; 1 KB a closed run and
//!   what is kept of attempts that burned; nothing once it is released.
//! - **Numbers** are doubles in Lua: an amount or a limit beyond 2^53 − 1 is refused, and one that a settle brings counts as that many.
//! - **Durable** with `appendonly yes` and `appendfsync always`: Redis then answers after the disk has it. With replicas,
//!   [`Options::replicas`] has a grant wait for them.

mod account;
mod desk;
mod reader;
mod reply;
mod requests;
mod scripts;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{
    Absorbed, Account, Allocation, Attempt, Begin, Close, Epoch, Fence, NewAccount, NewTask, Nonce, Open,
    OpenTask, Outcome, Raise, Reopen, Settle, Settled, VoidProof,
};
use gristmill_ports::ledger::{Error as PortError, Ledger, WAIT_MAX, check_tasks};
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use desk::Clock;
use desk::{Desk, NUMBER_MAX, countable, limit_args};
use reader::Readers;
use reply::Reply;
use requests::{Word, batches, with_ids, with_task};

use crate::connection::Redis;
use crate::error::Error;

/// Tasks that one call opens at most.
const OPEN_MAX: usize = 10_000;
/// Tasks that one script works on at most, of what may be cut: a script keeps everybody else waiting.
const BATCH: usize = 500;

/// How a ledger is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Replicas that must have a grant before it is given out; 0 with a single server. More than there are, and nothing begins.
    pub replicas: u32,
    /// Another clock than the server's: for tests.
    pub clock: Option<Clock>,
}

/// The ledger in Redis.
pub struct RedisLedger {
    desk: Arc<Desk>,
    readers: Readers,
    watch: AbortHandle,
}

impl Drop for RedisLedger {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl RedisLedger {
    /// A ledger over a connection. Call it within a tokio runtime: it looks for a restarted server as long as it is there.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn new(redis: Redis, options: Options) -> Result<Self, Error> {
        let desk = Arc::new(Desk::new(redis, options.replicas, options.clock)?);
        let watch = tokio::spawn(upkeep::watch(Arc::downgrade(&desk))).abort_handle();
        Ok(Self {
            desk,
            readers: Readers::default(),
            watch,
        })
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn create(&self, account: NewAccount) -> Result<(), PortError> {
        let run = account.run;
        let [usd, calls] = limit_args(account.limit)?;
        let call = self
            .desk
            .request(run, &scripts::CREATE)
            .arg(account.price_hash.as_bytes())
            .arg(usd)
            .arg(calls)
            .number(account.lease_ms.min(NUMBER_MAX))
            .number(account.republish_ms.min(NUMBER_MAX));
        let answer = self.desk.ask(run, "created an account", &call).await?;
        if answer.word == "prices" {
            return Err(PortError::PricesChanged {
                run,
                frozen: answer.read(Reply::text)?,
                given: account.price_hash,
            });
        }
        Ok(())
    }

    async fn take_over(&self, run: RunId, holder: &str) -> Result<Epoch, PortError> {
        let call = self.desk.request(run, &scripts::TAKE_OVER).arg(holder);
        let answer = self.desk.ask(run, "changed the coordinator", &call).await?;
        answer.read(account::epoch)
    }

    async fn open(&self, run: RunId, epoch: &Epoch, tasks: Vec<NewTask>) -> Result<Open, PortError> {
        check_tasks(&tasks)?;
        if tasks.len() > OPEN_MAX {
            return Err(PortError::Invalid(format!(
                "{} tasks are more than this ledger opens at once: {OPEN_MAX}",
                tasks.len()
            )));
        }
        let mut call = self.desk.led_request(run, epoch, &scripts::OPEN);
        for task in tasks {
            call = with_task(call, task);
        }
        let answer = self.desk.ask_led(run, epoch, "opened tasks", &call).await?;
        answer.read(account::open)
    }

    async fn begin(&self, run: RunId, task: TaskId, nonce: Nonce, worst: Amount) -> Result<Begin, PortError> {
        let mut call = self
            .desk
            .request(run, &scripts::BEGIN)
            .arg(*task.as_bytes())
            .arg(nonce.0.to_be_bytes());
        for part in countable("the worst case of an attempt", worst)? {
            call = call.number(part);
        }
        let call = call.number(self.desk.touches().into());
        let answer = self.desk.ask_replicated(run, "began an attempt", &call).await?;
        let fence = |attempt| Fence { task, attempt, nonce };
        answer.read(|reply| account::begin(reply, fence))?.ok_or_else(|| {
            PortError::Invalid(format!(
                "run {run} has used more than this ledger counts to, {NUMBER_MAX} of each unit"
            ))
        })
    }

    async fn renew(&self, run: RunId, fences: &[Fence]) -> Result<Vec<Fence>, PortError> {
        self.extend(run, "renewed leases", fences, None).await
    }

    async fn lend(&self, run: RunId, fences: &[Fence], lease_ms: u64) -> Result<Vec<Fence>, PortError> {
        self.extend(run, "lent attempts", fences, Some(lease_ms)).await
    }

    async fn settle(
        &self,
        run: RunId,
        fence: Fence,
        actual: Amount,
        outcome: Outcome,
    ) -> Result<Settle, PortError> {
        let (outcome, text, wait_ms) = match &outcome {
            Outcome::Done(result) => ("done", result.as_slice(), 0),
            Outcome::Retry { reason, wait_ms } => ("retry", reason.as_bytes(), *wait_ms),
            Outcome::Failed { reason } => ("failed", reason.as_bytes(), 0),
        };
        let word = Word {
            kind: "settle",
            actual,
            outcome,
            text,
            wait_ms,
        };
        self.say(run, "settled an attempt", fence, word).await
    }

    async fn void(
        &self,
        run: RunId,
        fence: Fence,
        proof: VoidProof,
        wait_ms: u64,
    ) -> Result<Settle, PortError> {
        let word = Word {
            kind: "void",
            actual: Amount::ZERO,
            outcome: "",
            text: proof.reason.as_bytes(),
            wait_ms,
        };
        self.say(run, "voided an attempt", fence, word).await
    }

    async fn burn(&self, run: RunId, fence: Fence, reason: &str, wait_ms: u64) -> Result<Settle, PortError> {
        let word = Word {
            kind: "burn",
            actual: Amount::ZERO,
            outcome: "",
            text: reason.as_bytes(),
            wait_ms,
        };
        self.say(run, "burned an attempt", fence, word).await
    }

    async fn defer(&self, run: RunId, task: TaskId, wait_ms: u64) -> Result<(), PortError> {
        let call = self
            .desk
            .request(run, &scripts::DEFER)
            .arg(*task.as_bytes())
            .number(wait_ms.min(NUMBER_MAX));
        self.desk.ask(run, "deferred a task", &call).await.map(drop)
    }

    async fn expire(&self, run: RunId, epoch: &Epoch) -> Result<u64, PortError> {
        let doing = "burned attempts whose lease ran out";
        let mut total = 0;
        loop {
            let call = self
                .desk
                .led_request(run, epoch, &scripts::EXPIRE)
                .number(BATCH as u64);
            let burned = self
                .desk
                .ask_led(run, epoch, doing, &call)
                .await?
                .read(Reply::number)?;
            total += burned;
            if burned < BATCH as u64 {
                return Ok(total);
            }
        }
    }

    async fn due(&self, run: RunId, epoch: &Epoch, limit: usize) -> Result<Vec<OpenTask>, PortError> {
        let mut due = Vec::new();
        loop {
            let batch = (limit - due.len()).min(BATCH);
            let call = self
                .desk
                .led_request(run, epoch, &scripts::DUE)
                .number(batch as u64);
            let answer = self.desk.ask_led(run, epoch, "handed tasks out", &call).await?;
            let tasks = answer.read(|reply| reply.each(account::open_task))?;
            let last = tasks.len() < batch;
            due.extend(tasks);
            if last || due.len() >= limit {
                return Ok(due);
            }
        }
    }

    async fn fail(
        &self,
        run: RunId,
        epoch: &Epoch,
        tasks: &[TaskId],
        reason: &str,
    ) -> Result<u64, PortError> {
        let mut failed = 0;
        for batch in batches(tasks) {
            let call = self.desk.led_request(run, epoch, &scripts::FAIL).arg(reason);
            let answer = self
                .desk
                .ask_led(run, epoch, "failed tasks", &with_ids(call, batch))
                .await?;
            failed += answer.read(Reply::number)?;
        }
        Ok(failed)
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
            let settled = self.read_results(run, after, limit).await?;
            if !settled.is_empty() || limit == 0 || Instant::now() >= deadline {
                return Ok(settled);
            }
            self.readers.wait(&self.desk.redis, run, after, deadline).await;
        }
    }

    async fn absorb(&self, run: RunId, epoch: &Epoch, tasks: &[TaskId]) -> Result<Absorbed, PortError> {
        let mut absorbed = Absorbed::default();
        for batch in batches(tasks) {
            let call = with_ids(self.desk.led_request(run, epoch, &scripts::ABSORB), batch);
            let answer = self.desk.ask_led(run, epoch, "absorbed tasks", &call).await?;
            let part = answer.read(|reply| {
                Ok(Absorbed {
                    archived: reply.number()?,
                    waiting: reply.number()?,
                    absent: reply.number()?,
                    unfinished: reply.number()?,
                })
            })?;
            absorbed.archived += part.archived;
            absorbed.waiting += part.waiting;
            absorbed.absent += part.absent;
            absorbed.unfinished += part.unfinished;
        }
        Ok(absorbed)
    }

    async fn allocate(&self, run: RunId, epoch: &Epoch, limits: Allocation) -> Result<(), PortError> {
        let mut call = self.desk.led_request(run, epoch, &scripts::ALLOCATE);
        for (stage, limit) in limits {
            let [usd, calls] = limit_args(limit)?;
            call = call.arg(stage.name()).arg(usd).arg(calls);
        }
        self.desk
            .ask_led(run, epoch, "allocated the budget", &call)
            .await
            .map(drop)
    }

    async fn raise(
        &self,
        run: RunId,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Raise, PortError> {
        let mut call = self.desk.request(run, &scripts::RAISE).arg(request_id);
        for axis in [limit_args(expected)?, limit_args(new)?].concat() {
            call = call.arg(axis);
        }
        let answer = self.desk.ask(run, "raised the limit", &call).await?;
        answer.read(account::raise)
    }

    async fn reopen(
        &self,
        run: RunId,
        epoch: &Epoch,
        request_id: &str,
        expected: Limit,
        new: Limit,
    ) -> Result<Reopen, PortError> {
        let mut call = self
            .desk
            .led_request(run, epoch, &scripts::REOPEN)
            .arg(request_id);
        for axis in [limit_args(expected)?, limit_args(new)?].concat() {
            call = call.arg(axis);
        }
        let answer = self.desk.ask_led(run, epoch, "reopened the run", &call).await?;
        answer.read(account::reopen)
    }

    async fn pause(&self, run: RunId, reason: &str) -> Result<(), PortError> {
        self.order(run, "paused the run", "pause", reason).await
    }

    async fn resume(&self, run: RunId) -> Result<(), PortError> {
        self.order(run, "resumed the run", "resume", "").await
    }

    async fn cancel(&self, run: RunId) -> Result<(), PortError> {
        self.order(run, "cancelled the run", "cancel", "").await
    }

    async fn freeze(&self, run: RunId, reason: &str) -> Result<(), PortError> {
        self.order(run, "froze the account", "freeze", reason).await
    }

    async fn unfreeze(&self, run: RunId) -> Result<(), PortError> {
        self.order(run, "lifted a freeze", "unfreeze", "").await
    }

    async fn close(&self, run: RunId, epoch: &Epoch) -> Result<Close, PortError> {
        let call = self.desk.led_request(run, epoch, &scripts::CLOSE);
        let answer = self.desk.ask_led(run, epoch, "closed the run", &call).await?;
        answer.read(|reply| match reply.text()?.as_str() {
            "closed" => Ok(Close::Closed),
            "not_yet" => Ok(Close::NotYet {
                started: reply.number()?,
                open: reply.number()?,
            }),
            other => Err(reply.wrong(format!("`{other}` answers no close"))),
        })
    }

    async fn account(&self, run: RunId) -> Result<Account, PortError> {
        let call = self.desk.request(run, &scripts::ACCOUNT);
        let answer = self.desk.ask(run, "read the account", &call).await?;
        answer.read(|reply| account::account(run, reply))
    }

    async fn attempts(&self, run: RunId, task: TaskId) -> Result<Vec<Attempt>, PortError> {
        let call = self.desk.request(run, &scripts::ATTEMPTS).arg(*task.as_bytes());
        let answer = self.desk.ask(run, "read a task's attempts", &call).await?;
        answer.read(Reply::attempts)
    }
}
