//! What the tasks of a candidate bring: given to the machine that walks its recipe, which says what follows.

use gristmill_domain::amount::Amount;
use gristmill_domain::evidence::Rule;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::recipe::Does;
use gristmill_domain::recipe::machine::{Call, Effect, Event, Unusable, apply};
use gristmill_domain::reply::Fields;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, Output, Report};

use super::Round;
use super::candidate::{Candidate, Gate};
use crate::Error;
use crate::engine::Brought;

impl Round<'_> {
    /// The rule for a candidate: that of the concept that it is asked about, where the concept has one.
    pub(super) fn rule(&self, candidate: &Candidate) -> &Rule {
        let own = candidate
            .asked_about()
            .and_then(|name| self.concept_rules.get(name));
        own.unwrap_or(&self.rule)
    }

    /// Takes what a candidate's task brought.
    pub(super) fn absorb_step(
        &mut self,
        address: Address,
        brought: Brought,
        cost: Amount,
    ) -> Result<(), Error> {
        let Address { index, step, .. } = address;
        let Some(candidate) = self.active.get_mut(&index) else {
            return Ok(());
        };
        candidate.costs.push((step.stage, cost));
        candidate.outstanding = candidate.outstanding.saturating_sub(1);
        if candidate.decided() {
            return Ok(());
        }
        let (outcome, model_version) = read(brought);
        if let Some(version) = model_version.filter(|_| step.stage == Stage::Generate) {
            candidate.teacher_version = version;
        }
        let call = step.call;
        self.feed(index, Event::Brought { call, outcome })
    }

    /// Gives an event to a candidate's machine, and does what follows.
    pub(super) fn feed(&mut self, index: u64, event: Event) -> Result<(), Error> {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let taken = self.active.get_mut(&index).map(|c| std::mem::take(&mut c.state));
            let (Some(state), Some(candidate)) = (taken, self.active.get(&index)) else {
                return Ok(());
            };
            let brief = candidate.brief(self.setup.recipe(candidate.recipe));
            let context = self.setup.context(&brief, self.rule(candidate), &candidate.spec);
            let (state, effects) = apply(&context, state, event);
            if let Some(candidate) = self.active.get_mut(&index) {
                candidate.state = state;
            }
            for effect in effects {
                match effect {
                    Effect::Call(call) => events.extend(self.wants(index, call)),
                    Effect::Gate(gate) => self.come_to(index, gate)?,
                    Effect::Decide(rejection) => self.decide(index, rejection),
                }
            }
        }
        Ok(())
    }

    /// Has a call made, unless what follows from it is known: that there is nothing to choose from where it tags a row, or what a reply brought
    /// that others have asked for.
    fn wants(&mut self, index: u64, call: Call) -> Option<Event> {
        let candidate = self.active.get_mut(&index)?;
        let recipe = self.setup.recipe(candidate.recipe);
        if matches!(
            recipe.step(call.step).map(|step| &step.does),
            Some(Does::TagConcept)
        ) {
            let topic = candidate.topic().map(|topic| topic.name.clone());
            let choices = self
                .coverage
                .as_ref()
                .map(|coverage| coverage.choices(candidate.vector.as_deref(), topic.as_deref()));
            candidate.choices = choices.unwrap_or_default();
            if candidate.choices.is_empty() {
                return Some(Event::Untagged);
            }
        }
        let step = self.setup.step(recipe, call);
        // What is nearly done is finished before more is begun.
        let before_gate = recipe.question_gate().is_some_and(|gate| call.step < gate);
        let priority = match (step.stage, before_gate) {
            (_, true) => 3,
            (Stage::Judge, false) => 0,
            (Stage::Generate | Stage::Embed, false) => 2,
        };
        if recipe.is_shared(call.step) {
            let leader = candidate.asks_as(recipe, call.step);
            let (first, known) = self.share(index, leader, step);
            if first {
                self.ready.insert((priority, index, step));
            }
            return known;
        }
        self.ready.insert((priority, index, step));
        None
    }

    /// A candidate has come to a gate: to the one for questions it goes in its turn, to the one for answers at once.
    fn come_to(&mut self, index: u64, gate: usize) -> Result<(), Error> {
        let Some(candidate) = self.active.get_mut(&index) else {
            return Ok(());
        };
        if self.setup.recipe(candidate.recipe).question_gate() == Some(gate) {
            candidate.gate = Gate::BeforeQuestion;
            return Ok(());
        }
        candidate.gate = Gate::Answer;
        self.enter_answer_gate(index)
    }
}

/// What a task brought, as the machine takes it, and the exact model that brought it.
pub(crate) fn read(brought: Brought) -> (Result<Fields, Unusable>, Option<String>) {
    let unusable = |rejection, text| Err(Unusable { rejection, text });
    match brought {
        Ok(Report {
            output,
            model_version,
        }) => {
            let outcome = match output {
                Output::Fields(fields) => Ok(fields),
                Output::Rejected { rejection, text } => unusable(rejection, text),
                Output::Vectors(_) | Output::Likelihoods(_) => {
                    let detail = "the task brought something else than was asked for";
                    unusable(Rejection::new(Reason::Format, detail), String::new())
                }
            };
            (outcome, Some(model_version))
        }
        Err(failure) => (unusable(failure.rejection(), String::new()), None),
    }
}
