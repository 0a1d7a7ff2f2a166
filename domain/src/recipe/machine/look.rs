//! What can be seen of a candidate while it is walked.

use std::borrow::Cow;

use super::samples::judge_samples;
use super::{Ballot, Call, Stands, State};
use crate::dialogue;
use crate::filter::Rejection;
use crate::job::Judge;
use crate::recipe::{QUESTION, Recipe, Step};
use crate::reply::{Answer, Fields, Judgement, Reply, Value, latest_answer};
use crate::seed::Seed;

impl State {
    /// A candidate whose fields are filled as its seed's are: for what prompts are expected to cost.
    pub fn imagined(recipe: &Recipe, seed: &Seed) -> Self {
        let answer = Answer {
            reasoning: seed.reasoning.clone().unwrap_or_default(),
            answer: seed.answer.clone(),
            canonical: String::new(),
            correct: None,
            detail: String::new(),
        };
        let mut fields = Fields::from([(QUESTION.to_owned(), Value::text(&seed.question))]);
        fields.extend(recipe.first_fields());
        let members = recipe
            .steps()
            .iter()
            .filter_map(Step::reply)
            .flat_map(Reply::filled);
        for member in members {
            if let Some(value) = member.holds.example(&seed.question, &answer) {
                fields.insert(member.name.clone(), value);
            }
        }
        fields.insert("answer".into(), Value::Answer(Some(answer)));
        Self {
            fields,
            questioned: true,
            ..Self::default()
        }
    }

    /// A question that is asked, and its answer once there is one, without a recipe that is walked.
    pub fn asking(question: &str, answer: Option<Answer>) -> Self {
        let mut fields = Fields::from([(QUESTION.to_owned(), Value::text(question))]);
        fields.extend(answer.map(|answer| ("answer".to_owned(), Value::Answer(Some(answer)))));
        Self {
            fields,
            ..Self::default()
        }
    }

    /// The verdict, once it is decided: accepted, or why not.
    pub fn decided(&self) -> Option<Option<&Rejection>> {
        match &self.stands {
            Stands::Decided(rejection) => Some(rejection.as_ref()),
            Stands::New | Stands::Asking | Stands::AtGate => None,
        }
    }

    /// True while it waits at the gate of a step.
    pub fn waits_at(&self, gate: usize) -> bool {
        self.stands == Stands::AtGate && self.at == gate
    }

    /// True once it has come to the gate of a step, or can come there no more.
    pub fn reached(&self, gate: usize) -> bool {
        self.decided().is_some() || self.at > gate || self.waits_at(gate)
    }

    /// What its replies filled.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The text of a field; empty where it is not there.
    pub fn text(&self, field: &str) -> &str {
        match self.fields.get(field) {
            Some(Value::Text(text)) => text,
            Some(Value::Answer(Some(answer))) => &answer.answer,
            _ => "",
        }
    }

    /// What of a field is compared with other rows: its text, or all that the user says in a dialogue.
    pub fn compared(&self, field: &str) -> Cow<'_, str> {
        match self.fields.get(field) {
            Some(Value::Messages(turns)) => Cow::Owned(dialogue::asked(turns)),
            _ => Cow::Borrowed(self.text(field)),
        }
    }

    /// The question of the row; empty while it is not there, and for rows without one.
    pub fn question(&self, recipe: &Recipe) -> &str {
        match &recipe.file().row.question {
            Some(_) if recipe.asks_question() && !self.questioned => "",
            Some(field) => self.text(field),
            None => "",
        }
    }

    /// The answer in a field.
    pub fn answer(&self, field: &str) -> Option<&Answer> {
        match self.fields.get(field) {
            Some(Value::Answer(answer)) => answer.as_ref(),
            _ => None,
        }
    }

    /// The answer that a call is about: the one that votes lead to, a sample, or the one that is there.
    pub fn judged_answer(&self, recipe: &Recipe, judge: Option<&Judge>, call: Call) -> Option<&Answer> {
        if self.ballot.is_open() {
            return self.ballot.chosen();
        }
        if self.samples.is_empty() {
            return latest_answer(&self.fields);
        }
        let each = judge_samples(recipe, judge, call.step);
        let sample = self.samples.get((call.sample / each) as usize)?;
        latest_answer(&sample.fields)
    }

    /// What was drawn where answers voted, or one was asked for.
    pub fn ballot(&self) -> &Ballot {
        &self.ballot
    }

    /// Judgements of the answer that was kept.
    pub fn judgements(&self) -> Vec<Judgement> {
        let voted = self.ballot.judgements().cloned();
        voted.chain(self.judgements.iter().cloned()).collect()
    }

    /// What the last reply of no use said.
    pub fn last_text(&self) -> &str {
        self.last
            .as_ref()
            .map_or("", |(_, unusable)| unusable.text.as_str())
    }
}
