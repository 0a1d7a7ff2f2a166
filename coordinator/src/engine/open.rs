//! Opening tasks: as many as may be at risk at once, in the ledger first, then in the queues.

use std::collections::BTreeMap;
use std::time::SystemTime;

use gristmill_domain::amount::Amount;
use gristmill_domain::chat::Price;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Task;
use gristmill_ports::ledger::{NewTask, Open};
use gristmill_proto::Envelope;

use super::{Engine, InFlight, MAX_VOIDS, OPEN_BATCH};
use crate::Error;

impl Engine<'_, '_> {
    /// Takes as many of the tasks that are held back as may be at risk at once; one, where nothing else is.
    pub(super) fn affordable(&mut self) -> Vec<Task> {
        let most = self.site.may_risk(self.site.limit);
        let mut tasks = Vec::new();
        let mut at_risk = self.at_risk;
        while let Some(task) = self.held_back.pop_front() {
            let worst = self.worst_of(&task);
            let alone = at_risk == Amount::ZERO;
            if !alone && !most.covers(at_risk + worst) {
                self.held_back.push_front(task);
                break;
            }
            at_risk += worst;
            tasks.push(task);
        }
        tasks
    }

    /// True where at least half of what may be at risk is settled, and only waits to be stored.
    pub(super) fn unstored_holds_half(&self) -> bool {
        let unstored = self.unstored;
        unstored != Amount::ZERO && !self.site.may_risk(self.site.limit).covers(unstored + unstored)
    }

    /// What a crash may burn of a task.
    pub(crate) fn worst_of(&self, task: &Task) -> Amount {
        if self.site.batched.contains(&task.model) {
            return Amount::ZERO;
        }
        let Amount { usd, calls, .. } = self.worst_case(task);
        Amount {
            usd,
            calls,
            ..Amount::ZERO
        }
    }

    pub(crate) fn worst_case(&self, task: &Task) -> Amount {
        let price = self.site.prices.get(&task.model).copied();
        task.work.worst_case(price.unwrap_or(Price::FREE))
    }

    /// Opens tasks and publishes them. A trace a batch: what becomes of its tasks hangs below it.
    #[tracing::instrument(name = "dispatch", skip_all, fields(run = %self.site.run, round = self.round, tasks = tasks.len()))]
    pub(super) async fn open(&mut self, tasks: Vec<Task>) -> Result<(), Error> {
        let now = SystemTime::now();
        let mut opened = Vec::with_capacity(tasks.len());
        for task in tasks {
            opened.push(self.new_task(&task)?);
            let at_risk = self.worst_of(&task);
            self.at_risk += at_risk;
            let in_flight = InFlight {
                address: task.address,
                worst: self.worst_case(&task),
                at_risk,
                opened: now,
            };
            self.in_flight.insert(task.id, in_flight);
        }
        match self
            .site
            .ledger
            .open(self.site.run, &self.site.epoch, opened)
            .await?
        {
            Open::Opened { .. } => {}
            // The account says why; what was not opened is asked for again after a restart.
            Open::Paused | Open::Frozen | Open::Cancelled | Open::Closed => {
                return Err(self.halted().await?);
            }
        }
        self.publish_due().await
    }

    /// A task as the ledger holds it.
    pub(crate) fn new_task(&self, task: &Task) -> Result<NewTask, Error> {
        let payload = Envelope {
            run: self.site.run,
            task: task.clone(),
            trace: self.site.options.propagator.inject(),
        }
        .encode()?;
        Ok(NewTask {
            id: task.id,
            stage: task.address.step.stage,
            model: task.model.clone(),
            payload,
            max_attempts: self.site.options.max_attempts,
            max_voids: MAX_VOIDS,
        })
    }

    /// Publishes what is due: tasks just opened, and those whose wait is over or that show no progress. One way for all of them, so that the
    /// ledger knows what was handed out, and the sweep does not publish it again at once.
    pub(super) async fn publish_due(&self) -> Result<(), Error> {
        loop {
            let due = self
                .site
                .ledger
                .due(self.site.run, &self.site.epoch, OPEN_BATCH)
                .await?;
            let last = due.len() < OPEN_BATCH;
            let mut batches: BTreeMap<Stage, Vec<Vec<u8>>> = BTreeMap::new();
            for task in due {
                batches.entry(task.stage).or_default().push(task.payload);
            }
            for (stage, envelopes) in batches {
                self.site.queue.publish_all(stage, envelopes).await?;
            }
            if last {
                return Ok(());
            }
        }
    }
}
