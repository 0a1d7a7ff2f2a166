//! Requests that several of the ledger's operations share, and their arguments.

use gristmill_domain::amount::Amount;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{Fence, NewTask, Settle, Settled};
use gristmill_ports::ledger::Error as PortError;

use super::desk::{NUMBER_MAX, parts};
use super::{BATCH, RedisLedger, account, scripts};
use crate::script::Call;

impl RedisLedger {
    /// Sends a word about an attempt.
    pub(super) async fn say(
        &self,
        run: RunId,
        doing: &'static str,
        fence: Fence,
        word: Word<'_>,
    ) -> Result<Settle, PortError> {
        let mut call = self
            .desk
            .request(run, &scripts::RESOLVE)
            .arg(*fence.task.as_bytes())
            .number(fence.attempt.into())
            .arg(fence.nonce.0.to_be_bytes())
            .arg(word.kind);
        for part in parts(word.actual) {
            call = call.number(part.min(NUMBER_MAX));
        }
        let call = call
            .arg(word.outcome)
            .arg(word.text)
            .number(word.wait_ms.min(NUMBER_MAX));
        self.desk.ask(run, doing, &call).await?.read(account::settle)
    }

    pub(super) async fn order(
        &self,
        run: RunId,
        doing: &'static str,
        order: &str,
        reason: &str,
    ) -> Result<(), PortError> {
        let call = self.desk.request(run, &scripts::ORDER).arg(order).arg(reason);
        self.desk.ask(run, doing, &call).await.map(drop)
    }

    pub(super) async fn read_results(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Settled>, PortError> {
        let call = self
            .desk
            .request(run, &scripts::RESULTS)
            .number(after.min(NUMBER_MAX))
            .number(limit.min(BATCH) as u64);
        let answer = self.desk.ask(run, "read the results", &call).await?;
        answer.read(|reply| reply.each(account::settled))
    }

    /// Makes leases last one lease from now, or this long.
    pub(super) async fn extend(
        &self,
        run: RunId,
        doing: &'static str,
        fences: &[Fence],
        lease_ms: Option<u64>,
    ) -> Result<Vec<Fence>, PortError> {
        let mut alive = Vec::with_capacity(fences.len());
        for batch in batches(fences) {
            let span = lease_ms.map(|ms| ms.min(NUMBER_MAX).to_string());
            let mut call = self
                .desk
                .request(run, &scripts::RENEW)
                .arg(span.unwrap_or_default());
            for fence in batch {
                call = call
                    .arg(*fence.task.as_bytes())
                    .number(fence.attempt.into())
                    .arg(fence.nonce.0.to_be_bytes());
            }
            let answer = self.desk.ask(run, doing, &call).await?;
            alive.extend(answer.read(|reply| {
                let mut places = reply.list()?;
                let mut renewed = Vec::new();
                while !places.is_over() {
                    let place: usize = places.count()?;
                    let fence = batch
                        .get(place)
                        .ok_or_else(|| places.wrong("a place beyond the list"))?;
                    renewed.push(*fence);
                }
                Ok(renewed)
            })?);
        }
        Ok(alive)
    }
}

/// What is said about an attempt; see `resolve.lua`.
pub(super) struct Word<'a> {
    pub(super) kind: &'static str,
    pub(super) actual: Amount,
    pub(super) outcome: &'static str,
    pub(super) text: &'a [u8],
    pub(super) wait_ms: u64,
}

/// Batches of a list; one empty batch of an empty list, so that run and epoch are checked all the same.
pub(super) fn batches<T>(list: &[T]) -> impl Iterator<Item = &[T]> {
    let empty = list.is_empty().then_some(&[][..]);
    list.chunks(BATCH).chain(empty)
}

pub(super) fn with_ids<'a>(call: Call<'a>, tasks: &[TaskId]) -> Call<'a> {
    tasks.iter().fold(call, |call, task| call.arg(*task.as_bytes()))
}

/// A task to open, as six arguments.
pub(super) fn with_task(call: Call<'_>, task: NewTask) -> Call<'_> {
    call.arg(*task.id.as_bytes())
        .arg(task.stage.name())
        .arg(task.model)
        .arg(task.payload)
        .number(task.max_attempts.into())
        .number(task.max_voids.into())
}
