//! Rows: candidates that were decided, with everything that led there.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::concept::Assigned;
use crate::dialogue::{Tool, Turn};
use crate::evidence::Weighed;
use crate::filter::leak::Trial;
use crate::filter::{Reason, Rejection};
use crate::id::{ContentId, RunId, TaskId};
use crate::mutation::Mutation;
use crate::passage::{Cited, Second};
use crate::recipe::{Form, Made};
use crate::reply::Judgement;
use crate::stage::Stage;
use crate::strategy::Strategy;

/// Where a candidate stands in its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Round, from 0.
    pub round: u32,
    /// Candidate within the round.
    pub index: u64,
}

impl Position {
    /// The id of the row that the candidate becomes, accepted or not.
    pub fn row_id(self, run: RunId) -> ContentId {
        ContentId::of(&[
            b"row",
            run.as_bytes(),
            &self.round.to_le_bytes(),
            &self.index.to_le_bytes(),
        ])
    }
}

/// What is known of a candidate when it is decided, accepted or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Identity in the dataset.
    pub id: ContentId,
    /// Where its candidate stood.
    pub position: Position,
    /// Ordinal of the seed that it was made from.
    pub seed: u64,
    /// Number of that seed in the anchor.
    pub family: u32,
    /// The seed.
    pub seed_id: ContentId,
    /// What it is compared and counted as.
    pub strategy: Strategy,
    /// The recipe that it was made by; rows of older versions, and questions that measure the teacher, name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// Its form.
    #[serde(default, skip_serializing_if = "is_instruction")]
    pub form: Form,
    /// The concept that was aimed at.
    pub concept: Option<String>,
    /// The seed lent its form alone: the row is about another concept, and not about the seed's passage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub borrowed: bool,
    /// The concepts that it was found to belong to, where the job has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assigned: Vec<Assigned>,
    /// How probable it is that a new question is about the concept that its prompt named; rows of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_topic: Option<f64>,
    /// The passage of a document that the question was asked about; the seed then lends its form alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<Cited>,
    /// A second passage, which the question draws on as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// What the question was varied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
    /// The question; empty when none was had. Of a dialogue, what its gate compares: all that the user says, or the opening question.
    pub question: String,
    /// Reasoning that leads to the answer.
    pub reasoning: String,
    /// The answer; empty when none was had. Of a dialogue, the assistant's last message.
    pub answer: String,
    /// Of a dialogue, its messages: what is trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Turn>,
    /// Of a dialogue, the tools that its assistant may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Of a pair, the answer that is not preferred; `answer` is the one that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worse: Option<Worse>,
    /// Name of the teacher.
    pub teacher: String,
    /// The exact model that answered, as its provider names it.
    pub teacher_version: String,
    /// Versions of the prompts used, in the order of use.
    pub prompts: Vec<String>,
    /// Tasks that were paid for it, in the order of their steps.
    pub tasks: Vec<TaskId>,
    /// What each of these tasks was for; rows of older versions do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<TakenStep>,
    /// What they cost, every attempt counted, by the stage that was paid.
    pub costs: Vec<(Stage, Amount)>,
    /// What was found out about it.
    pub checks: Checks,
    /// Synthetic ancestors between it and a real row, itself included.
    pub depth: u8,
    /// Why it is not in the dataset; `None` for an accepted row.
    pub rejection: Option<Rejection>,
}

/// A step of a recipe that was taken for a row: one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenStep {
    /// The step's name, with the pass of its loop and the number of the reply where there were several: `answer 3`.
    pub step: String,
    /// Version of the prompt.
    pub prompt: String,
    /// The model that was asked, as the job names it.
    pub model: String,
}

/// The answer of a pair that is not preferred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worse {
    /// Reasoning that leads to it.
    pub reasoning: String,
    /// The answer.
    pub answer: String,
    /// Points by which the preferred one leads, where both were judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

/// What an assistant is trained to say: the reasoning, and the answer.
pub fn completion(reasoning: &str, answer: &str) -> String {
    if reasoning.is_empty() {
        answer.to_owned()
    } else {
        format!("{reasoning}\n\n{answer}")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_instruction(form: &Form) -> bool {
    *form == Form::Instruction
}

impl Row {
    /// What is compared with other rows: its question, its text, or what the gate of a dialogue compares.
    pub fn compared(&self) -> &str {
        match self.form {
            Form::Instruction | Form::Preference | Form::Dialogue | Form::ToolUse => &self.question,
            Form::Text => &self.answer,
        }
    }

    /// What the row cost.
    pub fn cost(&self) -> Amount {
        self.costs.iter().map(|(_, amount)| *amount).sum()
    }

    /// True when it is in the dataset.
    pub fn accepted(&self) -> bool {
        self.rejection.is_none()
    }

    /// True when nothing was seen of what it would have been: its calls failed, or no money was left for them.
    pub fn unseen(&self) -> bool {
        let unseen = |reason| matches!(reason, Reason::Unfunded | Reason::CallFailed);
        self.rejection
            .as_ref()
            .is_some_and(|rejection| unseen(rejection.reason))
    }

    /// True when it was asked for to measure the teacher.
    pub fn calibrates(&self) -> bool {
        self.rejection
            .as_ref()
            .is_some_and(|rejection| rejection.reason == Reason::Calibration)
    }

    /// True when it was as good as an accepted row, and not wanted any more.
    pub fn surplus(&self) -> bool {
        self.rejection
            .as_ref()
            .is_some_and(|rejection| rejection.reason == Reason::Surplus)
    }

    /// True when no money was left for its first call: nobody was asked for it.
    pub fn unasked(&self) -> bool {
        self.unfunded() && self.tasks.is_empty()
    }

    /// True when it was given up because no money was left for it.
    pub fn unfunded(&self) -> bool {
        self.rejection
            .as_ref()
            .is_some_and(|rejection| rejection.reason == Reason::Unfunded)
    }
}

/// What was found out about a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Whether the answer equals the reference, where there is one.
    pub correct: Option<bool>,
    /// Votes for the answer that was kept, and answers that could be compared, where several were drawn.
    pub votes: Option<(u32, u32)>,
    /// Judgements, in the order of their samples.
    pub judgements: Vec<Judgement>,
    /// What validators had to say.
    pub details: Vec<String>,
    /// Of a rephrasing, where texts are embedded: whether decontamination would have recognised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak_trial: Option<Trial>,
    /// What was drawn and how it was weighed, where answers were drawn; rows of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighed: Option<Weighed>,
}
