//! UTF-16 as UTF-8: what spreadsheets write as "Unicode text".

use std::io::{self, BufRead, Read};

/// Reads a text in UTF-16 as UTF-8. Half of a surrogate pair becomes U+FFFD, and so does an odd last byte.
pub(crate) struct Utf16<R> {
    raw: R,
    big_endian: bool,
    /// Text that was decoded and not handed out.
    out: Vec<u8>,
    at: usize,
    /// The first byte of a unit whose second is still to come.
    byte: Option<u8>,
    /// The first unit of a pair whose second is still to come.
    unit: Option<u16>,
}

impl<R: BufRead> Utf16<R> {
    /// Behind the byte order mark.
    pub(crate) fn new(raw: R, big_endian: bool) -> Self {
        Self {
            raw,
            big_endian,
            out: Vec::new(),
            at: 0,
            byte: None,
            unit: None,
        }
    }

    fn push(&mut self, unit: u16) {
        let units: Vec<u16> = self.unit.take().into_iter().chain([unit]).collect();
        if let [high @ 0xd800..=0xdbff] = units[..] {
            self.unit = Some(high);
            return;
        }
        for c in char::decode_utf16(units) {
            self.put(c.unwrap_or('\u{fffd}'));
        }
    }

    fn put(&mut self, c: char) {
        let mut bytes = [0; 4];
        self.out.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        while self.out.is_empty() {
            let chunk = self.raw.fill_buf()?;
            let used = chunk.len();
            if used == 0 {
                if self.byte.take().is_some() || self.unit.take().is_some() {
                    self.put('\u{fffd}');
                }
                return Ok(());
            }
            let bytes: Vec<u8> = self
                .byte
                .take()
                .into_iter()
                .chain(chunk.iter().copied())
                .collect();
            self.raw.consume(used);
            let pairs = bytes.chunks_exact(2);
            self.byte = pairs.remainder().first().copied();
            for pair in pairs {
                let pair = [pair[0], pair[1]];
                self.push(if self.big_endian {
                    u16::from_be_bytes(pair)
                } else {
                    u16::from_le_bytes(pair)
                });
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.fill()?;
        }
        let count = buffer.len().min(self.out.len() - self.at);
        buffer[..count].copy_from_slice(&self.out[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    #[test]
    fn both_orders_are_read_whatever_the_chunks() {
        let text = "Frage;ä\r\n漢🦀;x";
        for big_endian in [false, true] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| {
                    if big_endian {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                })
                .collect();
            for chunk in 1..9 {
                let raw = BufReader::with_capacity(chunk, Cursor::new(bytes.clone()));
                let mut read = String::new();
                Utf16::new(raw, big_endian).read_to_string(&mut read).unwrap();
                assert_eq!(read, text);
            }
        }
        let mut read = String::new();
        let broken = BufReader::new(Cursor::new([0x3d, 0xd8, b'a', 0, b'b']));
        Utf16::new(broken, false).read_to_string(&mut read).unwrap();
        assert_eq!(read, "\u{fffd}a\u{fffd}");
    }
}
