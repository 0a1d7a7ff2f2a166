//! The bookmarks of a document: which lines are headings, and of which level.

use std::collections::{HashMap, HashSet};

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Dict, ObjRef, String as PdfString};

/// Bookmarks read at most.
const TITLES_MAX: usize = 20_000;

/// Levels by the letters of titles.
#[derive(Debug, Default)]
pub(super) struct Titles(HashMap<String, u8>);

impl Titles {
    /// The level of a line that is a bookmark's title, with or without its number.
    pub(super) fn level(&self, line: &str) -> Option<u8> {
        self.0
            .get(&key(line))
            .or_else(|| self.0.get(&key(unnumbered(line))))
            .copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads the tree of bookmarks, each item once, whatever it links to.
pub(super) fn titles(pdf: &Pdf) -> Titles {
    let mut titles = Titles::default();
    let xref = pdf.xref();
    let root: Option<Dict<'_>> = xref.get(xref.root_id());
    let Some(outlines) = root.and_then(|root| root.get::<Dict<'_>>("Outlines")) else {
        return titles;
    };
    let mut seen = HashSet::new();
    let mut waiting: Vec<(Dict<'_>, u8)> = outlines
        .get::<Dict<'_>>("First")
        .map(|first| (first, 1))
        .into_iter()
        .collect();
    while let Some((item, level)) = waiting.pop() {
        if titles.0.len() >= TITLES_MAX {
            break;
        }
        if let Some(title) = item.get::<PdfString<'_>>("Title") {
            let title = text(title.as_bytes());
            let key = key(unnumbered(&title));
            if !key.is_empty() {
                titles.0.entry(key).or_insert(level);
            }
        }
        let mut follow = |name: &str, level: u8| {
            let is_new = item
                .get_ref(name)
                .is_none_or(|id: ObjRef| seen.insert((id.obj_number, id.gen_number)));
            if is_new && let Some(next) = item.get::<Dict<'_>>(name) {
                waiting.push((next, level));
            }
        };
        follow("Next", level);
        if level < 9 {
            follow("First", level + 1);
        }
    }
    titles
}

/// A text string: UTF-16 or UTF-8 with a mark, else PDFDocEncoding, of which only the Latin-1 part is told apart (PDF
/// 2.0, 7.9.2.2).
pub(super) fn text(raw: &[u8]) -> String {
    match raw {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE
            .decode_without_bom_handling(rest)
            .0
            .into_owned(),
        [0xff, 0xfe, rest @ ..] => encoding_rs::UTF_16LE
            .decode_without_bom_handling(rest)
            .0
            .into_owned(),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => raw.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The line without the number that it begins with.
fn unnumbered(line: &str) -> &str {
    let line = line.trim();
    let rest = line
        .strip_prefix("Chapter ")
        .or_else(|| line.strip_prefix("Appendix "))
        .unwrap_or(line);
    let number = rest.len()
        - rest
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
            .len();
    let letter = (number == 0)
        .then(|| rest.split_once(['.', ' ']).filter(|(mark, _)| mark.len() == 1))
        .flatten();
    match letter {
        Some((mark, after)) if mark.chars().all(char::is_uppercase) && mark != "A" && mark != "I" => {
            after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')
        }
        _ => rest[number..].trim_start_matches([':', ' ', ')']),
    }
}

fn key(line: &str) -> String {
    line.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
