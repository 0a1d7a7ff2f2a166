//! One look at a batch: how far it is, and once it has ended, what it brought.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use gristmill_ports::batch::{BatchId, BatchJob, BatchResult, BatchState};
use gristmill_ports::ledger::AccountState;
use gristmill_ports::model::{CallError, Scope};

use tracing::Instrument;

use super::contents::{self, Item};
use super::hand_in::{AT_ONCE, Group, insist};
use crate::bench::{AttemptContext, Bench};
use crate::call::{End, REFUSALS_BEFORE_PAUSE, needs_a_person};
use crate::lease::Held;
use crate::meter::{self, Batched};
use crate::run_context::{BatchLine, NoContext, RunContext};
use crate::tell::tell;
use crate::wait::{backoff, spread};

/// Wait before a batch is looked at again whose run cannot be worked on yet, or whose contents cannot be read.
const NOT_YET_WAIT: Duration = Duration::from_secs(5);
/// Looks become rarer up to so many times the first wait.
const RARER_MAX: u32 = 10;
/// Looks refused by an endpoint, one after the other, after which a person should know.
const REFUSED_LOOKS: u32 = 3;

/// What a worker knows of a batch that it looks after.
#[derive(Default)]
pub(super) struct Tended {
    /// What is not booked yet, by the name that the provider knows it by; `None` until it is read.
    items: Option<HashMap<String, Item>>,
    /// Keeps the attempts alive beside the loan, and so shows the ledger what it was told.
    held: Vec<Held>,
    /// The last wait.
    wait: Duration,
    /// Refused looks, one after the other.
    refused: u32,
    /// The provider was told to end it.
    cancelled: bool,
}

/// A batch after a look at it.
pub(super) enum Look {
    /// To be looked at again after this.
    Again(Tended, Duration),
    /// Everything in it is booked, or nothing of it ever will be.
    Over,
}

/// A batch being looked at.
struct Looking<'a> {
    bench: &'a Bench,
    context: &'a RunContext,
    line: &'a BatchLine,
    batch_job: &'a BatchJob,
}

impl Bench {
    /// Looks at a batch.
    pub(super) async fn look(&self, batch_job: &BatchJob, mut tended: Tended) -> Look {
        let context = match self.contexts.context(batch_job.run).await {
            Ok(context) => context,
            Err(NoContext::NotYet(reason)) => {
                tracing::warn!(run = %batch_job.run, reason, "a batch waits");
                return Look::Again(tended, spread(NOT_YET_WAIT));
            }
            Err(NoContext::Never(reason)) => {
                tracing::error!(run = %batch_job.run, reason, "a batch is forgotten: nobody can book it any more");
                self.lane.strike(&batch_job.tag).await;
                return Look::Over;
            }
        };
        let Some(line) = context
            .models
            .get(&batch_job.model)
            .and_then(|model| model.batch.as_ref())
        else {
            tracing::error!(run = %batch_job.run, model = batch_job.model, "a batch waits: its model is not asked in batches any more");
            return Look::Again(tended, spread(NOT_YET_WAIT));
        };
        if tended.items.is_none() {
            match contents::read(context.blobs.as_ref(), &batch_job.tag).await {
                Ok(items) => tended.take(self, batch_job, items),
                Err(error) => {
                    tracing::error!(run = %batch_job.run, error = &error as &dyn std::error::Error, "what is in a batch cannot be read");
                    return Look::Again(tended, spread(NOT_YET_WAIT));
                }
            }
        }
        let looking = Looking {
            bench: self,
            context: &context,
            line,
            batch_job,
        };
        match looking.look(&mut tended).await {
            Ok(true) => {
                self.lane.strike(&batch_job.tag).await;
                Look::Over
            }
            Ok(false) => {
                let wait = tended.rarer(line.poll_every);
                Look::Again(tended, spread(wait))
            }
            Err(error) => looking.refused(tended, error).await,
        }
    }
}

impl Tended {
    fn take(&mut self, bench: &Bench, batch_job: &BatchJob, items: Vec<Item>) {
        self.held = items
            .iter()
            .map(|item| bench.leases.hold(batch_job.run, item.fence))
            .collect();
        let named = items.into_iter().map(|item| (item.task.id.to_string(), item));
        self.items = Some(named.collect());
    }

    fn rarer(&mut self, first: Duration) -> Duration {
        self.wait = if self.wait.is_zero() {
            first
        } else {
            (self.wait * 3 / 2).min(first * RARER_MAX)
        };
        self.wait
    }

    fn all(&self) -> Vec<Item> {
        self.items.iter().flat_map(HashMap::values).cloned().collect()
    }
}

impl Looking<'_> {
    /// Whether everything is booked.
    async fn look(&self, tended: &mut Tended) -> Result<bool, CallError> {
        let Some(batch) = self.named().await? else {
            tracing::warn!(run = %self.batch_job.run, model = self.batch_job.model, "a batch may have been handed in, and cannot be found: its worst case is booked");
            meter::batch(&self.batch_job.model, Batched::Lost);
            let items = tended.all();
            return Ok(self
                .group(&items)
                .burn("nobody knows whether its batch was taken in")
                .await);
        };
        let state = self.line.model.poll(&batch).await?;
        match state {
            BatchState::Working { ended, total } => {
                tracing::debug!(run = %self.batch_job.run, model = self.batch_job.model, ended, total, "a batch is worked on");
                self.cancel_with_its_run(tended, &batch).await?;
                tended.refused = 0;
                Ok(false)
            }
            BatchState::Refused { reason } => {
                meter::batch(&self.batch_job.model, Batched::Refused);
                let items = tended.all();
                let group = self.group(&items);
                if group.attempt() >= REFUSALS_BEFORE_PAUSE {
                    group.pause(&reason).await;
                }
                Ok(group
                    .void(&reason, backoff(group.attempt()).max(self.line.poll_every))
                    .await)
            }
            BatchState::Ended { answered, total } => {
                tracing::info!(run = %self.batch_job.run, model = self.batch_job.model, answered, total, "a batch has ended");
                let results = self.line.model.results(&batch).await?;
                let over = self.book(tended, results).await?;
                tended.refused = 0;
                if over {
                    meter::batch(&self.batch_job.model, Batched::Ended);
                }
                Ok(over)
            }
        }
    }

    fn group<'g>(&'g self, items: &'g [Item]) -> Group<'g> {
        Group {
            bench: self.bench,
            context: self.context,
            items,
        }
    }

    /// What the provider calls the batch. Whoever handed it in may have died, or heard nothing, before that was known.
    async fn named(&self) -> Result<Option<BatchId>, CallError> {
        if let Some(batch) = &self.batch_job.batch {
            return Ok(Some(batch.clone()));
        }
        let Some(batch) = self.line.model.find(&self.batch_job.tag).await? else {
            return Ok(None);
        };
        let batch_jobs = &self.bench.lane.batch_jobs;
        if let Err(error) = insist(|| batch_jobs.name(&self.batch_job.tag, &batch)).await {
            // It is found again at the next look.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a batch_job was not completed"
            );
        }
        Ok(Some(batch))
    }

    /// Nobody waits for what a cancelled run asked.
    async fn cancel_with_its_run(&self, tended: &mut Tended, batch: &BatchId) -> Result<(), CallError> {
        let run = self.batch_job.run;
        let account = tell("account", || self.bench.ledger.account(run)).await;
        if account.is_some_and(|account| account.state == AccountState::Cancelled) && !tended.cancelled {
            self.line.model.cancel(batch).await?;
            (tended.cancelled, tended.wait) = (true, Duration::ZERO);
        }
        Ok(())
    }

    /// Books every result; whether nothing is left. What no result names has an unknown outcome.
    async fn book(
        &self,
        tended: &mut Tended,
        results: BoxStream<'static, Result<BatchResult, CallError>>,
    ) -> Result<bool, CallError> {
        let items = tended.items.take().unwrap_or_default();
        let mut booked = results
            .map(|result| async {
                let BatchResult { custom_id, result } = result?;
                let told = match items.get(&custom_id) {
                    Some(item) => self.book_one(item, result).instrument(self.span(item)).await,
                    // Booked by an earlier look, or never asked.
                    None => true,
                };
                Ok((custom_id, told))
            })
            .buffer_unordered(AT_ONCE);
        let (mut seen, mut told, mut broken) = (HashSet::new(), HashSet::new(), None);
        while let Some(one) = booked.next().await {
            match one {
                Ok((name, was_told)) => {
                    if was_told {
                        told.insert(name.clone());
                    }
                    seen.insert(name);
                }
                Err(error) => broken = Some(error),
            }
        }
        drop(booked);
        let mut left = items;
        left.retain(|name, _| !told.contains(name));
        if let Some(error) = broken {
            tended.items = Some(left);
            return Err(error);
        }
        let unnamed: Vec<Item> = left
            .iter()
            .filter(|(name, _)| !seen.contains(*name))
            .map(|(_, item)| item.clone())
            .collect();
        let burned = self
            .group(&unnamed)
            .burn("the batch has ended, and its results do not name the request")
            .await;
        if burned {
            left.retain(|name, _| seen.contains(name));
        }
        let over = left.is_empty();
        tended.items = Some(left);
        Ok(over)
    }

    /// As that of a single call.
    fn span(&self, item: &Item) -> tracing::Span {
        let task = &item.task;
        tracing::info_span!(
            "attempt",
            run = %self.batch_job.run,
            task = %task.id,
            model = %task.model,
            stage = %task.address.step.stage
        )
    }

    async fn book_one(
        &self,
        item: &Item,
        result: Result<gristmill_domain::chat::Response, CallError>,
    ) -> bool {
        let (bench, context, task) = (self.bench, self.context, &item.task);
        let place = AttemptContext { bench, context, task };
        let end = match result {
            Ok(response) => match (context.models.get(&task.model), task.work.request()) {
                (Some(model), Some(request)) => {
                    bench.trials.answered(context.run, task);
                    place.answered(model, request, response).await
                }
                (None, _) | (_, None) => return false,
            },
            Err(CallError::Unreadable { reason }) => match context.models.get(&task.model) {
                Some(model) => place.unreadable(model, reason, item.fence.attempt).await,
                None => return false,
            },
            Err(error) => self.unanswered(place, item, error).await,
        };
        place.finish(item.fence, end, None).await
    }

    /// A request of a batch that brought no answer.
    async fn unanswered(&self, place: AttemptContext<'_>, item: &Item, error: CallError) -> End {
        let attempt = item.fence.attempt;
        match error {
            CallError::Unknown { reason, .. } | CallError::Unreadable { reason } => End::Burn {
                reason,
                wait: backoff(attempt),
            },
            CallError::NotBilled {
                reason,
                scope: Scope::Request,
                ..
            } => place.request_refused(reason, attempt).await,
            CallError::NotBilled {
                reason,
                scope,
                retry_after,
            } => {
                if needs_a_person(scope, attempt, retry_after) {
                    self.group(std::slice::from_ref(item)).pause(&reason).await;
                }
                End::Void {
                    reason,
                    wait: retry_after.map_or_else(|| backoff(attempt), spread),
                }
            }
        }
    }

    /// A look that brought nothing. It is free, so that it may be made again; a batch that the provider does not know any more is over once
    /// nothing of it is in flight.
    async fn refused(&self, mut tended: Tended, error: CallError) -> Look {
        tended.refused += 1;
        let (reason, wait, refusal) = match error {
            CallError::Unknown { reason, retry_after } => (reason, retry_after, false),
            CallError::Unreadable { reason } => (reason, None, false),
            CallError::NotBilled {
                reason,
                retry_after,
                scope,
            } => (reason, retry_after, scope != Scope::Throttled),
        };
        tracing::warn!(run = %self.batch_job.run, model = self.batch_job.model, reason, "a look at a batch brought nothing");
        if refusal && tended.refused >= REFUSED_LOOKS {
            let items = tended.all();
            let fences: Vec<_> = items.iter().map(|item| item.fence).collect();
            let (ledger, run) = (&self.bench.ledger, self.batch_job.run);
            match tell("renew", || ledger.renew(run, &fences)).await {
                Some(alive) if alive.is_empty() => {
                    self.bench.lane.strike(&self.batch_job.tag).await;
                    return Look::Over;
                }
                Some(_) | None => self.group(&items).pause(&reason).await,
            }
        }
        let wait = wait.unwrap_or_else(|| tended.rarer(self.line.poll_every));
        Look::Again(tended, spread(wait))
    }
}
