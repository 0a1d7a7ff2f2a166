//! The rows whose questions are nearest to a row's.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rusqlite::Connection;

use crate::error::Error;
use crate::vectors::{self, BLOCK, Packed};

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

/// The `most` rows nearest to a vector, the nearest first, without the row `not`. Each of the connections looks through a part of the
/// vectors on a thread of its own.
pub(crate) fn nearest(
    connections: &mut [Connection],
    query: &Packed,
    not: u64,
    most: usize,
) -> Result<Vec<Neighbour>, Error> {
    let Some(first) = connections.first() else {
        return Ok(Vec::new());
    };
    let blocks = vectors::count(first)?.div_ceil(BLOCK);
    let share = blocks.div_ceil(connections.len() as u64).max(1);
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(connections)
            .map(|(part, connection)| {
                let range = part * share..((part + 1) * share).min(blocks);
                scope.spawn(move || among(connection, range, query, (not, most)))
            })
            .collect();
        let parts = threads.into_iter().map(|thread| thread.join());
        parts
            .map(|part| part.unwrap_or(Err(Error::Damaged("a block of vectors"))))
            .collect::<Result<Vec<_>, Error>>()
    })?;
    let mut found: Vec<Neighbour> = parts.into_iter().flatten().collect();
    found.sort_unstable();
    found.truncate(most);
    Ok(found)
}

fn among(
    connection: &Connection,
    blocks: std::ops::Range<u64>,
    query: &Packed,
    (not, most): (u64, usize),
) -> Result<Vec<Neighbour>, Error> {
    let mut kept = BinaryHeap::new();
    let dimensions = query.packed.len().max(1);
    let mut statement =
        connection.prepare_cached("SELECT owners, scales, packed FROM vectors WHERE block = ?1")?;
    for number in blocks {
        let mut rows = statement.query([number as i64])?;
        let Some(row) = rows.next()? else {
            continue;
        };
        // Read where they lie: a copy of all vectors takes as long as the arithmetic.
        let blob = |column| {
            row.get_ref(column)?
                .as_blob()
                .map_err(|_| Error::Damaged("a block of vectors"))
        };
        let (owners, scales, packed) = (blob(0)?, blob(1)?, blob(2)?);
        let numbers = owners.as_chunks::<4>().0.iter().zip(scales.as_chunks::<4>().0);
        for ((owner, scale), packed) in numbers.zip(packed.chunks_exact(dimensions)) {
            // The owner is stored with one added; 0 is none.
            let owner = u64::from(u32::from_le_bytes(*owner));
            let Some(number) = owner.checked_sub(1).filter(|number| *number != not) else {
                continue;
            };
            let cosine = query.cosine_of_bytes(f32::from_le_bytes(*scale), packed);
            kept.push(Neighbour { number, cosine });
            if kept.len() > most {
                kept.pop();
            }
        }
    }
    Ok(kept.into_vec())
}
