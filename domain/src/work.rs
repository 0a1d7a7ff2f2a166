//! One unit of paid work: what a worker is told to do, and what it reports back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::chat::{self, Likelihood};
use crate::filter::Rejection;
use crate::id::{RunId, TaskId};
use crate::recipe::Call;
use crate::reply::{Fields, Holds, Reply, Value};
use crate::stage::Stage;
use crate::validator::Settings;

pub use crate::reply::{Answer, Judgement};

/// A planned task. Its id is a hash of (run, round, candidate, stage, step, pass, sample), so that planning again after a crash names the same work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Identity.
    pub id: TaskId,
    /// Where it belongs.
    pub address: Address,
    /// Name of the configured model that does it: a name only, so that no text of a document can choose an address or a key.
    pub model: String,
    /// What a worker must be able to do beside asking a model ([`abilities`]): one that is not leaves the task to others. The envelope
    /// carries it apart, so that a worker reads it before it reads anything that it may not know.
    #[serde(skip)]
    pub needs: Vec<String>,
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
    /// StageCall.
    pub step: StageCall,
}

/// Which call of a candidate it is: a step of its recipe, the pass of the loop that the step stands in, and which of the replies to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "StoredStageCall")]
pub struct StageCall {
    /// The queue and sub-account that it belongs to.
    pub stage: Stage,
    /// The call; all zero for a batch of embeddings.
    #[serde(flatten)]
    pub call: Call,
}

impl StageCall {
    /// Embeds a batch of texts.
    pub const EMBED: Self = Self {
        stage: Stage::Embed,
        call: Call {
            step: 0,
            pass: 0,
            sample: 0,
        },
    };
}

/// A step as it is stored, or as versions before recipes stored it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredStageCall {
    Now {
        stage: Stage,
        #[serde(flatten)]
        call: Call,
    },
    BeforeRecipes(StepBeforeRecipes),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepBeforeRecipes {
    Ask,
    Embed,
    Verify,
    VerifyAgain,
    Answer(u32),
    Judge(u32),
    Assign,
}

impl From<StoredStageCall> for StageCall {
    fn from(stored: StoredStageCall) -> Self {
        let old = match stored {
            StoredStageCall::Now { stage, call } => return Self { stage, call },
            StoredStageCall::BeforeRecipes(old) => old,
        };
        // The numbers of the recipe `new_question`, which has a step of each kind.
        let (stage, step, sample) = match old {
            StepBeforeRecipes::Embed => return Self::EMBED,
            StepBeforeRecipes::Ask => (Stage::Generate, 0, 0),
            StepBeforeRecipes::Verify => (Stage::Generate, 2, 0),
            StepBeforeRecipes::VerifyAgain => (Stage::Generate, 2, 1),
            StepBeforeRecipes::Answer(sample) => (Stage::Generate, 3, sample),
            StepBeforeRecipes::Judge(sample) => (Stage::Judge, 4, sample),
            StepBeforeRecipes::Assign => (Stage::Judge, 5, 0),
        };
        let call = Call {
            step,
            pass: 0,
            sample,
        };
        Self { stage, call }
    }
}

impl Address {
    /// The round number under which the seeds themselves are embedded, before round 0.
    pub const PREPARATION: u32 = u32::MAX;
    /// The round number under which teachers that are related to the student are asked validation rows, before round 0.
    pub const TEACHER_CHECK: u32 = u32::MAX - 1;
    /// The round number of an evaluation, which has no other.
    pub const EVALUATION: u32 = 0;

    /// The task's identity within a run.
    pub fn task_id(self, run: RunId) -> TaskId {
        let StageCall { stage, call } = self.step;
        if stage == Stage::Embed {
            // As before there were recipes, so that runs of that time can be replayed.
            return TaskId::of(&[
                run.as_bytes(),
                &self.round.to_le_bytes(),
                &self.index.to_le_bytes(),
                &[1],
                &0_u32.to_le_bytes(),
            ]);
        }
        TaskId::of(&[
            run.as_bytes(),
            &self.round.to_le_bytes(),
            &self.index.to_le_bytes(),
            stage.name().as_bytes(),
            &(call.step as u64).to_le_bytes(),
            &call.pass.to_le_bytes(),
            &call.sample.to_le_bytes(),
        ])
    }
}

/// What a worker of this version can do: read replies with members of these types, and check answers by these validators.
pub fn abilities() -> BTreeSet<String> {
    let replies = Holds::NAMES.iter().map(|name| format!("reply:{name}"));
    let validators = Settings::EXAMPLES.iter().filter_map(|example| {
        let settings: Settings = serde_json::from_str(example).ok()?;
        Some(of_validator(settings.name()))
    });
    let others = [HELD_OUT, SCORE].map(str::to_owned);
    replies.chain(validators).chain(others).collect()
}

/// What a worker must be able to do to ask held-out questions.
pub const HELD_OUT: &str = "held_out";
/// What a worker must be able to do to ask how likely texts are.
pub const SCORE: &str = "score";

fn of_validator(name: &str) -> String {
    format!("validator:{name}")
}

/// What a worker must be able to do to read such a reply, and to check the answer in it by a validator.
pub fn needs(reply: &Reply, validator: Option<&str>) -> Vec<String> {
    let members = reply.members.iter().chain(reply.filled());
    let types: BTreeSet<&str> = members.map(|member| member.holds.name()).collect();
    let types = types.into_iter().map(|name| format!("reply:{name}"));
    types.chain(validator.map(of_validator)).collect()
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
    /// Asks a chat model, reads what its reply holds, and checks that.
    Chat {
        /// What is sent.
        request: chat::Request,
        /// What the reply holds.
        reply: Reply,
        /// What an answer in it is checked against; its question is empty where the reply brings one. `None` where it holds none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
    },
    /// Asks a held-out question. Whatever is said is kept, and graded as far as the job's validator can.
    HeldOut {
        /// What is sent.
        request: chat::Request,
        /// What the answer is compared with.
        subject: Subject,
        /// Member of the JSON object that holds the answer, where the prompt asks for one; `None` where the whole reply is the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<String>,
    },
    /// Asks a chat model how likely texts are behind a prompt; an empty raw one is the beginning of a document.
    Score {
        /// What stands before them.
        prompt: chat::Prompt,
        /// The texts.
        continuations: Vec<String>,
    },
    /// Embeds texts.
    Embed {
        /// The texts.
        texts: Vec<String>,
    },
}

impl Work {
    /// What a completion is asked for by; `None` where none is.
    pub fn request(&self) -> Option<&chat::Request> {
        match self {
            Self::Chat { request, .. } | Self::HeldOut { request, .. } => Some(request),
            Self::Score { .. } | Self::Embed { .. } => None,
        }
    }

    /// Upper bound on what it costs at a model of this price. Embedding is done in this process.
    pub fn worst_case(&self, price: chat::Price) -> Amount {
        match self {
            Self::Chat { request, .. } | Self::HeldOut { request, .. } => price.worst_case(request),
            Self::Score {
                prompt,
                continuations,
            } => price.worst_case_of_score(prompt, continuations),
            Self::Embed { texts } => embedding_worst_case(texts),
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

/// What a model said to a held-out question.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutAnswer {
    /// The reply, without what the model thought before; the answer as the validator read it, and its verdict.
    pub answer: Answer,
    /// The reply was cut off.
    pub cut: bool,
}

impl HeldOutAnswer {
    const ANSWER: &'static str = "answer";
    const CUT: &'static str = "cut";

    /// Reads it back.
    pub fn of(fields: &Fields) -> Option<Self> {
        match (fields.get(Self::ANSWER), fields.get(Self::CUT)) {
            (Some(Value::Answer(Some(answer))), Some(Value::YesNo(cut))) => Some(Self {
                answer: answer.clone(),
                cut: *cut,
            }),
            _ => None,
        }
    }
}

impl From<HeldOutAnswer> for Fields {
    fn from(HeldOutAnswer { answer, cut }: HeldOutAnswer) -> Self {
        Self::from([
            (HeldOutAnswer::ANSWER.to_owned(), Value::Answer(Some(answer))),
            (HeldOutAnswer::CUT.to_owned(), Value::YesNo(cut)),
        ])
    }
}

/// What a task brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "StoredOutput")]
pub enum Output {
    /// What the reply holds, by member.
    Fields(Fields),
    /// One unit vector a text.
    Vectors(Vec<Vec<f32>>),
    /// How likely each text is.
    Likelihoods(Vec<Likelihood>),
    /// The completion was paid for, and is of no use.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// What the model said, cut to a readable length.
        text: String,
    },
}

/// An output as it is stored, or as versions before recipes stored it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredOutput {
    Fields(Fields),
    Vectors(Vec<Vec<f32>>),
    Likelihoods(Vec<Likelihood>),
    Rejected {
        rejection: Rejection,
        text: String,
    },
    Question(String),
    Answered {
        question: String,
        answer: Option<Answer>,
    },
    Verified {
        answerable: bool,
        reason: String,
        #[serde(default)]
        answer: Option<Answer>,
    },
    Answer(Answer),
    Judged(Judgement),
    Assigned(Option<String>),
}

impl From<StoredOutput> for Output {
    fn from(stored: StoredOutput) -> Self {
        let fields = |fields: &[(&str, Value)]| {
            let named = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            Self::Fields(named.collect())
        };
        match stored {
            StoredOutput::Fields(fields) => Self::Fields(fields),
            StoredOutput::Vectors(vectors) => Self::Vectors(vectors),
            StoredOutput::Likelihoods(likelihoods) => Self::Likelihoods(likelihoods),
            StoredOutput::Rejected { rejection, text } => Self::Rejected { rejection, text },
            StoredOutput::Question(question) => fields(&[("question", Value::Text(question))]),
            StoredOutput::Answered { question, answer } => fields(&[
                ("question", Value::Text(question)),
                ("answer", Value::Answer(answer)),
            ]),
            StoredOutput::Verified {
                answerable,
                reason,
                answer,
            } => fields(&[
                ("answerable", Value::YesNo(answerable)),
                ("reason", Value::Text(reason)),
                ("answer", Value::Answer(answer)),
            ]),
            StoredOutput::Answer(answer) => fields(&[("answer", Value::Answer(Some(answer)))]),
            StoredOutput::Judged(judgement) => Self::Fields(judgement.into()),
            StoredOutput::Assigned(concept) => fields(&[("concept", Value::Choice(concept))]),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_before_recipes_is_still_read() {
        let step = |text: &str| serde_json::from_str::<StageCall>(text).unwrap();
        let numbers = |step: StageCall| (step.stage, step.call.step, step.call.sample);
        assert_eq!(numbers(step(r#""ask""#)), (Stage::Generate, 0, 0));
        assert_eq!(numbers(step(r#"{"answer": 2}"#)), (Stage::Generate, 3, 2));
        assert_eq!(numbers(step(r#""verify_again""#)), (Stage::Generate, 2, 1));
        assert_eq!(step(r#""embed""#), StageCall::EMBED);
        let now = step(r#"{"judge": 1}"#);
        assert_eq!(step(&serde_json::to_string(&now).unwrap()), now);
        let output = |text: &str| serde_json::from_str::<Output>(text).unwrap();
        assert_eq!(
            output(r#"{"question": "Why?"}"#),
            Output::Fields(Fields::from([("question".into(), Value::text("Why?"))]))
        );
        assert_eq!(
            output(r#"{"assigned": null}"#),
            Output::Fields(Fields::from([("concept".into(), Value::Choice(None))]))
        );
    }

    #[test]
    fn this_version_can_do_all_that_its_own_tasks_need() {
        let able = abilities();
        let reply = Reply::judgement("grade").with_answer(true);
        for need in needs(&reply, Some("sql")) {
            assert!(able.contains(&need), "{need}");
        }
        assert!(!able.contains("validator:of_tomorrow"));
    }

    #[test]
    fn every_call_of_a_candidate_is_another_task() {
        let id = |stage, step, pass, sample| {
            let address = Address {
                round: 0,
                index: 0,
                step: StageCall {
                    stage,
                    call: Call { step, pass, sample },
                },
            };
            address.task_id(RunId::of(&[]))
        };
        let ids = [
            id(Stage::Generate, 1, 0, 0),
            id(Stage::Generate, 0, 1, 0),
            id(Stage::Generate, 0, 0, 1),
            id(Stage::Generate, 0, 0, 0),
            id(Stage::Embed, 0, 0, 0),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.into_iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
