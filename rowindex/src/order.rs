//! Orders of rows, and places in them.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The last decided first; real rows last.
    #[default]
    Newest,
    /// Real rows, then rows in the order in which they were decided.
    Oldest,
    /// The dearest first; of equal ones, the older first.
    Dearest,
    /// The cheapest first; of equal ones, the newer first.
    Cheapest,
    /// The most similar to what the filter names first; of equal ones, the older first.
    Similar,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Newest,
        Self::Oldest,
        Self::Dearest,
        Self::Cheapest,
        Self::Similar,
    ];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Dearest => "dearest",
            Self::Cheapest => "cheapest",
            Self::Similar => "similar",
        }
    }

    /// True where rows of small keys come first.
    pub(crate) fn ascends(self) -> bool {
        match self {
            Self::Oldest | Self::Cheapest => true,
            Self::Newest | Self::Dearest | Self::Similar => false,
        }
    }

    /// True where rows are weighed; elsewhere they are taken by their numbers.
    pub(crate) fn weighs(self) -> bool {
        match self {
            Self::Dearest | Self::Cheapest | Self::Similar => true,
            Self::Newest | Self::Oldest => false,
        }
    }
}

impl FromStr for Sort {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|sort| sort.name() == text);
        named.ok_or_else(|| Error::Text {
            text: text.chars().take(80).collect(),
            what: "an order of rows",
            help: "one of `newest`, `oldest`, `dearest`, `cheapest` and `similar`",
        })
    }
}

/// What rows are sorted by: unique, so that a page begins exactly where another ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Its cost in millionths of a dollar, or its similarity; 0 where rows are taken by their numbers.
    pub(crate) weight: u64,
    /// Of equally heavy rows the older is larger.
    tie: u64,
    pub(crate) row: u64,
}

impl Key {
    pub(crate) fn of(sort: Sort, row: u64, weight: u64) -> Self {
        match sort.weighs() {
            true => Self {
                weight,
                tie: u64::MAX - row,
                row,
            },
            false => Self {
                weight: 0,
                tie: 0,
                row,
            },
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor(pub(crate) From);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum From {
    /// At the first row.
    #[default]
    Start,
    /// At the last page, so that the last row is on it.
    End,
    /// Behind a row.
    Behind { weight: u64, row: u64 },
    /// The page that ends before a row.
    Before { weight: u64, row: u64 },
}

impl Cursor {
    /// The last page.
    pub const LAST: Self = Self(From::End);
}

impl fmt::Display for Cursor {
    /// `behind.120.4711`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            From::Start => f.write_str("first"),
            From::End => f.write_str("last"),
            From::Behind { weight, row } => write!(f, "behind.{weight}.{row}"),
            From::Before { weight, row } => write!(f, "before.{weight}.{row}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = text.split('.');
            let word = parts.next()?;
            if parts.clone().next().is_none() {
                return match word {
                    "first" | "" => Some(From::Start),
                    "last" => Some(From::End),
                    _ => None,
                };
            }
            let (weight, row) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            match (word, parts.next()) {
                ("behind", None) => Some(From::Behind { weight, row }),
                ("before", None) => Some(From::Before { weight, row }),
                _ => None,
            }
        };
        read().map(Self).ok_or_else(|| Error::Text {
            text: text.chars().take(80).collect(),
            what: "the place of a page",
            help: "begin at the first page, whose address names none",
        })
    }
}
