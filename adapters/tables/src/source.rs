//! One text file as a stream of bytes in UTF-8: decompressed, without a byte order mark, and checked for being text at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use crate::error::Error;
use crate::utf16::Utf16;

/// Bytes read from disk at once.
const BUFFER_BYTES: usize = 128 * 1024;

/// A text and how many bytes of it were stepped over.
pub(crate) struct Text {
    pub(crate) input: Box<dyn BufRead + Send>,
    /// Length of the byte order mark, if there was one.
    pub(crate) skipped: u64,
}

/// Opens a text file. Compression is told by the first bytes and not by the name, so a misnamed file still reads.
///
/// `expected` names the format in errors.
pub(crate) fn open(file: &Path, expected: &'static str) -> Result<Text, Error> {
    let fail = |error| Error::from_io(file, error);
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, File::open(file).map_err(fail)?);
    let head = raw.fill_buf().map_err(fail)?;
    let mut text: Box<dyn BufRead + Send> = match head {
        [0x1f, 0x8b, ..] => buffered(flate2::bufread::MultiGzDecoder::new(raw)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            buffered(zstd::stream::read::Decoder::with_buffer(raw).map_err(fail)?)
        }
        _ => Box::new(raw),
    };
    let mut head = Vec::new();
    text.by_ref().take(2).read_to_end(&mut head).map_err(fail)?;
    if let [0xff, 0xfe] | [0xfe, 0xff] = head[..] {
        let decoded = Utf16::new(text, head[0] == 0xfe);
        return Ok(Text {
            input: buffered(decoded),
            skipped: 2,
        });
    }
    text.by_ref().take(2).read_to_end(&mut head).map_err(fail)?;
    if let Some(found) = not_text(&head) {
        return Err(Error::Mismatch {
            file: file.to_owned(),
            expected,
            found,
        });
    }
    let skipped = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    head.drain(..skipped);
    Ok(Text {
        input: Box::new(Cursor::new(head).chain(text)),
        skipped: skipped as u64,
    })
}

fn buffered(decoder: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
}

/// What the first bytes show when they cannot begin a text in UTF-8.
fn not_text(head: &[u8]) -> Option<&'static str> {
    match head {
        b"PAR1" => Some("a Parquet file; name its format `parquet`"),
        b"PK\x03\x04" => Some("a zip archive or a spreadsheet; export it as CSV in UTF-8"),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] => Some("compressed twice; unpack it once"),
        b"BZh1" | b"BZh2" | b"BZh3" | b"BZh4" | b"BZh5" | b"BZh6" | b"BZh7" | b"BZh8" | b"BZh9" => {
            Some("compressed with bzip2; use gzip or zstd")
        }
        [0xfd, b'7', b'z', b'X'] => Some("compressed with xz; use gzip or zstd"),
        _ => None,
    }
}

/// What a failed read means, in words: decoders report a cut file as an unexpected end.
pub(crate) fn read_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("the compressed data ends in the middle, the file was cut off ({error})")
        }
        _ => error.to_string(),
    }
}
