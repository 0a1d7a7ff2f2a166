//! What a dataset holds: rows with their provenance, and rejected rows.

use std::fmt;

use gristmill_domain::dialogue::{Speaker, Tool, Turn};
use serde::{Deserialize, Serialize};

/// Most bytes of text in one row: far over any context window, far under what a column chunk can address.
pub(crate) const ROW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on: the real anchor and the synthetic rows.
    Train,
    /// Real, held out for choosing.
    Validation,
    /// Real, held out for judging.
    Test,
    /// Trained on: prompts with a preferred answer and another, in files of their own.
    Preference,
    /// Trained on: texts as they stand, in files of their own.
    Text,
    /// Trained on: dialogues, in files of their own.
    Dialogue,
    /// Trained on: dialogues whose assistant may call tools, in files of their own.
    #[serde(rename = "tool_use")]
    ToolUse,
}

impl Split {
    /// All of them, in the order of files and cards.
    pub const ALL: [Self; 7] = [
        Self::Train,
        Self::Validation,
        Self::Test,
        Self::Preference,
        Self::Text,
        Self::Dialogue,
        Self::ToolUse,
    ];

    /// Those that are trained on, in the same order.
    pub const TRAINED: [Self; 5] = [
        Self::Train,
        Self::Preference,
        Self::Text,
        Self::Dialogue,
        Self::ToolUse,
    ];

    /// True of splits whose files have columns of their own, and so a configuration of their own.
    pub(crate) const fn stands_alone(self) -> bool {
        !matches!(self, Self::Train | Self::Validation | Self::Test)
    }

    /// The name that the splits' files carry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Preference => "preference",
            Self::Text => "text",
            Self::Dialogue => "dialogue",
            Self::ToolUse => "tool_use",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetRow {
    /// Identity in the dataset.
    pub id: String,
    /// The conversation to train on; layouts of single texts need one question and one answer. Of a pair, it ends with the preferred
    /// answer; of a text, it is the text alone, as the assistant's.
    pub messages: Vec<Turn>,
    /// Tools that the assistant may call; only the split `tool_use` holds any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Of a pair, the answer that is not preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedAnswer>,
    /// Reasoning that stands apart from the answer. Where it should be trained on, it is in the message as well.
    pub reasoning: Option<String>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// The answer of a pair that is not preferred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedAnswer {
    /// Its text.
    pub content: String,
    /// Points by which the preferred one leads, where both were judged.
    pub margin: Option<f64>,
}

/// Who wrote a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A person: an anchor, validation or test row.
    #[default]
    Human,
    /// A teacher model.
    Synthetic,
}

impl Origin {
    /// The text in the column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Synthetic => "synthetic",
        }
    }
}

/// Where a row came from. One struct column, so that trainers see only the columns they look for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Who wrote it.
    pub origin: Origin,
    /// The seed that it was made from, or that it is.
    pub seed_id: Option<String>,
    /// The seed's source document.
    pub seed_source: Option<String>,
    /// Where the seed stands: file and line, or passage.
    pub source_place: Option<String>,
    /// What it is compared and counted as.
    pub strategy: Option<String>,
    /// The recipe that it was made by, with its version and hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// What its question was varied by: `evolution:NAME`, `persona:WHO`, `style:NAME`.
    #[serde(default)]
    pub mutators: Vec<String>,
    /// Versions of the prompts, in the order of use.
    pub prompt_versions: Vec<String>,
    /// Name of the teacher.
    pub teacher: Option<String>,
    /// The exact model that answered, as its provider names it.
    pub teacher_version: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// Tasks that were paid for it, in the order of their steps.
    pub task_ids: Vec<String>,
    /// Rows it was made from, where those are not seeds.
    pub parents: Vec<String>,
    /// Concepts it covers.
    pub concepts: Vec<String>,
    /// What judges said of it.
    pub verdicts: Vec<Verdict>,
    /// What it cost in micro-dollars, every attempt counted.
    pub cost_usd_micros: u64,
    /// Synthetic ancestors between it and a real row, itself included; 0 for a real row.
    pub depth: u8,
    /// Characters before the question in the text that asks it: the passage that it is about, and the blank line behind it; where a layout has
    /// no place of its own for a system message, that one as well.
    #[serde(default)]
    pub passage_chars: u64,
}

impl Provenance {
    /// The teacher in the version that answered, `NAME@VERSION`; without a version its name.
    pub fn versioned_teacher(&self) -> Option<String> {
        let name = self.teacher.as_deref()?;
        Some(match &self.teacher_version {
            Some(version) => format!("{name}@{version}"),
            None => name.to_owned(),
        })
    }

    /// Each place that [`source_place`](Self::source_place) names: a question may be about two passages.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.source_place.iter().flat_map(|places| places.split("; "))
    }
}

/// What one judge said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The judge, with its version.
    pub judge: String,
    /// On the rubric's scale; finite.
    pub score: f64,
    /// Why.
    pub reason: String,
}

/// A row that was not taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Identity.
    pub id: String,
    /// The rule that it failed.
    pub reason: String,
    /// The stage at which it failed.
    pub stage: String,
    /// What was found: the phrase, the nearest row, the score.
    pub detail: Option<String>,
    /// The question; empty when none was had.
    pub question: String,
    /// The answer; empty when none was had.
    pub answer: String,
    /// How it was made.
    pub strategy: Option<String>,
    /// What its question was varied by, as in [`Provenance::mutators`].
    #[serde(default)]
    pub mutators: Vec<String>,
    /// Name of the teacher.
    pub teacher: Option<String>,
    /// The seed that it was made from.
    pub seed_id: Option<String>,
    /// What it cost in micro-dollars, every attempt counted.
    pub cost_usd_micros: u64,
    /// Calls that were made for it.
    pub calls: u64,
    /// Tasks that were paid for it.
    pub task_ids: Vec<String>,
}

impl DatasetRow {
    /// The last question, without the passage before it, and the answer to it, with the reasoning that is trained on; `None` of a text, which
    /// has no question.
    pub fn exchange(&self) -> Option<(String, String)> {
        let answer = self
            .messages
            .iter()
            .rposition(|turn| turn.role == Speaker::Assistant)?;
        let before = self.messages.get(..answer)?;
        let question = before.iter().rev().find(|turn| turn.role == Speaker::User)?;
        let skipped = self.provenance.passage_chars as usize;
        let asked: String = question.content.chars().skip(skipped).collect();
        Some((asked, self.messages.get(answer)?.content.clone()))
    }

    /// Bytes of text, for batch sizes.
    pub(crate) fn text_bytes(&self) -> usize {
        let p = &self.provenance;
        let worse = self
            .rejected
            .as_ref()
            .map_or(0, |rejected| rejected.content.len());
        let messages: usize = worse + self.messages.iter().map(Turn::text_bytes).sum::<usize>();
        let tools: usize = self
            .tools
            .iter()
            .map(|tool| tool.as_function().to_string().len())
            .sum();
        let verdicts: usize = p.verdicts.iter().map(|v| v.judge.len() + v.reason.len()).sum();
        let lists = [
            &p.mutators,
            &p.prompt_versions,
            &p.task_ids,
            &p.parents,
            &p.concepts,
        ];
        let listed: usize = lists.into_iter().flatten().map(String::len).sum();
        let single = [
            &self.reasoning,
            &p.seed_id,
            &p.seed_source,
            &p.source_place,
            &p.strategy,
            &p.recipe,
        ];
        let single = single.into_iter().chain([&p.teacher, &p.teacher_version, &p.run]);
        self.id.len()
            + messages
            + tools
            + verdicts
            + listed
            + single.flatten().map(String::len).sum::<usize>()
    }
}

impl Rejected {
    /// Bytes of text, for batch sizes.
    pub(crate) fn text_bytes(&self) -> usize {
        let texts = [&self.id, &self.reason, &self.stage, &self.question, &self.answer];
        let optional = [&self.detail, &self.strategy, &self.teacher, &self.seed_id];
        let optional = optional.into_iter().flatten();
        texts
            .into_iter()
            .chain(optional)
            .chain(&self.mutators)
            .chain(&self.task_ids)
            .map(String::len)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_stay_out_of_questions() {
        let mut row = DatasetRow {
            id: "r".into(),
            messages: vec![
                Turn::new(Speaker::System, "be brief"),
                Turn::new(Speaker::User, "Päss\n\nWhy?"),
                Turn::new(Speaker::Assistant, "Because."),
            ],
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance {
                passage_chars: 6,
                ..Provenance::default()
            },
        };
        let read = row.exchange();
        assert_eq!(read, Some(("Why?".to_owned(), "Because.".to_owned())));
        row.messages = vec![Turn::new(Speaker::Assistant, "A text.")];
        assert_eq!(row.exchange(), None);
    }
}
