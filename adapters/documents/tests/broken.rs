//! Documents that nobody should give to a program: all are reported, none stops the reading, all end in time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gristmill_documents::{Event, Reader, Reason};
use support::{Text, docx, options, pdf, pdf_of, skipped, stream, zip};

type Check = fn(&Reason) -> bool;

struct Bed {
    folder: tempfile::TempDir,
    expected: Vec<(String, Check)>,
}

impl Bed {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            expected: vec![],
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&mut self, name: &str, bytes: &[u8], check: Check) {
        fs::write(self.path().join(name), bytes).unwrap();
        self.expect(name, check);
    }

    fn expect(&mut self, name: &str, check: Check) {
        self.expected.push((name.to_owned(), check));
    }

    /// Reads all by name, with a good document at the end, and checks each reason.
    fn check(self) -> Vec<Event> {
        fs::write(
            self.path().join("zz-good.md"),
            "# Good\n\nThis document is read after all of the others.\n",
        )
        .unwrap();
        let mut names: Vec<&str> = self.expected.iter().map(|(name, _)| name.as_str()).collect();
        names.push("zz-good.md");
        let before = Instant::now();
        let mut reader = Reader::open(&names, &options(self.path())).unwrap();
        let events: Vec<Event> = reader.by_ref().collect();
        let took = before.elapsed();
        let skips = skipped(&events);
        for (name, check) in &self.expected {
            let file = self.path().join(name);
            let found = skips
                .iter()
                .find(|skipped| skipped.file == file || skipped.file == Path::new(name));
            let found =
                found.unwrap_or_else(|| panic!("{name} was not reported: {:?}", about(&events, name)));
            println!("{name}: {}", found.reason);
            assert!(check(&found.reason), "{name}: {:?}", found.reason);
        }
        assert!(matches!(events.last(), Some(Event::Document(document)) if document.passages == 1));
        assert_eq!(reader.summary().skipped, skips.len() as u64);
        assert!(took < Duration::from_secs(240), "{took:?}");
        events
    }
}

fn about(events: &[Event], name: &str) -> Vec<String> {
    events
        .iter()
        .map(|event| format!("{event:?}"))
        .filter(|event| event.contains(name))
        .collect()
}

/// Bytes without any order, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

fn good_docx() -> Vec<u8> {
    let text: String = (0..400)
        .map(|i| format!("<w:p><w:r><w:t>Sentence number {i} is here.</w:t></w:r></w:p>"))
        .collect();
    docx(&text, "")
}

fn good_pdf() -> Vec<u8> {
    pdf_of(&[vec![Text(50, 700, 12, "A sentence on a page.")]])
}

#[test]
fn broken_documents() {
    let mut bed = Bed::new();
    let damaged: Check = |reason| matches!(reason, Reason::Damaged { .. });
    let wrong: Check = |reason| matches!(reason, Reason::WrongKind { .. });
    let empty: Check = |reason| matches!(reason, Reason::Empty);
    let large: Check = |reason| matches!(reason, Reason::TooLarge { .. });
    let no_text: Check = |reason| matches!(reason, Reason::NoText { .. });
    let encrypted: Check = |reason| matches!(reason, Reason::Encrypted);

    bed.file("empty.txt", b"", empty);
    bed.file("blank.md", b" \n\t\r\n \n", empty);
    bed.file("zeros.pdf", &[0; 4096], empty);
    bed.file(
        "empty-page.html",
        b"<html><head></head><body> </body></html>",
        empty,
    );
    bed.file("noise.txt", &noise(5000), no_text);
    bed.file("noise.html", &noise(5000), no_text);
    bed.file("noise.pdf", &noise(5000), wrong);
    bed.file("noise.docx", &noise(5000), wrong);
    bed.file(
        "header-then-noise.pdf",
        &[b"%PDF-1.5\n".to_vec(), noise(50_000)].concat(),
        damaged,
    );
    bed.file(
        "header-then-noise.docx",
        &[b"PK\x03\x04".to_vec(), noise(50_000)].concat(),
        damaged,
    );
    bed.file(
        "page.pdf",
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        wrong,
    );
    bed.file("a-pdf.txt", &good_pdf(), wrong);
    bed.file("picture.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", wrong);
    bed.file("packed.html", b"\x1f\x8b\x08\0\0\0\0\0", wrong);
    bed.file("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old one", wrong);
    let package: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    bed.file(
        "locked.docx",
        &[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), package].concat(),
        encrypted,
    );

    // Documents that are cut off.
    let whole = good_docx();
    bed.file("cut.docx", &whole[..whole.len() / 2], damaged);
    bed.file("cut-at-header.docx", &whole[..30], damaged);
    bed.file("cut-at-header.pdf", &good_pdf()[..9], damaged);
    let cut_inside = zip(&[(
        "word/document.xml",
        b"<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>Text".as_slice(),
    )]);
    bed.file("cut-inside.docx", &cut_inside, damaged);

    // Archives that are none of a document, or too much of one.
    bed.file(
        "no-document.docx",
        &zip(&[("hello.txt", b"hello".as_slice())]),
        damaged,
    );
    let rels =
        br#"<Relationships><Relationship Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
    bed.file(
        "a-workbook.docx",
        &zip(&[
            ("_rels/.rels", rels.as_slice()),
            ("xl/workbook.xml", b"<workbook/>"),
        ]),
        damaged,
    );
    bed.file(
        "bomb.docx",
        &zip(&[("word/document.xml", vec![b' '; 20 << 20].as_slice())]),
        large,
    );
    let names: Vec<String> = (0..10_001).map(|i| format!("{i}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    bed.file("many.docx", &zip(&many), large);
    let laughs = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><w:document><w:t>&b;</w:t></w:document>";
    bed.file(
        "entities.docx",
        &zip(&[("word/document.xml", laughs.as_slice())]),
        damaged,
    );
    bed.file("deep.docx", &docx(&"<w:sdt>".repeat(100_000), ""), large);
    bed.file("deep.html", "<div>".repeat(200_000).as_bytes(), large);

    // PDFs that lock, turn in circles, unpack to gigabytes.
    let page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>".to_vec();
    let catalogue = b"<</Type /Catalog /Pages 2 0 R>>".to_vec();
    let pages = b"<</Type /Pages /Count 1 /Kids [3 0 R]>>".to_vec();
    bed.file(
        "no-text.pdf",
        &pdf(&[catalogue.clone(), pages.clone(), page.clone()], ""),
        no_text,
    );
    let lock = b"<</Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) /U (bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb)>>".to_vec();
    let locked = pdf(
        &[catalogue.clone(), pages.clone(), page.clone(), lock],
        "/Encrypt 4 0 R /ID [(x) (x)]",
    );
    bed.file("locked.pdf", &locked, encrypted);
    let circle = b"<</Type /Pages /Count 1 /Kids [2 0 R 3 0 R]>>".to_vec();
    let back = b"<</Type /Pages /Count 1 /Parent 2 0 R /Kids [2 0 R]>>".to_vec();
    bed.file(
        "circle.pdf",
        &pdf(&[catalogue.clone(), circle, back], ""),
        |reason| matches!(reason, Reason::Damaged { .. } | Reason::NoText { .. }),
    );
    let page_with = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R>>".to_vec();
    let bomb = stream(
        "/Filter [/FlateDecode /FlateDecode]",
        &deflate(&deflate(&[b' '; 1 << 20], 400), 1),
    );
    bed.file(
        "bomb.pdf",
        &pdf(&[catalogue, pages, page_with, bomb], ""),
        |reason| {
            matches!(
                reason,
                Reason::TooMuchMemory { .. } | Reason::NoText { .. } | Reason::TooSlow { .. }
            )
        },
    );

    // A hundred megabytes in one line, over the limit on files and, with that raised below, on text.
    let line = fs::File::create(bed.path().join("line.txt")).unwrap();
    line.set_len(100 << 20).unwrap();
    bed.expect("line.txt", large);

    // What is no document at all.
    bed.expect("missing.txt", |reason| matches!(reason, Reason::Missing));
    bed.expect("nothing/*.md", |reason| matches!(reason, Reason::NoMatch { .. }));
    bed.file("table.xlsx", b"PK\x03\x04", |reason| {
        matches!(reason, Reason::UnknownKind)
    });
    std::os::unix::fs::symlink("nowhere", bed.path().join("link.md")).unwrap();
    bed.expect("link.md", |reason| matches!(reason, Reason::BrokenLink));
    let pipe = std::process::Command::new("mkfifo")
        .arg(bed.path().join("pipe.txt"))
        .status()
        .unwrap();
    assert!(pipe.success());
    bed.expect("pipe.txt", |reason| matches!(reason, Reason::Special));
    fs::write(bed.path().join("first.txt"), "The same file twice.").unwrap();
    bed.expected
        .push(("first.txt".into(), |reason| matches!(reason, Reason::Again)));
    bed.expected
        .push(("./first.txt".into(), |reason| matches!(reason, Reason::Again)));

    assert!(bed.expected.len() >= 30);
    bed.check();
}

/// The bytes so many times over, compressed.
fn deflate(bytes: &[u8], times: u32) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..times).for_each(|_| encoder.write_all(bytes).unwrap());
    encoder.finish().unwrap()
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_for_its_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("line.txt"), "word ".repeat(20 << 20)).unwrap();
    let mut options = options(folder.path());
    options.limits.file_bytes_max = 128 << 20;
    options.limits.memory_bytes_max = 1 << 30;
    let events: Vec<Event> = Reader::open(&["line.txt"], &options).unwrap().collect();
    assert!(
        matches!(&skipped(&events)[..], [one] if matches!(one.reason, Reason::TooLarge { .. })),
        "{events:?}"
    );
}

#[test]
fn a_document_over_its_time_or_memory_is_reported_and_the_next_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.html"), "<p>word</p>".repeat(4_000_000)).unwrap();
    fs::write(folder.path().join("b.md"), "A good one.").unwrap();
    let mut tight = options(folder.path());
    tight.limits.memory_bytes_max = 8 << 20;
    let events: Vec<Event> = Reader::open(&["."], &tight).unwrap().collect();
    assert!(
        matches!(&skipped(&events)[..], [one] if matches!(one.reason, Reason::TooMuchMemory { .. })),
        "{events:?}"
    );
    assert!(matches!(events.last(), Some(Event::Document(_))));

    let mut short = options(folder.path());
    short.limits.wall = Duration::from_millis(1);
    let events: Vec<Event> = Reader::open(&["a.html"], &short).unwrap().collect();
    assert!(
        matches!(&skipped(&events)[..], [one] if matches!(one.reason, Reason::TooSlow { .. })),
        "{events:?}"
    );
}

/// Root may read everything, so this looks first whether permissions hold.
#[test]
fn folders_and_files_without_permission_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("a.md"), "Hidden away.").unwrap();
    fs::write(folder.path().join("b.md"), "Locked.").unwrap();
    fs::write(folder.path().join("c.md"), "Open to all.").unwrap();
    let none = fs::Permissions::from_mode(0o000);
    fs::set_permissions(&inner, none.clone()).unwrap();
    fs::set_permissions(folder.path().join("b.md"), none).unwrap();
    let holds = fs::read(folder.path().join("b.md")).is_err();
    let events: Vec<Event> = Reader::open(&["."], &options(folder.path())).unwrap().collect();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
    if holds {
        let skips = skipped(&events);
        assert_eq!(skips.len(), 2, "{skips:?}");
        assert!(skips.iter().all(|skipped| skipped.reason == Reason::Denied));
    }
    assert!(matches!(events.last(), Some(Event::Document(_))));
}
