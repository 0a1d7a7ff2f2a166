//! Dialogues: whether the tools that one calls are there.

use super::{Call, State, Unusable};
use crate::dialogue::{self, Tool, Turn};
use crate::filter::{Reason, Rejection};
use crate::recipe::Recipe;
use crate::reply::{Fields, Holds, Value};

impl State {
    /// A reply whose tool calls do not fit the recipe's tools is of no use, like one that cannot be read.
    pub(super) fn with_fitting_calls(
        &self,
        recipe: &Recipe,
        call: Call,
        outcome: Result<Fields, Unusable>,
    ) -> Result<Fields, Unusable> {
        let fields = outcome?;
        let ask = recipe.ask(call.step);
        let member = ask.and_then(|ask| ask.reply.first(|holds| *holds == Holds::ToolMessages));
        let Some(Value::Messages(turns)) = member.and_then(|member| fields.get(&member.name)) else {
            return Ok(fields);
        };
        let tools = tools(&fields).or_else(|| tools(&self.fields)).unwrap_or_default();
        match dialogue::check_calls(turns, tools) {
            Ok(()) => Ok(fields),
            Err(fault) => Err(Unusable {
                rejection: Rejection::new(Reason::Format, fault),
                text: Value::Messages(turns.clone()).shown(),
            }),
        }
    }

    /// The messages of the row, where it is a dialogue and has them.
    pub fn messages(&self, recipe: &Recipe) -> Option<&[Turn]> {
        match self.fields.get(recipe.file().row.messages.as_ref()?) {
            Some(Value::Messages(turns)) => Some(turns),
            _ => None,
        }
    }

    /// The tools of the row, where its form has any.
    pub fn tools(&self, recipe: &Recipe) -> &[Tool] {
        match recipe
            .file()
            .row
            .tools
            .as_ref()
            .and_then(|field| self.fields.get(field))
        {
            Some(Value::Tools(tools)) => tools,
            _ => &[],
        }
    }
}

/// The tools among fields.
fn tools(fields: &Fields) -> Option<&[Tool]> {
    fields.values().find_map(|value| match value {
        Value::Tools(tools) => Some(tools.as_slice()),
        _ => None,
    })
}
