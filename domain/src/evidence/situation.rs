//! What is known about the answers to one question, as far as a decision needs it.

use serde::{Deserialize, Serialize};

/// The evidence on one question without a reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Situation {
    /// Votes by answer, the most first. Unusable answers are not votes.
    pub votes: Vec<u8>,
    /// Whether the question was found answerable; `None` when nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Whether the judge found the leading answer right; `None` when it was not asked about that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<bool>,
}

impl Situation {
    /// Answers that could be compared.
    pub fn drawn(&self) -> u32 {
        self.votes.iter().map(|votes| u32::from(*votes)).sum()
    }

    /// One more vote for a class, or for a new one where the number is that of no class. The judge's verdict is about the
    /// leader: it is put aside when another answer takes the lead.
    pub(super) fn joined(&self, class: usize) -> Self {
        let mut grown = self.grown(class);
        if class > 0 && grown.votes[class] > grown.votes[0] {
            grown.judged = None;
        }
        grown.votes.sort_unstable_by(|a, b| b.cmp(a));
        grown
    }

    /// The same with the classes still in their places.
    pub(super) fn grown(&self, class: usize) -> Self {
        let mut grown = self.clone();
        match grown.votes.get_mut(class) {
            Some(votes) => *votes += 1,
            None => grown.votes.push(1),
        }
        grown
    }

    /// After a check's verdict.
    pub(super) fn verdict(&self, check: Action, passed: bool) -> Self {
        let mut after = self.clone();
        match check {
            Action::Verify => after.verified = Some(passed),
            Action::Judge => after.judged = Some(passed),
            Action::Draw | Action::Accept | Action::Reject => {}
        }
        after
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Draw another answer.
    Draw,
    /// Ask whether the question can be answered.
    Verify,
    /// Ask the judge about the leading answer.
    Judge,
    /// Keep the leading answer.
    Accept,
    /// Give the question up: reaching the target costs more than it is worth.
    Reject,
}

/// Votes by canonical answer: the leader first, ties in the order of first appearance, so that the result depends on which
/// answers there are by sample number, never on which arrived first.
pub fn tally<'a>(answers: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, u8)> {
    let mut votes: Vec<(&str, u8)> = Vec::new();
    for answer in answers {
        match votes.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => votes.push((answer, 1)),
        }
    }
    votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    votes
}

/// What was drawn for a row, and what it was worth when the row was decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// The evidence.
    #[serde(flatten)]
    pub at: Situation,
    /// Answers that were asked for, unusable ones included.
    pub asked: u8,
    /// Whether the question came with a usable answer of its own; `None` where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
    /// Those of the votes that equal the reference, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<u8>,
    /// The concept that the question was asked about, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concept: Option<String>,
    /// Chance that the leading answer is right, by the round's rule; `None` where a reference decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sure: Option<f64>,
}
