//! Where a row stands in the journal.

use gristmill_domain::id::ContentId;
use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;

/// A row that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its number in the index.
    pub number: u64,
    /// Identity.
    pub id: ContentId,
    pub(crate) place: Place,
}

/// Where a row is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among the real rows, by its ordinal.
    Real(u64),
    /// In a segment of decided rows, by its place there.
    Made { segment: String, at: u64 },
}

impl Located {
    /// True for a row that nobody made.
    pub fn is_real(&self) -> bool {
        matches!(self.place, Place::Real(_))
    }
}

const SELECT: &str = "SELECT rows.row, rows.id, rows.at, segments.name FROM rows
     LEFT JOIN segments ON segments.number = rows.segment";

fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Vec<u8>, i64, Option<String>)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn located((number, id, at, segment): (i64, Vec<u8>, i64, Option<String>)) -> Result<Located, Error> {
    Ok(Located {
        number: number as u64,
        id: ContentId::from_bytes(&id).ok_or(Error::Damaged("a row's id"))?,
        place: match segment {
            None => Place::Real(at as u64),
            Some(segment) => Place::Made {
                segment,
                at: at as u64,
            },
        },
    })
}

/// The row of an id, or of its first digits where no other row's begins so.
pub(crate) fn by_id(connection: &Connection, digits: &str) -> Result<Option<Located>, Error> {
    let bounds = |fill: char| -> Option<[u8; 16]> {
        let full: String = digits.chars().chain(std::iter::repeat(fill)).take(32).collect();
        let whole: ContentId = full.parse().ok()?;
        (digits.len() <= 32 && !digits.is_empty()).then_some(*whole.as_bytes())
    };
    let Some((least, most)) = bounds('0').zip(bounds('f')) else {
        return Ok(None);
    };
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE rows.id BETWEEN ?1 AND ?2 LIMIT 2"))?;
    let mut found = statement.query_map((least.as_slice(), most.as_slice()), of_row)?;
    match (found.next().transpose()?, found.next()) {
        (Some(row), None) => located(row).map(Some),
        _ => Ok(None),
    }
}

/// The row of a number.
pub(crate) fn by_number(connection: &Connection, number: u64) -> Result<Option<Located>, Error> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE rows.row = ?1"))?;
    let row = statement.query_row([number as i64], of_row).optional()?;
    row.map(located).transpose()
}

/// The ordinal of a real row.
///
/// # Errors
/// [`Error::Text`] where no real row has the id.
pub(crate) fn ordinal(connection: &Connection, digits: &str) -> Result<u32, Error> {
    let found = by_id(connection, digits)?.map(|located| located.place);
    let ordinal = match found {
        Some(Place::Real(ordinal)) => u32::try_from(ordinal).ok(),
        Some(Place::Made { .. }) | None => None,
    };
    ordinal.ok_or_else(|| Error::Text {
        text: digits.chars().take(80).collect(),
        what: "the id of a real row that rows are made from",
        help: "filter by `kind=real` to see those that there are",
    })
}
