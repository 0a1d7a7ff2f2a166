//! The row of a decided candidate.

use gristmill_domain::evidence::Weighed;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::recipe::Recipe;
use gristmill_domain::row::{Checks, Row};

use super::Round;
use super::candidate::Candidate;
use super::content::Content;
use crate::Error;
use crate::coverage::{Assessed, Decided};
use crate::passages::cited;

impl Round<'_> {
    /// The rejection of a good row that is not wanted any more; rows ask for it in their order.
    fn surplus(&mut self) -> Option<Rejection> {
        let left = self.wanted.as_mut()?;
        let rest = left.checked_sub(1);
        *left = rest.unwrap_or(0);
        rest.is_none()
            .then(|| Rejection::new(Reason::Surplus, "all rows that are wanted were there"))
    }

    pub(super) fn row(&mut self, index: u64, candidate: Candidate) -> Result<(Row, Option<Vec<f32>>), Error> {
        let position = self.position(index);
        let recipe = self.setup.recipe(candidate.recipe);
        let strategy = recipe.kind();
        let form = recipe.file().row.form;
        let question = self.says(&candidate, form.is_dialogue());
        let rejection = candidate.state.decided().flatten().cloned();
        let accepted = rejection.is_none();
        let rejection = rejection.or_else(|| self.surplus());
        if accepted {
            self.kept.keep(
                strategy,
                candidate.seed_ordinal,
                candidate.answer_shingles.clone(),
            );
        }
        let family = candidate.family();
        let assessed = self.assess(&candidate, rejection.is_none())?;
        let concept = self.concept(&candidate);
        let borrowed = candidate.borrowed();
        let passage = candidate
            .passage
            .as_ref()
            .map(|(number, passage)| cited(*number, passage));
        let weighed = self.weighed(recipe, &candidate);
        let content = Content::of(recipe, &candidate.state);
        let (tasks, steps) = candidate.tasks.into_values().unzip();
        let row = Row {
            id: candidate.row,
            position,
            seed: candidate.seed_ordinal,
            family,
            seed_id: candidate.seed.id,
            strategy,
            made: (!candidate.spec.calibrates).then(|| recipe.made()),
            form,
            concept,
            borrowed,
            assigned: assessed.assigned,
            on_topic: assessed.on_topic,
            passage,
            second: candidate.second.map(|second| second.of),
            mutation: candidate.mutation,
            question,
            reasoning: content.reasoning,
            answer: content.text,
            messages: candidate
                .state
                .messages(recipe)
                .map(<[_]>::to_vec)
                .unwrap_or_default(),
            tools: candidate.state.tools(recipe).to_vec(),
            worse: content.worse,
            teacher: self.setup.teacher_name(candidate.teacher),
            teacher_version: candidate.teacher_version,
            prompts: candidate.prompts,
            tasks,
            steps,
            costs: candidate.costs,
            checks: Checks {
                correct: content.correct,
                votes: candidate.state.ballot().votes(),
                judgements: candidate.state.judgements(),
                details: content.details,
                leak_trial: candidate.leak_trial,
                weighed,
            },
            depth: self.setup.depth(recipe, candidate.teacher),
            rejection,
        };
        Ok((row, candidate.vector))
    }

    /// What a candidate asks, or the text of its own that it is compared by with others.
    fn says(&self, candidate: &Candidate, for_itself: bool) -> String {
        match for_itself {
            true => self.compared(candidate).into_owned(),
            false => {
                let recipe = self.setup.recipe(candidate.recipe);
                candidate.state.question(recipe).to_owned()
            }
        }
    }

    /// The concept that was aimed at.
    fn concept(&self, candidate: &Candidate) -> Option<String> {
        if self.coverage.is_none() {
            return candidate.concept();
        }
        let aimed = candidate.about.as_ref().filter(|about| about.aimed);
        aimed.map(|about| about.topic.name.clone())
    }

    /// What its answers were found to be worth, where they vote.
    fn weighed(&self, recipe: &Recipe, candidate: &Candidate) -> Option<Weighed> {
        let brief = candidate.brief(recipe);
        let context = self.setup.context(&brief, self.rule(candidate), &candidate.spec);
        let ballot = candidate.state.ballot();
        ballot.weighed(&context, candidate.asked_about())
    }

    /// Says which concepts a decided candidate belongs to, and counts it there.
    fn assess(&mut self, candidate: &Candidate, accepted: bool) -> Result<Assessed, Error> {
        if self.coverage.is_none() {
            return Ok(Assessed::default());
        }
        let recipe = self.setup.recipe(candidate.recipe);
        // Texts are about what they say themselves.
        let compared = self.says(candidate, recipe.file().row.form.speaks_for_itself());
        let Some(coverage) = &mut self.coverage else {
            return Ok(Assessed::default());
        };
        coverage.assess(&Decided {
            strategy: recipe.kind(),
            anchor: candidate.anchor,
            topic: candidate.topic().map(|topic| topic.name.as_str()),
            of_passage: candidate.of_passage(),
            question: &compared,
            vector: candidate.vector.as_deref(),
            model: candidate.heard(),
            accepted,
        })
    }
}
