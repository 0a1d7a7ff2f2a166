//! The prompts of a row as its calls were asked with. The journal keeps replies and the versions of prompts; what a prompt was filled in with follows
//! from the row, its seed and the replies before it, by the machine that walked the candidate.
//!
//! Not all of it does: where a job has concepts, prompts also showed what was covered by then, and candidates that share a reply were asked as one.
//! Such prompts are not told at all rather than told wrongly.

use std::collections::VecDeque;

use gristmill_domain::chat::Prompt;
use gristmill_domain::evidence::Rule;
use gristmill_domain::id::TaskId;
use gristmill_domain::passage::Second;
use gristmill_domain::plan::{Spec, Start as Place};
use gristmill_domain::recipe::machine::{Call, Effect, Event, State, apply};
use gristmill_domain::recipe::{Does, Recipe};
use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, Work};
use gristmill_ports::blob::Blobs;

use crate::forecast::rule_of_older_plans;
use crate::journal::{Journal, TaskResult};
use crate::round::read;
use crate::setup::{Brief, Setup};
use crate::{Error, SeedStore, Start};

/// Why the prompts of a row are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRefilled {
    /// They showed what was covered by then.
    #[error(
        "the job has concepts: its prompts also showed what was covered when they were asked, which is not kept"
    )]
    Concepts,
    /// One call was made for several candidates.
    #[error("the call was made for several candidates together, and is not told for one of them")]
    Shared,
    /// The run's recipes are not those of the row.
    #[error("the run has no recipe of the row's name, version and hash any more")]
    Recipe,
    /// This program's prompts are others.
    #[error(
        "the prompts of this version of the program, or of the job as it is now, are not those that were asked"
    )]
    Version,
}

/// A prompt as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledPrompt {
    /// The task that asked it.
    pub task: TaskId,
    /// What was said.
    pub prompt: Prompt,
}

/// The prompts of a row in the order in which they were asked; `tasks` are what its [`History`](crate::History) holds.
///
/// # Errors
/// State that cannot be read.
pub async fn prompts(
    start: &Start,
    seeds: &SeedStore,
    state: &dyn Blobs,
    row: &Row,
    tasks: &[TaskResult],
) -> Result<Result<Vec<FilledPrompt>, NotRefilled>, Error> {
    let setup = start.setup()?;
    refill(&setup, seeds, state, row, tasks).await
}

pub(crate) async fn refill(
    setup: &Setup,
    seeds: &SeedStore,
    state: &dyn Blobs,
    row: &Row,
    tasks: &[TaskResult],
) -> Result<Result<Vec<FilledPrompt>, NotRefilled>, Error> {
    if setup.job.concepts.is_some() {
        return Ok(Err(NotRefilled::Concepts));
    }
    let Some(recipe) = recipe_of(setup, row) else {
        return Ok(Err(NotRefilled::Recipe));
    };
    if recipe.shared_by() > 1 {
        return Ok(Err(NotRefilled::Shared));
    }
    let plan = Journal::new(state).plan(row.position.round).await?;
    let rule = plan.and_then(|plan| plan.rule);
    let rule = rule.unwrap_or_else(|| rule_of_older_plans(&setup.job));
    let passage = row
        .passage
        .as_ref()
        .map(|cited| seeds.passages().read(cited.number));
    let walk = Walk {
        setup,
        seeds,
        row,
        recipe,
        tasks,
        spec: Spec {
            index: row.position.index,
            strategy: row.strategy,
            turn: 0,
            start: Place::Anchor(u64::from(row.family)),
            concept: None,
            calibrates: row.calibrates(),
            recipe: None,
            shared: None,
        },
        seed: seeds.read(row.seed)?,
        passage: passage.transpose()?.map(|passage| passage.text),
        second: match &row.second {
            None => None,
            Some(Second::Document(cited)) => Some(seeds.passages().read(cited.number)?.text),
            Some(Second::Seed { ordinal, .. }) => seeds.read(*ordinal)?.context,
        },
    };
    walk.prompts(&rule)
}

/// The recipe of a row. Those that measure the teacher, and rows of versions before recipes, name none.
fn recipe_of<'a>(setup: &'a Setup, row: &Row) -> Option<&'a Recipe> {
    if row.calibrates() {
        return Some(setup.measuring());
    }
    let mut all = setup.recipes().iter().map(|used| &used.recipe);
    match &row.made {
        Some(made) => all.find(|recipe| recipe.made() == *made),
        None => all.find(|recipe| recipe.name() == row.strategy.as_str()),
    }
}

/// A candidate that is walked once more, by what its calls brought.
struct Walk<'a> {
    setup: &'a Setup,
    seeds: &'a SeedStore,
    row: &'a Row,
    recipe: &'a Recipe,
    tasks: &'a [TaskResult],
    spec: Spec,
    seed: Seed,
    passage: Option<String>,
    second: Option<String>,
}

impl Walk<'_> {
    fn brief<'b>(&'b self, state: &'b State) -> Brief<'b> {
        Brief {
            recipe: self.recipe,
            row: self.row.id,
            state,
            seed: &self.seed,
            teacher: self.setup.teacher(self.row.id),
            topic: None,
            borrowed: self.row.borrowed,
            peers: None,
            passage: self.passage.as_deref(),
            choices: &[],
            second: self.second.as_deref(),
            again: &[],
            mutation: self.row.mutation.as_ref(),
            measures: self.row.calibrates(),
            shows_reference: false,
            siblings: 1,
        }
    }

    fn prompts(&self, rule: &Rule) -> Result<Result<Vec<FilledPrompt>, NotRefilled>, Error> {
        let mut filled = Vec::new();
        let mut state = State::default();
        let mut events = VecDeque::from([Event::Begin]);
        while let Some(event) = events.pop_front() {
            let context = self.setup.context(&self.brief(&state), rule, &self.spec);
            let (after, effects) = apply(&context, state.clone(), event);
            state = after;
            for effect in effects {
                match effect {
                    // Without concepts, a row is not asked what it is about.
                    Effect::Call(call) if self.tags(call) => events.push_back(Event::Untagged),
                    Effect::Call(call) => {
                        let (prompt, version) = self.ask(&state, call)?;
                        // One that the row does not hold was given up, and brought nothing.
                        let Some(result) = self.tasks.iter().find(|result| result.task == prompt.task) else {
                            continue;
                        };
                        if !self.row.prompts.contains(&version) {
                            return Ok(Err(NotRefilled::Version));
                        }
                        let (outcome, _) = read(result.brought.clone());
                        filled.push(prompt);
                        events.push_back(Event::Brought { call, outcome });
                    }
                    // What was asked after a gate was asked since it let the candidate pass.
                    Effect::Gate(_) => events.push_back(Event::Passed),
                    Effect::Decide(_) => {}
                }
            }
        }
        Ok(Ok(filled))
    }

    fn tags(&self, call: Call) -> bool {
        let step = self.recipe.step(call.step);
        step.is_some_and(|step| matches!(step.does, Does::TagConcept))
    }

    /// The prompt of a call, and its version.
    fn ask(&self, state: &State, call: Call) -> Result<(FilledPrompt, String), Error> {
        let address = Address {
            round: self.row.position.round,
            index: self.row.position.index,
            step: self.setup.step(self.recipe, call),
        };
        let (task, version) = self.setup.task(address, &self.brief(state), self.seeds)?;
        let prompt = match task.work {
            Work::Chat { request, .. } | Work::HeldOut { request, .. } => request.prompt,
            Work::Score { prompt, .. } => prompt,
            Work::Embed { texts } => Prompt::Raw(texts.join("\n")),
        };
        let prompt = FilledPrompt {
            task: task.id,
            prompt,
        };
        Ok((prompt, version))
    }
}
