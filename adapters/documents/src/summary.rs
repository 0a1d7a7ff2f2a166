//! What came of documents.

use std::collections::BTreeMap;

use gristmill_domain::passage::{Media, Source};

use crate::block::Dropped;

/// Endings counted apart; what comes later is counted under `…`.
const ENDINGS_MAX: usize = 64;

/// A document that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The file and its kind.
    pub source: Source,
    /// Its size.
    pub bytes: u64,
    /// Passages that it gave.
    pub passages: u64,
    /// Words in them; what overlaps counts twice.
    pub words: u64,
    /// What is in none.
    pub dropped: Dropped,
}

/// All documents so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Documents read, by kind.
    pub documents: BTreeMap<Media, u64>,
    /// Files skipped, each with a reason of its own among the events.
    pub skipped: u64,
    /// Files in folders and under patterns that are no documents, by their endings.
    pub others: BTreeMap<String, u64>,
    /// Passages.
    pub passages: u64,
    /// Words in them; what overlaps counts twice.
    pub words: u64,
    /// What is in none.
    pub dropped: Dropped,
}

impl Summary {
    pub(crate) fn add(&mut self, document: &Document) {
        *self.documents.entry(document.source.media).or_default() += 1;
        self.passages += document.passages;
        self.words += document.words;
        self.dropped.add_all(&document.dropped);
    }

    pub(crate) fn other(&mut self, ending: String) {
        let is_known = self.others.len() < ENDINGS_MAX || self.others.contains_key(&ending);
        let ending = if is_known { ending } else { "…".to_owned() };
        *self.others.entry(ending).or_default() += 1;
    }
}
