//! The index: rows, queries, pairs.

use std::num::NonZeroUsize;

use pulp::Arch;

use super::block::{BLOCK_ROWS, Block};
use super::found::{Neighbor, Pair};
use super::scan::{Scan, Sink, TILE, Tile};
use super::sinks::{Nearest, Pairs, Within, slot_of};
use crate::Error;
use crate::memory::reserve_quarter;
use crate::slots::Slots;

/// How far from 1 a vector's length may be.
const NORM_TOLERANCE: f64 = 1e-4;

/// Rows by unit vectors of one dimension.
#[derive(Debug, Clone)]
pub struct VectorIndex {
    dimensions: usize,
    slots: Slots,
    blocks: Vec<Block>,
    arch: Arch,
}

impl VectorIndex {
    /// An empty index over vectors of this many components.
    pub fn new(dimensions: NonZeroUsize) -> Self {
        Self {
            dimensions: dimensions.get(),
            slots: Slots::default(),
            blocks: Vec::new(),
            arch: Arch::new(),
        }
    }

    /// Components of each vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Inserts a row with its vector, of length 1 within .0001.
    ///
    /// # Errors
    /// [`Error::Dimensions`]; [`Error::NotUnit`]; [`Error::RowTaken`]; [`Error::Full`] past 2³¹ - 1 rows.
    pub fn insert(&mut self, row: u32, vector: &[f32]) -> Result<(), Error> {
        self.check(vector)?;
        let slot = self.slots.insert(row)? as usize;
        if slot / BLOCK_ROWS == self.blocks.len() {
            reserve_quarter(&mut self.blocks, 1);
            self.blocks.push(Block::new(self.dimensions));
        }
        self.blocks[slot / BLOCK_ROWS].write(slot % BLOCK_ROWS, vector);
        Ok(())
    }

    /// All rows with at least this cosine to the query, closest first, then by row.
    ///
    /// # Errors
    /// [`Error::Dimensions`]; [`Error::NotUnit`]; [`Error::Similarity`] when `cosine_at_least` is not between -1 and 1.
    pub fn within(&self, query: &[f32], cosine_at_least: f32) -> Result<Vec<Neighbor>, Error> {
        self.check(query)?;
        check_cosine(cosine_at_least)?;
        let sink = Within::new(&self.slots, 1, cosine_at_least);
        let sink = self.scan_one(query, sink);
        Ok(sink.sorted().pop().unwrap_or_default())
    }

    /// [`Self::within`] for many queries, several times faster than one by one: an answer each, in their order.
    ///
    /// Queries are not compared with each other. Any number of threads may each ask for a part of the queries.
    ///
    /// # Errors
    /// Those of [`Self::within`], for the first query that is refused.
    pub fn within_many(
        &self,
        queries: &[impl AsRef<[f32]>],
        cosine_at_least: f32,
    ) -> Result<Vec<Vec<Neighbor>>, Error> {
        check_cosine(cosine_at_least)?;
        for query in queries {
            self.check(query.as_ref())?;
        }
        let mut tiles: Vec<(Tile<TILE>, Within)> = queries
            .chunks(TILE)
            .map(|queries| {
                let tile = Tile::new(queries, self.dimensions);
                (tile, Within::new(&self.slots, queries.len(), cosine_at_least))
            })
            .collect();
        self.scan::<TILE, 1, _>(0, &mut tiles);
        Ok(tiles.into_iter().flat_map(|(_, sink)| sink.sorted()).collect())
    }

    /// The `k` rows closest to the query (all, when there are fewer), closest first, then by row.
    ///
    /// # Errors
    /// [`Error::Dimensions`]; [`Error::NotUnit`].
    pub fn nearest(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, Error> {
        self.check(query)?;
        if k == 0 {
            return Ok(Vec::new());
        }
        let sink = self.scan_one(query, Nearest::new(&self.slots, k));
        Ok(sink.sorted())
    }

    /// All pairs of rows with at least this cosine, by first and then second row.
    ///
    /// # Errors
    /// [`Error::Similarity`] when `cosine_at_least` is not between -1 and 1.
    pub fn pairs_within(&self, cosine_at_least: f32) -> Result<Vec<Pair>, Error> {
        self.pairs_within_part(cosine_at_least, 0, NonZeroUsize::MIN)
    }

    /// Part `part` of `parts` of [`Self::pairs_within`], for as many threads: the parts are alike in work, each pair is in one
    /// of them, and each part is sorted.
    ///
    /// # Errors
    /// [`Error::Similarity`] when `cosine_at_least` is not between -1 and 1.
    pub fn pairs_within_part(
        &self,
        cosine_at_least: f32,
        part: usize,
        parts: NonZeroUsize,
    ) -> Result<Vec<Pair>, Error> {
        check_cosine(cosine_at_least)?;
        let mut pairs = Vec::new();
        for own in (part..self.blocks.len()).step_by(parts.get()) {
            self.pairs_of_block(own, cosine_at_least, &mut pairs);
        }
        pairs.sort_unstable_by_key(|pair| (pair.first, pair.second));
        Ok(pairs)
    }

    /// Pairs of a block's rows with later rows of it and rows of later blocks.
    fn pairs_of_block(&self, own: usize, cosine_at_least: f32, pairs: &mut Vec<Pair>) {
        let live: Vec<u32> = (0..BLOCK_ROWS)
            .map(|place| slot_of(own, place))
            .filter(|&slot| self.slots.is_live(slot))
            .collect();
        let mut tiles: Vec<(Tile<TILE>, Pairs)> = live
            .chunks(TILE)
            .map(|slots| {
                let read = |&slot: &u32| self.blocks[own].read(slot as usize % BLOCK_ROWS);
                let vectors: Vec<Vec<f32>> = slots.iter().map(read).collect();
                let sink = Pairs::new(&self.slots, slots, cosine_at_least);
                (Tile::new(&vectors, self.dimensions), sink)
            })
            .collect();
        self.scan::<TILE, 1, _>(own, &mut tiles);
        pairs.extend(tiles.into_iter().flat_map(|(_, sink)| sink.found));
    }

    /// Runs one query over all blocks.
    fn scan_one<S: Sink>(&self, query: &[f32], sink: S) -> S {
        let mut tile = [(Tile::<1>::new(&[query], self.dimensions), sink)];
        self.scan::<1, 4, _>(0, &mut tile);
        let [(_, sink)] = tile;
        sink
    }

    /// Runs tiles of queries over the blocks from `first` on.
    fn scan<const Q: usize, const G: usize, S: Sink>(&self, first: usize, tiles: &mut [(Tile<Q>, S)]) {
        self.arch.dispatch(Scan::<Q, G, S> {
            blocks: &self.blocks,
            first,
            extent: self.slots.extent(),
            tiles,
        });
    }

    /// A row's vector.
    pub fn vector(&self, row: u32) -> Option<Vec<f32>> {
        let slot = self.slots.slot(row)? as usize;
        Some(self.blocks[slot / BLOCK_ROWS].read(slot % BLOCK_ROWS))
    }

    /// Withdraws a row; false when it is not here. Its place is used by the next row inserted.
    pub fn remove(&mut self, row: u32) -> bool {
        self.slots.remove(row).is_some()
    }

    /// True when the row is here.
    pub fn contains(&self, row: u32) -> bool {
        self.slots.slot(row).is_some()
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when no row is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory reserved.
    pub fn bytes(&self) -> usize {
        self.slots.bytes() + self.blocks.iter().map(Block::bytes).sum::<usize>()
    }

    /// Bytes of memory reserved for each row held; 0 when there is none.
    pub fn bytes_per_row(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        self.bytes() as f64 / self.len() as f64
    }

    fn check(&self, vector: &[f32]) -> Result<(), Error> {
        if vector.len() != self.dimensions {
            return Err(Error::Dimensions {
                expected: self.dimensions,
                got: vector.len(),
            });
        }
        let norm = vector
            .iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
            .sqrt();
        if (norm - 1.0).abs() <= NORM_TOLERANCE {
            Ok(())
        } else {
            Err(Error::NotUnit { norm })
        }
    }
}

fn check_cosine(cosine: f32) -> Result<(), Error> {
    if (-1.0..=1.0).contains(&cosine) {
        Ok(())
    } else {
        Err(Error::Similarity {
            value: cosine.into(),
            least: -1.0,
        })
    }
}
