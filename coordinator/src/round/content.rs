//! What a candidate says, whatever became of it.

use gristmill_domain::dialogue;
use gristmill_domain::recipe::machine::State;
use gristmill_domain::recipe::{Form, Recipe};
use gristmill_domain::reply::{Answer, Value};
use gristmill_domain::row::Worse;

/// The texts of a candidate's row, and what its validator said of them.
#[derive(Default)]
pub(super) struct Content {
    /// Reasoning that leads to the text; empty where there is none.
    pub(super) reasoning: String,
    /// The answer; of a text, the text itself.
    pub(super) text: String,
    pub(super) worse: Option<Worse>,
    pub(super) correct: Option<bool>,
    pub(super) details: Vec<String>,
}

impl Content {
    pub(super) fn of(recipe: &Recipe, state: &State) -> Self {
        let row = &recipe.file().row;
        let answer = |field: &Option<String>| field.as_deref().and_then(|field| state.answer(field));
        let kept = match (row.form, state.messages(recipe)) {
            (Form::Text, _) => {
                let text = row.text.as_deref().map_or("", |field| state.text(field));
                return Self::plain(text);
            }
            (Form::Dialogue | Form::ToolUse, Some(turns)) => return Self::plain(dialogue::answered(turns)),
            (Form::Dialogue | Form::ToolUse, None) => return Self::plain(state.last_text()),
            (Form::Preference, _) => answer(&row.chosen),
            (Form::Instruction, _) => answer(&row.answer),
        };
        // An answer that was rejected shows why.
        let shown = kept.or(state.ballot().chosen());
        Self {
            worse: answer(&row.rejected).map(|answer| Worse {
                reasoning: answer.reasoning.clone(),
                answer: answer.answer.clone(),
                margin: match state.fields().get("margin") {
                    Some(Value::Number(margin)) => Some(*margin),
                    _ => None,
                },
            }),
            ..shown.map_or_else(|| Self::plain(state.last_text()), Self::answered)
        }
    }

    fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    fn answered(answer: &Answer) -> Self {
        let details = Some(&answer.detail).filter(|detail| !detail.is_empty());
        Self {
            reasoning: answer.reasoning.clone(),
            text: answer.answer.clone(),
            worse: None,
            correct: answer.correct,
            details: details.into_iter().cloned().collect(),
        }
    }
}
