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
use gristmill_domain::id::TaskId;
use gristmill_domain::work::{Output, Report, Task, Work};
use gristmill_ports::ledger::{Begin, Fence, Ledger, Nonce, Outcome, VoidProof};
use gristmill_ports::limiter::{Limiter, Permit};
use gristmill_ports::model::{CallError, Scope};
use gristmill_ports::queue::Delivery;
use gristmill_proto::{Envelope, encode_report};

use crate::examine::examine;
use crate::kit::{Kit, Model};
use crate::lease::Leases;

/// Wait before a task is tried again when the budget is held by others.
const NO_BUDGET_WAIT_MS: u64 = 200;
/// Attempts that a refusing endpoint gets, with growing waits, before the run is paused.
const REFUSALS_BEFORE_PAUSE: u32 = 8;

/// Everything an attempt needs.
pub(crate) struct Bench {
    pub(crate) kit: Kit,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) limiter: Arc<dyn Limiter>,
    pub(crate) leases: Arc<Leases>,
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
            Ok(envelope) if envelope.run != self.kit.run => {
                delivery
                    .receipt
                    .dead_letter(&format!("run {} is not worked on here", envelope.run))
                    .await
            }
            Ok(envelope) => match self.handle(&envelope.task).await {
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

    #[tracing::instrument(name = "attempt", skip_all, fields(task = %task.id, model = %task.model, stage = %task.address.step.stage()))]
    async fn handle(&self, task: &Task) -> Result<(), Unworkable> {
        match &task.work {
            Work::Embed { texts } => self.embed(task.id, texts).await,
            Work::Ask { request }
            | Work::Verify { request }
            | Work::Judge { request }
            | Work::Answer { request, .. } => self.complete(task, request).await,
        }
    }

    async fn complete(&self, task: &Task, request: &Request) -> Result<(), Unworkable> {
        let model = self
            .kit
            .models
            .get(&task.model)
            .ok_or_else(|| Unworkable(format!("model `{}` is not configured here", task.model)))?;
        if let Permit::Wait(wait) = self.limiter.acquire(&task.model).await {
            self.tell("defer", || self.ledger.defer(self.kit.run, task.id, millis(wait)))
                .await;
            return Ok(());
        }
        let Ok(_slot) = model.slots.acquire().await else {
            return Ok(());
        };
        let worst = model.price.worst_case(request);
        let Some(fence) = self.begin(task.id, worst).await else {
            return Ok(());
        };
        let held = self.leases.hold(fence);
        let end = self.call(model, task, request, worst, fence).await;
        drop(held);
        self.finish(fence, end).await;
        Ok(())
    }

    async fn begin(&self, task: TaskId, worst: Amount) -> Option<Fence> {
        let nonce = Nonce(rand::random());
        let begin = self
            .tell("begin", || self.ledger.begin(self.kit.run, task, nonce, worst))
            .await?;
        match begin {
            Begin::Granted { fence, .. } => Some(fence),
            Begin::NoBudgetNow(_) => {
                self.tell("defer", || {
                    self.ledger.defer(self.kit.run, task, NO_BUDGET_WAIT_MS)
                })
                .await;
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

    async fn call(&self, model: &Model, task: &Task, request: &Request, worst: Amount, fence: Fence) -> End {
        let response = match tokio::time::timeout(model.timeout, model.chat.complete(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return self.failed(task, error, fence.attempt).await,
            Err(_) => {
                let reason = format!(
                    "`{}` did not answer within {} s",
                    task.model,
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
        let outcome = match examine(&self.kit, &task.work, &response).await {
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

    async fn failed(&self, task: &Task, error: CallError, attempt: u32) -> End {
        match error {
            CallError::Unknown { reason, retry_after } => {
                if let Some(pause) = retry_after {
                    self.limiter.cool_down(&task.model, pause).await;
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
                    self.tell("pause", || self.ledger.pause(self.kit.run, &reason))
                        .await;
                    End::Void {
                        reason,
                        wait: Duration::ZERO,
                    }
                }
                Scope::Throttled => {
                    if attempt >= REFUSALS_BEFORE_PAUSE && retry_after.is_none() {
                        self.tell("pause", || self.ledger.pause(self.kit.run, &reason))
                            .await;
                    }
                    let wait = retry_after.map_or_else(|| backoff(attempt), spread);
                    if let Some(pause) = retry_after {
                        self.limiter.cool_down(&task.model, pause).await;
                    }
                    End::Void { reason, wait }
                }
            },
        }
    }

    async fn embed(&self, task: TaskId, texts: &[String]) -> Result<(), Unworkable> {
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
        let Some(fence) = self.begin(task, worst).await else {
            return Ok(());
        };
        let held = self.leases.hold(fence);
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
        let run = self.kit.run;
        match end {
            End::Settled { actual, outcome } => {
                self.tell("settle", || {
                    self.ledger.settle(run, fence, actual, outcome.clone())
                })
                .await;
            }
            End::Void { reason, wait } => {
                tracing::debug!(reason, "not billed");
                let proof = VoidProof { reason };
                self.tell("void", || {
                    self.ledger.void(run, fence, proof.clone(), millis(wait))
                })
                .await;
            }
            End::Burn { reason, wait } => {
                tracing::warn!(reason, "the cost is unknown: the worst case is booked");
                self.tell("burn", || self.ledger.burn(run, fence, &reason, millis(wait)))
                    .await;
            }
        }
    }

    /// Sends one ledger operation, and the same again while the store fails. Given up, the lease runs out and the worst case
    /// is booked: late, never wrong.
    async fn tell<T, F>(&self, verb: &'static str, operation: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, gristmill_ports::ledger::Error>>,
    {
        use backoff::backoff::Backoff;
        let mut pauses = backoff::ExponentialBackoffBuilder::new()
            .with_initial_interval(Duration::from_millis(50))
            .with_max_elapsed_time(Some(Duration::from_secs(20)))
            .build();
        loop {
            match operation().await {
                Ok(value) => return Some(value),
                Err(error @ gristmill_ports::ledger::Error::Store { .. }) => match pauses.next_backoff() {
                    Some(pause) => {
                        tracing::warn!(
                            verb,
                            error = &error as &dyn std::error::Error,
                            "the ledger failed; the same is sent again"
                        );
                        tokio::time::sleep(pause).await;
                    }
                    None => return None,
                },
                Err(error) => {
                    tracing::error!(
                        verb,
                        error = &error as &dyn std::error::Error,
                        "the ledger refused"
                    );
                    return None;
                }
            }
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

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// Half a second, doubled with each attempt up to a minute, spread by a quarter so that workers do not come back together.
fn backoff(attempt: u32) -> Duration {
    spread(
        Duration::from_millis(500)
            .saturating_mul(1 << attempt.saturating_sub(1).min(7))
            .min(Duration::from_secs(60)),
    )
}

fn spread(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + 0.25 * rand::random::<f64>())
}
