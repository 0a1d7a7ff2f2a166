//! Held-out rows that were found in what is trained on, and how they are told.

use std::fmt;

use gristmill_dataset::Split;
use gristmill_domain::words::thousands;
use serde::Serialize;

/// Pairs that a message names.
const NAMED: usize = 10;

/// Held-out rows that were found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Leaks {
    /// Pairs.
    pub count: u64,
    /// The first thousand of them.
    pub pairs: Vec<Leak>,
}

/// A row that holds a held-out one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leak {
    /// The row's id.
    pub row: String,
    /// What it is: `anchor`, `synthetic`, or `validation` where it is a test row as well.
    pub kind: &'static str,
    /// The dataset that it came from.
    pub dataset: String,
    /// The held-out row's id.
    pub held_out: String,
    /// What that is held out for.
    pub split: Split,
    /// How it was found.
    pub how: LeakHow,
    /// How much of the held-out row it holds, or the cosine of the two.
    pub value: f64,
}

/// How a leak was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakHow {
    /// It is the held-out row.
    SameRow,
    /// It was made from the held-out row.
    Lineage,
    /// The two have the same words.
    SameWords,
    /// It shares word sequences with it, or holds the whole of it.
    Words,
    /// It says the same in other words, by its vector.
    Meaning,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            row,
            kind,
            dataset,
            held_out,
            split,
            ..
        } = self;
        write!(f, "{kind} row {row} ({dataset}) and {split} row {held_out}: ")?;
        match self.how {
            LeakHow::SameRow => f.write_str("they are the same row"),
            LeakHow::Lineage => f.write_str("it was made from that one"),
            LeakHow::SameWords => f.write_str("they have the same words"),
            LeakHow::Words => write!(f, "shared words cover {:.0} % of that one", 100.0 * self.value),
            LeakHow::Meaning => write!(f, "cosine {:.3}", self.value),
        }
    }
}

impl fmt::Display for Leaks {
    /// `2 held-out rows …`, and the first pairs, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("1 row holds a held-out one")?,
            count => write!(f, "{} rows hold a held-out one", thousands(count))?,
        }
        for leak in self.pairs.iter().take(NAMED) {
            write!(f, "\n  {leak}")?;
        }
        match self.count.saturating_sub(NAMED as u64) {
            0 => Ok(()),
            more => write!(f, "\n  and {} more", thousands(more)),
        }
    }
}
