//! What a file yields: rows and bad rows.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

/// One row and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The file it was read from.
    pub file: Arc<Path>,
    /// Where it begins: line of the (decompressed) text, or row of a Parquet file; the first is 1.
    pub line: u64,
    /// Its fields. CSV fields are always text; Parquet values without a JSON counterpart become text (dates, decimals,
    /// base64 for bytes that are not UTF-8), NaN and infinities become null.
    pub value: Map<String, Value>,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadRow {
    /// The file it stands in.
    pub file: Arc<Path>,
    /// Where it begins, as in [`Record::line`]; 0 when the file as a whole is meant.
    pub line: u64,
    /// Byte of the line at which reading failed (the first is 1), where there is one.
    pub column: Option<u64>,
    /// What is wrong with it.
    pub reason: Reason,
}

impl BadRow {
    /// True when the rest of the file could not be read, so that an unknown number of rows is missing.
    pub fn ends_file(&self) -> bool {
        matches!(self.reason, Reason::Unreadable(_))
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line is no JSON.
    #[error("invalid JSON: {0}")]
    Json(String),
    /// The line is JSON, but no object.
    #[error("{0}; each line must be one object such as {{\"question\": …}}")]
    NotAnObject(&'static str),
    /// The row is not UTF-8.
    #[error("invalid UTF-8 at byte {byte}{}; save the file as UTF-8", field.as_ref().map_or_else(String::new, |f| format!(" of field `{f}`")))]
    Utf8 {
        /// Offset of the first wrong byte, the first is 0: in the decompressed file, or in the field when one is named.
        byte: u64,
        /// The CSV field.
        field: Option<String>,
    },
    /// A CSV row has not as many fields as the header.
    #[error("{found} fields where the header names {expected}{}", if *spans_lines { "; the row spans several lines: is a quote missing?" } else { "" })]
    FieldCount {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
        /// Whether a quoted field carries the row over line ends.
        spans_lines: bool,
    },
    /// A quote was opened and the file ended inside it.
    #[error(
        "a quoted field that begins in this row is never closed; everything behind it was taken for its text"
    )]
    OpenQuote,
    /// The row is longer than the cap; it was skipped without being held.
    #[error("longer than the limit of {limit} bytes for a row")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
    },
    /// A Parquet value that has no text, such as a date out of the calendar.
    #[error("a value cannot be shown as text: {0}")]
    Value(String),
    /// The file has no rows: nothing at all, only blank lines, or only a header.
    #[error("the file is empty: {0}")]
    Empty(&'static str),
    /// The rest of the file cannot be read: see [`BadRow::ends_file`].
    #[error("the rest of the file cannot be read: {0}")]
    Unreadable(String),
}
