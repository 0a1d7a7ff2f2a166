//! One delivery, from the queue's hands to the ledger's books: permit → begin → one request → examine → settle → ack.
//!
//! | begin answers | the delivery |
//! |---|---|
//! | granted | is worked on, settled, acked |
//! | busy, not due | acked: the sweep publishes the task again when its time has come |
//! | already settled, failed, cancelled, closed | acked: nothing is left to do |
//! | paused, frozen | acked: the sweep publishes again once the account is active |
//! | no budget now | deferred, acked: others may settle below their worst case |
//! | no budget | acked: the coordinator fails what can never be paid for |

use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::chat::Request;
use gristmill_domain::work::{Output, Report, Task, Work};
use gristmill_ports::ledger::{Begin, Fence, Ledger, Nonce, Outcome, Settle, VoidProof};
use gristmill_ports::limiter::{Limiter, Permit};
use gristmill_ports::model::{CallError, Scope};
use gristmill_ports::queue::Delivery;
use gristmill_proto::{Envelope, encode_report};

use crate::board::Handle;
use crate::examine::examine;
use crate::kit::{Kit, Kits, Model, NoKit};
use crate::lease::Leases;
use crate::pace::{backoff, millis, spread};
use crate::tell::tell;

/// Wait before a task is tried again when the budget is held by others.
const NO_BUDGET_WAIT_MS: u64 = 200;
/// Attempts that a refusing endpoint gets, with growing waits, before the run is paused.
const REFUSALS_BEFORE_PAUSE: u32 = 8;
/// Wait before a task is tried again whose run cannot be worked on yet.
const NO_KIT_WAIT: Duration = Duration::from_secs(5);

/// What all attempts of a worker share.
pub(crate) struct Bench {
    pub(crate) kits: Arc<dyn Kits>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) limiter: Arc<dyn Limiter>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) handle: Handle,
}

/// One delivery's place at the bench.
struct Place<'a> {
    bench: &'a Bench,
    kit: &'a Kit,
    task: &'a Task,
}

/// How an attempt ended, before the ledger is told.
enum End {
    Settled { actual: Amount, outcome: Outcome },
    Void { reason: String, wait: Duration },
    Burn { reason: String, wait: Duration },
}

impl Bench {
    /// Works on one delivery. Whatever happens, the ledger can tell what it cost.
    pub(crate) async fn work_on(&self, delivery: Delivery) {
        let done = match Envelope::decode(&delivery.envelope) {
            Err(error) => delivery.receipt.dead_letter(&error.to_string()).await,
            Ok(envelope) => match self.handle(&envelope).await {
                Ok(()) => delivery.receipt.ack().await,
                Err(Unworkable(reason)) => delivery.receipt.dead_letter(&reason).await,
            },
        };
        if let Err(error) = done {
            // The message comes again, and begin will say that there is nothing to do.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the queue did not take the receipt"
            );
        }
    }

    #[tracing::instrument(
        name = "attempt",
        skip_all,
        fields(run = %envelope.run, task = %envelope.task.id, model = %envelope.task.model, stage = %envelope.task.address.step.stage())
    )]
    async fn handle(&self, envelope: &Envelope) -> Result<(), Unworkable> {
        let task = &envelope.task;
        let _in_hand = self.handle.take(task.address.step.stage());
        let kit = match self.kits.kit(envelope.run).await {
            Ok(kit) => kit,
            Err(NoKit::NotYet(reason)) => {
                tracing::warn!(reason, "the task is put off");
                let wait = millis(spread(NO_KIT_WAIT));
                tell("defer", || self.ledger.defer(envelope.run, task.id, wait)).await;
                return Ok(());
            }
            Err(NoKit::Never(reason)) => return Err(Unworkable(reason)),
        };
        let place = Place {
            bench: self,
            kit: &kit,
            task,
        };
        match &task.work {
            Work::Embed { texts } => place.embed(texts).await,
            Work::Ask { request }
            | Work::Verify { request }
            | Work::Judge { request }
            | Work::Answer { request, .. } => place.complete(request).await,
        }
    }
}

impl Place<'_> {
    async fn complete(&self, request: &Request) -> Result<(), Unworkable> {
        let name = &self.task.model;
        let model = self
            .kit
            .models
            .get(name)
            .ok_or_else(|| Unworkable(format!("model `{name}` is not configured here")))?;
        if let Permit::Wait(wait) = self.bench.limiter.acquire(name).await {
            self.defer(millis(wait)).await;
            return Ok(());
        }
        let Ok(_slot) = model.slots.acquire().await else {
            return Ok(());
        };
        let worst = model.price.worst_case(request);
        let Some(fence) = self.begin(worst).await else {
            return Ok(());
        };
        let held = self.bench.leases.hold(self.kit.run, fence);
        let end = self.call(model, request, worst, fence).await;
        drop(held);
        self.finish(fence, end).await;
        Ok(())
    }

    async fn defer(&self, wait_ms: u64) {
        let (ledger, run, task) = (&self.bench.ledger, self.kit.run, self.task.id);
        tell("defer", || ledger.defer(run, task, wait_ms)).await;
    }

    async fn pause(&self, reason: &str) {
        let (ledger, run) = (&self.bench.ledger, self.kit.run);
        tell("pause", || ledger.pause(run, reason)).await;
    }

    async fn begin(&self, worst: Amount) -> Option<Fence> {
        let (ledger, run, task) = (&self.bench.ledger, self.kit.run, self.task.id);
        let nonce = Nonce(rand::random());
        match tell("begin", || ledger.begin(run, task, nonce, worst)).await? {
            Begin::Granted { fence, .. } => Some(fence),
            Begin::NoBudgetNow(_) => {
                self.defer(NO_BUDGET_WAIT_MS).await;
                None
            }
            Begin::Busy { .. }
            | Begin::NotDue { .. }
            | Begin::AlreadySettled
            | Begin::Failed
            | Begin::Paused
            | Begin::Frozen
            | Begin::Cancelled
            | Begin::Closed
            | Begin::NoBudget(_) => None,
        }
    }

    async fn call(&self, model: &Model, request: &Request, worst: Amount, fence: Fence) -> End {
        let response = match tokio::time::timeout(model.timeout, model.chat.complete(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return self.failed(error, fence.attempt).await,
            Err(_) => {
                let reason = format!(
                    "`{}` did not answer within {} s",
                    self.task.model,
                    model.timeout.as_secs()
                );
                return End::Burn {
                    reason,
                    wait: backoff(fence.attempt),
                };
            }
        };
        // Without a word on usage the worst case is what it may have cost: never zero.
        let actual = response.usage.map_or(worst, |usage| model.price.cost(usage));
        let outcome = match examine(self.kit, &self.task.work, &response).await {
            Ok(output) => done(output, response.model_version),
            Err(unverifiable) => {
                tracing::error!(reason = unverifiable.0, "an answer could not be verified");
                Outcome::Failed {
                    reason: unverifiable.0,
                }
            }
        };
        End::Settled { actual, outcome }
    }

    async fn failed(&self, error: CallError, attempt: u32) -> End {
        match error {
            CallError::Unknown { reason, retry_after } => {
                if let Some(pause) = retry_after {
                    self.bench.limiter.cool_down(&self.task.model, pause).await;
                }
                End::Burn {
                    reason,
                    wait: retry_after.unwrap_or_else(|| backoff(attempt)),
                }
            }
            CallError::NotBilled {
                reason,
                retry_after,
                scope,
            } => match scope {
                Scope::Request => End::Settled {
                    actual: Amount::ZERO,
                    outcome: Outcome::Failed { reason },
                },
                Scope::Endpoint | Scope::Quota => {
                    self.pause(&reason).await;
                    End::Void {
                        reason,
                        wait: Duration::ZERO,
                    }
                }
                Scope::Throttled => {
                    if attempt >= REFUSALS_BEFORE_PAUSE && retry_after.is_none() {
                        self.pause(&reason).await;
                    }
                    let wait = retry_after.map_or_else(|| backoff(attempt), spread);
                    if let Some(pause) = retry_after {
                        self.bench.limiter.cool_down(&self.task.model, pause).await;
                    }
                    End::Void { reason, wait }
                }
            },
        }
    }

    async fn embed(&self, texts: &[String]) -> Result<(), Unworkable> {
        let embedder = self
            .kit
            .embedder
            .as_ref()
            .ok_or_else(|| Unworkable("no embedding model is configured here".into()))?;
        let bytes: usize = texts.iter().map(String::len).sum();
        // A byte is at least a token; each text adds its two markers.
        let worst = Amount {
            calls: 1,
            input_tokens: (bytes + 2 * texts.len()) as u64,
            ..Amount::ZERO
        };
        let Some(fence) = self.begin(worst).await else {
            return Ok(());
        };
        let held = self.bench.leases.hold(self.kit.run, fence);
        let end = match embedder.embed(texts).await {
            Ok(embedded) => End::Settled {
                actual: Amount {
                    calls: 1,
                    input_tokens: embedded.input_tokens,
                    ..Amount::ZERO
                },
                outcome: done(Output::Vectors(embedded.vectors), embedder.model().to_owned()),
            },
            Err(CallError::NotBilled {
                reason,
                scope: Scope::Request,
                ..
            }) => End::Settled {
                actual: Amount::ZERO,
                outcome: Outcome::Failed { reason },
            },
            Err(CallError::NotBilled { reason, .. }) => End::Void {
                reason,
                wait: backoff(fence.attempt),
            },
            Err(CallError::Unknown { reason, .. }) => End::Burn {
                reason,
                wait: backoff(fence.attempt),
            },
        };
        drop(held);
        self.finish(fence, end).await;
        Ok(())
    }

    async fn finish(&self, fence: Fence, end: End) {
        let (ledger, run) = (&self.bench.ledger, self.kit.run);
        let told = match end {
            End::Settled { actual, outcome } => {
                tell("settle", || ledger.settle(run, fence, actual, outcome.clone())).await
            }
            End::Void { reason, wait } => {
                tracing::debug!(reason, "not billed");
                let proof = VoidProof { reason };
                tell("void", || ledger.void(run, fence, proof.clone(), millis(wait))).await
            }
            End::Burn { reason, wait } => {
                tracing::warn!(reason, "the cost is unknown: the worst case is booked");
                tell("burn", || ledger.burn(run, fence, &reason, millis(wait))).await
            }
        };
        match told {
            // Given up: the lease burns it.
            None => {}
            Some(Settle::Booked { .. } | Settle::Corrected { .. } | Settle::Already | Settle::Closed) => {}
            Some(Settle::Audited) => tracing::warn!("the run was closed before this attempt ended"),
            Some(Settle::Unknown) => tracing::error!("the ledger never granted this attempt"),
        }
    }
}

/// The message can never be worked on here.
struct Unworkable(String);

fn done(output: Output, model_version: String) -> Outcome {
    match encode_report(&Report {
        output,
        model_version,
    }) {
        Ok(bytes) => Outcome::Done(bytes),
        Err(error) => Outcome::Failed {
            reason: error.to_string(),
        },
    }
}
