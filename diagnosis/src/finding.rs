//! What was found about wrong answers.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_dataset::{Origin, Provenance};
use serde::{Deserialize, Serialize};

use crate::stance::Stance;
use crate::verdict::{Evidence, Verdict};

/// A question that the student answered wrongly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Id of the item.
    pub item: String,
    /// The question, without a passage before it.
    pub question: String,
    /// Right answers.
    pub references: Vec<String>,
    /// What the student answered where it was wrong.
    pub replies: Vec<String>,
    /// Its concepts, or labels that name them.
    pub concepts: Vec<String>,
    /// Whether the student was wrong. A question that it was right about gets no diagnosis: the rows that support its answer are what the
    /// rows behind wrong answers are compared with.
    pub wrong: bool,
}

/// What a row is to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It asks the same, perhaps in other words.
    SameQuestion,
    /// It is about the same concept.
    SameConcept,
    /// It is near, and the concept of one of the two is not known.
    Near,
    /// It is among the nearest, and about something else.
    Apart,
}

/// A training row near a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Id of the row.
    pub row: String,
    /// Cosine similarity of the two questions, −1 to 1.
    pub cosine: f64,
    /// What it is to the question.
    pub relation: Relation,
    /// How it stands to the right answer.
    pub stance: Stance,
    /// Its question, without a passage before it.
    pub question: String,
    /// Its answer.
    pub answer: String,
    /// Where it came from.
    pub provenance: Provenance,
}

/// Training rows of a concept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Real ones; one that is repeated counts once.
    pub real: u64,
    /// Synthetic ones.
    pub synthetic: u64,
}

impl Coverage {
    /// All of them.
    pub const fn rows(self) -> u64 {
        self.real + self.synthetic
    }
}

/// Why one answer is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Id of the item.
    pub item: String,
    /// The question.
    pub question: String,
    /// Right answers.
    pub references: Vec<String>,
    /// What the student answered where it was wrong.
    pub replies: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on, in a sentence.
    pub why: String,
    /// What it rests on.
    pub evidence: Evidence,
    /// Training rows of each of the item's concepts.
    pub coverage: BTreeMap<String, Coverage>,
    /// The nearest real rows: those about the question before others, each with the nearest first.
    pub real: Vec<Neighbour>,
    /// The nearest synthetic rows, in the same order.
    pub synthetic: Vec<Neighbour>,
}

/// What may be behind a synthetic row that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Cause {
    /// A teacher in one version: `NAME@VERSION`.
    Teacher(String),
    /// A version of a prompt.
    Prompt(String),
    /// A passage: the document, and where it stands there.
    Passage(String),
}

impl Cause {
    /// What may be behind a row.
    pub fn of(provenance: &Provenance) -> Vec<Self> {
        if provenance.origin == Origin::Human {
            return Vec::new();
        }
        let teacher = provenance.versioned_teacher().map(Self::Teacher);
        let mut causes: Vec<Self> = teacher.into_iter().collect();
        causes.extend(provenance.prompt_versions.iter().cloned().map(Self::Prompt));
        causes.extend(provenance.places().map(|place| Self::Passage(place.to_owned())));
        causes.sort();
        causes.dedup();
        causes
    }
}

impl std::fmt::Display for Cause {
    /// As `gristmill generation quarantine --where` takes it: `teacher=NAME@VERSION`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Teacher(name) => write!(f, "teacher={name}"),
            Self::Prompt(name) => write!(f, "prompt={name}"),
            Self::Passage(name) => write!(f, "passage={name}"),
        }
    }
}

/// A synthetic row that supports or contradicts right answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakingRow {
    /// Its id.
    pub row: String,
    /// What may be behind it.
    pub causes: Vec<Cause>,
    /// Its concepts.
    pub concepts: Vec<String>,
    /// Questions that were answered wrong whose right answer it supports.
    pub agrees: u64,
    /// Questions that were answered right whose answer it supports.
    pub upholds: u64,
    /// Questions that are covered wrongly, whose right answer it contradicts.
    pub disagrees: u64,
}

impl SpeakingRow {
    /// True for a row that contradicts more than it supports. What was answered right does not count: a wrong label is the right one of other
    /// questions.
    pub const fn is_wrong(&self) -> bool {
        self.disagrees > self.agrees
    }
}

/// What was found in a dataset about all questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// A diagnosis of each question that was answered wrong, in their order.
    pub diagnoses: Vec<Diagnosis>,
    /// Training rows of each concept, by its name as [`folded`](gristmill_domain::job::folded).
    pub concepts: BTreeMap<String, Coverage>,
    /// All training rows.
    pub rows: Coverage,
    /// Documents that training rows about the questions' concepts come from, by the concept's name as folded.
    pub sources: BTreeMap<String, BTreeSet<String>>,
    /// Synthetic rows around the questions whose answers say something about right answers.
    pub speaking: Vec<SpeakingRow>,
    /// The model of the vectors.
    pub vectors: String,
    /// Cosine similarity from which questions are near each other.
    pub near: f64,
    /// Cosine similarity from which they may be the same question.
    pub same: f64,
}

impl Findings {
    /// How many questions have each verdict, in the order of the decision table.
    pub fn counts(&self) -> Vec<(Verdict, u64)> {
        let count = |verdict| {
            let of = self.diagnoses.iter().filter(|one| one.verdict == verdict);
            (verdict, of.count() as u64)
        };
        Verdict::ALL.into_iter().map(count).collect()
    }
}
