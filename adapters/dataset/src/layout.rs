//! How a conversation is laid out in columns.

use std::borrow::Cow;

use gristmill_domain::chat::{Message, Role};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::row::{DatasetRow, ROW_BYTES_MAX, Split};

/// The columns that trainers look for. `id`, `reasoning` and `provenance` stand beside them in every layout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `messages`: a list of `{role, content}`. Holds every conversation.
    #[default]
    Messages,
    /// `prompt` and `completion` as plain texts. One question and one answer; a system message goes before the question.
    PromptCompletion,
    /// `instruction`, `input` (always empty) and `output`. One question and one answer; a system message goes before the
    /// question.
    Alpaca,
    /// `prompt`, `chosen` and `rejected` as lists of `{role, content}`, as preference trainers read them, and `margin`. Holds pairs alone.
    Preference,
    /// `text`. Holds texts alone.
    Text,
}

impl Split {
    /// The layout of its files, where the dataset has this one: pairs and texts have columns of their own.
    pub(crate) const fn layout(self, of_dataset: Layout) -> Layout {
        match self {
            Self::Train | Self::Validation | Self::Test => of_dataset,
            Self::Preference => Layout::Preference,
            Self::Text => Layout::Text,
        }
    }
}

/// A row's texts in one layout; field names are column names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Cells<'a> {
    Messages {
        messages: &'a [Message],
    },
    PromptCompletion {
        prompt: Cow<'a, str>,
        completion: &'a str,
    },
    Alpaca {
        instruction: Cow<'a, str>,
        input: &'static str,
        output: &'a str,
    },
    Preference {
        prompt: &'a [Message],
        chosen: &'a [Message],
        rejected: [Message; 1],
        #[serde(skip_serializing_if = "Option::is_none")]
        margin: Option<f64>,
    },
    Text {
        text: &'a str,
    },
}

impl Layout {
    /// The row's texts in this layout, once the row is known to be writable at all.
    pub(crate) fn cells(self, row: &DatasetRow) -> Result<Cells<'_>, Error> {
        let refuse = |reason: String| Error::Row {
            id: row.id.clone(),
            reason,
        };
        if row.id.is_empty() {
            return Err(refuse("has no id".to_owned()));
        }
        if row.messages.is_empty() {
            return Err(refuse("has no messages".to_owned()));
        }
        if row.text_bytes() > ROW_BYTES_MAX {
            return Err(refuse(format!("is larger than {ROW_BYTES_MAX} bytes")));
        }
        if let Some(verdict) = row.provenance.verdicts.iter().find(|v| !v.score.is_finite()) {
            return Err(refuse(format!(
                "the score of judge {:?} is no finite number",
                verdict.judge
            )));
        }
        match (self, &row.rejected, row.messages.as_slice()) {
            (Self::Preference, Some(rejected), [prompt @ .., last]) if last.role == Role::Assistant => {
                if rejected.margin.is_some_and(|margin| !margin.is_finite()) {
                    return Err(refuse("has a margin that is no finite number".to_owned()));
                }
                return Ok(Cells::Preference {
                    prompt,
                    chosen: std::slice::from_ref(last),
                    rejected: [Message {
                        role: Role::Assistant,
                        content: rejected.content.clone(),
                    }],
                    margin: rejected.margin,
                });
            }
            (Self::Text, None, [only]) => {
                return Ok(Cells::Text { text: &only.content });
            }
            (Self::Preference, ..) => {
                return Err(refuse(
                    "is not a pair of a preferred answer and another".to_owned(),
                ));
            }
            (Self::Text, ..) => return Err(refuse("is not a text alone".to_owned())),
            (_, Some(_), _) => {
                return Err(refuse(
                    "is a pair; only the split `preference` holds it".to_owned(),
                ));
            }
            (Self::Messages, None, messages) => return Ok(Cells::Messages { messages }),
            (Self::PromptCompletion | Self::Alpaca, None, _) => {}
        }
        let (question, answer) = single_turn(&row.messages).ok_or_else(|| {
            refuse("is not one question with one answer; only the layout `messages` holds it".to_owned())
        })?;
        Ok(match self {
            Self::Alpaca => Cells::Alpaca {
                instruction: question,
                input: "",
                output: answer,
            },
            Self::Messages | Self::PromptCompletion | Self::Preference | Self::Text => {
                Cells::PromptCompletion {
                    prompt: question,
                    completion: answer,
                }
            }
        })
    }
}

impl Layout {
    /// Characters that this layout puts before the user's message: the system's, and a blank line.
    pub(crate) fn chars_before(self, row: &DatasetRow) -> u64 {
        match (self, row.messages.first()) {
            (Self::PromptCompletion | Self::Alpaca, Some(first)) if first.role == Role::System => {
                first.content.chars().count() as u64 + 2
            }
            _ => 0,
        }
    }
}

/// Question (behind the system message, if there is one) and answer.
fn single_turn(messages: &[Message]) -> Option<(Cow<'_, str>, &str)> {
    let (system, rest) = match messages {
        [first, rest @ ..] if first.role == Role::System => (Some(&first.content), rest),
        all => (None, all),
    };
    match rest {
        [question, answer] if question.role == Role::User && answer.role == Role::Assistant => {
            let question = match system {
                Some(system) => Cow::Owned(format!("{system}\n\n{}", question.content)),
                None => Cow::Borrowed(question.content.as_str()),
            };
            Some((question, &answer.content))
        }
        _ => None,
    }
}
