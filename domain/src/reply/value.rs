//! What was read from a reply: values by member, and what they are shown as.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, Judgement, Reply};
use crate::dialogue::{Tool, Turn};
use crate::filter::Rejection;
use crate::job::NO_CONCEPT;

/// What was read from a reply, by member.
pub type Fields = BTreeMap<String, Value>;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A text, or a question.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Yes or no.
    YesNo(bool),
    /// A number.
    Number(f64),
    /// A word that was chosen; nothing where none of them was.
    Choice(Option<String>),
    /// An answer; nothing where one that came beside something else is of no use.
    Answer(Option<Answer>),
    /// The messages of a dialogue.
    Messages(Vec<Turn>),
    /// Tools that an assistant may call.
    Tools(Vec<Tool>),
    /// Several records, in the order in which they were listed.
    Records(Vec<Record>),
}

/// One record of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Its members.
    Fields(Fields),
    /// It is of no use, for a reason of its own.
    Rejected(Rejection),
}

impl Record {
    fn shown(&self) -> String {
        match self {
            Self::Fields(fields) => {
                let members = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.shown()));
                members.collect::<Vec<_>>().join(", ")
            }
            Self::Rejected(rejection) => format!("({rejection})"),
        }
    }
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What a person or a prompt is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join("\n"),
            Self::YesNo(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Choice(word) => word.clone().unwrap_or_else(|| NO_CONCEPT.to_owned()),
            Self::Answer(answer) => answer
                .as_ref()
                .map(|answer| answer.answer.clone())
                .unwrap_or_default(),
            Self::Messages(turns) => json!(turns).to_string(),
            Self::Tools(tools) => json!(tools).to_string(),
            Self::Records(records) => {
                let lines: Vec<String> = records.iter().map(Record::shown).collect();
                lines.join("\n")
            }
        }
    }

    /// The value in a prompt, its texts made harmless.
    pub(crate) fn in_prompts(&self, harmless: impl Fn(&str) -> String) -> minijinja::Value {
        match self {
            Self::Texts(texts) => texts.iter().map(|text| harmless(text)).collect(),
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Text(_)
            | Self::Choice(_)
            | Self::Answer(_)
            | Self::Messages(_)
            | Self::Tools(_)
            | Self::Records(_) => minijinja::Value::from(harmless(&self.shown())),
        }
    }

    /// The value in the conditions of a recipe: an answer is its text, messages and tools are lists.
    pub(crate) fn in_conditions(&self) -> minijinja::Value {
        match self {
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Self::Messages(turns) => minijinja::Value::from(Serde(turns)),
            Self::Tools(tools) => minijinja::Value::from(Serde(tools)),
            Self::Text(_) | Self::Choice(_) | Self::Answer(_) | Self::Records(_) => {
                minijinja::Value::from(self.shown())
            }
        }
    }
}

/// The judgement that the fields of the built-in rubric make; `None` where one is missing.
pub fn judgement(fields: &Fields) -> Option<Judgement> {
    let point = |name: &str| match fields.get(name) {
        Some(Value::YesNo(yes)) => Some(*yes),
        _ => None,
    };
    Some(Judgement {
        relevant: point("relevant")?,
        substantial: point("substantial")?,
        useful: point("useful")?,
        clear: point("clear")?,
        expert: point("expert")?,
        correct: point("correct")?,
        reason: fields.get("reason").map(Value::shown).unwrap_or_default(),
    })
}

impl From<Judgement> for Fields {
    fn from(judgement: Judgement) -> Self {
        let Judgement {
            relevant,
            substantial,
            useful,
            clear,
            expert,
            correct,
            reason,
        } = judgement;
        let points = [relevant, substantial, useful, clear, expert, correct];
        let points = Reply::POINTS.into_iter().zip(points);
        points
            .map(|(name, point)| (name.to_owned(), Value::YesNo(point)))
            .chain([("reason".to_owned(), Value::Text(reason))])
            .collect()
    }
}

/// The answer among fields: the one under `answer`, or the only one.
pub(crate) fn latest_answer(fields: &Fields) -> Option<&Answer> {
    let answer = |value: &'_ Value| matches!(value, Value::Answer(Some(_)));
    let found = fields.get("answer").filter(|value| answer(value));
    match found.or_else(|| fields.values().find(|value| answer(value))) {
        Some(Value::Answer(found)) => found.as_ref(),
        _ => None,
    }
}
