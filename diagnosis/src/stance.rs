//! How training rows stand to the right answer of a question.

use serde::{Deserialize, Serialize};

/// How a row stands to the right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// Its answer supports it.
    Agrees,
    /// Its answer contradicts it.
    Disagrees,
    /// Its answer says nothing about it.
    Silent,
}

/// How rows of one origin stand to the right answer. A row is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stances {
    /// Rows that answer the same question as the item's reference does, or give its answer to a question near it.
    pub agree: u64,
    /// Rows that answer the same question otherwise, or give the student's wrong answer to a question near it.
    pub disagree: u64,
    /// Where answers are labels: rows about the same thing that have the right answer's label.
    pub same_label: u64,
    /// Where answers are labels: rows about the same thing that have another label.
    pub other_label: u64,
}

impl Stances {
    /// Counts a row; `labels` where it is its label that speaks.
    pub(crate) const fn count(&mut self, stance: Stance, labels: bool) {
        match (stance, labels) {
            (Stance::Agrees, false) => self.agree += 1,
            (Stance::Disagrees, false) => self.disagree += 1,
            (Stance::Agrees, true) => self.same_label += 1,
            (Stance::Disagrees, true) => self.other_label += 1,
            (Stance::Silent, _) => {}
        }
    }
}
