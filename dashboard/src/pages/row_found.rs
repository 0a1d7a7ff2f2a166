//! Finding a row with its history.

use std::sync::Arc;

use gristmill_coordinator::Trace;
use gristmill_runs::history::step_name;

use super::row_parts::OneRow;
use crate::indexes::{Indexed, ask};
use crate::live::Asked;
use crate::source::Refusal;

/// The rows of a run.
pub(super) async fn indexed(asked: &Asked, run: &str) -> Result<Arc<Indexed>, Refusal> {
    asked
        .app
        .indexes
        .of(asked.app.source.as_ref(), asked.visitor.session.who, run)
        .await
}

/// Finds a row and reads its history.
pub(super) async fn one(indexed: &Arc<Indexed>, run: &str, id: &str) -> Result<OneRow, Refusal> {
    let wanted = id.to_owned();
    let found = ask(indexed, move |indexed| {
        let Some(located) = indexed.index.one(&wanted)? else {
            return Ok(None);
        };
        let trace = indexed.index.trace(&indexed.journal(), &located)?;
        let listed = indexed.index.listed(&[located.number])?.into_iter().next();
        Ok(listed.map(|listed| (listed, trace)))
    });
    let (listed, trace) = found.await?.ok_or_else(|| {
        let so_far = if indexed.is_whole() {
            ""
        } else {
            " The journal is still being read."
        };
        Refusal::not_found(format!(
            "Run {run} has no row {id} among its anchor and decided rows.{so_far}"
        ))
    })?;
    let steps = match &trace {
        Trace::Made(history) => history
            .tasks
            .iter()
            .map(|result| step_name(&history.row, result))
            .collect(),
        Trace::Real(_) => Vec::new(),
    };
    Ok(OneRow {
        run: run.to_owned(),
        listed,
        trace,
        steps,
    })
}
