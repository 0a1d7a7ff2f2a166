//! A walk over the rows that fit, in an order, from a key on.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rusqlite::Connection;

use crate::columns::{self, BLOCK, Block};
use crate::error::Error;
use crate::order::{Key, Sort};
use crate::schema;
use crate::selection::{Selection, blocks};

/// A walk over rows that fit.
pub(crate) struct Walk<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) selection: &'a Selection,
    pub(crate) sort: Sort,
    /// From small keys to large ones.
    pub(crate) ascends: bool,
    /// Where it begins; at the end of the rows where nothing is said.
    pub(crate) from: Option<Key>,
    /// Keys that are wanted.
    pub(crate) most: usize,
}

impl Walk<'_> {
    /// The keys of the rows, in the order of the walk.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, Error> {
        match self.sort {
            Sort::Newest | Sort::Oldest => self.by_number(),
            Sort::Dearest | Sort::Cheapest => self.by_cost(),
            Sort::Similar => self.by_similarity(),
        }
    }

    /// True for what lies beyond where the walk begins.
    fn beyond(&self, key: &Key) -> bool {
        self.from.is_none_or(|from| match self.ascends {
            true => *key > from,
            false => *key < from,
        })
    }

    fn by_number(&self) -> Result<Vec<Key>, Error> {
        let blocks = blocks(schema::rows(self.connection)?);
        let mut keys = Vec::new();
        let start = self.from.map(|from| from.row / BLOCK);
        let mut numbers: Box<dyn Iterator<Item = u64>> = match self.ascends {
            true => Box::new(start.unwrap_or(0)..blocks),
            false => Box::new((0..start.map_or(blocks, |start| (start + 1).min(blocks))).rev()),
        };
        while let (true, Some(number)) = (keys.len() < self.most, numbers.next()) {
            let mut block = Block::new(self.connection, number);
            let mut rows = self.selection.rows(&mut block)?;
            if !self.ascends {
                rows.reverse();
            }
            let found = rows.into_iter().map(|row| Key::of(self.sort, row, 0));
            keys.extend(found.filter(|key| self.beyond(key)).take(self.most - keys.len()));
        }
        Ok(keys)
    }

    /// Blocks are visited from the most promising on, until none can hold a row that belongs among those that were found.
    fn by_cost(&self) -> Result<Vec<Key>, Error> {
        let mut bounds = columns::costs(self.connection)?;
        match self.ascends {
            true => bounds.sort_by_key(|bounds| bounds.least),
            false => bounds.sort_by_key(|bounds| std::cmp::Reverse(bounds.most)),
        }
        let mut found = Heaviest::new(self);
        for bounds in bounds {
            let (best, worst) = match self.ascends {
                true => (bounds.least, bounds.most),
                false => (bounds.most, bounds.least),
            };
            if found.is_full_before(best) {
                break;
            }
            let behind = |from: Key| match self.ascends {
                true => worst < from.weight,
                false => worst > from.weight,
            };
            if self.from.is_some_and(behind) {
                continue;
            }
            let mut block = Block::new(self.connection, bounds.block);
            let rows = self.selection.rows(&mut block)?;
            if !rows.is_empty() {
                let costs = block.usd_micros()?;
                found.add(&rows, |place| costs.get(place).copied())?;
            }
        }
        Ok(found.in_order())
    }

    fn by_similarity(&self) -> Result<Vec<Key>, Error> {
        let mut found = Heaviest::new(self);
        for number in 0..blocks(schema::rows(self.connection)?) {
            let mut block = Block::new(self.connection, number);
            let rows = self.selection.rows(&mut block)?;
            let similar = self.selection.similarities(&mut block)?;
            found.add(&rows, |place| {
                similar.get(place).map(|similar| u64::from(*similar))
            })?;
        }
        Ok(found.in_order())
    }
}

/// The first keys of a walk among those that were added.
struct Heaviest<'a> {
    walk: &'a Walk<'a>,
    kept: BinaryHeap<Candidate>,
}

impl<'a> Heaviest<'a> {
    fn new(walk: &'a Walk<'a>) -> Self {
        Self {
            walk,
            kept: BinaryHeap::new(),
        }
    }

    /// True where as many as are wanted come before a row of this weight.
    fn is_full_before(&self, weight: u64) -> bool {
        let last = self.kept.peek().filter(|_| self.kept.len() >= self.walk.most);
        last.is_some_and(|last| match self.walk.ascends {
            true => last.key.weight < weight,
            false => last.key.weight > weight,
        })
    }

    /// Adds rows of a block, by their weights.
    fn add(&mut self, rows: &[u64], weight: impl Fn(usize) -> Option<u64>) -> Result<(), Error> {
        for row in rows {
            let weight = weight((row % BLOCK) as usize).ok_or(Error::Damaged("the length of a column"))?;
            let candidate = Candidate {
                key: Key::of(self.walk.sort, *row, weight),
                ascends: self.walk.ascends,
            };
            let full = self.kept.len() >= self.walk.most;
            if !self.walk.beyond(&candidate.key)
                || (full && self.kept.peek().is_some_and(|last| *last < candidate))
            {
                continue;
            }
            if full {
                self.kept.pop();
            }
            self.kept.push(candidate);
        }
        Ok(())
    }

    fn in_order(self) -> Vec<Key> {
        let sorted = self.kept.into_sorted_vec();
        sorted.into_iter().map(|candidate| candidate.key).collect()
    }
}

/// A key by the direction of a walk: the last of it is the greatest.
#[derive(PartialEq, Eq)]
struct Candidate {
    key: Key,
    ascends: bool,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.ascends {
            true => self.key.cmp(&other.key),
            false => other.key.cmp(&self.key),
        }
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
