//! A job that asks held-out questions and makes no rows.

use gristmill_domain::job::Evaluate;
use gristmill_domain::plan::End;
use gristmill_domain::work::Address;

use crate::engine::{Engine, Site};
use crate::evaluation::{Questions, evaluation_plan};
use crate::{Coordinator, Error, Events};

impl Coordinator<'_> {
    /// Asks every question that is not answered yet.
    pub(super) async fn evaluate(
        &self,
        site: &mut Site<'_>,
        evaluate: &Evaluate,
        events: &Events,
    ) -> Result<End, Error> {
        let plan = evaluation_plan(self.setup, evaluate, self.seeds)?;
        if !site.closed {
            plan.affordable(site.limit)?;
        }
        self.progress.send_modify(|progress| {
            progress.phase = "asking held-out questions".to_owned();
            progress.evaluates = true;
            progress.expected_rows = plan.answers();
            progress.expected_calls = plan.calls();
        });
        let reopened = u16::try_from(events.reopenings().count()).unwrap_or(u16::MAX);
        let mut questions = Questions::new(self.setup, evaluate, self.seeds, plan, reopened)?;
        Engine::new(site, Address::EVALUATION)
            .await?
            .drive(&mut questions, |_| {})
            .await?;
        Ok(match questions.unfunded() {
            true => End::BudgetSpent,
            false => End::QuestionsAsked,
        })
    }
}
