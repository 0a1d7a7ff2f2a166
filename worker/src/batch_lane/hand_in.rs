//! Hands a batch in: begin each task, write down what is in it, submit, write down what the provider calls it.

use std::time::Duration;

use backoff::backoff::Backoff;
use futures::stream::{self, StreamExt};
use gristmill_domain::amount::Amount;
use gristmill_domain::refusal::with_advice;
use gristmill_domain::work::Task;
use gristmill_ports::batch::{BatchId, BatchJob, BatchJobError, BatchRequest};
use gristmill_ports::model::{CallError, Scope};

use super::contents::{self, Item};
use super::{BatchLane, HOLD, LENT, Waiting};
use crate::bench::{AttemptContext, Bench};
use crate::call::{End, needs_a_person};
use crate::lease::Held;
use crate::meter::{self, Batched};
use crate::run_context::{BatchLine, RunContext};
use crate::tell::{pauses, tell};
use crate::wait::{backoff, millis, spread};

/// Attempts that are begun, and ended, at once.
pub(super) const AT_ONCE: usize = 64;
/// Wait before tasks are tried again whose batch could not be written down.
const NOT_STORED_WAIT: Duration = Duration::from_secs(10);
/// Time after which writing a batch job is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// An attempt of a batch, its lease kept alive until the batch is out.
struct Begun {
    item: Item,
    _held: Held,
}

/// Says the same again while the batch jobs fail.
pub(super) async fn insist<T, F>(operation: impl Fn() -> F) -> Result<T, BatchJobError>
where
    F: Future<Output = Result<T, BatchJobError>>,
{
    let mut pauses = pauses(GIVE_UP_AFTER);
    loop {
        match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => match pauses.next_backoff() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            },
        }
    }
}

/// The most that a task of a batch may cost.
fn worst_case(context: &RunContext, task: &Task) -> Amount {
    let price = context.models.get(&task.model).map(|model| model.price);
    price
        .zip(task.work.request())
        .map_or(Amount::ZERO, |(price, request)| price.worst_case(request))
}

impl BatchLane {
    /// Begins the tasks, and hands those in that were granted.
    pub(super) async fn hand_in(
        &self,
        bench: &Bench,
        context: &RunContext,
        line: &BatchLine,
        batch: Vec<Waiting>,
    ) {
        // Others' batches hold it: it is looked at as often as they are.
        let no_budget = spread(line.poll_every);
        let begins: Vec<_> = batch
            .iter()
            .map(|waiting| {
                let task = &waiting.task;
                async move {
                    let fence = AttemptContext { bench, context, task }
                        .begin(worst_case(context, task), no_budget)
                        .await?;
                    let task = task.clone();
                    Some(Begun {
                        item: Item { fence, task },
                        _held: bench.leases.hold(context.run, fence),
                    })
                }
            })
            .collect();
        let begun: Vec<Begun> = stream::iter(begins)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let mut parts = vec![begun];
        while let Some(part) = parts.pop() {
            if !part.is_empty() {
                parts.extend(
                    self.hand_in_part(bench, context, line, part)
                        .await
                        .into_iter()
                        .flatten(),
                );
            }
        }
    }

    /// Hands in one batch. Returns its halves where the provider takes no such batch: what is wrong may be a single request, or the size.
    async fn hand_in_part(
        &self,
        bench: &Bench,
        context: &RunContext,
        line: &BatchLine,
        part: Vec<Begun>,
    ) -> Option<[Vec<Begun>; 2]> {
        let items: Vec<Item> = part.iter().map(|begun| begun.item.clone()).collect();
        let group = Group {
            bench,
            context,
            items: &items,
        };
        let tag = format!("{:032x}", rand::random::<u128>());
        let _handing_in = HandingIn::new(self, &tag);
        if let Err(reason) = self.write_down(&group, &tag).await {
            tracing::error!(reason, "a batch is not handed in");
            group.void(&reason, spread(NOT_STORED_WAIT)).await;
            self.strike(&tag).await;
            return None;
        }
        let requests: Vec<BatchRequest> = items
            .iter()
            .filter_map(|item| {
                Some(BatchRequest {
                    custom_id: item.task.id.to_string(),
                    request: item.task.work.request()?.clone(),
                })
            })
            .collect();
        match line.model.submit(&tag, &requests).await {
            Ok(batch) => {
                tracing::info!(run = %context.run, model = group.model(), tasks = items.len(), "a batch is handed in");
                meter::batch(group.model(), Batched::HandedIn);
                self.name(&group, line, &tag, batch).await;
                None
            }
            Err(CallError::Unknown { reason, .. } | CallError::Unreadable { reason }) => {
                tracing::warn!(reason, "nobody knows whether a batch was taken in");
                meter::batch(group.model(), Batched::Unknown);
                // Its batch job stays: it is looked for by its name, and burned where it has none.
                None
            }
            Err(CallError::NotBilled {
                scope: Scope::Request,
                reason,
                ..
            }) => {
                self.strike(&tag).await;
                meter::batch(group.model(), Batched::Refused);
                if items.len() > 1 {
                    tracing::warn!(
                        reason,
                        tasks = items.len(),
                        "a batch is refused: it is tried in halves"
                    );
                    let mut left = part;
                    let right = left.split_off(left.len() / 2);
                    return Some([left, right]);
                }
                group.refused(reason).await;
                None
            }
            Err(CallError::NotBilled {
                scope,
                reason,
                retry_after,
            }) => {
                meter::batch(group.model(), Batched::Refused);
                if needs_a_person(scope, group.attempt(), retry_after) {
                    group.pause(&reason).await;
                }
                group
                    .void(
                        &reason,
                        retry_after.map_or_else(|| backoff(group.attempt()), spread),
                    )
                    .await;
                self.strike(&tag).await;
                None
            }
        }
    }

    /// Makes durable who is in the batch, before anything is sent.
    async fn write_down(&self, group: &Group<'_>, tag: &str) -> Result<(), String> {
        contents::write(group.context.blobs.as_ref(), tag, group.items)
            .await
            .map_err(|error| format!("what is in the batch could not be stored: {error}"))?;
        let batch_job = BatchJob {
            tag: tag.to_owned(),
            run: group.context.run,
            model: group.model().to_owned(),
            tasks: group.items.len() as u64,
            batch: None,
        };
        insist(|| self.batch_jobs.enter(&batch_job, &self.holder, HOLD))
            .await
            .map_err(|error| error.to_string())?;
        let (ledger, run) = (&group.bench.ledger, group.context.run);
        let fences: Vec<_> = group.items.iter().map(|item| item.fence).collect();
        let lent = tell("lend", || ledger.lend(run, &fences, millis(LENT))).await;
        match lent {
            Some(lent) if lent.len() == fences.len() => Ok(()),
            Some(_) => Err("some of its attempts ended before it was handed in".to_owned()),
            None => Err("its attempts could not be lent".to_owned()),
        }
    }

    /// Writes down what the provider calls a batch. Where that cannot be done, nobody would ever read it: it is called back, and burned.
    async fn name(&self, group: &Group<'_>, line: &BatchLine, tag: &str, batch: BatchId) {
        if let Err(error) = insist(|| self.batch_jobs.name(tag, &batch)).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a batch that was handed in is lost sight of: it is cancelled, and its worst case booked"
            );
            if let Err(error) = line.model.cancel(&batch).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "it could not be cancelled"
                );
            }
            group.burn("its batch was lost sight of").await;
            self.strike(tag).await;
        }
    }

    /// Forgets a batch job. One that stays by mistake is booked again, which changes nothing.
    pub(super) async fn strike(&self, tag: &str) {
        if let Err(error) = insist(|| self.batch_jobs.strike(tag)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a batch_job was not struck"
            );
        }
    }
}

/// Keeps this worker's own look around away from a batch job that is not complete yet.
struct HandingIn<'a> {
    lane: &'a BatchLane,
    tag: String,
}

impl<'a> HandingIn<'a> {
    fn new(lane: &'a BatchLane, tag: &str) -> Self {
        lane.handing_in().insert(tag.to_owned());
        Self {
            lane,
            tag: tag.to_owned(),
        }
    }
}

impl Drop for HandingIn<'_> {
    fn drop(&mut self) {
        self.lane.handing_in().remove(&self.tag);
        // Now it is complete, or over.
        self.lane.entered.notify_one();
    }
}

/// Attempts of one batch that end together.
pub(super) struct Group<'a> {
    pub(super) bench: &'a Bench,
    pub(super) context: &'a RunContext,
    pub(super) items: &'a [Item],
}

impl Group<'_> {
    fn model(&self) -> &str {
        self.items.first().map_or("", |item| item.task.model.as_str())
    }

    /// The number of the attempt that has been tried most often.
    pub(super) fn attempt(&self) -> u32 {
        self.items
            .iter()
            .map(|item| item.fence.attempt)
            .max()
            .unwrap_or(1)
    }

    pub(super) async fn pause(&self, reason: &str) {
        let (ledger, run) = (&self.bench.ledger, self.context.run);
        let reason = with_advice(reason);
        self.bench.contexts.doubt(run);
        tell("pause", || ledger.pause(run, &reason)).await;
    }

    /// Each was refused by itself: what becomes of it is that of a single call.
    async fn refused(&self, reason: String) {
        for item in self.items {
            let place = AttemptContext {
                bench: self.bench,
                context: self.context,
                task: &item.task,
            };
            let end = place.request_refused(reason.clone(), item.fence.attempt).await;
            place.finish(item.fence, end, None).await;
        }
    }

    /// Ends all of them; whether the ledger took every word.
    async fn end(&self, end: impl Fn(&Item) -> End) -> bool {
        let (bench, context) = (self.bench, self.context);
        let ends: Vec<_> = self
            .items
            .iter()
            .map(|item| {
                let (fence, task, end) = (item.fence, &item.task, end(item));
                async move {
                    AttemptContext { bench, context, task }
                        .finish(fence, end, None)
                        .await
                }
            })
            .collect();
        stream::iter(ends)
            .buffer_unordered(AT_ONCE)
            .fold(true, |all, told| std::future::ready(all & told))
            .await
    }

    pub(super) async fn void(&self, reason: &str, wait: Duration) -> bool {
        self.end(|_| End::Void {
            reason: reason.to_owned(),
            wait,
        })
        .await
    }

    pub(super) async fn burn(&self, reason: &str) -> bool {
        self.end(|item| End::Burn {
            reason: reason.to_owned(),
            wait: backoff(item.fence.attempt),
        })
        .await
    }
}
