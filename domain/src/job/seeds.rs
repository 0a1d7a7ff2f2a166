//! The job's real data: where it is read, what its columns hold, and what is held out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{defaults, model};

/// Where the real examples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// A file, a glob, or a list of them; relative to the job file.
    #[serde(deserialize_with = "model::one_or_many")]
    #[schemars(with = "model::OneOrMany<String>")]
    pub path: Vec<String>,
    /// Format of the files; taken from the file name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TableFormat>,
    /// Which column holds what.
    #[serde(default)]
    pub fields: Fields,
    /// Documents that new questions are asked about, beside the examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Documents>,
    /// Largest share of rows that cannot be used before the run is refused (0 to 1): unreadable ones, and those whose reference the
    /// validator cannot read.
    #[serde(default = "defaults::bad_rows")]
    pub max_bad_share: f64,
}

/// Documents (Markdown, HTML, PDF, DOCX, plain text), cut into passages: a new question is asked about one of them, and its row names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// A file, a folder, a glob, or a list of them; relative to the job file.
    #[serde(deserialize_with = "model::one_or_many")]
    #[schemars(with = "model::OneOrMany<String>")]
    pub path: Vec<String>,
    /// Words that a passage is aimed to have.
    #[serde(default = "defaults::passage_words")]
    pub words: u32,
    /// Words that no passage exceeds.
    #[serde(default = "defaults::passage_words_max")]
    pub words_max: u32,
    /// Words of the end of a passage that the next one of its section begins with.
    #[serde(default = "defaults::passage_overlap")]
    pub overlap: u32,
}

/// A table's file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Columns of a seed table, by name or by path: `answers.text` is a member of an object, `messages.user` and `messages.assistant` are the first
/// question of a conversation and its answer. Only `question` and `answer` must be in every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The question or instruction.
    pub question: String,
    /// What the question is about, where it stands apart (Alpaca's `input`): it is put behind the question, and may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Options to choose from, which are shown with the question: a column with a list or an object of them, or a list of columns with one each.
    /// The answer names one by its label, its text or its number, and becomes the option's text.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "model::one_or_many"
    )]
    #[schemars(with = "model::OneOrMany<String>")]
    pub choices: Vec<String>,
    /// The number of the first option, where answers are numbers: 0 or 1.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub choices_from: u32,
    /// The answer as a person wrote it; also the reference unless `references` names another column.
    pub answer: String,
    /// Reasoning that leads to the answer, when it stands apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Reference answers to check against, a text or a list of texts; `none` where no answer of the seeds is sure enough to check
    /// against, so that the agreement of several answers decides everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    /// The passage that the question rests on, a text or a list of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Concept labels, a text or a list of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concept: Option<String>,
    /// Source document: rows of one source stay in one split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Name of the database a query runs on (validator `sql`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl Fields {
    /// What stands for the column's name where there are no references.
    pub const NO_REFERENCES: &str = "none";

    /// False where no answer of the seeds is a reference.
    pub fn has_references(&self) -> bool {
        self.references.as_deref() != Some(Self::NO_REFERENCES)
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            question: "question".into(),
            input: None,
            choices: Vec::new(),
            choices_from: 0,
            answer: "answer".into(),
            reasoning: None,
            references: None,
            context: None,
            concept: None,
            source: None,
            database: None,
        }
    }
}

/// Real rows kept for validation and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Holdout {
    /// Share of the real rows for validation (0 to 1).
    pub validation: f64,
    /// Share of the real rows for test (0 to 1).
    pub test: f64,
    /// Questions at least this similar (Jaccard of word pairs) stay in one split.
    pub group_jaccard: f64,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for Holdout {
    fn default() -> Self {
        Self {
            validation: 0.1,
            test: 0.1,
            group_jaccard: 0.7,
            seed: 0,
        }
    }
}
