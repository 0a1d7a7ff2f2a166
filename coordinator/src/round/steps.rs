//! What the tasks of a candidate bring: given to the machine that walks its recipe, which says what follows.

use gristmill_domain::amount::Amount;
use gristmill_domain::evidence::Rule;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::recipe::Does;
use gristmill_domain::recipe::machine::{Call, Effect, Event, Unusable, apply};
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
        let unusable = |rejection, text| Err(Unusable { rejection, text });
        let outcome = match brought {
            Ok(Report {
                output,
                model_version,
            }) => {
                if step.stage == Stage::Generate {
                    candidate.teacher_version = model_version;
                }
                match output {
                    Output::Fields(fields) => Ok(fields),
                    Output::Rejected { rejection, text } => unusable(rejection, text),
                    Output::Vectors(_) => {
                        let detail = "the task brought something else than was asked for";
                        unusable(Rejection::new(Reason::Format, detail), String::new())
                    }
                }
            }
            Err(failure) => unusable(failure.rejection(), String::new()),
        };
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
            let context = self.setup.context(
                self.setup.recipe(candidate.recipe),
                self.rule(candidate),
                candidate.teacher,
                &candidate.seed,
                candidate.spec.calibrates,
            );
            let (state, effects) = apply(&context, state, event);
            if let Some(candidate) = self.active.get_mut(&index) {
                candidate.state = state;
            }
            for effect in effects {
                match effect {
                    Effect::Call(call) => {
                        if !self.wants(index, call) {
                            events.push(Event::Untagged);
                        }
                    }
                    Effect::Gate(gate) => self.come_to(index, gate)?,
                    Effect::Decide(rejection) => self.decide(index, rejection),
                }
            }
        }
        Ok(())
    }

    /// Has a call made; false where it tags a row and there is nothing to choose from.
    fn wants(&mut self, index: u64, call: Call) -> bool {
        let Some(candidate) = self.active.get_mut(&index) else {
            return true;
        };
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
                return false;
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
        self.ready.insert((priority, index, step));
        true
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
