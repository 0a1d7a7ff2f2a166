//! A first look at a table: which fields its rows have and what they hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use crate::error::Error;
use crate::reader::{Options, Reader};
use crate::row::BadRow;

/// Rows looked at: enough to name a file's columns, quick on any file.
const ROWS_MAX: u64 = 1_000;
const EXAMPLES_MAX: usize = 3;
const EXAMPLE_CHARS_MAX: usize = 80;

/// What a value is, as stored; a CSV field is text, or null where it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Missing, null, or an empty CSV field.
    Null,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A list.
    List,
    /// An object.
    Object,
}

/// One field over the rows looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Rows by kind of value; the counts add up to the rows looked at.
    pub kinds: BTreeMap<Kind, u64>,
    /// Values that are a number, or a text that reads as one.
    pub numeric: u64,
    /// Different values, null left out.
    pub distinct: u64,
    /// The first different values, cut to 80 characters.
    pub examples: Vec<String>,
    /// Mean length in characters of the values that are not null.
    pub chars_mean: f64,
    /// Length in characters of the longest.
    pub chars_max: u64,
}

impl Column {
    /// Share of the rows, from 0 to 1, that have no value here.
    pub fn null_share(&self) -> f64 {
        let rows: u64 = self.kinds.values().sum();
        let nulls = self.kinds.get(&Kind::Null).copied().unwrap_or(0);
        nulls as f64 / rows.max(1) as f64
    }
}

/// What the first rows show.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Good rows looked at.
    pub rows: u64,
    /// True when these are all the rows there are.
    pub complete: bool,
    /// Bad rows met on the way.
    pub bad: Vec<BadRow>,
    /// The fields, in the order in which they first appear.
    pub columns: Vec<Column>,
}

/// Looks at the first 1,000 rows, bad ones included.
///
/// # Errors
/// As [`Reader::open`]. Bad rows are no error: they are in the profile.
pub fn sniff<P: AsRef<str>>(patterns: &[P], options: &Options) -> Result<Profile, Error> {
    let mut reader = Reader::open_with(patterns, options)?;
    let (mut rows, mut bad) = (0, Vec::new());
    let mut tally = Tally::default();
    while rows + (bad.len() as u64) < ROWS_MAX {
        match reader.next() {
            Some(Ok(record)) => {
                rows += 1;
                for (name, value) in &record.value {
                    tally.add(name, value);
                }
            }
            Some(Err(row)) => bad.push(row),
            None => break,
        }
    }
    let complete = reader.next().is_none();
    let columns = tally.finish(rows);
    Ok(Profile {
        rows,
        complete,
        bad,
        columns,
    })
}

/// Counts by column while rows pass; of the values only hashes and a few examples stay.
#[derive(Default)]
struct Tally {
    at: HashMap<String, usize>,
    columns: Vec<(Column, HashSet<u64>, u64)>,
    hasher: RandomState,
}

impl Tally {
    fn add(&mut self, name: &str, value: &Value) {
        let at = match self.at.get(name) {
            Some(at) => *at,
            None => {
                self.at.insert(name.to_owned(), self.columns.len());
                let column = Column {
                    name: name.to_owned(),
                    kinds: BTreeMap::new(),
                    numeric: 0,
                    distinct: 0,
                    examples: Vec::new(),
                    chars_mean: 0.0,
                    chars_max: 0,
                };
                self.columns.push((column, HashSet::new(), 0));
                self.columns.len() - 1
            }
        };
        let (column, seen, chars_total) = &mut self.columns[at];
        let kind = kind(value);
        if kind == Kind::Null {
            return;
        }
        *column.kinds.entry(kind).or_default() += 1;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_number = text
            .trim()
            .replace(',', "")
            .parse::<f64>()
            .is_ok_and(f64::is_finite);
        column.numeric += u64::from(is_number);
        let chars = text.chars().count() as u64;
        *chars_total += chars;
        column.chars_max = column.chars_max.max(chars);
        if seen.insert(self.hasher.hash_one((kind, &text))) && column.examples.len() < EXAMPLES_MAX {
            column
                .examples
                .push(text.chars().take(EXAMPLE_CHARS_MAX).collect());
        }
    }

    fn finish(self, rows: u64) -> Vec<Column> {
        let finish = |(mut column, seen, chars_total): (Column, HashSet<u64>, u64)| {
            let present: u64 = column.kinds.values().sum();
            if rows > present {
                column.kinds.insert(Kind::Null, rows - present);
            }
            column.distinct = seen.len() as u64;
            column.chars_mean = chars_total as f64 / present.max(1) as f64;
            column
        };
        self.columns.into_iter().map(finish).collect()
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) => Kind::Number,
        Value::String(text) if text.is_empty() => Kind::Null,
        Value::String(_) => Kind::Text,
        Value::Array(_) => Kind::List,
        Value::Object(_) => Kind::Object,
    }
}
