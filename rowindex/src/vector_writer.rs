//! Puts vectors into the file, a block at a time.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;
use crate::schema;
use crate::vectors::{Packed, count, dimensions, per_block};

/// A block of vectors.
#[derive(Debug, Clone, Default)]
struct VectorBlock {
    /// For each, one more than the number of the row that it was made for; 0 where there is no such row.
    owners: Vec<u32>,
    /// For each, its scale; 0 where there is no vector.
    scales: Vec<f32>,
    packed: Vec<i8>,
}

impl VectorBlock {
    fn load(connection: &Connection, number: u64) -> Result<Self, Error> {
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

/// Puts vectors into the file, a block at a time.
pub(crate) struct VectorWriter {
    next: u64,
    dimensions: usize,
    block: (u64, VectorBlock),
}

impl VectorWriter {
    pub(crate) fn load(connection: &Connection) -> Result<Self, Error> {
        let (next, dimensions) = (count(connection)?, dimensions(connection)?);
        let of = next / per_block(dimensions);
        Ok(Self {
            next,
            dimensions,
            block: (of, VectorBlock::load(connection, of)?),
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
        let per = per_block(self.dimensions);
        let of = u64::from(number) / per;
        if of != self.block.0 {
            self.store(connection)?;
            self.block = (of, VectorBlock::load(connection, of)?);
        }
        let place = (u64::from(number) % per) as usize;
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
