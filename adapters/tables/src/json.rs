//! JSON: one object a line, or a list of objects.

use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::lines::{Line, Lines};
use crate::row::{BadRow, Reason, Record};
use crate::several::lists_of_rows;
use crate::source::{self, Text, read_failure};
use crate::values::{self, Values};

/// Rows of one JSON file.
pub(crate) struct Rows {
    file: Arc<Path>,
    form: Form,
    row_bytes_max: usize,
}

enum Form {
    Lines(Lines),
    Values(Values),
}

impl Rows {
    pub(crate) fn open(file: Arc<Path>, row_bytes_max: usize) -> Result<Self, Error> {
        let Text { mut input, skipped } = source::open(&file, "JSON Lines")?;
        let mut head = Vec::new();
        let read = input
            .by_ref()
            .take(values::HEAD_BYTES as u64)
            .read_to_end(&mut head);
        let are_values = read.is_ok() && values::are_in(&head, head.len() < values::HEAD_BYTES);
        if are_values && head.trim_ascii_start().starts_with(b"{") {
            let mut all = source::open(&file, "JSON Lines")?.input;
            // A failure is met again where the rows are read, and told with its line.
            if let Ok(Some(names)) = lists_of_rows(&mut all) {
                return Err(Error::SeveralLists {
                    file: file.to_path_buf(),
                    names,
                });
            }
        }
        // A failure is met again where the rows are read, and told with its line.
        let input: Box<dyn BufRead + Send> = match read {
            Ok(_) => Box::new(Cursor::new(head).chain(input)),
            Err(error) => Box::new(Cursor::new(head).chain(Failed(Some(error)))),
        };
        let form = if are_values {
            Form::Values(Values::new(input, row_bytes_max))
        } else {
            Form::Lines(Lines::new(Text { input, skipped }, row_bytes_max))
        };
        Ok(Self {
            file,
            form,
            row_bytes_max,
        })
    }

    pub(crate) fn next(&mut self) -> Option<Result<Record, BadRow>> {
        match &self.form {
            Form::Lines(_) => self.next_line(),
            Form::Values(_) => self.next_value(),
        }
    }

    fn next_value(&mut self) -> Option<Result<Record, BadRow>> {
        let Form::Values(values) = &mut self.form else {
            return None;
        };
        let parsed = match values.next() {
            Ok(None) => return None,
            Ok(Some(values::Value::Text(text))) => parse(text).map_err(|(_, reason)| reason),
            Ok(Some(values::Value::TooLong)) => Err(Reason::TooLong {
                limit: self.row_bytes_max,
            }),
            Ok(Some(values::Value::Cut)) => Err(Reason::Unreadable(
                "it ends in the middle of its list or of an object in it".to_owned(),
            )),
            Err(error) => Err(Reason::Unreadable(read_failure(&error))),
        };
        let (file, line) = (Arc::clone(&self.file), values.number);
        Some(match parsed {
            Ok(value) => Ok(Record { file, line, value }),
            Err(reason) => Err(self.bad(line, None, reason)),
        })
    }

    fn next_line(&mut self) -> Option<Result<Record, BadRow>> {
        loop {
            let Form::Lines(lines) = &mut self.form else {
                return None;
            };
            let parsed = match lines.next() {
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
                    let (line, reason) = (lines.number + 1, Reason::Unreadable(read_failure(&error)));
                    return Some(Err(self.bad(line, None, reason)));
                }
            };
            let (file, line, start) = (Arc::clone(&self.file), lines.number, lines.start);
            return Some(match parsed {
                Ok(value) => Ok(Record { file, line, value }),
                Err((column, Reason::Utf8 { byte, field })) => {
                    let byte = byte + start;
                    Err(self.bad(line, column, Reason::Utf8 { byte, field }))
                }
                Err((column, reason)) => Err(self.bad(line, column, reason)),
            });
        }
    }

    /// In what way a file without rows is empty.
    pub(crate) fn emptiness(&self) -> &'static str {
        match self.form {
            Form::Lines(_) => "it has no line with text",
            Form::Values(_) => "its list has no object",
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

/// What a parser's message means to people who write rows; `None` where its own words say it.
fn in_plain_words(message: &str, line: &str) -> Option<&'static str> {
    if !line.trim_start().starts_with(['{', '[', '"']) && message.starts_with("expected ") {
        return Some("the line is plain text; each line must be one object such as {\"question\": …}");
    }
    Some(match message {
        "expected ident" | "expected value" => {
            "here a value is missing, or a text stands without double quotes; only numbers, true, false and null go without"
        }
        "key must be a string" => "the name of a field must stand in double quotes",
        "expected `:`" => "`:` is missing between the name of a field and its value",
        "expected `,` or `}`" | "expected `,` or `]`" => {
            "a comma or the closing bracket is missing; a double quote within a text is written `\\\"`"
        }
        "invalid escape" => "no escape begins like this; a backslash within a text is written `\\\\`",
        _ if message.starts_with("control character") => {
            "a line break, a tab or another control character within a text; write it as `\\n` or `\\t`"
        }
        _ => return None,
    })
}

/// The object on a line, or the byte column and the reason; a UTF-8 offset is within the line.
fn parse(text: &[u8]) -> Result<Map<String, Value>, (Option<u64>, Reason)> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let byte = error.valid_up_to() as u64;
        (Some(byte + 1), Reason::Utf8 { byte, field: None })
    })?;
    let read = serde_json::from_str(text).or_else(|error| match without_constants(text) {
        Some(mended) => serde_json::from_str(&mended).map_err(|_| error),
        None => Err(error),
    });
    match read {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err((None, Reason::NotAnObject(describe(&other)))),
        Err(error) => {
            let mut message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            if message.ends_with(&place) {
                message.truncate(message.len() - place.len());
            }
            if let Some(plain) = in_plain_words(&message, text) {
                plain.clone_into(&mut message);
            } else if message.contains("hex escape") || message.contains("surrogate") {
                message.push_str(
                    " (half of a surrogate pair such as `\\ud83d`: an emoji was cut in two; write it whole, or leave it out)",
                );
            } else if error.is_eof() {
                message.push_str(
                    " (the line ends in the middle of its object; each line must hold one whole object)",
                );
            }
            Err((Some(error.column() as u64), Reason::Json(message)))
        }
    }
}

/// The text with `null` for `NaN`, `Infinity` and `-Infinity`, which Python writes and JSON does not know; `None` where none stands in it.
fn without_constants(text: &str) -> Option<String> {
    const CONSTANTS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let (mut out, mut rest, mut found) = (String::with_capacity(text.len()), text, false);
    while let Some(c) = rest.chars().next() {
        let taken = if c == '"' {
            quoted(rest)
        } else if let Some(word) = CONSTANTS.iter().find(|word| rest.starts_with(**word)) {
            out.push_str("null");
            found = true;
            rest = &rest[word.len()..];
            continue;
        } else {
            c.len_utf8()
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    found.then_some(out)
}

/// Length of the text in quotation marks at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A stream that fails, once.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl BufRead for Failed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.take().map_or(Ok(&[]), Err)
    }

    fn consume(&mut self, _: usize) {}
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
