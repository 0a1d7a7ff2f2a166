//! The scan: a tile of queries against a block, leaving groups of rows as soon as none can reach the threshold.
//!
//! `Q` queries meet `G` groups at a time. Eight registers of sums (on a machine with AVX2) keep its two multipliers busy, so that one
//! query meets four groups and a tile of four queries one.

use pulp::{Simd, WithSimd};

use super::block::{BLOCK_ROWS, Block, CHUNK, LANES, Lanes, tails};

/// Queries of a full tile.
pub(super) const TILE: usize = 4;

/// Queries side by side, with the lengths of what follows each chunk.
pub(super) struct Tile<const Q: usize> {
    values: Vec<[f32; Q]>,
    tails: Vec<[f32; Q]>,
}

impl<const Q: usize> Tile<Q> {
    /// Up to `Q` queries of one length; missing ones are zero.
    pub(super) fn new(queries: &[impl AsRef<[f32]>], dimensions: usize) -> Self {
        let mut tile = Self {
            values: vec![[0.0; Q]; dimensions],
            tails: vec![[0.0; Q]; dimensions.div_ceil(CHUNK)],
        };
        for (lane, query) in queries.iter().enumerate().take(Q) {
            for (place, &value) in tile.values.iter_mut().zip(query.as_ref()) {
                place[lane] = value;
            }
            for (place, tail) in tile.tails.iter_mut().zip(tails(query.as_ref())) {
                place[lane] = tail;
            }
        }
        tile
    }
}

/// Takes what a scan finds.
pub(super) trait Sink {
    /// Told before the scan of each block.
    fn enter(&mut self, block: usize);
    /// The cosine under which nothing is of interest to a tile's query.
    fn floor(&self, query: usize) -> f32;
    /// A row of the block, by its place, at or above the query's floor.
    fn take(&mut self, query: usize, place: usize, cosine: f32);
}

/// A scan of all blocks from `first` on by tiles of queries, each with its sink. Run it by `Arch::dispatch`.
///
/// It is a type with an inlined method, and not a closure, since only so is all of it compiled for the machine's vector width.
pub(super) struct Scan<'a, const Q: usize, const G: usize, S> {
    /// All blocks of the index.
    pub(super) blocks: &'a [Block],
    /// The block to start at.
    pub(super) first: usize,
    /// Places ever used, over all blocks.
    pub(super) extent: usize,
    /// Queries and what takes their answers.
    pub(super) tiles: &'a mut [(Tile<Q>, S)],
}

impl<const Q: usize, const G: usize, S: Sink> WithSimd for Scan<'_, Q, G, S> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _width: V) {
        // A block at a time: it stays in the cache while all queries pass over it.
        for (number, block) in self.blocks.iter().enumerate().skip(self.first) {
            let used = (self.extent - number * BLOCK_ROWS).min(BLOCK_ROWS);
            for (tile, sink) in self.tiles.iter_mut() {
                sink.enter(number);
                scan::<Q, G>(block, used.div_ceil(LANES), tile, sink);
            }
        }
    }
}

/// Offers the sink each pair of a query and a place in the first `groups` groups whose cosine is at or above its floor.
/// Places without a row are offered too, with whatever they hold.
#[inline(always)]
fn scan<const Q: usize, const G: usize>(block: &Block, groups: usize, tile: &Tile<Q>, sink: &mut impl Sink) {
    const {
        assert!(
            (BLOCK_ROWS / LANES).is_multiple_of(G),
            "groups past the last used one are empty, but there"
        )
    };
    let slack = slack(tile.tails.len());
    'groups: for first in (0..groups).step_by(G) {
        let mut totals = [[[0.0; LANES]; G]; Q];
        for (chunk, (queries, query_tails)) in tile.values.chunks(CHUNK).zip(&tile.tails).enumerate() {
            let rows = std::array::from_fn(|group| block.chunk(chunk, first + group));
            let sums = products::<Q, G>(queries, rows);
            let mut reachable = 0u32;
            for query in 0..Q {
                let floor = sink.floor(query) - slack;
                for group in 0..G {
                    let row_tails = block.tails(chunk, first + group);
                    for lane in 0..LANES {
                        totals[query][group][lane] += sums[query][group][lane];
                        let bound = totals[query][group][lane] + query_tails[query] * row_tails[lane];
                        reachable |= u32::from(bound >= floor);
                    }
                }
            }
            if reachable == 0 {
                continue 'groups;
            }
        }
        for (query, totals) in totals.iter().enumerate() {
            for (lane, &cosine) in totals.as_flattened().iter().enumerate() {
                if cosine >= sink.floor(query) {
                    sink.take(query, first * LANES + lane, cosine);
                }
            }
        }
    }
}

/// Dot products of the queries with the groups' rows over one chunk, each summed in order of dimension.
#[inline(always)]
fn products<const Q: usize, const G: usize>(queries: &[[f32; Q]], rows: [&[Lanes]; G]) -> [[Lanes; G]; Q] {
    let mut sums = [[[0.0f32; LANES]; G]; Q];
    let rows = rows.map(|rows| &rows[..queries.len()]);
    for (dimension, query) in queries.iter().enumerate() {
        for (sums, &value) in sums.iter_mut().zip(query) {
            for (sums, rows) in sums.iter_mut().zip(&rows) {
                for (sum, &other) in sums.iter_mut().zip(&rows[dimension]) {
                    *sum = value.mul_add(other, *sum);
                }
            }
        }
    }
    sums
}

/// What rounding can take from a bound: a sum of n products of unit vectors is off by at most n·ε/2 (Higham 2002, 3.1), here
/// over a chunk and then over the chunks, once in the sum so far and once in the final cosine; some more for the bound's own operations.
fn slack(chunks: usize) -> f32 {
    (CHUNK + chunks + 16) as f32 * f32::EPSILON
}
