//! Vectors of questions in 8-bit numbers.
//!
//! The vector of a seed has the number of its ordinal, so that a row which asks a seed's own question shares it; vectors of made rows come
//! after them. A component is stored in 1/127 of the vector's largest: a cosine of 384 of them is right to about 0.002.
//!
//! A block holds as many vectors as fit on one page of the file. SQLite hands out what is on one page without following a chain of pages,
//! which would take longer than the arithmetic of a search.

use std::ops::Range;

use rusqlite::Connection;

use crate::error::Error;
use crate::schema;

/// Bytes of a block, at most: a page of the file, less what SQLite has on it.
const BLOCK_BYTES: usize = schema::PAGE_BYTES as usize - 128;

/// Vectors of a block.
pub(crate) fn per_block(dimensions: usize) -> u64 {
    // With each vector, its owner and its scale.
    (BLOCK_BYTES / (dimensions + 8)).max(1) as u64
}

/// A vector in 8-bit numbers: component `i` is `scale × packed[i]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    pub(crate) scale: f32,
    pub(crate) packed: Vec<i8>,
}

impl Packed {
    /// A vector made one unit long; `None` for one without a direction.
    pub(crate) fn of(vector: &[f32]) -> Option<Self> {
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
        if !(length.is_finite() && length > 1e-12) {
            return None;
        }
        let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let step = 127.0 / largest;
        Some(Self {
            scale: largest / 127.0 / length,
            packed: vector.iter().map(|x| (x * step).round() as i8).collect(),
        })
    }

    pub(crate) fn floats(&self) -> Vec<f32> {
        self.packed.iter().map(|x| f32::from(*x) * self.scale).collect()
    }
}

/// A vector that others are compared with.
pub(crate) struct Query {
    scale: f32,
    /// As wide as it is multiplied.
    wide: Vec<i16>,
}

impl Query {
    pub(crate) fn of(packed: &Packed) -> Self {
        Self {
            scale: packed.scale,
            wide: packed.packed.iter().map(|number| i16::from(*number)).collect(),
        }
    }

    /// The cosine of the angle between this and a stored vector, whose bytes are as the file has them.
    pub(crate) fn cosine(&self, scale: f32, packed: &[u8]) -> f32 {
        let product = product(&self.wide, packed, |byte| i16::from(byte.cast_signed()));
        product as f32 * self.scale * scale
    }

    /// The same of a stored vector that is wide already.
    pub(crate) fn cosine_of_wide(&self, scale: f32, wide: &[i16]) -> f32 {
        product(&self.wide, wide, |number| number) as f32 * self.scale * scale
    }
}

/// Numbers that are multiplied together.
const LANES: usize = 16;

/// The sum of products of numbers from -127 to 127. It is written in blocks of a fixed length, and without checks for an overflow that
/// cannot be, which compilers turn into instructions for several numbers at once: two products fit in 16 bits, and 65,000 such sums in 32.
fn product<T: Copy>(wide: &[i16], other: &[T], widen: impl Fn(T) -> i16) -> i32 {
    let ((wide, wide_rest), (other, other_rest)) = (wide.as_chunks::<LANES>(), other.as_chunks::<LANES>());
    let mut sums = [0_i32; LANES / 2];
    for (a, b) in wide.iter().zip(other) {
        let mut products = [0_i16; LANES];
        for ((product, a), b) in products.iter_mut().zip(a).zip(b) {
            *product = a.wrapping_mul(widen(*b));
        }
        let (low, high) = products.split_at(LANES / 2);
        for ((sum, a), b) in sums.iter_mut().zip(low).zip(high) {
            *sum = sum.wrapping_add(i32::from(a.wrapping_add(*b)));
        }
    }
    let rest = wide_rest.iter().zip(other_rest);
    let rest: i32 = rest.map(|(a, b)| i32::from(*a) * i32::from(widen(*b))).sum();
    sums.iter().sum::<i32>() + rest
}

/// A vector where it lies in the file.
pub(crate) struct Stored<'b> {
    pub(crate) number: u64,
    /// The number of the row that it was made for; of a held-out row's, none.
    pub(crate) owner: Option<u64>,
    pub(crate) scale: f32,
    /// Its components; each is signed.
    pub(crate) packed: &'b [u8],
}

impl Stored<'_> {
    /// Its components, as wide as they are multiplied.
    pub(crate) fn wide(&self) -> Vec<i16> {
        let numbers = self.packed.iter();
        numbers.map(|byte| i16::from(byte.cast_signed())).collect()
    }
}

/// Shows the vectors whose numbers are in a range, in their order, without those that are missing.
pub(crate) fn each(
    connection: &Connection,
    numbers: Range<u64>,
    mut see: impl FnMut(Stored<'_>),
) -> Result<(), Error> {
    let dimensions = dimensions(connection)?;
    let per = per_block(dimensions);
    let mut statement = connection.prepare_cached(
        "SELECT block, owners, scales, packed FROM vectors WHERE block BETWEEN ?1 AND ?2 ORDER BY block",
    )?;
    let blocks = (numbers.start / per, numbers.end.saturating_sub(1) / per);
    let mut rows = statement.query([blocks.0 as i64, blocks.1 as i64])?;
    while let Some(row) = rows.next()? {
        let blob = |column| {
            let value = row.get_ref(column)?.as_blob();
            value.map_err(|_| Error::Damaged("a block of vectors"))
        };
        let first = row.get::<_, i64>(0)? as u64 * per;
        let (owners, scales, packed) = (blob(1)?, blob(2)?, blob(3)?);
        if owners.len() != scales.len() || packed.len() != owners.len() / 4 * dimensions {
            return Err(Error::Damaged("a block of vectors"));
        }
        let facts = owners.as_chunks::<4>().0.iter().zip(scales.as_chunks::<4>().0);
        let vectors = facts.zip(packed.chunks_exact(dimensions.max(1)));
        for (number, ((owner, scale), packed)) in (first..).zip(vectors) {
            let scale = f32::from_le_bytes(*scale);
            if scale > 0.0 && numbers.contains(&number) {
                see(Stored {
                    number,
                    owner: u64::from(u32::from_le_bytes(*owner)).checked_sub(1),
                    scale,
                    packed,
                });
            }
        }
    }
    Ok(())
}

/// Components of a vector; 0 before there is one.
pub(crate) fn dimensions(connection: &Connection) -> Result<usize, Error> {
    Ok(schema::get::<i64>(connection, "dimensions")?.unwrap_or_default() as usize)
}

/// Vectors, places of missing ones included.
pub(crate) fn count(connection: &Connection) -> Result<u64, Error> {
    Ok(schema::get::<i64>(connection, "vectors")?.unwrap_or_default() as u64)
}

/// The vector of a number, where there is one.
pub(crate) fn one(connection: &Connection, number: u32) -> Result<Option<Packed>, Error> {
    let number = u64::from(number);
    let mut found = None;
    each(connection, number..number + 1, |stored| {
        found = Some(Packed {
            scale: stored.scale,
            packed: stored.packed.iter().map(|byte| byte.cast_signed()).collect(),
        });
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_the_largest_numbers_fit() {
        for length in [1, 15, 16, 33, 4_096] {
            let (most, least) = (vec![127_i16; length], vec![-127_i8; length]);
            let sum = 127 * 127 * length as i32;
            assert_eq!(product(&most, &most, |number| number), sum);
            assert_eq!(product(&most, &least, i16::from), -sum);
        }
    }

    #[test]
    fn a_packed_vector_keeps_its_direction() {
        let vector: Vec<f32> = (0..384).map(|i| ((i * 37 % 101) as f32 - 50.0) / 300.0).collect();
        let other: Vec<f32> = (0..384).map(|i| ((i * 53 % 89) as f32 - 40.0) / 300.0).collect();
        let (a, b) = (Packed::of(&vector).unwrap(), Packed::of(&other).unwrap());
        let cosine = |of: &Packed| {
            let bytes: Vec<u8> = of.packed.iter().map(|x| x.cast_unsigned()).collect();
            Query::of(&a).cosine(of.scale, &bytes)
        };
        assert!((cosine(&a) - 1.0).abs() < 0.002);
        let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let exact = vector.iter().zip(&other).map(|(a, b)| a * b).sum::<f32>() / norm(&vector) / norm(&other);
        assert!((cosine(&b) - exact).abs() < 0.002);
        assert_eq!(Packed::of(&[0.0, 0.0]), None);
        assert_eq!(Packed::of(&[f32::NAN, 1.0]), None);
    }
}
