//! What the first bytes of a file say it is.

use gristmill_domain::passage::Media;

use crate::skip::Reason;

/// First bytes of formats that people give endings of documents to, with what to do about them.
const KNOWN: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF; rename it to .pdf"),
    (
        b"PK\x03\x04",
        "a ZIP archive or an office document; rename it to .docx if it is one, else unpack it",
    ),
    (b"PK\x05\x06", "an empty ZIP archive; leave it out"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Office file; save it as .docx",
    ),
    (b"{\\rtf", "an RTF file; save it as .docx"),
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (
        b"\x89PNG\r\n\x1a\n",
        "a PNG picture; run character recognition (OCR) over it",
    ),
    (
        b"\xff\xd8\xff",
        "a JPEG picture; run character recognition (OCR) over it",
    ),
    (b"GIF8", "a GIF picture; leave it out"),
    (b"\x7fELF", "a program; leave it out"),
    (b"MZ\x90\x00", "a program; leave it out"),
    (
        b"SQLite format 3\x00",
        "an SQLite database; export its rows as a table",
    ),
    (b"PAR1", "a Parquet table; name it among the tables"),
    (b"%!PS", "PostScript; convert it to PDF"),
];

/// Where a PDF's header may begin: Adobe's readers accept it within the first 1,024 bytes (PDF 1.7, implementation note 13).
const PDF_HEADER_WITHIN: usize = 1024;

/// Refuses a document whose first bytes show another kind than its name.
pub(super) fn check(media: Media, bytes: &[u8]) -> Result<(), Reason> {
    let head = &bytes[..bytes.len().min(PDF_HEADER_WITHIN)];
    let known = KNOWN
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, what)| *what);
    let right = match media {
        Media::Pdf => head.windows(5).any(|five| five == b"%PDF-"),
        Media::Docx => head.starts_with(b"PK\x03\x04"),
        Media::Markdown | Media::Html | Media::Text => known.is_none(),
    };
    if right {
        return Ok(());
    }
    // A password turns an office document into a compound file, the container of the old format.
    if media == Media::Docx && head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        let name: Vec<u8> = "EncryptedPackage"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        if bytes.windows(name.len()).any(|window| window == name) {
            return Err(Reason::Encrypted);
        }
    }
    if bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
        return Err(Reason::Empty);
    }
    Err(Reason::WrongKind {
        media,
        found: known.map_or_else(|| guess(head), str::to_owned),
    })
}

fn guess(head: &[u8]) -> String {
    let start = head.trim_ascii_start().to_ascii_lowercase();
    if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
        "an HTML page, perhaps an error page that was saved; fetch it again, or rename it to .html".into()
    } else if std::str::from_utf8(head).is_ok() {
        "plain text; rename it to .txt".into()
    } else {
        "none of the kinds known here; leave it out".into()
    }
}
