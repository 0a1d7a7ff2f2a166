//! One delivery, from the queue's hands to the ledger's books: place → permit → begin → one request → examine → settle → ack.
//!
//! A task whose model is asked in batches goes into the [`crate::batch_lane`] instead.
//!
//! Without a place, a permit or the limiter's word the task is deferred, its delivery acked, and no slot held. A task without a context here, or
//! that needs what this worker cannot do, is another's: its message goes back behind those that wait. It is deferred where no other can do it.
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
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::refusal::with_advice;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Work, embedding_worst_case};
use gristmill_ports::ledger::{Begin, Fence, Nonce, Settle, VoidProof};
use gristmill_ports::limiter::{Demand, PERMIT_VALID, Permit, Ticket};
use gristmill_ports::queue::{self, Delivery, Receipt};
use gristmill_proto::{Envelope, Error, SealedEnvelope};
use tokio::time::Instant;
use tracing::Instrument;

use crate::bench::{AttemptContext, Bench};
use crate::board::InHand;
use crate::call::{Called, End};
use crate::gate::{CallEnd, Entry};
use crate::meter::{self, Booked};
use crate::run_context::{Model, NoContext, RunContext};
use crate::tell::{tell, tell_paid};
use crate::wait::{millis, spread};

/// Wait before a task is tried again when the budget is held by others, who hold it for the time of a call.
const NO_BUDGET_WAIT: Duration = Duration::from_millis(200);
/// Age of a message up to which it is put back for other workers. Shorter than the time after which the coordinator publishes a task again: of an
/// older one another message may be there already, and each that is put back beside it would be one more.
const PUT_BACK_WITHIN: Duration = Duration::from_secs(8);
/// Wait before a task is published again whose message is older.
const LEFT_WAIT: Duration = Duration::from_secs(1);
/// The same where no worker can do it: its message is out of the way of what can be done.
const NOBODY_WAIT: Duration = Duration::from_secs(5);
/// Wait before a task is tried again for which the limiter could not be asked.
const NO_LIMITER_WAIT: Duration = Duration::from_secs(2);

/// A permit in hand.
struct Permitted {
    ticket: Ticket,
    asked_at: Instant,
}

impl Permitted {
    /// True when a call that leaves now would count in a minute that has no room kept for it.
    fn has_lapsed(&self) -> bool {
        self.asked_at.elapsed() > PERMIT_VALID
    }
}

/// What an envelope turned out to be.
enum Read {
    /// A task that this worker can do.
    Task(Box<Envelope>),
    /// A task that it cannot.
    Lacking { run: RunId, task: TaskId, need: String },
    /// No envelope of this version.
    Unreadable(Error),
}

/// The message can never be worked on here.
struct Unworkable(String);

/// What a delivery turned out to be.
pub(crate) enum Received {
    /// A task to work on here.
    Ready(Ready),
    /// A task for another worker, which can have it at once.
    Left,
    /// One that it can have in a moment, when the coordinator publishes it again.
    Deferred,
    /// Nothing that a worker can work on, now or ever.
    Gone,
}

/// A task, and all that it is worked on with.
pub(crate) struct Ready {
    envelope: Box<Envelope>,
    context: Arc<RunContext>,
    receipt: Box<dyn Receipt>,
    _in_hand: InHand,
}

impl Bench {
    /// Reads a delivery, and finds the context of its run.
    pub(crate) async fn receive(&self, stage: Stage, delivery: Delivery) -> Received {
        let envelope = match self.read(&delivery.envelope) {
            Read::Lacking { run, task, need } => {
                self.contexts.lacks(run, &need);
                return self.leave(run, task, stage, delivery).await;
            }
            Read::Unreadable(error) => {
                heard(delivery.receipt.dead_letter(&error.to_string()).await);
                return Received::Gone;
            }
            Read::Task(envelope) => envelope,
        };
        let in_hand = self.handle.take(stage);
        match self.contexts.context(envelope.run).await {
            Ok(context) => {
                if let Some(waited) = delivery.waited {
                    meter::waited_in_queue(stage, waited);
                }
                Received::Ready(Ready {
                    envelope,
                    context,
                    receipt: delivery.receipt,
                    _in_hand: in_hand,
                })
            }
            Err(NoContext::NotYet(reason)) => {
                tracing::debug!(run = %envelope.run, task = %envelope.task.id, reason, "the task is left to others");
                self.leave(envelope.run, envelope.task.id, stage, delivery).await
            }
            Err(NoContext::Never(reason)) => {
                heard(delivery.receipt.dead_letter(&reason).await);
                Received::Gone
            }
        }
    }

    /// Works on a task. Whatever happens, the ledger can tell what it cost.
    pub(crate) async fn work_on(&self, ready: Ready) {
        let Ready {
            envelope,
            context,
            receipt,
            _in_hand,
        } = ready;
        let task = &envelope.task;
        let span = tracing::info_span!(
            "attempt",
            run = %envelope.run,
            task = %task.id,
            model = %task.model,
            stage = %task.address.step.stage
        );
        self.propagator.adopt(&span, &envelope.trace);
        let place = AttemptContext {
            bench: self,
            context: &context,
            task,
        };
        let handled = async {
            match &task.work {
                Work::Embed { texts } => place.embed(texts).await,
                Work::Chat { .. } | Work::HeldOut { .. } | Work::Score { .. } => place.ask().await,
            }
        };
        heard(match handled.instrument(span).await {
            Ok(()) => receipt.ack().await,
            Err(Unworkable(reason)) => receipt.dead_letter(&reason).await,
        });
    }

    /// Reads an envelope, if this worker can do what its task needs.
    fn read(&self, envelope: &[u8]) -> Read {
        let sealed = match SealedEnvelope::decode(envelope) {
            Ok(sealed) => sealed,
            Err(error) => return Read::Unreadable(error),
        };
        let lacking = sealed.needs().iter().find(|need| !self.abilities.contains(*need));
        if let Some(need) = lacking.cloned() {
            let (run, task) = (sealed.run(), sealed.task());
            return Read::Lacking { run, task, need };
        }
        match sealed.open() {
            Ok(envelope) => Read::Task(Box::new(envelope)),
            Err(error) => Read::Unreadable(error),
        }
    }

    /// Leaves a task to other workers: its message goes behind those that wait, or the task is deferred, as where no other can do it either.
    async fn leave(&self, run: RunId, task: TaskId, stage: Stage, delivery: Delivery) -> Received {
        let others = self.contexts.others(run, stage).await;
        let young = delivery.waited.is_none_or(|waited| waited < PUT_BACK_WITHIN);
        if others && young && delivery.receipt.can_put_back() {
            heard(delivery.receipt.put_back().await);
            return Received::Left;
        }
        let wait = millis(spread(if others { LEFT_WAIT } else { NOBODY_WAIT }));
        tell("defer", || self.ledger.defer(run, task, wait)).await;
        heard(delivery.receipt.ack().await);
        if others {
            Received::Deferred
        } else {
            Received::Gone
        }
    }
}

/// Logs what a queue did not take.
fn heard(taken: Result<(), queue::Error>) {
    if let Err(error) = taken {
        // The message comes again, and begin will say that there is nothing to do.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the queue did not take the receipt"
        );
    }
}

impl AttemptContext<'_> {
    /// Asks a chat model.
    async fn ask(&self) -> Result<(), Unworkable> {
        let name = &self.task.model;
        let model = self
            .context
            .models
            .get(name)
            .ok_or_else(|| Unworkable(format!("model `{name}` is not configured here")))?;
        if let Some(line) = model
            .batch
            .as_ref()
            .filter(|_| self.task.work.request().is_some())
        {
            self.bench.lane.join(*self, line).await;
            return Ok(());
        }
        let pass = match self.bench.gates.enter(name, model).await {
            Entry::Pass(pass) => pass,
            Entry::Wait(wait) => {
                self.watch(model);
                self.defer(millis(spread(wait))).await;
                return Ok(());
            }
        };
        let worst = self.task.work.worst_case(model.price);
        let Some(permitted) = self.permit(model, worst).await else {
            return Ok(());
        };
        let Some(fence) = self.begin(worst, NO_BUDGET_WAIT).await else {
            self.give_back(model, &permitted, Demand::NONE).await;
            return Ok(());
        };
        let held = self.bench.leases.hold(self.context.run, fence);
        self.watch(model);
        let began = Instant::now();
        let called = if permitted.has_lapsed() {
            Called::lapsed()
        } else {
            self.call(model, fence).await
        };
        if let Some(pause) = pass.end(called.line) {
            self.cool_down(model, pause).await;
        }
        self.watch(model);
        if let Some(end) = called.line_end() {
            self.bench
                .handle
                .watch()
                .ended(model.line.id, end, began.elapsed(), called.failed());
        }
        match (called.line, called.failed()) {
            (CallEnd::Answered, _) => self.bench.handle.answered(model.line.id),
            (CallEnd::Unsaid, _) | (_, None) => {}
            (_, Some(failed)) => self.bench.handle.not_answered(model.line.id, failed),
        }
        self.finish(fence, called.end, Some(began.elapsed())).await;
        drop(held);
        if let Some(used) = called.used {
            self.give_back(model, &permitted, used).await;
        }
        Ok(())
    }

    /// Notes how the line stands, for people.
    fn watch(&self, model: &Model) {
        let gate = self.bench.gates.look(model.line.id);
        let watch = self.bench.handle.watch();
        watch.see(model.line.id, &self.task.model, self.context.run, gate);
    }

    /// A permit for one request of at most this size; without one the task is deferred.
    async fn permit(&self, model: &Model, worst: Amount) -> Option<Permitted> {
        let demand = Demand {
            input_tokens: worst.input_tokens,
            output_tokens: worst.output_tokens,
        };
        let asked_at = Instant::now();
        match self.bench.limiter.acquire(&model.line, demand).await {
            Ok(Permit::Granted(ticket)) => {
                meter::limiter_wait(&self.task.model, asked_at.elapsed());
                Some(Permitted { ticket, asked_at })
            }
            Ok(Permit::Wait(wait)) => {
                meter::limiter_wait(&self.task.model, wait);
                // The limiter tells each its own time: nothing is added to it.
                self.defer(millis(wait)).await;
                None
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no permit without the limiter: the task is put off"
                );
                self.defer(millis(spread(NO_LIMITER_WAIT))).await;
                None
            }
        }
    }

    async fn give_back(&self, model: &Model, permitted: &Permitted, used: Demand) {
        let told = self.bench.limiter.refund(&model.line, permitted.ticket, used);
        if let Err(error) = told.await {
            // The charge stands for a minute: slower, never too fast.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "what was not used is not given back"
            );
        }
    }

    async fn defer(&self, wait_ms: u64) {
        let (ledger, run, task) = (&self.bench.ledger, self.context.run, self.task.id);
        tell("defer", || ledger.defer(run, task, wait_ms)).await;
    }

    /// Pauses the run for a person, who is told what to change in the job where the provider's words show it.
    pub(crate) async fn pause(&self, reason: &str) {
        let (ledger, run) = (&self.bench.ledger, self.context.run);
        let reason = with_advice(reason);
        self.bench.contexts.doubt(run);
        tell("pause", || ledger.pause(run, &reason)).await;
    }

    /// Reserves the worst case and starts an attempt. Where the budget is held by others, the task is put off for `no_budget`.
    pub(crate) async fn begin(&self, worst: Amount, no_budget: Duration) -> Option<Fence> {
        let (ledger, run, task) = (&self.bench.ledger, self.context.run, self.task.id);
        let nonce = Nonce(rand::random());
        match tell("begin", || ledger.begin(run, task, nonce, worst)).await? {
            Begin::Granted { fence, .. } => Some(fence),
            Begin::NoBudgetNow(_) => {
                self.defer(millis(no_budget)).await;
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

    async fn embed(&self, texts: &[String]) -> Result<(), Unworkable> {
        let embedder = self
            .context
            .embedder
            .as_ref()
            .ok_or_else(|| Unworkable("no embedding model is configured here".into()))?;
        let worst = embedding_worst_case(texts);
        let Some(fence) = self.begin(worst, NO_BUDGET_WAIT).await else {
            return Ok(());
        };
        let held = self.bench.leases.hold(self.context.run, fence);
        let began = Instant::now();
        let end = self.call_embedder(embedder.as_ref(), texts, fence).await;
        self.finish(fence, end, Some(began.elapsed())).await;
        drop(held);
        Ok(())
    }

    /// Tells the ledger how an attempt ended, and how long it took where that says something; whether the ledger took it.
    pub(crate) async fn finish(&self, fence: Fence, end: End, took: Option<Duration>) -> bool {
        let (ledger, run) = (&self.bench.ledger, self.context.run);
        let (booked, told) = match end {
            End::Settled { actual, outcome } => {
                let told = tell_paid("settle", || ledger.settle(run, fence, actual, outcome.clone())).await;
                (Booked::Settled, told)
            }
            End::Void { reason, wait } => {
                tracing::debug!(reason, "not billed");
                let proof = VoidProof { reason };
                let told = tell_paid("void", || ledger.void(run, fence, proof.clone(), millis(wait))).await;
                (Booked::Void, told)
            }
            End::Burn { reason, wait } => {
                tracing::warn!(reason, "the cost is unknown: the worst case is booked");
                let told = tell("burn", || ledger.burn(run, fence, &reason, millis(wait))).await;
                (Booked::Burned, told)
            }
        };
        let heard = told.is_some();
        let booked = match told {
            Some(Settle::Booked { .. } | Settle::Corrected { .. } | Settle::Already | Settle::Closed) => {
                booked
            }
            Some(Settle::Audited) => {
                tracing::warn!("the run was closed before this attempt ended");
                booked
            }
            Some(Settle::Unknown) => {
                tracing::error!("the ledger never granted this attempt");
                booked
            }
            // Given up: its lease runs out, and it burns.
            None => Booked::Burned,
        };
        let stage = self.task.address.step.stage;
        meter::attempt(stage, &self.task.model, booked, took);
        heard
    }
}
