//! Places of vectors on the map.

use rusqlite::{Connection, params};

use crate::bits::Bits;
use crate::error::Error;

/// Places of a block.
pub(crate) const BLOCK: u64 = 1_024;
/// No place: the vector is missing.
pub(crate) const NOWHERE: [u16; 2] = [u16::MAX, u16::MAX];
/// The greatest coordinate.
pub(crate) const SIDE: u16 = u16::MAX - 1;

/// Stores the places of a block of vectors.
pub(crate) fn store(connection: &Connection, block: u64, places: &[[u16; 2]]) -> Result<(), Error> {
    let bytes: Vec<u8> = places
        .iter()
        .flatten()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    connection
        .prepare_cached("INSERT OR REPLACE INTO places (block, packed) VALUES (?1, ?2)")?
        .execute(params![block as i64, bytes])?;
    Ok(())
}

/// The places of all vectors, by number: 4 MB for 1,000,000.
pub(crate) fn all(connection: &Connection) -> Result<Vec<[u16; 2]>, Error> {
    let mut places = Vec::new();
    let mut statement = connection.prepare_cached("SELECT block, packed FROM places ORDER BY block")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let first = row.get::<_, i64>(0)? as u64 * BLOCK;
        places.resize(first as usize, NOWHERE);
        let packed = row
            .get_ref(1)?
            .as_blob()
            .map_err(|_| Error::Damaged("places on the map"))?;
        let numbers = packed.as_chunks::<4>().0.iter();
        places
            .extend(numbers.map(|[a, b, c, d]| [u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])]));
    }
    Ok(places)
}

/// A coordinate as a share of the side.
pub(crate) fn share(number: u16) -> f32 {
    f32::from(number) / f32::from(SIDE)
}

/// Numbers of the vectors that lie in an outline, by the rule of even and odd crossings.
pub(crate) fn inside(connection: &Connection, outline: &[[f32; 2]]) -> Result<Bits, Error> {
    let mut inside = Bits::default();
    for (number, place) in (0..).zip(all(connection)?) {
        if place != NOWHERE && lies_in(outline, place.map(share)) {
            inside.insert(number);
        }
    }
    Ok(inside)
}

fn lies_in(outline: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let next = outline.iter().cycle().skip(1);
    let crossings = outline.iter().zip(next).filter(|([ax, ay], [bx, by])| {
        // An edge that the ray to the right of the point crosses.
        (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
    });
    crossings.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_in_an_outline_or_not() {
        let hook = [
            [0.0, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.8, 1.0],
            [0.8, 0.2],
            [0.0, 0.2],
        ];
        assert!(lies_in(&hook, [0.5, 0.1]) && lies_in(&hook, [0.9, 0.9]));
        assert!(!lies_in(&hook, [0.5, 0.5]) && !lies_in(&hook, [0.5, -0.1]));
    }
}
