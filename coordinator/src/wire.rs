//! What crosses the API as a message and is stored as JSON: how a run starts, a row, and the history of a row.
//!
//! They have the members of their messages in `gristmill.v1`, so that one conversion serves them. A member that only one side
//! knows is an error: it is never left out in silence.

use gristmill_domain::row::Row;
use gristmill_proto::{Error, mirrored, v1};
use serde_json::{Value, json};

use crate::{Start, Trace};

const START: &str = "start of the run";
const ROW: &str = "row";
const TRACE: &str = "history of the row";

/// The message that a run's start is sent as. Where relative paths begin stays behind: it is a folder of the machine that read the job. So do
/// the run's name, which the head of a submission bears, and when it was submitted, which the coordinator knows.
///
/// # Errors
/// Something in it that a message of this version cannot carry.
pub fn start_message(start: &Start) -> Result<v1::Start, Error> {
    let mut stored: Value = mirrored(START, start)?;
    if let Some(members) = stored.as_object_mut() {
        for kept in ["base", "name", "submitted_ms"] {
            members.remove(kept);
        }
    }
    mirrored(START, &stored)
}

/// The start that a message is.
///
/// # Errors
/// A setting that this version does not know, or one that is missing.
pub fn start_of(message: &v1::Start) -> Result<Start, Error> {
    let mut stored: Value = mirrored(START, message)?;
    if let Some(members) = stored.as_object_mut() {
        members.insert("base".to_owned(), json!(""));
    }
    mirrored(START, &stored)
}

/// The message that a row is sent as.
///
/// # Errors
/// Something in it that a message of this version cannot carry.
pub fn row_message(row: &Row) -> Result<v1::trace::Row, Error> {
    mirrored(ROW, row)
}

/// The message that a row's history is sent as.
///
/// # Errors
/// Something in it that a message of this version cannot carry.
pub fn trace_message(trace: &Trace) -> Result<v1::Trace, Error> {
    mirrored(TRACE, trace)
}

/// The history that a message is.
///
/// # Errors
/// A member that this version does not know, or one that is missing.
pub fn trace_of(message: &v1::Trace) -> Result<Trace, Error> {
    mirrored(TRACE, message)
}

#[cfg(test)]
mod tests;
