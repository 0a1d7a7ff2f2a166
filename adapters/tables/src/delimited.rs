//! CSV: a header line, then rows of quoted or plain fields (RFC 4180; rows may end in `\n` or `\r\n`, and span lines in quotes). Fields may be
//! parted by semicolons, tabs or bars as well.
//!
//! Built on the tokenizer of the `csv` project rather than on its reader, because the reader's buffer grows with a row: one
//! unclosed quote would take the whole file into memory.

use std::collections::HashSet;
use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use csv_core::ReadRecordResult;
use serde_json::{Map, Value};

use crate::delimiter;
use crate::error::Error;
use crate::row::{BadRow, Reason, Record};
use crate::source::{self, read_failure};

/// Fields of one row that are told apart; a wider table is refused.
const FIELDS_MAX: usize = 16 * 1024;

/// Rows of one CSV file.
pub(crate) struct Rows {
    file: Arc<Path>,
    tokens: Tokens,
    header: Vec<String>,
    row_bytes_max: usize,
}

impl Rows {
    /// Opens the file, finds what parts its fields (`usual` where that cannot be told), and reads its header. A header name left empty becomes
    /// `column_N`; an empty file has no names.
    pub(crate) fn open(file: Arc<Path>, usual: u8, row_bytes_max: usize) -> Result<Self, Error> {
        let mut input = source::open(&file, "CSV")?.input;
        let mut head = Vec::new();
        input
            .by_ref()
            .take(delimiter::HEAD_BYTES)
            .read_to_end(&mut head)
            .map_err(|error| Error::Header {
                file: file.to_path_buf(),
                reason: read_failure(&error),
            })?;
        let (delimiter, said) = delimiter::find(&head, usual);
        head.drain(..said);
        let input = Box::new(Cursor::new(head).chain(input));
        let mut tokens = Tokens::new(input, delimiter, row_bytes_max);
        tokens.line += u64::from(said > 0);
        let row = tokens.next().map_err(|error| Error::Header {
            file: file.to_path_buf(),
            reason: read_failure(&error),
        })?;
        let header = match row {
            None => Vec::new(),
            Some(row) => header(&tokens, row).map_err(|reason| Error::Header {
                file: file.to_path_buf(),
                reason,
            })?,
        };
        Ok(Self {
            file,
            tokens,
            header,
            row_bytes_max,
        })
    }

    /// Whether the file has a header line at all.
    pub(crate) fn has_header(&self) -> bool {
        !self.header.is_empty()
    }

    pub(crate) fn next(&mut self) -> Option<Result<Record, BadRow>> {
        loop {
            let (line, parsed) = match self.tokens.next() {
                Ok(None) => return None,
                Ok(Some(row)) if self.is_blank(row) => continue,
                Ok(Some(row)) => (row.line, self.parse(row)),
                Err(error) => {
                    // The row that failed begins behind everything that was read whole.
                    let reason = Reason::Unreadable(read_failure(&error));
                    (self.tokens.line, Err(reason))
                }
            };
            let file = Arc::clone(&self.file);
            return Some(match parsed {
                Ok(value) => Ok(Record { file, line, value }),
                Err(reason) => Err(BadRow {
                    file,
                    line,
                    column: None,
                    reason,
                }),
            });
        }
    }

    /// A line of nothing but spaces, where more than one field is due.
    fn is_blank(&self, row: Row) -> bool {
        row.fields == 1
            && self.header.len() > 1
            && row.fault.is_none()
            && self.tokens.field(0).iter().all(u8::is_ascii_whitespace)
    }

    fn parse(&self, row: Row) -> Result<Map<String, Value>, Reason> {
        match row.fault {
            Some(Fault::TooLong) => {
                return Err(Reason::TooLong {
                    limit: self.row_bytes_max,
                });
            }
            Some(Fault::OpenQuote) => return Err(Reason::OpenQuote),
            None if row.fields != self.header.len() => {
                return Err(Reason::FieldCount {
                    found: row.fields,
                    expected: self.header.len(),
                    spans_lines: row.lines > 1,
                });
            }
            None => {}
        }
        let fields = self.header.iter().enumerate().map(|(at, name)| {
            let text = std::str::from_utf8(self.tokens.field(at)).map_err(|error| Reason::Utf8 {
                byte: error.valid_up_to() as u64,
                field: Some(name.clone()),
            })?;
            Ok((name.clone(), Value::from(text)))
        });
        fields.collect()
    }
}

fn header(tokens: &Tokens, row: Row) -> Result<Vec<String>, String> {
    match row.fault {
        Some(Fault::TooLong) => return Err("it is longer than the limit for a row".to_owned()),
        Some(Fault::OpenQuote) => return Err("a quote in it is never closed".to_owned()),
        None => {}
    }
    let mut seen = HashSet::new();
    (0..row.fields)
        .map(|at| {
            let name = std::str::from_utf8(tokens.field(at))
                .map_err(|_| format!("name {} is not valid UTF-8; save the file as UTF-8", at + 1))?;
            let name = match name.trim() {
                "" => format!("column_{}", at + 1),
                name => name.to_owned(),
            };
            if !seen.insert(name.clone()) {
                return Err(format!("it names `{name}` twice; rename one of them"));
            }
            Ok(name)
        })
        .collect()
}

/// A row just read; its fields are in the [`Tokens`] until the next.
#[derive(Clone, Copy)]
struct Row {
    line: u64,
    lines: u64,
    fields: usize,
    fault: Option<Fault>,
}

#[derive(Clone, Copy)]
enum Fault {
    TooLong,
    OpenQuote,
}

/// Cuts a byte stream into rows of fields, holding at most one row, and of that at most the cap.
struct Tokens {
    input: Box<dyn BufRead + Send>,
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    row_bytes_max: usize,
    /// Line at which the next byte stands; the first is 1.
    line: u64,
}

impl Tokens {
    fn new(input: Box<dyn BufRead + Send>, delimiter: u8, row_bytes_max: usize) -> Self {
        Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 1024],
            ends: vec![0; 32],
            row_bytes_max,
            line: 1,
        }
    }

    fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    fn next(&mut self) -> io::Result<Option<Row>> {
        self.skip_line_ends()?;
        let line = self.line;
        let (mut text_at, mut ends_at, mut too_long, mut any) = (0, 0, false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let at_end = chunk.is_empty();
            if at_end && !any {
                return Ok(None);
            }
            // A line end in place of the end of the file: inside a quote it is text, anywhere else it ends the row.
            let chunk = if at_end { b"\n" } else { chunk };
            let (result, used, text_used, ends_used) =
                self.core
                    .read_record(chunk, &mut self.text[text_at..], &mut self.ends[ends_at..]);
            any = true;
            text_at += text_used;
            ends_at += ends_used;
            if !at_end {
                self.line += memchr::memchr_iter(b'\n', &chunk[..used]).count() as u64;
                self.input.consume(used);
            }
            let mut fault = too_long.then_some(Fault::TooLong);
            match result {
                ReadRecordResult::InputEmpty if at_end => fault = fault.or(Some(Fault::OpenQuote)),
                ReadRecordResult::InputEmpty => continue,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    // Beyond the cap the row is still read to its end, over the same memory again and again.
                    too_long |= !self.grow(matches!(result, ReadRecordResult::OutputFull));
                    (text_at, ends_at) = if too_long { (0, 0) } else { (text_at, ends_at) };
                    continue;
                }
                ReadRecordResult::Record | ReadRecordResult::End => {}
            }
            let lines = self.line - line + u64::from(at_end);
            return Ok(Some(Row {
                line,
                lines,
                fields: ends_at,
                fault,
            }));
        }
    }

    /// Doubles the full buffer; false at its cap.
    fn grow(&mut self, text: bool) -> bool {
        if text {
            let larger = (2 * self.text.len()).min(self.row_bytes_max);
            let grows = larger > self.text.len();
            self.text.resize(larger.max(self.text.len()), 0);
            grows
        } else {
            let larger = (2 * self.ends.len()).min(FIELDS_MAX);
            let grows = larger > self.ends.len();
            self.ends.resize(larger.max(self.ends.len()), 0);
            grows
        }
    }

    /// Steps over blank lines, so that a row's line is where it begins.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let blank = chunk.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            if blank == 0 {
                return Ok(());
            }
            self.line += chunk[..blank].iter().filter(|b| **b == b'\n').count() as u64;
            self.input.consume(blank);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, repeat};

    use proptest::prelude::*;

    use super::*;

    fn quote(field: &str) -> String {
        format!("\"{}\"", field.replace('"', "\"\""))
    }

    proptest! {
        /// Whatever the fields hold and wherever the reads are cut, rows come out as they went in, at the right lines.
        #[test]
        fn any_fields_survive_any_chunking(
            rows in prop::collection::vec(prop::collection::vec("[ab,\"\r\n ü]{0,6}", 3), 1..8),
            crlf: bool,
            blank_lines in 0_usize..3,
            last_end: bool,
            chunk in 1_usize..40,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let mut text = String::new();
            let mut expected = Vec::new();
            for (at, row) in rows.iter().enumerate() {
                expected.push((text.matches('\n').count() as u64 + 1, row.clone()));
                text += &row.iter().map(|field| quote(field)).collect::<Vec<_>>().join(",");
                if at + 1 < rows.len() {
                    text += &end.repeat(1 + blank_lines);
                } else if last_end {
                    text += end;
                }
            }
            let input = BufReader::with_capacity(chunk, Cursor::new(text.into_bytes()));
            let mut tokens = Tokens::new(Box::new(input), b',', 1 << 20);
            let mut found = Vec::new();
            while let Some(row) = tokens.next().unwrap() {
                prop_assert!(row.fault.is_none());
                let fields = (0..row.fields).map(|at| String::from_utf8(tokens.field(at).to_vec()).unwrap());
                found.push((row.line, fields.collect::<Vec<_>>()));
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_open_quote_takes_no_more_memory_than_the_cap() {
        let endless = (&b"a\n\""[..]).chain(repeat(b'x').take(64 << 20));
        let mut tokens = Tokens::new(Box::new(BufReader::new(endless)), b',', 1 << 20);
        assert!(tokens.next().unwrap().unwrap().fault.is_none());
        let row = tokens.next().unwrap().unwrap();
        assert!(matches!(row.fault, Some(Fault::TooLong)) && row.line == 2);
        assert!(
            tokens.text.capacity() <= 2 << 20,
            "held {} bytes",
            tokens.text.capacity()
        );
        assert!(tokens.next().unwrap().is_none());
    }
}
