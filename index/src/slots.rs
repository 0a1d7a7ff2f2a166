//! Which place of an index's arrays holds which row.

use hashbrown::HashTable;

use crate::Error;
use crate::memory::{bytes, reserve_quarter};

/// Slots there can be, so that a slot's number leaves a bit of a `u32` free for those who chain slots.
const SLOTS_MAX: u32 = (1 << 31) - 1;

/// Rows to dense slots and back. Slots of removed rows are given out again, the last freed first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots {
    rows: Vec<u32>,
    live: Vec<bool>,
    free: Vec<u32>,
    by_row: HashTable<u32>,
}

impl Slots {
    /// Gives the row a slot: one freed before, or else the next at the end.
    pub(crate) fn insert(&mut self, row: u32) -> Result<u32, Error> {
        if self.slot(row).is_some() {
            return Err(Error::RowTaken { row });
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => u32::try_from(self.rows.len())
                .ok()
                .filter(|&slot| slot < SLOTS_MAX)
                .ok_or(Error::Full {
                    what: "rows",
                    limit: SLOTS_MAX.into(),
                })?,
        };
        if slot as usize == self.rows.len() {
            reserve_quarter(&mut self.rows, 1);
            reserve_quarter(&mut self.live, 1);
            self.rows.push(row);
            self.live.push(true);
        } else {
            self.rows[slot as usize] = row;
            self.live[slot as usize] = true;
        }
        let rows = &self.rows;
        self.by_row
            .insert_unique(spread(row), slot, |&other| spread(rows[other as usize]));
        Ok(slot)
    }

    /// Frees the row's slot and names it; `None` when the row is not here.
    pub(crate) fn remove(&mut self, row: u32) -> Option<u32> {
        let rows = &self.rows;
        let entry = self
            .by_row
            .find_entry(spread(row), |&slot| rows[slot as usize] == row)
            .ok()?;
        let (slot, _) = entry.remove();
        self.live[slot as usize] = false;
        self.free.push(slot);
        Some(slot)
    }

    /// Where the row is.
    pub(crate) fn slot(&self, row: u32) -> Option<u32> {
        self.by_row
            .find(spread(row), |&slot| self.rows[slot as usize] == row)
            .copied()
    }

    /// The row in a slot; of a free slot, the row that was there last.
    pub(crate) fn row(&self, slot: u32) -> u32 {
        self.rows[slot as usize]
    }

    /// True when the slot holds a row.
    pub(crate) fn is_live(&self, slot: u32) -> bool {
        self.live.get(slot as usize).copied().unwrap_or(false)
    }

    /// Slots given out so far, free ones included.
    pub(crate) fn extent(&self) -> usize {
        self.rows.len()
    }

    /// Rows held.
    pub(crate) fn len(&self) -> usize {
        self.by_row.len()
    }

    /// Slots that hold a row, ascending.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> {
        (0u32..)
            .zip(&self.live)
            .filter(|&(_, &live)| live)
            .map(|(slot, _)| slot)
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.rows) + bytes(&self.live) + bytes(&self.free) + self.by_row.allocation_size()
    }
}

/// Spreads a row's number over 64 bits, as the table wants its hashes.
fn spread(row: u32) -> u64 {
    let mixed = u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain map: the same rows are there, each in a slot of its own, and no slot is wasted.
        #[test]
        fn slots_agree_with_a_plain_map(steps in prop::collection::vec((any::<bool>(), 0u32..12), 0..200)) {
            let mut slots = Slots::default();
            let mut plain = BTreeMap::new();
            let mut most = 0;
            for (insert, row) in steps {
                if insert {
                    match slots.insert(row) {
                        Ok(slot) => prop_assert_eq!(plain.insert(row, slot), None),
                        Err(error) => {
                            prop_assert_eq!(error, Error::RowTaken { row });
                            prop_assert!(plain.contains_key(&row));
                        }
                    }
                } else {
                    prop_assert_eq!(slots.remove(row), plain.remove(&row));
                }
                most = most.max(plain.len());
                let mut held: Vec<u32> = plain.values().copied().collect();
                held.sort_unstable();
                prop_assert_eq!(slots.live().collect::<Vec<_>>(), held);
                prop_assert_eq!(slots.len(), plain.len());
                prop_assert_eq!(slots.extent(), most);
                for (&row, &slot) in &plain {
                    prop_assert_eq!(slots.slot(row), Some(slot));
                    prop_assert_eq!(slots.row(slot), row);
                }
            }
        }
    }
}
