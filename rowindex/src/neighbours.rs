//! The rows whose questions are nearest to a row's.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use rusqlite::Connection;

use crate::error::Error;
use crate::readers::Readers;
use crate::vectors::{self, Query};

/// A row near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its number in the index.
    pub number: u64,
    /// The cosine of the angle between their vectors.
    pub cosine: f32,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    /// The nearest is the least; of equally near ones, the earlier.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .cosine
            .total_cmp(&self.cosine)
            .then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `most` rows nearest to a vector, the nearest first, without the row `not`. All vectors are compared, so none is missed. Of rows that
/// share a vector, the one that it was made for is among them.
pub(crate) fn nearest(
    readers: &Readers,
    query: &Query,
    not: u64,
    most: usize,
) -> Result<Vec<Neighbour>, Error> {
    let count = readers.read(vectors::count)?;
    let parts = readers.in_parts(count, |connection, numbers| {
        among(connection, numbers, query, (not, most))
    })?;
    let mut found: Vec<Neighbour> = parts.into_iter().flatten().collect();
    found.sort_unstable();
    found.truncate(most);
    Ok(found)
}

fn among(
    connection: &Connection,
    numbers: Range<u64>,
    query: &Query,
    (not, most): (u64, usize),
) -> Result<Vec<Neighbour>, Error> {
    let mut kept = BinaryHeap::with_capacity(most + 1);
    vectors::each(connection, numbers, |stored| {
        let Some(number) = stored.owner.filter(|number| *number != not) else {
            return;
        };
        let cosine = query.cosine(stored.scale, stored.packed);
        kept.push(Neighbour { number, cosine });
        if kept.len() > most {
            kept.pop();
        }
    })?;
    Ok(kept.into_vec())
}
