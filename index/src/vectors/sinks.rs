//! What the scans collect: rows within a cosine, the k nearest rows, pairs.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::block::BLOCK_ROWS;
use super::found::{Neighbor, Pair};
use super::scan::{Sink, TILE};
use crate::slots::Slots;

/// The slot of a place in a block; it fits a `u32` by the limit on slots.
pub(super) const fn slot_of(block: usize, place: usize) -> u32 {
    (block * BLOCK_ROWS + place) as u32
}

/// The row at a place in a block, if it holds one.
fn row_at(slots: &Slots, block: usize, place: usize) -> Option<u32> {
    let slot = slot_of(block, place);
    slots.is_live(slot).then(|| slots.row(slot))
}

/// Rows with at least a cosine, for each query of a tile.
pub(super) struct Within<'a> {
    slots: &'a Slots,
    /// The block that is scanned.
    block: usize,
    floors: [f32; TILE],
    found: Vec<Vec<Neighbor>>,
}

impl<'a> Within<'a> {
    /// For the first `queries` of a tile; the others, which are padding, find nothing.
    pub(super) fn new(slots: &'a Slots, queries: usize, cosine_at_least: f32) -> Self {
        Self {
            slots,
            block: 0,
            floors: floors(queries, cosine_at_least),
            found: vec![Vec::new(); queries],
        }
    }

    /// What was found, an answer a query, closest first.
    pub(super) fn sorted(mut self) -> Vec<Vec<Neighbor>> {
        for found in &mut self.found {
            found.sort_unstable_by(closest_first);
        }
        self.found
    }
}

impl Sink for Within<'_> {
    fn enter(&mut self, block: usize) {
        self.block = block;
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        self.floors[query]
    }

    fn take(&mut self, query: usize, place: usize, cosine: f32) {
        if let Some(row) = row_at(self.slots, self.block, place) {
            self.found[query].push(Neighbor { row, cosine });
        }
    }
}

/// The k rows closest to one query.
pub(super) struct Nearest<'a> {
    slots: &'a Slots,
    /// The block that is scanned.
    block: usize,
    k: usize,
    held: BinaryHeap<Farthest>,
    /// The farthest row's cosine once k are held: what cannot reach it is left by the scan.
    floor: f32,
}

/// A neighbor that a heap of them has on top when it is the farthest.
#[derive(PartialEq)]
struct Farthest(Neighbor);

impl Eq for Farthest {}

impl PartialOrd for Farthest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Farthest {
    fn cmp(&self, other: &Self) -> Ordering {
        closest_first(&self.0, &other.0)
    }
}

impl<'a> Nearest<'a> {
    /// `k` is at least 1.
    pub(super) fn new(slots: &'a Slots, k: usize) -> Self {
        Self {
            slots,
            block: 0,
            k,
            held: BinaryHeap::new(),
            floor: f32::NEG_INFINITY,
        }
    }

    /// What was found, closest first.
    pub(super) fn sorted(self) -> Vec<Neighbor> {
        let mut found: Vec<Neighbor> = self.held.into_iter().map(|Farthest(found)| found).collect();
        found.sort_unstable_by(closest_first);
        found
    }
}

impl Sink for Nearest<'_> {
    fn enter(&mut self, block: usize) {
        self.block = block;
    }

    #[inline(always)]
    fn floor(&self, _query: usize) -> f32 {
        self.floor
    }

    fn take(&mut self, _query: usize, place: usize, cosine: f32) {
        let Some(row) = row_at(self.slots, self.block, place) else {
            return;
        };
        self.held.push(Farthest(Neighbor { row, cosine }));
        if self.held.len() > self.k {
            self.held.pop();
        }
        if self.held.len() == self.k {
            self.floor = self.held.peek().map_or(self.floor, |Farthest(last)| last.cosine);
        }
    }
}

/// Pairs of a tile made of stored rows with rows in later slots.
pub(super) struct Pairs<'a> {
    slots: &'a Slots,
    /// The block that is scanned.
    block: usize,
    floors: [f32; TILE],
    /// The slots of the tile's rows.
    own: &'a [u32],
    /// What was found, in no order.
    pub(super) found: Vec<Pair>,
}

impl<'a> Pairs<'a> {
    /// For a tile of the rows in the slots `own`.
    pub(super) fn new(slots: &'a Slots, own: &'a [u32], cosine_at_least: f32) -> Self {
        Self {
            slots,
            block: 0,
            floors: floors(own.len(), cosine_at_least),
            own,
            found: Vec::new(),
        }
    }
}

impl Sink for Pairs<'_> {
    fn enter(&mut self, block: usize) {
        self.block = block;
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        self.floors[query]
    }

    fn take(&mut self, query: usize, place: usize, cosine: f32) {
        let own = self.own[query];
        if slot_of(self.block, place) <= own {
            return;
        }
        if let Some(other) = row_at(self.slots, self.block, place) {
            let row = self.slots.row(own);
            self.found.push(Pair {
                first: row.min(other),
                second: row.max(other),
                cosine,
            });
        }
    }
}

/// A floor for each query of a tile; nothing reaches those of the padding.
fn floors(queries: usize, cosine_at_least: f32) -> [f32; TILE] {
    std::array::from_fn(|query| {
        if query < queries {
            cosine_at_least
        } else {
            f32::INFINITY
        }
    })
}

/// Order of answers: the larger cosine first, then the smaller row.
fn closest_first(a: &Neighbor, b: &Neighbor) -> Ordering {
    b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row))
}
