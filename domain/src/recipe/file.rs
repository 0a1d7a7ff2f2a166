//! A recipe as it is written: the shape of its file, with nothing checked but types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;
use std::fmt;

use crate::dialogue::Tool;
use crate::reply::MemberFile;
use crate::strategy::Strategy;

/// A recipe file. It reads from top to bottom in the order in which things happen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name, as a job names it.
    pub recipe: String,
    /// Its version: raise it whenever a change should be told apart in provenance.
    pub version: u32,
    /// What it makes, in a sentence.
    pub about: String,
    /// What a candidate starts from.
    #[serde(default)]
    pub starts_from: StartsFrom,
    /// The strategy of the budget rule that it serves; left out, its weight alone decides how often it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_as: Option<Strategy>,
    /// What a job must have for the recipe to make sense.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// Tools that the assistants of its dialogues may call: the field `tools`, from the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// What happens, in this order.
    pub steps: Vec<StepFile>,
    /// The row that the fields become.
    pub row: RowFile,
    /// Texts of prompts that the recipe brings along, by the name under which its steps name them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub prompts: BTreeMap<String, String>,
}

/// What a candidate starts from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartsFrom {
    /// A seed: its question, its answer, its passage where it has one.
    #[default]
    Seed,
    /// A passage of the job's documents, with a seed as an example of the form; where there are no documents, a seed.
    Passage,
}

/// What a recipe needs of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Passages: documents, or seeds with a passage each.
    Passage,
    /// Answers that can be compared with each other: a validator, or `generate.agreement.min_f1`.
    Agreement,
    /// Something that tells good answers from better ones: a judge, or a validator and references.
    Ranking,
}

/// One step: one of `ask`, `judge`, `distinct`, `check`, `choose`, `repeat` and `tag`, with what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// Asks a model, under this name; its reply fills fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// Has the answer judged, under this name: by the built-in rubric, or by a prompt of its own whose reply has a number `score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// Drops candidates whose field is like that of a row before it: questions among all rows and seeds, answers among those to one question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    /// Drops candidates for which a condition over the fields does not hold; no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Keeps one of several samples of a step, or two as a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choose: Option<String>,
    /// Steps that are done again until a condition over the fields holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<RepeatFile>,
    /// Labels the row: `concept` asks which of the job's concepts it is about, where the job has a model say so. It never rejects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,

    /// The prompt of an `ask` or a `judge`: a built-in one by its name, or a file beside the recipe. Of several, each candidate draws one.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub prompt: OneOrMany,
    /// The role of the model that is asked: `teacher`, `judge`, or another name that the job gives to one of its models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the reply holds: a list of `name: type`, in the order in which the model is to write it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply: Vec<MemberFile>,
    /// How many replies are asked for: a number, or until they agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<SamplesFile>,
    /// The reply brings a first answer for a later step as well, where answers vote: the name of that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brings: Option<String>,
    /// How many candidates share one reply: each takes one of the records that it lists. Only the first step of a recipe for new questions
    /// or texts can be shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<u32>,
    /// Whose facts the reply keeps, in other words; one that does not is dropped. `true`: the question keeps those of the seed's question.
    /// The name of a field: the reply's question, answer or text keeps those of the one in this field.
    #[serde(default, skip_serializing_if = "KeepsFactsFile::is_none")]
    pub keeps_facts: KeepsFactsFile,
    /// The condition under which the step is done; it may look at fields and at `job.verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The condition that must hold after the reply; otherwise the candidate is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<String>,
    /// The reason under which dropped candidates are counted; `recipe` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects_as: Option<RejectsAs>,
    /// The field that says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// How often a reply that could not be read is asked for again; 0 when left out.
    #[serde(default, skip_serializing_if = "is_none")]
    pub again: u32,
    /// Of a `judge` with a prompt of its own: the condition from which the answer passes, such as `score >= 4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// Of a `choose`: what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Of a `choose` that keeps a pair: by how many points the better one must lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(number: &u32) -> bool {
    *number == 0
}

/// Whose facts a reply keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeepsFactsFile {
    /// Those of the seed's question, or nobody's.
    OfSeed(bool),
    /// Those of the text in a field.
    OfField(String),
}

impl Default for KeepsFactsFile {
    fn default() -> Self {
        Self::OfSeed(false)
    }
}

impl KeepsFactsFile {
    /// True where nothing is to be kept.
    pub fn is_none(&self) -> bool {
        *self == Self::OfSeed(false)
    }
}

/// A loop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatFile {
    /// The condition that ends it, looked at after each pass.
    pub until: String,
    /// The most passes.
    pub at_most: u32,
    /// What is done in each pass; a loop holds no other, and no `distinct`.
    pub steps: Vec<StepFile>,
}

/// How many replies a step asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SamplesFile {
    /// So many.
    Number(u32),
    /// Until they agree as far as the job's `generate.agreement` wants.
    Until(AgreementFile),
}

/// Replies until they agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementFile {
    /// `agreement`.
    pub until: Agreement,
    /// Steps that are only done where they are worth their price for the decision: a verdict on the question, and the judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// The word `agreement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Answers agree.
    Agreement,
}

/// The reason under which a recipe's own conditions reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectsAs {
    /// The question cannot be answered.
    Unanswerable,
    /// The passage does not support it.
    Ungrounded,
    /// It was judged too low.
    JudgedLow,
    /// Anything else.
    Recipe,
}

/// What a `choose` keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The best.
    #[default]
    Best,
    /// The best as `chosen` and the worst as `rejected`.
    BestAndWorst,
}

/// The row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowFile {
    /// Its form.
    pub form: Form,
    /// The field with the question, or the prompt of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The field with the answer, and its reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The field with the answer that is preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The field with the one that is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// Of a pair: the longer of its two answers has at most so many times the characters of the shorter one, reasoning included; from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length_ratio: Option<f64>,
    /// The field with the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The field with the messages of a dialogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// The field with the tools that its assistant may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
}

/// The form of a row.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A question and its answer.
    #[default]
    Instruction,
    /// A prompt with a preferred answer and another.
    Preference,
    /// A text to train on as it stands.
    Text,
    /// A dialogue of user and assistant.
    Dialogue,
    /// A dialogue whose assistant may call tools.
    ToolUse,
}

impl Form {
    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instruction => "instruction",
            Self::Preference => "preference",
            Self::Text => "text",
            Self::Dialogue => "dialogue",
            Self::ToolUse => "tool_use",
        }
    }

    /// True of rows that are stored as messages.
    pub const fn is_dialogue(self) -> bool {
        matches!(self, Self::Dialogue | Self::ToolUse)
    }

    /// True of rows that are compared with others by a text of their own, and not by a question.
    pub const fn speaks_for_itself(self) -> bool {
        matches!(self, Self::Text | Self::Dialogue | Self::ToolUse)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name, or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Names", into = "Names")]
#[schemars(with = "Names")]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl From<Names> for OneOrMany {
    fn from(names: Names) -> Self {
        match names {
            Names::One(name) => Self(vec![name]),
            Names::Many(names) => Self(names),
        }
    }
}

impl From<OneOrMany> for Names {
    fn from(OneOrMany(mut names): OneOrMany) -> Self {
        match names.pop() {
            Some(only) if names.is_empty() => Self::One(only),
            Some(last) => {
                names.push(last);
                Self::Many(names)
            }
            None => Self::Many(names),
        }
    }
}
