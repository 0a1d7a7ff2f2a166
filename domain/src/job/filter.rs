//! What a job lets through.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model;
use crate::filter::Rules;
use crate::validator::Settings;

/// What is let through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// How an answer is verified.
    pub validator: Settings,
    /// Rules on the text of an answer.
    pub rules: Rules,
    /// Exact and near duplicates by words.
    pub near_duplicates: NearDuplicates,
    /// Near duplicates by meaning.
    pub semantic_duplicates: SemanticDuplicates,
    /// Rows too close to a held-out one.
    pub decontaminate: Decontaminate,
    /// Rows that there are already: a new row may not repeat one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
    /// Answers must stand in their passage; left out, they need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grounding: Option<Grounding>,
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

/// Rows that there are already. New rows are compared with them as with the run's own, and a teacher that is aimed at a concept is shown what was
/// asked about it. They count for no target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Existing {
    /// The datasets: the folder of a run, of its dataset, or of a generation, or a list of them; relative to the job file.
    #[serde(deserialize_with = "model::one_or_many")]
    #[schemars(with = "model::OneOrMany<String>")]
    pub datasets: Vec<String>,
    /// Files that name rows of the datasets which are to be taken out, such as those that `gristmill mend` writes: what they ask may be asked
    /// again.
    #[serde(
        default,
        deserialize_with = "model::one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "model::OneOrMany<String>")]
    pub without: Vec<String>,
}

impl Decontaminate {
    /// Share of a held-out question's words from which a row asks the same question, and not only about the same.
    const SAME_QUESTION: f64 = 0.8;

    /// The rule for real rows, which nobody made from a held-out one: those about one subject share half of their words at times. Four fifths of
    /// a question's words make it the same question, or more where the job wants more.
    pub fn same_question(&self) -> Self {
        Self {
            coverage: self.coverage.max(Self::SAME_QUESTION),
            ..self.clone()
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
