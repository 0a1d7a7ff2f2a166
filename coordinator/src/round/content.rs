//! What a candidate says in the end.

use gristmill_domain::dialogue;
use gristmill_domain::recipe::machine::State;
use gristmill_domain::recipe::{Form, Recipe};
use gristmill_domain::reply::Value;
use gristmill_domain::row::Worse;

/// What a candidate says, whatever became of it.
pub(super) struct Content {
    pub(super) answer: Said,
    pub(super) worse: Option<Worse>,
    pub(super) correct: Option<bool>,
    pub(super) details: Vec<String>,
}

/// A text with the reasoning that leads to it.
#[derive(Default)]
pub(super) struct Said {
    pub(super) reasoning: String,
    pub(super) text: String,
}

pub(super) fn content(recipe: &Recipe, state: &State) -> Content {
    let row = &recipe.file().row;
    let field = |name: &Option<String>| name.as_deref().unwrap_or_default().to_owned();
    if row.form.speaks_for_itself() {
        let text = match (row.form, state.messages(recipe)) {
            (Form::Text, _) => state.text(&field(&row.text)),
            (_, Some(turns)) => dialogue::answered(turns),
            (_, None) => state.last_text(),
        };
        return Content {
            answer: Said {
                reasoning: String::new(),
                text: text.to_owned(),
            },
            worse: None,
            correct: None,
            details: Vec::new(),
        };
    }
    let kept = match row.form {
        Form::Preference => state.answer(&field(&row.chosen)),
        _ => state.answer(&field(&row.answer)),
    };
    let worse = state.answer(&field(&row.rejected)).map(|answer| Worse {
        reasoning: answer.reasoning.clone(),
        answer: answer.answer.clone(),
        margin: match state.fields().get("margin") {
            Some(Value::Number(margin)) => Some(*margin),
            _ => None,
        },
    });
    // An answer that was rejected shows why.
    match kept.or(state.ballot().chosen()) {
        Some(answer) => Content {
            answer: Said {
                reasoning: answer.reasoning.clone(),
                text: answer.answer.clone(),
            },
            worse,
            correct: answer.correct,
            details: Some(answer.detail.clone())
                .filter(|detail| !detail.is_empty())
                .into_iter()
                .collect(),
        },
        None => Content {
            answer: Said {
                reasoning: String::new(),
                text: state.last_text().to_owned(),
            },
            worse,
            correct: None,
            details: Vec::new(),
        },
    }
}
