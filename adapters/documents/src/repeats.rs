//! What was there before: passages, and paragraphs of other documents.

use std::collections::{HashMap, HashSet};

use gristmill_domain::id::ContentId;

/// Documents before this one that a paragraph stood in, from which on it is boilerplate.
const DOCUMENTS_MIN: u8 = 2;
/// Shorter paragraphs repeat by chance.
const WORDS_MIN: usize = 8;

/// Hashes of passages (16 bytes each) and paragraphs (8 bytes and a count each) seen so far.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    passages: HashSet<[u8; 16]>,
    paragraphs: HashMap<[u8; 8], Seen>,
    document: u32,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The last document it stood in.
    document: u32,
    documents: u8,
}

impl Repeats {
    /// What comes now is of another document.
    pub(crate) fn next_document(&mut self) {
        self.document = self.document.wrapping_add(1);
    }

    /// Whether a passage was there before; from now on it was. Letters and digits count, in either case.
    pub(crate) fn is_double(&mut self, text: &str) -> bool {
        !self.passages.insert(*key(text).as_bytes())
    }

    /// Whether a paragraph stood in two documents before this one.
    pub(crate) fn is_boilerplate(&mut self, text: &str) -> bool {
        if text.split_whitespace().nth(WORDS_MIN - 1).is_none() {
            return false;
        }
        let whole = key(text);
        let mut short = [0; 8];
        short.copy_from_slice(&whole.as_bytes()[..8]);
        let document = self.document;
        let seen = self.paragraphs.entry(short).or_insert(Seen {
            document,
            documents: 0,
        });
        if seen.document != document {
            seen.document = document;
            seen.documents = seen.documents.saturating_add(1);
        }
        seen.documents >= DOCUMENTS_MIN
    }
}

fn key(text: &str) -> ContentId {
    let mut letters = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let before = letters.len();
        letters.extend(
            word.chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase),
        );
        if letters.len() > before {
            letters.push(' ');
        }
    }
    ContentId::of(&[letters.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_seen_whatever_their_punctuation() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_double("One, two."));
        assert!(repeats.is_double("one two"));
        assert!(!repeats.is_double("onetwo"));
    }

    #[test]
    fn a_paragraph_is_boilerplate_in_its_third_document() {
        let mut repeats = Repeats::default();
        let text = "Permission is granted to copy this text as it is.";
        let mut told = Vec::new();
        for _ in 0..4 {
            repeats.next_document();
            told.push(repeats.is_boilerplate(text));
            repeats.is_boilerplate(text);
        }
        assert_eq!(told, [false, false, true, true]);
        assert!(!repeats.is_boilerplate("Too short."));
    }
}
