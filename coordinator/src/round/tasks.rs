//! The tasks of a round: what is asked, and what embeddings brought.

use gristmill_domain::amount::Amount;
use gristmill_domain::mutation::Mutation;
use gristmill_domain::row::TakenStep;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Output, Report, StageCall, Task, Work};

use super::Round;
use crate::Error;
use crate::engine::Brought;
use crate::failure::TaskFailure;
use crate::setup::Brief;

impl Round<'_> {
    /// The task of a ready step; `None` when its candidate was decided in the meantime.
    pub(super) fn task(&mut self, index: u64, step: StageCall) -> Result<Option<Task>, Error> {
        if step.stage == Stage::Embed {
            let address = self.address(index, step);
            let members = self.batches.get(&index).map(Vec::as_slice).unwrap_or_default();
            let texts = members
                .iter()
                .filter_map(|i| self.active.get(i))
                .map(|c| self.compared(c).into_owned())
                .collect();
            let model = self.setup.job.embed.model.clone();
            return Ok(Some(Task {
                id: address.task_id(self.setup.run),
                address,
                model,
                needs: Vec::new(),
                work: Work::Embed { texts },
            }));
        }
        let Some(candidate) = self.active.get(&index) else {
            return Ok(None);
        };
        if candidate.decided() {
            return Ok(None);
        }
        let recipe = self.setup.recipe(candidate.recipe);
        let asker = candidate.asks_as(recipe, step.call.step);
        let address = self.address(asker, step);
        let brief = Brief {
            row: self.position(asker).row_id(self.setup.run),
            ..candidate.brief(recipe)
        };
        let (task, prompt) = self.setup.task(address, &brief, self.seeds)?;
        let asks = matches!(&task.work, Work::Chat { reply, .. } if reply.question().is_some());
        let instructions = (asks && candidate.mutation.is_some()).then(Mutation::version);
        let taken = TakenStep {
            step: recipe.call_name(step.call),
            prompt: prompt.clone(),
            model: task.model.clone(),
        };
        let prompts: Vec<String> = [prompt].into_iter().chain(instructions).collect();
        if let Some(shared) = self.shared.get_mut(&(asker, step)) {
            shared.asked = Some((task.id, taken, prompts));
        } else if let Some(candidate) = self.active.get_mut(&index) {
            candidate.take(step, (task.id, taken), prompts);
            candidate.outstanding += 1;
        }
        Ok(Some(task))
    }

    /// What a batch of embeddings brought, shared out over its members; its cost stands with the first.
    pub(super) fn absorb_vectors(&mut self, batch: u64, brought: Brought, cost: Amount) {
        let members = self.batches.remove(&batch).unwrap_or_default();
        if let Some(first) = members.first().and_then(|index| self.active.get_mut(index)) {
            first.costs.push((Stage::Embed, cost));
        }
        let failure = match brought {
            Ok(Report {
                output: Output::Vectors(vectors),
                ..
            }) if vectors.len() == members.len() => {
                for (index, vector) in members.iter().zip(vectors) {
                    if let Some(candidate) = self.active.get_mut(index) {
                        candidate.vector = Some(vector);
                    }
                }
                return;
            }
            Ok(_) => TaskFailure::Failed("the embedding did not bring one vector a text".to_owned()),
            Err(failure) => failure,
        };
        for index in members {
            self.decide(index, Some(failure.rejection()));
        }
    }
}
