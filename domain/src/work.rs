//! One unit of paid work: what a worker is told to do, and what it reports back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::chat;
use crate::filter::Rejection;
use crate::id::{RunId, TaskId};
use crate::stage::Stage;

/// A planned task. Its id is a hash of (run, round, candidate, step), so that planning again after a crash names the same work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Identity.
    pub id: TaskId,
    /// Where it belongs.
    pub address: Address,
    /// Name of the configured model that does it: a name only, so that no text of a document can choose an address or a key.
    pub model: String,
    /// What to do.
    pub work: Work,
}

/// Which step of which candidate a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Round, from 0; seeds are embedded in [`Address::PREPARATION`].
    pub round: u32,
    /// Candidate within the round; for embeddings, the batch within the round.
    pub index: u64,
    /// Step.
    pub step: Step,
}

/// A step in the making of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Asks for a question: a rephrasing or a new one.
    Ask,
    /// Embeds a batch of questions.
    Embed,
    /// Asks whether a new question can be answered.
    Verify,
    /// Asks for the nth answer, from 0.
    Answer(u32),
    /// Asks for the nth judgement, from 0.
    Judge(u32),
    /// Asks which concept an accepted question is about.
    Assign,
    /// Asks once more whether a new question can be answered, after a reply that could not be read.
    VerifyAgain,
}

impl fmt::Display for Step {
    /// `answer 1`: samples are counted from 1 for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask => f.write_str("ask"),
            Self::Embed => f.write_str("embed"),
            Self::Verify => f.write_str("verify"),
            Self::Answer(sample) => write!(f, "answer {}", sample + 1),
            Self::Judge(sample) => write!(f, "judge {}", sample + 1),
            Self::Assign => f.write_str("assign"),
            Self::VerifyAgain => f.write_str("verify again"),
        }
    }
}

impl Step {
    /// The queue and sub-account that the step belongs to.
    pub fn stage(self) -> Stage {
        match self {
            Self::Ask | Self::Verify | Self::VerifyAgain | Self::Answer(_) => Stage::Generate,
            Self::Embed => Stage::Embed,
            Self::Judge(_) | Self::Assign => Stage::Judge,
        }
    }
}

impl Address {
    /// The round number under which the seeds themselves are embedded, before round 0.
    pub const PREPARATION: u32 = u32::MAX;

    /// The task's identity within a run.
    pub fn task_id(self, run: RunId) -> TaskId {
        let (step, sample) = match self.step {
            Step::Ask => (0u8, 0),
            Step::Embed => (1, 0),
            Step::Verify => (2, 0),
            Step::VerifyAgain => (2, 1),
            Step::Answer(sample) => (3, sample),
            Step::Judge(sample) => (4, sample),
            Step::Assign => (5, 0),
        };
        TaskId::of(&[
            run.as_bytes(),
            &self.round.to_le_bytes(),
            &self.index.to_le_bytes(),
            &[step],
            &sample.to_le_bytes(),
        ])
    }
}

/// The most that embedding texts may use, in this process and so without a call: a byte is at least a token, and each text adds two markers.
pub fn embedding_worst_case(texts: &[String]) -> Amount {
    let bytes: usize = texts.iter().map(String::len).sum();
    Amount {
        input_tokens: (bytes + 2 * texts.len()) as u64,
        ..Amount::ZERO
    }
}

/// What a worker does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Asks for a question and reads it from the answer.
    Ask {
        /// What is sent.
        request: chat::Request,
        /// What the answer is checked against that comes with the question; `None` where none is asked for. The question in it is empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
    },
    /// Asks whether a question can be answered.
    Verify {
        /// What is sent.
        request: chat::Request,
        /// What the answer is checked against that comes with the verdict; `None` where none is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
    },
    /// Asks for an answer, filters it by rules and verifies it.
    Answer {
        /// What is sent.
        request: chat::Request,
        /// What the answer is checked against.
        subject: Subject,
    },
    /// Asks for a judgement.
    Judge {
        /// What is sent.
        request: chat::Request,
    },
    /// Asks which concept a question is about.
    Assign {
        /// What is sent.
        request: chat::Request,
        /// The names that may be answered.
        names: Vec<String>,
    },
    /// Embeds texts.
    Embed {
        /// The texts.
        texts: Vec<String>,
    },
}

impl Work {
    /// What is sent to a chat model; `None` for an embedding.
    pub fn request(&self) -> Option<&chat::Request> {
        match self {
            Self::Ask { request, .. }
            | Self::Verify { request, .. }
            | Self::Judge { request }
            | Self::Assign { request, .. }
            | Self::Answer { request, .. } => Some(request),
            Self::Embed { .. } => None,
        }
    }
}

/// What an answer is checked against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The question that is answered.
    pub question: String,
    /// References; empty when none is known.
    pub references: Vec<String>,
    /// The passage that the answer must stand in, where grounding is asked for.
    pub passage: Option<String>,
    /// Database that a query runs on.
    pub database: Option<String>,
    /// The model's thinking is kept as reasoning that leads to the answer (`generate.reasoning`).
    #[serde(default)]
    pub traces: bool,
    /// Words of the seeds' shortest answer: what is as long is not too short, whatever the rules say of prose.
    #[serde(default)]
    pub shortest_words: Option<u32>,
}

/// What a task brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A question.
    Question(String),
    /// A question that was asked for together with an answer.
    Answered {
        /// The question.
        question: String,
        /// The answer; `None` where there is none, or none of use.
        answer: Option<Answer>,
    },
    /// Whether a question can be answered.
    Verified {
        /// It can.
        answerable: bool,
        /// Why, in the model's words.
        reason: String,
        /// The answer that came with it; `None` where none was asked for, or none of use came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
    },
    /// An answer that passed the rules.
    Answer(Answer),
    /// A judgement.
    Judged(Judgement),
    /// The concept that a question is about, as it was named; `None` when it is about none of them.
    Assigned(Option<String>),
    /// One unit vector a text.
    Vectors(Vec<Vec<f32>>),
    /// The completion was paid for, and is of no use.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// What the model said, cut to a readable length.
        text: String,
    },
}

/// An answer that passed the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Reasoning that leads to the answer; empty when none was asked for.
    pub reasoning: String,
    /// The answer.
    pub answer: String,
    /// The answer in canonical form (a number, a label, the fingerprint of a query's result), by which several are compared.
    pub canonical: String,
    /// Whether it equals a reference; `None` without one.
    pub correct: Option<bool>,
    /// What the validator has to say.
    pub detail: String,
}

/// An additive judgement: one point each (FACTS: 65.1 % pairwise accuracy against 26.6 % for a plain scale).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The answer addresses the question.
    pub relevant: bool,
    /// It covers a substantial part.
    pub substantial: bool,
    /// It gives the basics usefully.
    pub useful: bool,
    /// It is clear and complete.
    pub clear: bool,
    /// It is what an expert would say.
    pub expert: bool,
    /// What it says is right.
    pub correct: bool,
    /// Why.
    pub reason: String,
}

impl Judgement {
    /// Points of five. A wrong answer has none, however well it reads.
    pub fn points(&self) -> u32 {
        if !self.correct {
            return 0;
        }
        [
            self.relevant,
            self.substantial,
            self.useful,
            self.clear,
            self.expert,
        ]
        .iter()
        .map(|point| u32::from(*point))
        .sum()
    }
}

/// A task's output and the exact model that brought it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it brought.
    pub output: Output,
    /// The exact model that answered, as its provider names it.
    pub model_version: String,
}
