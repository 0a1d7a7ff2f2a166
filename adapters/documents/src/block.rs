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
    /// Letters without a meaning: fonts that do not say what their glyphs stand for, text set sideways, dumps of data.
    Illegible,
}

impl Why {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Navigation => "navigation",
            Self::Links => "links",
            Self::RunningHead => "running heads",
            Self::Contents => "contents",
            Self::Boilerplate => "boilerplate",
            Self::Duplicate => "duplicates",
            Self::Fragment => "fragments",
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

/// What was dropped, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped(BTreeMap<Why, Amount>);

impl Dropped {
    /// The reasons that occurred, with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (Why, Amount)> + '_ {
        self.0.iter().map(|(why, amount)| (*why, *amount))
    }

    /// What was dropped for a reason.
    pub fn of(&self, why: Why) -> Amount {
        self.0.get(&why).copied().unwrap_or_default()
    }

    pub(crate) fn count(&mut self, why: Why, text: &str) {
        let words = text.split_whitespace().count();
        if words > 0 {
            self.add(
                why,
                Amount {
                    pieces: 1,
                    words: words as u64,
                },
            );
        }
    }

    pub(crate) fn add(&mut self, why: Why, more: Amount) {
        let amount = self.0.entry(why).or_default();
        amount.pieces += more.pieces;
        amount.words += more.words;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        other.iter().for_each(|(why, amount)| self.add(why, amount));
    }
}
