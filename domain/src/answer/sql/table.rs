//! Result tables.

use serde::{Deserialize, Serialize};

/// Absolute part of the tolerance for reals.
const ABSOLUTE: f64 = 1e-9;
/// Relative part of the tolerance for reals.
const RELATIVE: f64 = 1e-9;

/// One value, as SQLite types it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number; infinite at most, never NaN.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// The same value. Two integers, texts or blobs must be equal; as soon as one is a real, numbers are the same within
    /// 1e-9 of the greater plus 1e-9, which covers sums in another order and nothing that a question could ask about.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(a), Self::Real(b)) => near(*a, *b),
            (Self::Real(a), Self::Integer(b)) | (Self::Integer(b), Self::Real(a)) => near(*a, *b as f64),
            _ => self == other,
        }
    }

    /// The value as a float, where it is a number.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Real(value) => Some(*value),
            Self::Null | Self::Text(_) | Self::Blob(_) => None,
        }
    }

    /// Feeds type and value to a hash, so that no two different cells feed the same bytes.
    pub(super) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        let length = |bytes: &[u8]| (bytes.len() as u64).to_le_bytes();
        match self {
            Self::Null => hasher.update(b"n"),
            Self::Integer(value) => hasher.update(b"i").update(&value.to_le_bytes()),
            Self::Real(value) => hasher.update(b"r").update(&value.to_bits().to_le_bytes()),
            Self::Text(text) => hasher
                .update(b"t")
                .update(&length(text.as_bytes()))
                .update(text.as_bytes()),
            Self::Blob(bytes) => hasher.update(b"b").update(&length(bytes)).update(bytes),
        };
    }

    /// Bytes of payload, for limits: 8 a number.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

/// An exactly comparable cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    Real(u64),
}

impl<'a> Key<'a> {
    pub(super) fn of(cell: &'a Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(value) => Self::Integer(*value),
            Cell::Real(value) => Self::Real(value.to_bits()),
            Cell::Text(text) => Self::Text(text),
            Cell::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= ABSOLUTE + RELATIVE * a.abs().max(b.abs()) && a.is_finite() && b.is_finite()
}

/// What a query returned. Every row has as many cells as there are columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Column names as the engine gives them; they play no part in a comparison.
    pub columns: Vec<String>,
    /// Rows in the order they came.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// No row came, so that the table says little about the query: two wrong queries often agree on nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table of unnamed columns.
    pub(in crate::answer::sql) fn table(rows: &[&[Cell]]) -> Table {
        Table {
            columns: vec![String::new(); rows.first().map_or(0, |row| row.len())],
            rows: rows.iter().map(|row| row.to_vec()).collect(),
        }
    }

    #[test]
    fn tolerance_covers_rounding_and_no_more() {
        assert!(Cell::Real(0.1 + 0.2).same(&Cell::Real(0.3)));
        assert!(Cell::Real(0.1 + 0.2 - 0.3).same(&Cell::Integer(0)));
        assert!(Cell::Integer(3).same(&Cell::Real(3.0)));
        assert!(!Cell::Real(2.71).same(&Cell::Real(2.714)));
        assert!(!Cell::Integer(1_000_000_000_000).same(&Cell::Integer(1_000_000_000_001)));
        assert!(!Cell::Text("3".into()).same(&Cell::Integer(3)));
        assert!(Cell::Real(f64::INFINITY).same(&Cell::Real(f64::INFINITY)));
        assert!(!Cell::Real(f64::INFINITY).same(&Cell::Real(1.0)));
        assert!(Cell::Null.same(&Cell::Null));
    }
}
