//! Lost writes noticed and made good, and memory given back.
//!
//! **What is noticed.** Every call shows which server process it is sent to ([`crate::ServerId`]) and the newest write of the run that was
//! acknowledged to the caller. The account keeps the process that it was last whole in, and counts its writes.
//!
//! - In another process (restart, failover) `open`, `begin` and `due` are frozen until the coordinator has asked for the run's health for
//!   one lease. Every process that was told of a write shows it within five seconds of reaching the new server, whether it has work or not; a write
//!   that is not there breaks the account for good. When nobody objects, it is whole.
//! - Fewer tasks than the coordinator has stored results of: broken.
//!
//! **What that guarantees.** With `appendfsync always`, on a disk that keeps what it confirmed, a restart loses nothing that was acknowledged
//! and the wait is only a precaution. Where writes are lost after all (the log's end, a failover without
//! [`super::Options::replicas`]), a loss stays unnoticed only if every process that was told of the lost writes is gone as well
//! or cannot reach Redis for a whole lease, the coordinator included; then calls that were begun in the lost writes are missing in the books: at most those
//! of the processes that are gone. With `replicas` a grant is given out only when that many replicas have it, so that a failover to
//! one of them loses none. `WAIT` confirms memory, not disk (`WAITAOF` is Redis 7.2's): replicas need `appendfsync always` too where
//! all machines may lose power at once.
//!
//! **What it costs.** A restart stops new calls for one lease. A run that is submitted again within an hour of its release with nothing kept
//! counts as lost to processes that remember the old one, and is rebuilt: keep released runs for longer than that.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::Epoch;
use gristmill_ports::ledger::{Error as PortError, check_tasks};
use gristmill_ports::upkeep::{Holdings, StoreHealth, Survivor, Upkeep};

use super::desk::{Desk, NUMBER_MAX, countable, limit_args};
use super::{OPEN_MAX, RedisLedger, scripts};
use crate::connection::ServerId;

/// Between two looks at the server; far less than a lease.
const LOOK: Duration = Duration::from_secs(5);

/// Looks at the server for as long as the ledger is there, and shows a new one what this process was told by the old one.
pub(super) async fn watch(desk: Weak<Desk>) {
    let mut known: Option<ServerId> = None;
    while let Some(held) = desk.upgrade() {
        if let Some(server) = show(&held, known.as_ref()).await {
            known = Some(server);
        }
        drop(held);
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns the server once it was shown everything.
async fn show(desk: &Arc<Desk>, known: Option<&ServerId>) -> Option<ServerId> {
    // A broken connection is noticed by being used.
    desk.redis.command("PING", &redis::cmd("PING")).await.ok()?;
    let server = desk.redis.server_id().await.ok()?;
    if known != Some(&server) {
        for run in desk.remembered_runs() {
            let call = desk.request(run, &scripts::LOOK);
            match desk.ask(run, "looked for lost writes", &call).await {
                Ok(_) => {}
                Err(PortError::UnknownRun(_)) => desk.forget(run),
                Err(_) => return None,
            }
        }
    }
    Some(server)
}

#[async_trait]
impl Upkeep for RedisLedger {
    async fn health(&self, run: RunId, epoch: &Epoch, stored: u64) -> Result<StoreHealth, PortError> {
        let call = self
            .desk
            .led_request(run, epoch, &scripts::HEALTH)
            .number(stored.min(NUMBER_MAX));
        let answer = self
            .desk
            .ask_led(run, epoch, "looked for lost writes", &call)
            .await?;
        answer.read(|reply| match reply.text()?.as_str() {
            "whole" => Ok(StoreHealth::Whole),
            "waiting" => Ok(StoreHealth::Waiting {
                wait_ms: reply.number()?,
            }),
            "broken" => Ok(StoreHealth::Broken),
            other => Err(reply.wrong(format!("`{other}` is not a health"))),
        })
    }

    async fn survivors(&self, run: RunId, epoch: &Epoch) -> Result<Vec<Survivor>, PortError> {
        let call = self.desk.led_request(run, epoch, &scripts::SURVIVORS);
        let answer = self
            .desk
            .ask_led(run, epoch, "listed the tasks that are left", &call)
            .await;
        match answer {
            Err(PortError::UnknownRun(_)) => Ok(Vec::new()),
            answer => answer?.read(|reply| {
                reply.each(|fields| {
                    Ok(Survivor {
                        id: fields.task()?,
                        decided: fields.number()? == 1,
                    })
                })
            }),
        }
    }

    async fn rebuild(&self, run: RunId, epoch: &Epoch, holdings: Holdings) -> Result<u64, PortError> {
        let call = self.rebuild_call(run, epoch, holdings)?;
        let answer = self.desk.ask_led(run, epoch, "rebuilt the books", &call).await?;
        let rebuilt = answer.read(|reply| match reply.text()?.as_str() {
            "rebuilt" => Ok(Ok(reply.number()?)),
            "whole" => Ok(Ok(0)),
            "missing" => Ok(Err(reply.task()?)),
            other => Err(reply.wrong(format!("`{other}` answers no rebuild"))),
        })?;
        rebuilt.map_err(|task: TaskId| {
            PortError::Invalid(format!(
                "task {task} of run {run} is open in the ledger, and the holdings do not name it"
            ))
        })
    }

    async fn release(&self, run: RunId, keep: Duration) -> Result<bool, PortError> {
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(NUMBER_MAX);
        let call = self
            .desk
            .request(run, &scripts::RELEASE)
            .number(keep_ms.min(KEEP_MS_MAX));
        let answer = self.desk.ask(run, "released a run", &call).await;
        match answer {
            Err(PortError::UnknownRun(_)) => Ok(true),
            answer => {
                let released = answer?.read(|reply| Ok(reply.text()? == "released"))?;
                if released {
                    self.desk.forget(run);
                }
                Ok(released)
            }
        }
    }
}

/// Ten years: the sum with the server's clock stays a time that Redis takes.
const KEEP_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

impl RedisLedger {
    fn rebuild_call(
        &self,
        run: RunId,
        epoch: &Epoch,
        holdings: Holdings,
    ) -> Result<crate::script::Call<'static>, PortError> {
        if holdings.open.len() > OPEN_MAX {
            return Err(PortError::Invalid(format!(
                "{} open tasks are more than this ledger rebuilds: {OPEN_MAX}",
                holdings.open.len()
            )));
        }
        let account = holdings.account;
        let [usd, calls] = limit_args(account.limit)?;
        let mut call = self
            .desk
            .led_request(run, epoch, &scripts::REBUILD)
            .arg(account.price_hash)
            .arg(usd)
            .arg(calls)
            .number(account.lease_ms.min(NUMBER_MAX))
            .number(account.republish_ms.min(NUMBER_MAX))
            .number(holdings.last_seq.min(NUMBER_MAX))
            .number(holdings.stored.len() as u64)
            .number(holdings.stored_survivors.len() as u64)
            .number(holdings.open.len() as u64);
        for line in holdings.stored {
            call = call
                .arg(line.stage.name())
                .arg(line.model)
                .arg(super::account::ending_name(line.ending))
                .number(line.sum.tasks)
                .number(line.sum.attempts);
            for part in [line.sum.spent, line.sum.burned] {
                for part in countable("what is stored of a run", part)? {
                    call = call.number(part);
                }
            }
        }
        for task in holdings.stored_survivors {
            call = call.arg(*task.as_bytes());
        }
        for (task, worst) in holdings.open {
            check_tasks(std::slice::from_ref(&task))?;
            call = super::with_task(call, task);
            for part in countable("the worst case of an attempt", worst)? {
                call = call.number(part);
            }
        }
        Ok(call)
    }
}
