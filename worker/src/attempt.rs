//! One delivery, from the queue's hands to the ledger's books: place → permit → begin → one request → examine → settle → ack.
//!
//! A task whose model is asked in batches goes into the [`crate::batch_lane`] instead.
//!
//! Without a context, a place, a permit or the limiter's word the task is deferred, its delivery acked, and no slot held. So is one that needs what
//! this worker cannot do: it is another's.
//!
//! | begin answers | the delivery |
//! |---|---|
//! | granted | is worked on, settled, acked |
//! | busy, not due | acked: the sweep publishes the task again when its time has come |
//! | already settled, failed, cancelled, closed | acked: nothing is left to do |
//! | paused, frozen | acked: the sweep publishes again once the account is active |
//! | no budget now | deferred, acked: others may settle below their worst case |
//! | no budget | acked: the coordinator fails what can never be paid for |

use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::refusal::with_advice;
use gristmill_domain::work::{Work, embedding_worst_case};
use gristmill_ports::ledger::{Begin, Fence, Nonce, Settle, VoidProof};
use gristmill_ports::limiter::{Demand, PERMIT_VALID, Permit, Ticket};
use gristmill_ports::queue::Delivery;
use gristmill_proto::{Envelope, Error, SealedEnvelope};
use tokio::time::Instant;
use tracing::Instrument;

use crate::bench::{AttemptContext, Bench};
use crate::call::{Called, End};
use crate::gate::{CallEnd, Entry};
use crate::meter::{self, Booked};
use crate::run_context::{Model, NoContext};
use crate::tell::{tell, tell_paid};
use crate::wait::{millis, spread};

/// Wait before a task is tried again when the budget is held by others, who hold it for the time of a call.
const NO_BUDGET_WAIT: Duration = Duration::from_millis(200);
/// Wait before a task is tried again whose run cannot be worked on yet.
const NO_KIT_WAIT: Duration = Duration::from_secs(5);
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

impl Bench {
    /// Works on one delivery. Whatever happens, the ledger can tell what it cost.
    pub(crate) async fn work_on(&self, delivery: Delivery) {
        let done = match self.read(&delivery.envelope) {
            Read::Lacking { run, task, need } => {
                self.leave_to_others(run, task, &need).await;
                delivery.receipt.ack().await
            }
            Read::Unreadable(error) => delivery.receipt.dead_letter(&error.to_string()).await,
            Read::Task(envelope) => {
                let task = &envelope.task;
                if let Some(waited) = delivery.waited {
                    meter::waited_in_queue(task.address.step.stage, waited);
                }
                let span = tracing::info_span!(
                    "attempt",
                    run = %envelope.run,
                    task = %task.id,
                    model = %task.model,
                    stage = %task.address.step.stage
                );
                self.propagator.adopt(&span, &envelope.trace);
                match self.handle(&envelope).instrument(span).await {
                    Ok(()) => delivery.receipt.ack().await,
                    Err(Unworkable(reason)) => delivery.receipt.dead_letter(&reason).await,
                }
            }
        };
        if let Err(error) = done {
            // The message comes again, and begin will say that there is nothing to do.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the queue did not take the receipt"
            );
        }
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

    /// Puts off a task that another worker can do.
    async fn leave_to_others(&self, run: RunId, task: TaskId, need: &str) {
        self.contexts.lacks(run, need);
        let wait = millis(spread(NO_KIT_WAIT));
        tell("defer", || self.ledger.defer(run, task, wait)).await;
    }

    async fn handle(&self, envelope: &Envelope) -> Result<(), Unworkable> {
        let task = &envelope.task;
        let _in_hand = self.handle.take(task.address.step.stage);
        let context = match self.contexts.context(envelope.run).await {
            Ok(context) => context,
            Err(NoContext::NotYet(reason)) => {
                tracing::debug!(reason, "the task is put off");
                let wait = millis(spread(NO_KIT_WAIT));
                tell("defer", || self.ledger.defer(envelope.run, task.id, wait)).await;
                return Ok(());
            }
            Err(NoContext::Never(reason)) => return Err(Unworkable(reason)),
        };
        let place = AttemptContext {
            bench: self,
            context: &context,
            task,
        };
        match &task.work {
            Work::Embed { texts } => place.embed(texts).await,
            Work::Chat { .. } | Work::HeldOut { .. } | Work::Score { .. } => place.ask().await,
        }
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
                .ended(model.line.id, end, began.elapsed());
        }
        match (called.line, &called.end) {
            (CallEnd::Answered, _) => self.bench.handle.answered(model.line.id),
            (CallEnd::Unsaid, _) | (_, End::Settled { .. }) => {}
            (_, End::Void { reason, .. } | End::Burn { reason, .. }) => {
                self.bench.handle.not_answered(model.line.id, reason);
            }
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
