//! Vectors of questions in 8-bit numbers.
//!
//! The vector of a seed has the number of its ordinal, so that a row which asks a seed's own question shares it; vectors of made rows come
//! after them. A component is stored in 1/127 of the vector's largest: a cosine of 384 of them is right to about 0.002.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;
use crate::schema;

/// Vectors of a block.
pub(crate) const BLOCK: u64 = 1_024;

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

    /// The cosine of the angle between this and a stored vector, whose bytes are as the file has them.
    pub(crate) fn cosine_of_bytes(&self, scale: f32, packed: &[u8]) -> f32 {
        // In 16-bit products and 32-bit sums, which compilers turn into one instruction for several.
        let products = self.packed.iter().zip(packed).map(|(a, b)| {
            let (a, b) = (i16::from(*a), i16::from(b.cast_signed()));
            i32::from(a) * i32::from(b)
        });
        products.sum::<i32>() as f32 * self.scale * scale
    }
}

/// A block of vectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct VectorBlock {
    /// For each, one more than the number of the row that it was made for; 0 where there is no such row.
    pub(crate) owners: Vec<u32>,
    /// For each, its scale; 0 where there is no vector.
    pub(crate) scales: Vec<f32>,
    pub(crate) packed: Vec<i8>,
}

impl VectorBlock {
    pub(crate) fn load(connection: &Connection, number: u64) -> Result<Self, Error> {
        let mut statement =
            connection.prepare_cached("SELECT owners, scales, packed FROM vectors WHERE block = ?1")?;
        let read = statement.query_row([number as i64], |row| {
            let words = |bytes: &[u8]| bytes.as_chunks::<4>().0.to_vec();
            let owners = words(row.get_ref(0)?.as_blob()?);
            let scales = words(row.get_ref(1)?.as_blob()?);
            let packed = row.get_ref(2)?.as_blob()?;
            Ok(Self {
                owners: owners.into_iter().map(u32::from_le_bytes).collect(),
                scales: scales.into_iter().map(f32::from_le_bytes).collect(),
                packed: packed.iter().map(|byte| byte.cast_signed()).collect(),
            })
        });
        let block = read.optional()?.unwrap_or_default();
        let dimensions = dimensions(connection)?;
        let whole =
            block.scales.len() == block.owners.len() && block.packed.len() == block.owners.len() * dimensions;
        whole.then_some(block).ok_or(Error::Damaged("a block of vectors"))
    }

    fn store(&self, connection: &Connection, number: u64) -> Result<(), Error> {
        let owners: Vec<u8> = self.owners.iter().flat_map(|owner| owner.to_le_bytes()).collect();
        let scales: Vec<u8> = self.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let packed: Vec<u8> = self.packed.iter().map(|number| number.cast_unsigned()).collect();
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO vectors (block, owners, scales, packed) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![number as i64, owners, scales, packed])?;
        Ok(())
    }

    fn put(&mut self, place: usize, owner: u32, vector: &Packed) {
        let dimensions = vector.packed.len();
        if place >= self.owners.len() {
            self.owners.resize(place + 1, 0);
            self.scales.resize(place + 1, 0.0);
            self.packed.resize((place + 1) * dimensions, 0);
        }
        self.owners[place] = owner;
        self.scales[place] = vector.scale;
        self.packed[place * dimensions..(place + 1) * dimensions].copy_from_slice(&vector.packed);
    }
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
    let block = VectorBlock::load(connection, number / BLOCK)?;
    let (place, dimensions) = ((number % BLOCK) as usize, dimensions(connection)?);
    let scale = block.scales.get(place).copied().filter(|scale| *scale > 0.0);
    let packed = block.packed.get(place * dimensions..(place + 1) * dimensions);
    Ok(scale.zip(packed).map(|(scale, packed)| Packed {
        scale,
        packed: packed.to_vec(),
    }))
}

/// Puts vectors into the file, a block at a time.
pub(crate) struct VectorWriter {
    next: u64,
    dimensions: usize,
    block: (u64, VectorBlock),
}

impl VectorWriter {
    pub(crate) fn load(connection: &Connection) -> Result<Self, Error> {
        let next = count(connection)?;
        Ok(Self {
            next,
            dimensions: dimensions(connection)?,
            block: (next / BLOCK, VectorBlock::load(connection, next / BLOCK)?),
        })
    }

    /// Keeps numbers below `seeds` for vectors of seeds.
    pub(crate) fn reserve(&mut self, seeds: u64) {
        self.next = self.next.max(seeds);
    }

    /// Adds a made row's vector; `None` where it has no direction, or is not as long as the others.
    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        owner: u64,
        vector: &[f32],
    ) -> Result<Option<u32>, Error> {
        let Ok(number) = u32::try_from(self.next) else {
            return Ok(None);
        };
        let put = self.put(connection, number, owner + 1, vector)?;
        self.next += u64::from(put);
        Ok(put.then_some(number))
    }

    /// Puts a vector at a number. `owner` is one more than its row's number, 0 for none.
    pub(crate) fn put(
        &mut self,
        connection: &Connection,
        number: u32,
        owner: u64,
        vector: &[f32],
    ) -> Result<bool, Error> {
        let Some(packed) = Packed::of(vector) else {
            return Ok(false);
        };
        if self.dimensions == 0 {
            self.dimensions = vector.len();
            schema::set(connection, "dimensions", self.dimensions as i64)?;
        }
        if vector.len() != self.dimensions {
            return Ok(false);
        }
        let of = u64::from(number) / BLOCK;
        if of != self.block.0 {
            self.store(connection)?;
            self.block = (of, VectorBlock::load(connection, of)?);
        }
        let place = (u64::from(number) % BLOCK) as usize;
        self.block
            .1
            .put(place, u32::try_from(owner).unwrap_or_default(), &packed);
        Ok(true)
    }

    /// Stores what there is.
    pub(crate) fn store(&self, connection: &Connection) -> Result<(), Error> {
        schema::set(connection, "vectors", self.next as i64)?;
        match self.block.1.owners.is_empty() {
            true => Ok(()),
            false => self.block.1.store(connection, self.block.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_vector_keeps_its_direction() {
        let vector: Vec<f32> = (0..384).map(|i| ((i * 37 % 101) as f32 - 50.0) / 300.0).collect();
        let other: Vec<f32> = (0..384).map(|i| ((i * 53 % 89) as f32 - 40.0) / 300.0).collect();
        let bytes = |of: &Packed| of.packed.iter().map(|x| x.cast_unsigned()).collect::<Vec<u8>>();
        let (a, b) = (Packed::of(&vector).unwrap(), Packed::of(&other).unwrap());
        assert!((a.cosine_of_bytes(a.scale, &bytes(&a)) - 1.0).abs() < 0.002);
        let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let exact = vector.iter().zip(&other).map(|(a, b)| a * b).sum::<f32>() / norm(&vector) / norm(&other);
        assert!((a.cosine_of_bytes(b.scale, &bytes(&b)) - exact).abs() < 0.002);
        assert_eq!(Packed::of(&[0.0, 0.0]), None);
        assert_eq!(Packed::of(&[f32::NAN, 1.0]), None);
    }
}
