//! How a conversation is laid out in columns.

use std::borrow::Cow;

use gristmill_domain::dialogue::{Speaker, Tool, ToolCall, Turn};
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
    /// `messages`: a list of `{role, content}`. Holds dialogues without tools.
    Dialogue,
    /// `messages` as chat templates read them, with `tool_calls`, `tool_call_id` and `name`, and `tools` as JSON text. Arguments are JSON
    /// text as well: as structs, Arrow would merge those of different tools and fill the gaps with nulls.
    ToolUse,
}

impl Split {
    /// The layout of its files, where the dataset has this one: some splits have columns of their own.
    pub(crate) const fn layout(self, of_dataset: Layout) -> Layout {
        match self {
            Self::Train | Self::Validation | Self::Test => of_dataset,
            Self::Preference => Layout::Preference,
            Self::Text => Layout::Text,
            Self::Dialogue => Layout::Dialogue,
            Self::ToolUse => Layout::ToolUse,
        }
    }
}

/// A row's texts in one layout; field names are column names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Cells<'a> {
    Messages {
        messages: &'a [Turn],
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
        prompt: &'a [Turn],
        chosen: &'a [Turn],
        rejected: [Turn; 1],
        #[serde(skip_serializing_if = "Option::is_none")]
        margin: Option<f64>,
    },
    Text {
        text: &'a str,
    },
    ToolUse {
        messages: Vec<ToolTurn<'a>>,
        tools: String,
    },
}

/// A message with its tool calls, as chat templates read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ToolTurn<'a> {
    pub(crate) role: Speaker,
    pub(crate) content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
}

/// `{"id": …, "type": "function", "function": {"name": …, "arguments": "{…}"}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FunctionCall<'a> {
    pub(crate) id: &'a str,
    pub(crate) r#type: &'static str,
    pub(crate) function: Function<'a>,
}

/// The tool that is called, and its arguments as JSON text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: String,
}

impl<'a> ToolTurn<'a> {
    fn of(turn: &'a Turn) -> Self {
        let call = |call: &'a ToolCall| FunctionCall {
            id: &call.id,
            r#type: "function",
            function: Function {
                name: &call.name,
                arguments: call.arguments_text(),
            },
        };
        Self {
            role: turn.role,
            content: &turn.content,
            tool_calls: turn.tool_calls.iter().map(call).collect(),
            tool_call_id: turn.tool_call_id.as_deref(),
            name: turn.name.as_deref(),
        }
    }
}

/// Tools as JSON text.
fn tools_text(tools: &[Tool]) -> String {
    serde_json::Value::from_iter(tools.iter().map(Tool::as_function)).to_string()
}

impl Layout {
    /// True where reasoning stands apart from the answer: in a dialogue, it is in none of the messages.
    pub(crate) const fn has_reasoning(self) -> bool {
        !matches!(self, Self::Dialogue | Self::ToolUse)
    }

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
        let calls = |turn: &Turn| turn.role == Speaker::Tool || !turn.tool_calls.is_empty();
        if self != Self::ToolUse && (!row.tools.is_empty() || row.messages.iter().any(calls)) {
            return Err(refuse("has tools; only the split `tool_use` holds it".to_owned()));
        }
        match (self, &row.rejected, row.messages.as_slice()) {
            (Self::Preference, Some(rejected), [prompt @ .., last]) if last.role == Speaker::Assistant => {
                if rejected.margin.is_some_and(|margin| !margin.is_finite()) {
                    return Err(refuse("has a margin that is no finite number".to_owned()));
                }
                return Ok(Cells::Preference {
                    prompt,
                    chosen: std::slice::from_ref(last),
                    rejected: [Turn::new(Speaker::Assistant, &rejected.content)],
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
            (Self::Messages | Self::Dialogue, None, messages) => return Ok(Cells::Messages { messages }),
            (Self::ToolUse, None, messages) => {
                return Ok(Cells::ToolUse {
                    messages: messages.iter().map(ToolTurn::of).collect(),
                    tools: tools_text(&row.tools),
                });
            }
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
            _ => Cells::PromptCompletion {
                prompt: question,
                completion: answer,
            },
        })
    }
}

impl Layout {
    /// Characters that this layout puts before the user's message: the system's, and a blank line.
    pub(crate) fn chars_before(self, row: &DatasetRow) -> u64 {
        match (self, row.messages.first()) {
            (Self::PromptCompletion | Self::Alpaca, Some(first)) if first.role == Speaker::System => {
                first.content.chars().count() as u64 + 2
            }
            _ => 0,
        }
    }
}

/// Question (behind the system message, if there is one) and answer.
fn single_turn(messages: &[Turn]) -> Option<(Cow<'_, str>, &str)> {
    let (system, rest) = match messages {
        [first, rest @ ..] if first.role == Speaker::System => (Some(&first.content), rest),
        all => (None, all),
    };
    match rest {
        [question, answer] if question.role == Speaker::User && answer.role == Speaker::Assistant => {
            let question = match system {
                Some(system) => Cow::Owned(format!("{system}\n\n{}", question.content)),
                None => Cow::Borrowed(question.content.as_str()),
            };
            Some((question, &answer.content))
        }
        _ => None,
    }
}
