//! Bytes that are no documents, and documents with bytes changed: whatever they are, the reader answers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod support;

use std::fs;

use gristmill_documents::{Event, Reader, Reason};
use proptest::prelude::*;
use support::{Text, docx, options, pdf_of, stream};

const ENDINGS: [&str; 5] = ["md", "html", "pdf", "docx", "txt"];

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let page = vec![
        Text(50, 700, 12, "A sentence on a page."),
        Text(50, 680, 12, "And one more of them."),
    ];
    let unpacked = pdf_of(&[page]);
    let drawn = support::pdf(
        &[
            b"<</Type /Catalog /Pages 2 0 R /Outlines 6 0 R>>".to_vec(),
            b"<</Type /Pages /Count 1 /Kids [3 0 R]>>".to_vec(),
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources <</Font <</F 5 0 R>> /XObject <</X 4 0 R>>>>>>".to_vec(),
            stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b"BT /F 12 Tf 50 700 Td [(Wo) -20 (rds) 300 (apart)] TJ ET /X Do"),
            b"<</Type /Font /Subtype /Type1 /BaseFont /Times-Roman>>".to_vec(),
            b"<</First 7 0 R>>".to_vec(),
            b"<</Title (Words apart) /Next 7 0 R /First 7 0 R>>".to_vec(),
        ],
        "",
    );
    let body = "<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>Head</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    vec![
        ("pdf", unpacked),
        ("pdf", drawn),
        ("docx", docx(body, "<w:style w:styleId='a'><w:name w:val='toc 1'/><w:basedOn w:val='a'/></w:style>")),
        ("md", b"---\ntitle: x\n---\n# A\n\n1. b\n   - c\n\n| d | e |\n|--|--|\n| f | g |\n\n```\ncode\n```\n<div><p>h</div> [i](j) ![k](l)\n".to_vec()),
        (
            "html",
            b"<!DOCTYPE html><title>T</title><nav>n</nav><h1>H</h1><p>a <a href=x>b</a><table><tr><td>c<td><ul><li>d<li>e</ul></table><pre>\n f</pre><script>g</script>"
                .to_vec(),
        ),
        ("txt", b"Title\n=====\n\n1. One\n2. Two\n\nA line of text that is wrap-\nped here.\n\n    code\n\x0c\nHead   [Page 2]\n".to_vec()),
    ]
}

fn mutations() -> impl Strategy<Value = (String, Vec<u8>)> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8, 0..40_usize);
    (any::<prop::sample::Index>(), prop::collection::vec(change, 1..8)).prop_map(|(seed, changes)| {
        let seeds = seeds();
        let (ending, mut bytes) = seeds[seed.index(seeds.len())].clone();
        for (place, byte, how, length) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            let end = (at + length).min(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => {
                    bytes.drain(at..end);
                }
                2 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part.repeat(3));
                }
                _ => bytes.truncate(at),
            }
        }
        (ending.to_owned(), bytes)
    })
}

fn noise() -> impl Strategy<Value = (String, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..2000),
        "\\PC{0,400}".prop_map(String::into_bytes),
        "[<>/a-z\"'=&;#!\\- \n]{0,400}".prop_map(String::into_bytes),
        "[#*_`>|\\[\\]()0-9a-z.\\- \n]{0,400}".prop_map(String::into_bytes),
    ];
    (prop::sample::select(ENDINGS.to_vec()), bytes).prop_map(|(ending, bytes)| (ending.to_owned(), bytes))
}

/// Folders tried: `GRISTMILL_FUZZ`, or few enough for every day.
fn folders() -> u32 {
    std::env::var("GRISTMILL_FUZZ")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: folders(), max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each case is a folder of files, read by one reader: a file that kills the child would show as a crash.
    #[test]
    fn every_file_is_read_or_reported(files in prop::collection::vec(prop_oneof![mutations(), noise()], 20)) {
        let folder = tempfile::tempdir().unwrap();
        for ((ending, bytes), i) in files.iter().zip(0..) {
            fs::write(folder.path().join(format!("{i}.{ending}")), bytes).unwrap();
        }
        let mut answered = 0;
        for event in Reader::open(&["."], &options(folder.path())).unwrap() {
            match event {
                Event::Passage(passage) => prop_assert!(!passage.text.chars().any(|c| c.is_control() && c != '\n')),
                Event::Document(_) => answered += 1,
                Event::Skipped(skipped) => {
                    let is_crash = matches!(skipped.reason, Reason::Crashed { .. } | Reason::TooSlow { .. });
                    prop_assert!(!is_crash, "{skipped:?}: {:?}", fs::read(&skipped.file));
                    answered += 1;
                }
            }
        }
        prop_assert_eq!(answered, files.len());
    }
}
