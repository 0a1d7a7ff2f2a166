//! What a student was trained on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a student was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The dataset's folder, as it was named.
    pub dataset: PathBuf,
    /// Hash of its manifest, which holds those of its files; of the files' names and sizes where it has none.
    pub dataset_hash: String,
    /// The run that made it, and the hash of that run's configuration.
    pub run: Option<(String, String)>,
    /// Rows that are trained on.
    pub rows: u64,
    /// Those of them that are real.
    pub real: u64,
    /// Most synthetic ancestors of any of them.
    pub depth: u8,
    /// Tokens of all of them, prompts included.
    pub tokens: u64,
    /// Validation rows that are measured.
    pub validation: u64,
    /// Rows that are not trained on.
    pub left_out: LeftOut,
}

/// Rows that cannot be trained on, by cause.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// They have more than `max_tokens` tokens.
    pub too_long: u64,
    /// The longest of them, and its tokens.
    pub longest: Option<(String, u64)>,
    /// They call tools, which trainers are not shown yet.
    pub tools: u64,
    /// They are texts without a question.
    pub texts: u64,
    /// They are pairs, and the objective is `sft`; or answers, and it is `dpo`.
    pub other_objective: u64,
    /// Validation rows that have more than `max_tokens` tokens.
    #[serde(default)]
    pub validation: u64,
}

impl std::fmt::Display for LeftOut {
    /// `3 rows too long (the longest, abc, has 2000 tokens), 2 texts`; empty where nothing was left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if let Some((id, tokens)) = &self.longest {
            let rows = self.too_long;
            parts.push(format!(
                "{rows} longer than `max_tokens`, of which {id} is the longest with {tokens} tokens"
            ));
        }
        let of = [
            (self.tools, "with calls of tools"),
            (self.texts, "of the form text"),
            (self.other_objective, "for another `objective`"),
            (self.validation, "validation rows longer than `max_tokens`"),
        ];
        parts.extend(
            of.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        f.write_str(&parts.join(", "))
    }
}
