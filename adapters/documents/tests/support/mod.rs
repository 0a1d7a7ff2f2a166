//! Documents made by code, and a reader with the crate's own child program.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::time::Duration;

use gristmill_documents::{Cut, Event, Limits, Options, Reader, Skipped};
use gristmill_domain::passage::Passage;

/// Limits that broken documents meet within a test's time.
pub(crate) fn limits() -> Limits {
    Limits {
        memory_bytes_max: 256 << 20,
        cpu: Duration::from_secs(20),
        wall: Duration::from_secs(240),
        ..Limits::default()
    }
}

pub(crate) fn options(base: &Path) -> Options {
    Options {
        cut: Cut {
            least: 1,
            ..Cut::default()
        },
        limits: limits(),
        base: Some(base.to_owned()),
        program: Some(env!("CARGO_BIN_EXE_gristmill-documents-child").into()),
    }
}

/// All events of all documents in a folder.
pub(crate) fn read_all(base: &Path) -> (Vec<Event>, Reader) {
    let mut reader = Reader::open(&["."], &options(base)).unwrap();
    let events = reader.by_ref().collect();
    (events, reader)
}

pub(crate) fn passages(events: &[Event]) -> Vec<&Passage> {
    let passages = events.iter().filter_map(|event| match event {
        Event::Passage(passage) => Some(passage),
        _ => None,
    });
    passages.collect()
}

pub(crate) fn skipped(events: &[Event]) -> Vec<&Skipped> {
    let skips = events.iter().filter_map(|event| match event {
        Event::Skipped(skipped) => Some(skipped),
        _ => None,
    });
    skips.collect()
}

/// Reads one document and gives its events.
pub(crate) fn read_one(name: &str, bytes: &[u8]) -> Vec<Event> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    Reader::open(&[name], &options(folder.path())).unwrap().collect()
}

/// An archive of these parts.
pub(crate) fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let how = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in parts {
        archive.start_file(*name, how).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

const RELS: &str = r#"<Relationships xmlns="x"><Relationship Id="rId1" Type="http://x/officeDocument" Target="word/document.xml"/></Relationships>"#;

/// A document with this body and these styles.
pub(crate) fn docx(body: &str, styles: &str) -> Vec<u8> {
    docx_with(body, styles, &[])
}

/// The same, with more parts.
pub(crate) fn docx_with(body: &str, styles: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let document = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="w"><w:body>{body}</w:body></w:document>"#
    );
    let styles = format!(r#"<w:styles xmlns:w="w">{styles}</w:styles>"#);
    let parts = [
        ("_rels/.rels", RELS.as_bytes()),
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
    ];
    zip(&[&parts, more].concat())
}

/// A PDF of these objects, numbered from 1; the first is the catalogue. `trailer` is added to the trailer.
pub(crate) fn pdf(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (object, number) in objects.iter().zip(1..) {
        places.push(file.len());
        writeln!(file, "{number} 0 obj").unwrap();
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let table = file.len();
    writeln!(file, "xref\n0 {}\n0000000000 65535 f ", objects.len() + 1).unwrap();
    for place in places {
        writeln!(file, "{place:010} 00000 n ").unwrap();
    }
    writeln!(
        file,
        "trailer\n<</Size {} /Root 1 0 R {trailer}>>\nstartxref\n{table}\n%%EOF",
        objects.len() + 1
    )
    .unwrap();
    file
}

/// A stream object with more entries in its dictionary.
pub(crate) fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut object = format!("<</Length {} {entries}>>\nstream\n", bytes.len()).into_bytes();
    object.extend_from_slice(bytes);
    object.extend_from_slice(b"\nendstream");
    object
}

/// Text at a place of a page: points from the lower left corner, size of the font.
pub(crate) struct Text<'t>(pub(crate) u32, pub(crate) u32, pub(crate) u32, pub(crate) &'t str);

/// A PDF with pages of text in Helvetica.
pub(crate) fn pdf_of(pages: &[Vec<Text<'_>>]) -> Vec<u8> {
    let kids: String = (0..pages.len()).fold(String::new(), |mut kids, i| {
        write!(kids, "{} 0 R ", 4 + 2 * i).unwrap();
        kids
    });
    let mut objects = vec![
        b"<</Type /Catalog /Pages 2 0 R>>".to_vec(),
        format!("<</Type /Pages /Count {} /Kids [{kids}]>>", pages.len()).into_bytes(),
        b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>>".to_vec(),
    ];
    for (page, number) in pages.iter().zip(0..) {
        let contents = 5 + 2 * number;
        objects.push(
            format!("<</Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {contents} 0 R /Resources <</Font <</F 3 0 R>>>>>>")
                .into_bytes(),
        );
        let mut operators = String::new();
        for Text(x, y, size, text) in page {
            writeln!(operators, "BT /F {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET").unwrap();
        }
        objects.push(stream("", operators.as_bytes()));
    }
    pdf(&objects, "")
}
