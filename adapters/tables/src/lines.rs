//! Lines of bounded length out of a byte stream.

use std::io::{self, BufRead};

use crate::source::Text;

/// Splits a stream at line feeds while holding at most one line, and of that at most the cap.
pub(crate) struct Lines {
    input: Box<dyn BufRead + Send>,
    bytes_max: usize,
    text: Vec<u8>,
    /// Number of the line last returned; the first is 1.
    pub(crate) number: u64,
    /// Offset of that line's first byte in the decompressed text.
    pub(crate) start: u64,
    next_start: u64,
}

/// One line without its end (`\n` or `\r\n`).
pub(crate) enum Line<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// It was longer than the cap and skipped.
    TooLong,
}

impl Lines {
    pub(crate) fn new(text: Text, bytes_max: usize) -> Self {
        Self {
            input: text.input,
            bytes_max,
            text: Vec::new(),
            number: 0,
            start: text.skipped,
            next_start: text.skipped,
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.text.clear();
        self.start = self.next_start;
        let mut too_long = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if chunk.is_empty() {
                if self.next_start == self.start {
                    return Ok(None);
                }
                break;
            }
            let end = memchr::memchr(b'\n', chunk);
            let used = end.map_or(chunk.len(), |at| at + 1);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= self.text.len() + part.len() > self.bytes_max;
            if !too_long {
                self.text.extend_from_slice(part);
            }
            self.input.consume(used);
            self.next_start += used as u64;
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        if too_long {
            return Ok(Some(Line::TooLong));
        }
        let text = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        Ok(Some(Line::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read, repeat};

    use super::*;

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_cap() {
        let endless = repeat(b'x').take(64 << 20).chain(&b"\nnext"[..]);
        let input = Box::new(BufReader::new(endless));
        let mut lines = Lines::new(Text { input, skipped: 0 }, 1 << 20);
        assert!(matches!(lines.next(), Ok(Some(Line::TooLong))));
        assert!(
            lines.text.capacity() <= 2 << 20,
            "held {} bytes",
            lines.text.capacity()
        );
        assert!(matches!(lines.next(), Ok(Some(Line::Text(b"next")))));
        assert_eq!((lines.number, lines.start), (2, (64 << 20) + 1));
        assert!(matches!(lines.next(), Ok(None)));
    }
}
