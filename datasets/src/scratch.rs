//! Texts and places of many rows on the disk, so that memory does not grow with their length.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use anyhow::Context;
use gristmill_domain::seed::RowLocation;

use super::keep::Like;

/// Characters of a text that are shown where a row is only pointed at.
const SHOWN: usize = 300;

/// Rows by number, in the order in which they were added. 8 bytes each in memory.
pub(crate) struct Scratch {
    writer: BufWriter<File>,
    starts: Vec<u64>,
    flushed: bool,
}

impl Scratch {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let file = tempfile::tempfile().context("no temporary file can be made")?;
        Ok(Self {
            writer: BufWriter::new(file),
            starts: vec![0],
            flushed: true,
        })
    }

    /// Rows held.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Adds a row and returns its number.
    pub(crate) fn push(&mut self, place: &RowLocation, text: &str) -> anyhow::Result<u32> {
        let number = u32::try_from(self.len()).context("more than 4,294,967,295 rows are too many")?;
        let bytes = serde_json::to_vec(&(&place.file, place.line, text))?;
        self.writer
            .write_all(&bytes)
            .context("the temporary file cannot be written")?;
        let end = self.starts.last().copied().unwrap_or(0) + bytes.len() as u64;
        self.starts.push(end);
        self.flushed = false;
        Ok(number)
    }

    fn read(&mut self, number: u32) -> anyhow::Result<(String, u64, String)> {
        if !self.flushed {
            self.writer
                .flush()
                .context("the temporary file cannot be written")?;
            self.flushed = true;
        }
        let at = number as usize;
        let (Some(&start), Some(&end)) = (self.starts.get(at), self.starts.get(at + 1)) else {
            anyhow::bail!("there is no row {number}");
        };
        let mut bytes = vec![0; (end - start) as usize];
        let file = self.writer.get_ref();
        file.read_exact_at(&mut bytes, start)
            .context("the temporary file cannot be read")?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The text of a row.
    pub(crate) fn text(&mut self, number: u32) -> anyhow::Result<String> {
        Ok(self.read(number)?.2)
    }

    /// A row, to be pointed at.
    pub(crate) fn like(&mut self, number: u32) -> anyhow::Result<Like> {
        let (file, line, text) = self.read(number)?;
        let text = if text.chars().count() > SHOWN {
            format!("{}…", text.chars().take(SHOWN).collect::<String>())
        } else {
            text
        };
        Ok(Like { file, line, text })
    }
}
