//! Rows that there are already: what earlier runs made, which a new row may not repeat.

use serde::{Deserialize, Serialize};

use crate::id::ContentId;
use crate::strategy::Strategy;

/// A row of an earlier dataset, as far as new rows are compared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExistingRow {
    /// What it is compared by: its question, without the passage before it, or its text. Of a dialogue, the opening question and all that
    /// the user says: which of them recipes compare is theirs to say.
    pub texts: Vec<String>,
    /// Reasoning that leads to the answer; empty where there is none.
    pub reasoning: String,
    /// The answer.
    pub answer: String,
    /// What it was made as; `None` of a real row.
    pub strategy: Option<Strategy>,
    /// The seed that it was made from, or that it is.
    pub seed: Option<ContentId>,
    /// Concepts that it belongs to.
    pub concepts: Vec<String>,
}

impl ExistingRow {
    /// Identity by content.
    pub fn id(&self) -> ContentId {
        let strategy = self.strategy.map_or("", Strategy::as_str);
        let seed = self.seed.map(|seed| *seed.as_bytes()).unwrap_or_default();
        let rest: [&[u8]; 4] = [
            self.reasoning.as_bytes(),
            self.answer.as_bytes(),
            strategy.as_bytes(),
            &seed,
        ];
        let texts = self.texts.iter().chain(&self.concepts).map(String::as_bytes);
        ContentId::of(&rest.into_iter().chain(texts).collect::<Vec<_>>())
    }
}
