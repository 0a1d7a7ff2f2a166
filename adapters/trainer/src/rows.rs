//! Files of rows, read in the order in which they stand.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use gristmill_ports::trainer::Row;

use crate::Error;
use crate::model::Tokens;
use crate::text::Text;

/// Rows of a file as tokens; holds one line.
pub(crate) struct Rows<'a> {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
    text: &'a Text,
    max_tokens: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn open(path: &Path, text: &'a Text, max_tokens: u32) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::new(File::open(path).map_err(Error::io(path))?),
            line: 0,
            text,
            max_tokens: max_tokens as usize,
        })
    }

    /// Passes over so many rows, unread.
    pub(crate) fn skip(&mut self, rows: u64) -> Result<(), Error> {
        for _ in 0..rows {
            let mut line = Vec::new();
            self.lines
                .read_until(b'\n', &mut line)
                .map_err(Error::io(&self.path))?;
            self.line += 1;
        }
        Ok(())
    }

    /// The next so many rows; fewer at the end of the file.
    pub(crate) fn take(&mut self, rows: u32) -> Result<Vec<Tokens>, Error> {
        let mut taken = Vec::with_capacity(rows as usize);
        while taken.len() < rows as usize {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).map_err(Error::io(&self.path))?;
            self.line += 1;
            if read == 0 {
                break;
            }
            taken.push(self.tokens(&line).map_err(|reason| Error::Row {
                path: self.path.clone(),
                line: self.line,
                reason,
            })?);
        }
        Ok(taken)
    }

    fn tokens(&self, line: &str) -> Result<Tokens, String> {
        let row: Row = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let named = |reason: String| format!("row {}: {reason}", row.id);
        let tokens = self.text.row(&row.prompt, &row.completion).map_err(named)?;
        match tokens.ids.len() > self.max_tokens {
            false => Ok(tokens),
            true => Err(named(format!(
                "it has {} tokens, and `max_tokens` is {}",
                tokens.ids.len(),
                self.max_tokens
            ))),
        }
    }
}
