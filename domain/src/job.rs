//! The job: everything a user decides, in thirteen sections, with the defaults that make a short file work.
//!
//! Reading the YAML, and telling its errors with line and column, belongs to the job-file adapter; this module owns what the
//! settings mean and [`check`](Job::check)s what no single value can show.

mod address;
mod api;
mod batch;
mod check;
mod concepts;
mod evaluate;
mod filter;
mod local;
mod model;
mod models;
mod mutators;
mod redact;
mod seeds;
mod student;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::strategy::Strategy;
use crate::validator::Comparison;

pub use address::{Address, WrongAddress};
pub use api::Api;
pub use batch::{BatchPrice, Batching};
pub use check::{Problem, Report};
pub use concepts::{Accept, Assign, Concept, Concepts, Listed, NO_CONCEPT, Wrong, folded, wrong};
pub use evaluate::{Evaluate, EvaluatedModel, EvaluatedRole, GradedBy, HeldOut, PromptFormat};
pub use filter::{Decontaminate, Existing, Filter, Grounding, NearDuplicates, SemanticDuplicates};
pub use local::{Engine, LocalModel, is_model_path};
pub use model::{
    Embed, EmbedSource, Judge, JudgeWhen, ModelPrice, ModelSource, ModelSpec, PromptForm, Structured,
    Teacher, TokenLimitKey,
};
pub use mutators::{Evolution, Mutators, Style, wrong_personas};
pub use seeds::{Documents, Fields, Holdout, Seeds, TableFormat};
pub use student::{Relation, Student};

/// A job as written by a user, complete with defaults: the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Where the real examples come from.
    pub seeds: Seeds,
    /// How much of the real data is kept for validation and test, never to be generated from.
    #[serde(default)]
    pub holdout: Holdout,
    /// The stronger model or models that generate; left out only where the job is an evaluation.
    #[serde(
        default,
        deserialize_with = "model::one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "model::OneOrMany<Teacher>")]
    pub teacher: Vec<Teacher>,
    /// The model that grades what no validator could verify; left out, nothing is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
    /// The model that is trained on the dataset; named, a teacher of its kind is noticed, and measured before it makes rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student: Option<Student>,
    /// Makes the job an evaluation: its held-out rows are asked, and no rows are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate: Option<Evaluate>,
    /// The sentence-embedding model for semantic duplicates and decontamination.
    #[serde(default)]
    pub embed: Embed,
    /// What the data should cover; left out, nothing is counted by concept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concepts: Option<Concepts>,
    /// What is generated, and how.
    #[serde(default)]
    pub generate: Generate,
    /// What is let through.
    #[serde(default)]
    pub filter: Filter,
    /// The hard budget, in calls, in US dollars, or both.
    pub budget: Budget,
    /// The real data in the training set and the ceiling on the synthetic share.
    #[serde(default)]
    pub anchor: Anchor,
    /// Where the dataset goes and how its rows look.
    #[serde(default)]
    pub output: Output,
}

/// What is generated, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// `auto` follows the budget ratio; a name forces one strategy.
    pub strategy: StrategyChoice,
    /// Synthetic rows wanted; left out, what the budget and the ceiling allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What the data is about, in a few words, for the prompts.
    pub subject: String,
    /// Answers carry the reasoning that leads to them.
    pub reasoning: bool,
    /// Solved examples shown in a prompt.
    pub examples: u32,
    /// New questions may be checked for being answerable.
    pub verify: bool,
    /// How many answers decide a question that has no reference.
    pub agreement: Agreement,
    /// Rephrasings of one seed that may be kept.
    pub rephrasings_per_seed: u32,
    /// Upper bound on completion tokens of one request.
    pub max_tokens: u32,
    /// Sampling temperature of generating requests.
    pub temperature: f32,
    /// Nucleus sampling mass of generating requests.
    pub top_p: f32,
    /// Share of the budget for the pilot that measures acceptance and cost; 0 leaves it out.
    pub pilot: f64,
    /// Rounds after the pilot, over which the budget is spread; each re-fits the mix.
    pub rounds: u32,
    /// Every draw of the run follows from it: another number makes another run of the same job, with the same held-out rows.
    #[serde(skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// Recipes by which rows are made: names of built-in ones, or files; relative to the job file. Left out, the three that the budget rule
    /// chooses between: `answer_augmentation`, `rephrasing` and `new_question`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipes: Vec<ChosenRecipe>,
    /// Models of the roles that recipes name, by role: each the name of one of the teachers or of the judge.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// How the prompts of questions are varied; left out, they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutators: Option<Mutators>,
    /// Template files that replace built-in prompts, by the prompt's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = prompt_names)]
    pub prompts: BTreeMap<String, PathBuf>,
}

/// The derived schema of a map leaves its keys open; these are known.
fn prompt_names(schema: &mut schemars::Schema) {
    let names = serde_json::json!({"type": "string", "enum": crate::prompt::built_in_names()});
    schema.insert("propertyNames".into(), names);
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            strategy: StrategyChoice::Auto,
            rows: None,
            subject: String::new(),
            reasoning: true,
            examples: 3,
            verify: true,
            agreement: Agreement::default(),
            rephrasings_per_seed: 4,
            max_tokens: 1024,
            temperature: 0.8,
            top_p: 0.95,
            pilot: 0.05,
            rounds: 4,
            seed: 0,
            recipes: Vec::new(),
            roles: BTreeMap::new(),
            mutators: None,
            prompts: BTreeMap::new(),
        }
    }
}

/// A recipe that a job names: its name or file, or that with a weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ChosenRecipe {
    /// With the weight 1.
    Name(String),
    /// With a weight.
    Weighed(WeighedRecipe),
}

/// A recipe and its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeighedRecipe {
    /// Its name, or its file.
    pub recipe: String,
    /// How often it is used beside others that count as the same strategy; one that counts as none gets its share of all candidates.
    #[serde(default = "WeighedRecipe::default_weight")]
    pub weight: f64,
}

impl WeighedRecipe {
    fn default_weight() -> f64 {
        1.0
    }
}

impl ChosenRecipe {
    /// Its name, or its file.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Weighed(weighed) => &weighed.recipe,
        }
    }

    /// Its weight.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Name(_) => 1.0,
            Self::Weighed(weighed) => weighed.weight,
        }
    }
}

pub(crate) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// Which strategy generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyChoice {
    /// The mix follows from the query budget over the seed count (Chan et al. 2024).
    Auto,
    /// Several answers to each seed's question.
    AnswerAugmentation,
    /// The seed's question in other words, answered by the teacher.
    Rephrasing,
    /// New questions, verified as answerable, then answered.
    NewQuestion,
}

impl StrategyChoice {
    /// The strategy that is forced, where one is.
    pub fn forced(self) -> Option<Strategy> {
        match self {
            Self::Auto => None,
            Self::AnswerAugmentation => Some(Strategy::AnswerAugmentation),
            Self::Rephrasing => Some(Strategy::Rephrasing),
            Self::NewQuestion => Some(Strategy::NewQuestion),
        }
    }
}

/// When several answers to a question without a reference are agreement enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Agreement {
    /// Share of the rows without a reference that should be right, between 0.5 and 1; 0.99 when left out. How many answers are drawn, and
    /// whether a question is verified or judged first, follows from what earlier rounds measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The run ends when measurement shows that `accuracy` cannot be met; otherwise it does what comes closest and says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// A fixed rule instead: votes by which one answer must lead the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<u32>,
    /// Answers drawn for one question at most; 10 when left out, or 6 with a fixed `lead`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_samples: Option<u32>,
    /// Compares open answers, which no validator reads, by what they say: two are the same from this token F1 on (0 to 1; 0.6 suits answers
    /// of a sentence or two), unless their facts differ. Left out, open answers do not vote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_f1: Option<f64>,
}

impl Agreement {
    /// Most answers to one question that a rule may look at.
    pub const MAX_SAMPLES: u32 = 16;

    /// Share of the rows that should be right.
    pub fn accuracy(&self) -> f64 {
        self.accuracy.unwrap_or(0.99)
    }

    /// Answers drawn for one question at most.
    pub fn max_samples(&self) -> u32 {
        let fixed = self.lead.is_some();
        self.max_samples.unwrap_or(if fixed { 6 } else { 10 })
    }
}

impl Job {
    /// Whether several answers to one question can be compared, so that they may vote.
    pub fn answers_vote(&self) -> bool {
        self.filter.validator.comparison() != Comparison::No || self.generate.agreement.min_f1.is_some()
    }

    /// Wrong answers that there can be to a question, where answers are chosen from a list.
    pub fn wrong_answers(&self) -> Option<u32> {
        let choices = self.filter.validator.choices();
        (!choices.is_empty()).then(|| choices.len() as u32 - 1)
    }

    /// Token F1 from which two answers say the same, where they are compared by what they say and not by a canonical form.
    pub fn meaning_f1(&self) -> Option<f64> {
        match self.filter.validator.comparison() {
            Comparison::No => self.generate.agreement.min_f1,
            Comparison::Meaning { min_f1 } => Some(min_f1),
            Comparison::Canonical => None,
        }
    }
}

/// The hard budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Ceiling in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Ceiling in model calls, those of local models included; embedding is free, and none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Share of the budget that calls in flight may hold at once: what a crash can burn at most. At least one call may always be open.
    /// Calls of a batch API are not counted: a crash does not lose them.
    #[serde(
        default = "Budget::default_at_risk",
        skip_serializing_if = "Budget::is_default_at_risk"
    )]
    pub at_risk: f64,
    /// Attempts at one task before it fails.
    #[serde(default = "defaults::max_attempts")]
    pub max_attempts: u32,
    /// YAML file of prices a million tokens by model name; relative to the job file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_file: Option<PathBuf>,
}

impl Budget {
    /// A tenth: small budgets lose little, and large ones have all the calls open that their models take.
    pub fn default_at_risk() -> f64 {
        0.1
    }

    fn is_default_at_risk(share: &f64) -> bool {
        *share == Self::default_at_risk()
    }
}

/// The real data in the training set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Anchor {
    /// Largest share of synthetic rows in the training set.
    pub max_synthetic_share: f64,
    /// How often a real row may be repeated to stay under that share.
    pub max_repeats: u32,
    /// Allows a teacher that is the student, or descends from it. At least 10 % of the rows must then be real, and the run goes on only if
    /// the teacher is shown to answer validation rows right often enough (`student.min_accuracy`).
    pub self_improvement: bool,
    /// Most synthetic ancestors of a row, itself included: 1 takes rows of teachers that were trained on real rows alone. A teacher whose
    /// rows would be deeper (`teacher.lineage_depth`) is refused.
    #[serde(skip_serializing_if = "Anchor::is_default_depth")]
    pub max_depth: u8,
}

impl Anchor {
    /// Most synthetic ancestors of a row where a job does not say.
    pub const MAX_DEPTH: u8 = 1;

    fn is_default_depth(depth: &u8) -> bool {
        *depth == Self::MAX_DEPTH
    }
}

impl Default for Anchor {
    fn default() -> Self {
        Self {
            max_synthetic_share: 0.95,
            max_repeats: 1,
            self_improvement: false,
            max_depth: Self::MAX_DEPTH,
        }
    }
}

/// Where the dataset goes and how its rows look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// Folder of runs: a run's files go to `DIR/RUN`; relative to the job file.
    pub dir: PathBuf,
    /// Columns that trainers look for.
    pub layout: Layout,
    /// JSON lines beside the Parquet files.
    pub jsonl: bool,
    /// The passage stands in the question's message.
    pub context: bool,
    /// A system message in front of every conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Rows in a Parquet file.
    pub shard_rows: u64,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            dir: "out".into(),
            layout: Layout::Messages,
            jsonl: true,
            context: true,
            system: None,
            shard_rows: 100_000,
        }
    }
}

impl Output {
    /// What stands before a question in the user's message: the passage, where it is shown, and a blank line.
    pub fn before(&self, context: Option<&str>) -> String {
        context
            .filter(|_| self.context)
            .map_or_else(String::new, |context| format!("{context}\n\n"))
    }
}

/// Columns that trainers look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `messages`: a list of {role, content}.
    Messages,
    /// `prompt` and `completion`.
    PromptCompletion,
    /// `instruction`, `input` and `output`.
    Alpaca,
}

mod defaults {
    pub(super) fn passage_words() -> u32 {
        200
    }

    pub(super) fn passage_words_max() -> u32 {
        320
    }

    pub(super) fn passage_overlap() -> u32 {
        30
    }

    pub(super) fn bad_rows() -> f64 {
        0.01
    }
    pub(super) fn max_attempts() -> u32 {
        4
    }
}
