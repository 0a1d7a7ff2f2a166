//! The ledger's operations on one account, inside the writer's transaction.

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::ledger::{
    Absorbed, Account, AccountState, Begin, Epoch, Fence, NewTask, Nonce, Open, OpenTask, Settle, Word,
};
use gristmill_ports::ledger;
use rusqlite::Connection;

use crate::error::{Failure, Fault};
use crate::rows;

/// One account at the writer: what an operation may touch.
pub(crate) struct Desk<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) key: i64,
    pub(crate) account: &'a mut Account,
    /// Ledger time.
    pub(crate) now_ms: u64,
}

impl Desk<'_> {
    /// Refuses a coordinator that was replaced.
    pub(crate) fn fence(&self, epoch: &Epoch) -> Result<(), Failure> {
        if self.account.coordinated_by(epoch) {
            return Ok(());
        }
        Err(Failure::Refused(ledger::Error::StaleEpoch {
            run: self.account.run,
            held: epoch.clone(),
            current: self.account.epoch.clone(),
        }))
    }

    pub(crate) fn open(&mut self, tasks: &[NewTask]) -> Result<Open, Failure> {
        let Open::Opened { mut fresh } = self.account.may_open() else {
            return Ok(self.account.may_open());
        };
        for new in tasks {
            if rows::task(self.conn, self.key, new.id)?.is_none() {
                let task = self.account.open(new);
                rows::insert_task(self.conn, self.key, &task, &new.payload)?;
                fresh += 1;
            }
        }
        Ok(Open::Opened { fresh })
    }

    pub(crate) fn begin(&mut self, id: TaskId, nonce: Nonce, worst: Amount) -> Result<Begin, Failure> {
        let Some((key, mut task)) = rows::task(self.conn, self.key, id)? else {
            return Ok(Begin::Closed);
        };
        let before = task.attempts.clone();
        let step = self.account.begin(self.now_ms, &mut task, nonce, worst);
        if task.attempts != before {
            rows::save_task(self.conn, self.key, key, &task, step.decision.as_ref())?;
        }
        Ok(step.reply)
    }

    pub(crate) fn renew(&mut self, fences: &[Fence]) -> Result<Vec<Fence>, Failure> {
        self.lend(fences, self.account.lease_ms)
    }

    pub(crate) fn lend(&mut self, fences: &[Fence], lease_ms: u64) -> Result<Vec<Fence>, Failure> {
        let mut alive = Vec::with_capacity(fences.len());
        for fence in fences {
            let Some((key, mut task)) = rows::task(self.conn, self.key, fence.task)? else {
                continue;
            };
            let before = task.lease_until_ms();
            if self.account.lend(self.now_ms, &mut task, *fence, lease_ms) {
                // A loan outlasts many renewals, which then need no write.
                if task.lease_until_ms() != before {
                    rows::save_task(self.conn, self.key, key, &task, None)?;
                }
                alive.push(*fence);
            }
        }
        Ok(alive)
    }

    pub(crate) fn resolve(&mut self, fence: Fence, word: Word) -> Result<Settle, Failure> {
        let found = rows::task(self.conn, self.key, fence.task)?;
        let absent = found.is_none();
        if let Some((key, mut task)) = found
            && task
                .attempts
                .iter()
                .any(|attempt| attempt.fence(task.id) == fence)
        {
            let step = self.account.resolve(self.now_ms, &mut task, fence, word);
            if step.reply != Settle::Already {
                rows::save_task(self.conn, self.key, key, &task, step.decision.as_ref())?;
            }
            return Ok(step.reply);
        }
        if let Some(mut remnant) = rows::remnant(self.conn, self.key, fence)? {
            let reply = self
                .account
                .resolve_remnant(self.now_ms, &mut remnant, fence, &word);
            rows::put_remnant(self.conn, self.key, &remnant)?;
            return Ok(reply);
        }
        Ok(if absent { Settle::Closed } else { Settle::Unknown })
    }

    pub(crate) fn defer(&mut self, id: TaskId, wait_ms: u64) -> Result<(), Failure> {
        if let Some((key, mut task)) = rows::task(self.conn, self.key, id)? {
            self.account.defer(self.now_ms, &mut task, wait_ms);
            rows::save_task(self.conn, self.key, key, &task, None)?;
        }
        Ok(())
    }

    pub(crate) fn expire(&mut self) -> Result<u64, Failure> {
        let mut burned = 0;
        for (key, mut task) in rows::running(self.conn, self.key, self.now_ms)? {
            let step = self.account.expire(self.now_ms, &mut task);
            rows::save_task(self.conn, self.key, key, &task, step.decision.as_ref())?;
            burned += u64::from(step.reply);
        }
        Ok(burned)
    }

    /// Burns everything that runs and was not lent; see [`Account::orphan`].
    pub(crate) fn orphan(&mut self, reason: &str) -> Result<(), Failure> {
        for (key, mut task) in rows::running(self.conn, self.key, u64::MAX)? {
            let step = self.account.orphan(self.now_ms, &mut task, reason);
            rows::save_task(self.conn, self.key, key, &task, step.decision.as_ref())?;
        }
        Ok(())
    }

    pub(crate) fn due(&mut self, limit: usize) -> Result<Vec<OpenTask>, Failure> {
        if self.account.state != AccountState::Active {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        for (key, mut task, payload) in rows::ready(self.conn, self.key, self.now_ms, limit)? {
            if self.account.hand_out(self.now_ms, &mut task) {
                rows::save_task(self.conn, self.key, key, &task, None)?;
                due.push(OpenTask {
                    id: task.id,
                    stage: task.stage,
                    model: task.model,
                    payload,
                    attempts: u32::try_from(task.attempts.len()).unwrap_or(u32::MAX),
                });
            }
        }
        Ok(due)
    }

    pub(crate) fn fail(&mut self, tasks: &[TaskId], reason: &str) -> Result<u64, Failure> {
        let mut failed = 0;
        for id in tasks {
            if let Some((key, mut task)) = rows::task(self.conn, self.key, *id)? {
                let step = self.account.fail(self.now_ms, &mut task, reason);
                if step.reply {
                    rows::save_task(self.conn, self.key, key, &task, step.decision.as_ref())?;
                    failed += 1;
                }
            }
        }
        Ok(failed)
    }

    pub(crate) fn absorb(&mut self, tasks: &[TaskId]) -> Result<Absorbed, Failure> {
        let mut absorbed = Absorbed::default();
        for id in tasks {
            let Some((key, mut task)) = rows::task(self.conn, self.key, *id)? else {
                absorbed.absent += 1;
                continue;
            };
            if !self.account.absorb(self.now_ms, &mut task) {
                absorbed.unfinished += 1;
                continue;
            }
            rows::save_task(self.conn, self.key, key, &task, None)?;
            if task.archived {
                absorbed.archived += 1;
            } else {
                absorbed.waiting += 1;
            }
        }
        Ok(absorbed)
    }

    /// Entries of the stream, and the position that the stream has reached.
    pub(crate) fn results(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<gristmill_domain::ledger::Settled>, u64), Failure> {
        Ok((
            rows::results(self.conn, self.key, after, limit)?,
            self.account.last_seq,
        ))
    }

    pub(crate) fn attempts(&self, id: TaskId) -> Result<Vec<gristmill_domain::ledger::Attempt>, Fault> {
        rows::attempts(self.conn, self.key, id)
    }
}
