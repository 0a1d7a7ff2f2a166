//! How a conversation is laid out in columns.

use std::borrow::Cow;

use gristmill_domain::chat::{Message, Role};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::row::{ROW_BYTES_MAX, Row};

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
}

impl Layout {
    /// The row's texts in this layout, once the row is known to be writable at all.
    pub(crate) fn cells(self, row: &Row) -> Result<Cells<'_>, Error> {
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
        if self == Self::Messages {
            return Ok(Cells::Messages {
                messages: &row.messages,
            });
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
            Self::Messages | Self::PromptCompletion => Cells::PromptCompletion {
                prompt: question,
                completion: answer,
            },
        })
    }
}

impl Layout {
    /// Characters that this layout puts before the user's message: the system's, and a blank line.
    pub(crate) fn chars_before(self, row: &Row) -> u64 {
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
