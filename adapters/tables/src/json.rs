//! JSON Lines: one object a line.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::lines::{Line, Lines};
use crate::row::{BadRow, Reason, Record};
use crate::source::{self, read_failure};

/// Rows of one JSON Lines file.
pub(crate) struct Rows {
    file: Arc<Path>,
    lines: Lines,
    row_bytes_max: usize,
}

impl Rows {
    pub(crate) fn open(file: Arc<Path>, row_bytes_max: usize) -> Result<Self, Error> {
        let lines = Lines::new(source::open(&file, "JSON Lines")?, row_bytes_max);
        Ok(Self {
            file,
            lines,
            row_bytes_max,
        })
    }

    pub(crate) fn next(&mut self) -> Option<Result<Record, BadRow>> {
        loop {
            let parsed = match self.lines.next() {
                Ok(None) => return None,
                Ok(Some(Line::Text(text))) if text.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(Some(Line::Text(text))) => parse(text),
                Ok(Some(Line::TooLong)) => Err((
                    None,
                    Reason::TooLong {
                        limit: self.row_bytes_max,
                    },
                )),
                Err(error) => {
                    // The failed line is the one behind the last that was read whole.
                    let reason = Reason::Unreadable(read_failure(&error));
                    return Some(Err(self.bad(self.lines.number + 1, None, reason)));
                }
            };
            let (file, line) = (Arc::clone(&self.file), self.lines.number);
            return Some(match parsed {
                Ok(value) => Ok(Record { file, line, value }),
                Err((column, Reason::Utf8 { byte, field })) => {
                    let byte = byte + self.lines.start;
                    Err(self.bad(line, column, Reason::Utf8 { byte, field }))
                }
                Err((column, reason)) => Err(self.bad(line, column, reason)),
            });
        }
    }

    fn bad(&self, line: u64, column: Option<u64>, reason: Reason) -> BadRow {
        BadRow {
            file: Arc::clone(&self.file),
            line,
            column,
            reason,
        }
    }
}

/// The object on a line, or the byte column and the reason; a UTF-8 offset is within the line.
fn parse(text: &[u8]) -> Result<Map<String, Value>, (Option<u64>, Reason)> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let byte = error.valid_up_to() as u64;
        (Some(byte + 1), Reason::Utf8 { byte, field: None })
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err((None, Reason::NotAnObject(describe(&other)))),
        Err(error) => {
            let mut message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            if message.ends_with(&place) {
                message.truncate(message.len() - place.len());
            }
            if error.is_eof() {
                message.push_str(
                    " (the line ends in the middle of its object; each line must hold one whole object)",
                );
            }
            Err((Some(error.column() as u64), Reason::Json(message)))
        }
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
