//! What a reply holds beside plain values: an answer, or what a judge says of one.

use serde::{Deserialize, Serialize};

/// An answer that passed the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Reasoning that leads to the answer; empty when none was asked for.
    pub reasoning: String,
    /// The answer.
    pub answer: String,
    /// The answer in canonical form (a number, a label, the fingerprint of a query's result), by which several are compared.
    pub canonical: String,
    /// Whether it equals a reference; `None` without one.
    pub correct: Option<bool>,
    /// What the validator has to say.
    pub detail: String,
}

/// An additive judgement: one point each (FACTS: 65.1 % pairwise accuracy against 26.6 % for a plain scale).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The answer addresses the question.
    pub relevant: bool,
    /// It covers a substantial part.
    pub substantial: bool,
    /// It gives the basics usefully.
    pub useful: bool,
    /// It is clear and complete.
    pub clear: bool,
    /// It is what an expert would say.
    pub expert: bool,
    /// What it says is right.
    pub correct: bool,
    /// Why.
    pub reason: String,
}

impl Judgement {
    /// Points of five. A wrong answer has none, however well it reads.
    pub fn points(&self) -> u32 {
        if !self.correct {
            return 0;
        }
        [
            self.relevant,
            self.substantial,
            self.useful,
            self.clear,
            self.expert,
        ]
        .iter()
        .map(|point| u32::from(*point))
        .sum()
    }
}
