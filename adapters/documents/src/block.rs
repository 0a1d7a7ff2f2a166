//! What every format is read into: blocks of text in reading order, and what was left out on the way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A document's readable content. Crosses the pipe from the child.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The document's own title, where it has one apart from its headings.
    pub(crate) title: Option<String>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) dropped: Dropped,
}

impl Content {
    /// Bytes of text held.
    pub(crate) fn text_bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.text.len()).sum()
    }
}

/// A heading, paragraph, list item, table row or piece of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// First and last line, page or paragraph, from 1.
    pub(crate) first: u32,
    pub(crate) last: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Level 1 is the outermost.
    Heading(u8),
    Paragraph,
    /// The text begins with its bullet or number.
    Item,
    /// Lines that must stay apart.
    Code,
    /// Cells with ` | ` in between.
    Row,
}

/// Why a piece of text is not in any passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Why {
    /// Navigation, asides, footers, forms, notices about cookies: by what the document itself calls them.
    Navigation,
    /// Not shown, by the page's own marks: windows that a button opens, signs for the eye alone.
    Hidden,
    /// Most of its text is links.
    Links,
    /// Repeated at the head or foot of pages, and page numbers.
    RunningHead,
    /// A table of contents or an index of pages.
    Contents,
    /// A paragraph that stood word for word in several documents before this one.
    Boilerplate,
    /// A whole passage that was there before, in this document or another.
    Duplicate,
    /// Too short to ask anything about.
    Fragment,
    /// Struck out, or deleted under tracked changes.
    Deleted,
    /// Formulas that could not be read; a mark stands where they are.
    Formula,
    /// Letters without a meaning: fonts that do not say what their glyphs stand for, text set sideways, dumps of data.
    Illegible,
}

impl Why {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Navigation => "navigation",
            Self::Hidden => "hidden",
            Self::Links => "links",
            Self::RunningHead => "running heads",
            Self::Contents => "contents",
            Self::Boilerplate => "boilerplate",
            Self::Duplicate => "duplicates",
            Self::Fragment => "fragments",
            Self::Deleted => "struck out",
            Self::Formula => "formulas not read",
            Self::Illegible => "illegible",
        }
    }
}

/// How much was dropped for one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Pieces: blocks, lines or passages, as they were met.
    pub pieces: u64,
    /// Words in them.
    pub words: u64,
}

/// Names of furniture that are counted apart; what comes later is counted under `…`.
const NAMES_MAX: usize = 64;

/// What was dropped, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    reasons: BTreeMap<Why, Amount>,
    /// Parts of pages, by what they are called: `nav`, `.sidebar`, `#comments`.
    names: BTreeMap<String, Amount>,
}

impl Dropped {
    /// The reasons that occurred, with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (Why, Amount)> + '_ {
        self.reasons.iter().map(|(why, amount)| (*why, *amount))
    }

    /// The parts of pages that were left out for what they are called, with their amounts, the largest first.
    pub fn names(&self) -> Vec<(&str, Amount)> {
        let mut names: Vec<_> = self
            .names
            .iter()
            .map(|(name, amount)| (name.as_str(), *amount))
            .collect();
        names.sort_by(|a, b| b.1.words.cmp(&a.1.words).then(a.0.cmp(b.0)));
        names
    }

    /// What was dropped for a reason.
    pub fn of(&self, why: Why) -> Amount {
        self.reasons.get(&why).copied().unwrap_or_default()
    }

    pub(crate) fn count(&mut self, why: Why, text: &str) {
        self.count_named(why, "", text);
    }

    /// Counts a part of a page under its name as well.
    pub(crate) fn count_named(&mut self, why: Why, name: &str, text: &str) {
        let words = text.split_whitespace().count() as u64;
        if words == 0 {
            return;
        }
        let more = Amount { pieces: 1, words };
        self.add(why, more);
        if !name.is_empty() {
            self.name(name, more);
        }
    }

    fn name(&mut self, name: &str, more: Amount) {
        let is_known = self.names.len() < NAMES_MAX || self.names.contains_key(name);
        let amount = self
            .names
            .entry(if is_known { name } else { "…" }.to_owned())
            .or_default();
        amount.pieces += more.pieces;
        amount.words += more.words;
    }

    pub(crate) fn add(&mut self, why: Why, more: Amount) {
        let amount = self.reasons.entry(why).or_default();
        amount.pieces += more.pieces;
        amount.words += more.words;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        other.iter().for_each(|(why, amount)| self.add(why, amount));
        other
            .names
            .iter()
            .for_each(|(name, amount)| self.name(name, *amount));
    }
}
