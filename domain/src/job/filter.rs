//! What a job lets through.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::filter::Rules;

/// What is let through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// How an answer is verified.
    pub validator: Validator,
    /// Rules on the text of an answer.
    pub rules: Rules,
    /// Exact and near duplicates by words.
    pub near_duplicates: NearDuplicates,
    /// Near duplicates by meaning.
    pub semantic_duplicates: SemanticDuplicates,
    /// Rows too close to a held-out one.
    pub decontaminate: Decontaminate,
    /// Answers must stand in their passage; left out, they need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grounding: Option<Grounding>,
}

/// How an answer is verified against its reference, and how several answers are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Validator {
    /// Nothing is verified; a judge is then the only check of what an answer says.
    #[default]
    None,
    /// The final number equals the reference's.
    Number,
    /// The query runs on the row's database and brings the result of a reference.
    Sql {
        /// Folder of SQLite databases, `NAME.sql` dumps or `NAME.sqlite` files; relative to the job file.
        databases: PathBuf,
        /// Seconds after which a query is stopped.
        #[serde(default = "defaults::sql_timeout_s")]
        timeout_s: u32,
    },
    /// The answer ends in one of a set of labels, the reference's.
    Label {
        /// The labels.
        labels: Vec<String>,
    },
    /// A short text, compared as SQuAD does.
    Text {
        /// Least token F1 with a reference.
        #[serde(default = "defaults::text_f1")]
        min_f1: f64,
    },
}

/// Exact and near duplicates by words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NearDuplicates {
    /// Jaccard similarity of word shingles from which two questions count as one.
    pub jaccard: f64,
    /// Jaccard similarity from which two answers to one question count as one.
    pub answer_jaccard: f64,
    /// Words in a shingle.
    pub shingle_words: u32,
}

impl Default for NearDuplicates {
    fn default() -> Self {
        Self {
            jaccard: 0.8,
            answer_jaccard: 0.9,
            shingle_words: 2,
        }
    }
}

/// Near duplicates by meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SemanticDuplicates {
    /// Cosine similarity from which a new question counts as one that is there, unless the two differ in a fact: a number, a name,
    /// code, a negation, an opposite, words that changed places.
    pub cosine: f64,
}

impl Default for SemanticDuplicates {
    fn default() -> Self {
        Self { cosine: 0.92 }
    }
}

/// Rows too close to a held-out one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decontaminate {
    /// Length of the compared word sequences.
    pub ngram: u32,
    /// Share of a held-out item's words that such sequences must cover for a row to count as contaminated; 0 is any of them.
    pub coverage: f64,
    /// Cosine similarity to a held-out question from which a question counts as contaminated, unless each states facts that the
    /// other does not. Left out, it is chosen between .80 and .88, as low as the seeds allow: few of them may be as close to a
    /// held-out question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f64>,
}

impl Default for Decontaminate {
    fn default() -> Self {
        Self {
            ngram: 8,
            coverage: 0.5,
            cosine: None,
        }
    }
}

/// Answers must stand in their passage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grounding {
    /// Share of the answer's content words that the passage must hold; its numbers and names must all be there.
    pub min_share: f64,
}

impl Default for Grounding {
    fn default() -> Self {
        Self { min_share: 0.8 }
    }
}
