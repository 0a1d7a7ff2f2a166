//! Replies that several candidates share: one call, whose list holds a record for each of them.
//!
//! The first of the candidates lends the call its address, so that its task has the same id whoever asks for it, before and after a
//! restart: one that begins after the others were decided and stored asks again, and the journal answers. Each takes the record at its own
//! place and bears its share of the cost, so that neither depends on who came first.

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::recipe::machine::{Event, Unusable};
use gristmill_domain::reply::Fields;
use gristmill_domain::row::TakenStep;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, StageCall};

use super::{Round, steps};
use crate::Error;
use crate::engine::Brought;

/// A reply that several candidates share.
#[derive(Debug, Default)]
pub(super) struct SharedReply {
    /// Candidates that wait for it.
    waiting: Vec<u64>,
    /// The task that asks for it, what it is for, and the versions of its prompts, once it is out.
    pub(super) asked: Option<(TaskId, TakenStep, Vec<String>)>,
    brought: Option<Shareable>,
    /// Candidates that have taken their record.
    taken: u32,
}

/// What it brought, and cost.
#[derive(Debug, Clone)]
struct Shareable {
    outcome: Result<Fields, Unusable>,
    model_version: Option<String>,
    cost: Amount,
}

impl Round<'_> {
    /// Has a candidate share a reply. Returns whether it is the first to ask for it, and what it takes of it where it is there already.
    pub(super) fn share(&mut self, index: u64, leader: u64, step: StageCall) -> (bool, Option<Event>) {
        let key = (leader, step);
        let first = !self.shared.contains_key(&key);
        let shared = self.shared.entry(key).or_default();
        if shared.brought.is_some() {
            return (false, self.give(index, key));
        }
        shared.waiting.push(index);
        (first, None)
    }

    /// Gives what a shared task brought to all that wait for it.
    pub(super) fn absorb_shared(
        &mut self,
        address: Address,
        brought: Brought,
        cost: Amount,
    ) -> Result<(), Error> {
        let key = (address.index, address.step);
        let (outcome, model_version) = steps::read(brought);
        let Some(shared) = self.shared.get_mut(&key) else {
            return Ok(());
        };
        shared.brought = Some(Shareable {
            outcome,
            model_version,
            cost,
        });
        for index in std::mem::take(&mut shared.waiting) {
            if let Some(event) = self.give(index, key) {
                self.feed(index, event)?;
            }
        }
        Ok(())
    }

    /// Books a candidate's part of a shared reply to it, and says what it brings. The last to take its part takes it away.
    fn give(&mut self, index: u64, key: (u64, StageCall)) -> Option<Event> {
        let shared = self.shared.get_mut(&key)?;
        let candidate = self.active.get_mut(&index)?;
        let Shareable {
            outcome,
            model_version,
            cost,
        } = shared.brought.clone()?;
        let (place, of) = candidate
            .spec
            .shared
            .map_or((0, 1), |shared| (shared.place, shared.of));
        let step = key.1;
        candidate
            .costs
            .push((step.stage, cost.part(u64::from(place), u64::from(of))));
        if let Some((task, taken, prompts)) = shared.asked.clone() {
            candidate.take(step, (task, taken), prompts);
        }
        if let Some(version) = model_version.filter(|_| step.stage == Stage::Generate) {
            candidate.teacher_version = version;
        }
        shared.taken += 1;
        if shared.taken == of {
            self.shared.remove(&key);
        }
        Some(Event::Brought {
            call: step.call,
            outcome,
        })
    }
}
