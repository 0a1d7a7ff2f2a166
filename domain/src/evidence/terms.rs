//! What a job allows and wants of decision tables, and where they begin.

use serde::{Deserialize, Serialize};

use super::situation::Situation;

/// What a job allows and wants; decided before a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Share of the accepted rows that should be right.
    pub target: f64,
    /// The run ends when the target turns out to be out of reach.
    #[serde(default)]
    pub required: bool,
    /// Votes by which an answer must lead, where the job fixes them; the rule then follows from nothing else.
    #[serde(default)]
    pub lead: Option<u32>,
    /// Answers to one question, at most.
    pub max_samples: u32,
    /// New questions may be verified.
    pub verify: bool,
    /// How a judge takes part, where there is one.
    pub judge: Option<JudgeUse>,
    /// Wrong answers that there can be to a question, where answers are chosen from a list.
    #[serde(default)]
    pub wrong_answers: Option<u32>,
    /// A new question is asked for together with an answer to it.
    #[serde(default)]
    pub answered: bool,
    /// A question is verified together with an answer to it.
    #[serde(default)]
    pub verified_with_answer: bool,
    /// What each call costs.
    pub costs: Costs,
}

/// What a verified question is, or one that is a seed's own: both are where a table begins.
pub(super) fn answerable() -> Situation {
    Situation {
        verified: Some(true),
        ..Situation::default()
    }
}

/// Where tables begin: at a new question, with or without the answer that came with it, and at a seed's own.
pub(super) fn roots(terms: &Terms) -> Vec<Situation> {
    let came = terms.answered.then(|| Situation::default().joined(0));
    [Situation::default(), answerable()]
        .into_iter()
        .chain(came)
        .collect()
}

/// What one call of each kind costs, in any one unit: calls, or money.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Asking for a question.
    pub ask: f64,
    /// Asking whether it can be answered.
    pub verify: f64,
    /// Drawing an answer.
    pub answer: f64,
    /// All judgements of one answer.
    pub judge: f64,
}

/// How a judge takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeUse {
    /// Where its verdict is worth its price.
    Optional,
    /// Nothing is accepted that it has not seen.
    Always,
}
