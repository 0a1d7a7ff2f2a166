//! Whether a candidate has all that its row needs: a step with a condition may have been left out.

use super::State;
use crate::filter::{Reason, Rejection};
use crate::recipe::{Form, Recipe};

impl State {
    /// The rejection of a candidate whose row would lack a part, since no step that was done has made it.
    pub(super) fn incomplete(&self, recipe: &Recipe) -> Option<Rejection> {
        let row = &recipe.file().row;
        let has = |field: &Option<String>| field.as_deref().is_some_and(|field| self.answer(field).is_some());
        let (there, part) = match row.form {
            Form::Instruction => (has(&row.answer) || self.ballot.chosen().is_some(), "answer"),
            Form::Preference => (has(&row.chosen) && has(&row.rejected), "two answers"),
            Form::Text => (
                row.text
                    .as_deref()
                    .is_some_and(|field| !self.text(field).is_empty()),
                "text",
            ),
            Form::Dialogue | Form::ToolUse => (self.messages(recipe).is_some(), "messages"),
        };
        let detail = || format!("no step that was done has made the {part} of the row");
        (!there).then(|| Rejection::new(Reason::Recipe, detail()))
    }
}
