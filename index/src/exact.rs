//! Equal texts, by a 128-bit content hash.
//!
//! The caller hashes (usually the normal form of [`crate::text::normalize`], with a cryptographic hash cut to 16 bytes).
//! With 128 bits, two of a billion different texts share a hash with a chance under 2·10⁻²¹, so that an equal hash is
//! taken for an equal text.

use hashbrown::HashTable;

use crate::Error;
use crate::memory::{bytes, reserve_quarter};
use crate::slots::Slots;

/// The hash of a text's content. It must be uniform: its first bytes are used as they are to place it in a table.
pub type ContentHash = [u8; 16];

/// Which row holds a content. About 35 bytes a row.
#[derive(Debug, Clone, Default)]
pub struct ExactIndex {
    slots: Slots,
    hashes: Vec<ContentHash>,
    by_hash: HashTable<u32>,
}

impl ExactIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts the row, unless another holds the same content: then names that one and inserts nothing.
    ///
    /// # Errors
    /// [`Error::RowTaken`] when the row is here already with another content, [`Error::Full`] past 2³¹ - 1 rows.
    pub fn insert(&mut self, row: u32, hash: ContentHash) -> Result<Option<u32>, Error> {
        if let Some(holder) = self.get(&hash) {
            return Ok(Some(holder));
        }
        let slot = self.slots.insert(row)?;
        if slot as usize == self.hashes.len() {
            reserve_quarter(&mut self.hashes, 1);
            self.hashes.push(hash);
        } else {
            self.hashes[slot as usize] = hash;
        }
        let hashes = &self.hashes;
        self.by_hash
            .insert_unique(prefix(&hash), slot, |&other| prefix(&hashes[other as usize]));
        Ok(None)
    }

    /// The row that holds this content.
    pub fn get(&self, hash: &ContentHash) -> Option<u32> {
        let slot = self
            .by_hash
            .find(prefix(hash), |&slot| self.hashes[slot as usize] == *hash)?;
        Some(self.slots.row(*slot))
    }

    /// Withdraws a row; false when it is not here.
    pub fn remove(&mut self, row: u32) -> bool {
        let Some(slot) = self.slots.remove(row) else {
            return false;
        };
        let hash = self.hashes[slot as usize];
        if let Ok(entry) = self.by_hash.find_entry(prefix(&hash), |&other| other == slot) {
            entry.remove();
        }
        true
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
        self.slots.bytes() + bytes(&self.hashes) + self.by_hash.allocation_size()
    }
}

fn prefix(hash: &ContentHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(content: u8) -> ContentHash {
        let mut hash = [0; 16];
        // The first half is the same for every two contents: only the whole hash tells them apart.
        hash[0] = content / 2;
        hash[15] = content;
        hash
    }

    #[test]
    fn the_first_holder_is_named_until_it_is_withdrawn() {
        let mut index = ExactIndex::new();
        assert_eq!(index.insert(7, hash(1)), Ok(None));
        assert_eq!(index.insert(8, hash(1)), Ok(Some(7)));
        assert!(!index.contains(8), "a double is not inserted");
        assert_eq!(index.insert(7, hash(2)), Err(Error::RowTaken { row: 7 }));
        assert!(index.remove(7) && !index.remove(7));
        assert_eq!(
            index.insert(8, hash(1)),
            Ok(None),
            "the waiting double is promoted"
        );
        assert_eq!(index.get(&hash(1)), Some(8));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_list(steps in prop::collection::vec((any::<bool>(), 0u32..8, 0u8..8), 0..200)) {
            let mut index = ExactIndex::new();
            let mut plain: Vec<(u32, u8)> = Vec::new();
            for (insert, row, content) in steps {
                if insert {
                    let holder = plain.iter().find(|(_, held)| *held == content).map(|(row, _)| *row);
                    let expected = match holder {
                        Some(row) => Ok(Some(row)),
                        None if plain.iter().any(|(held, _)| *held == row) => Err(Error::RowTaken { row }),
                        None => { plain.push((row, content)); Ok(None) }
                    };
                    prop_assert_eq!(index.insert(row, hash(content)), expected);
                } else {
                    let before = plain.len();
                    plain.retain(|(held, _)| *held != row);
                    prop_assert_eq!(index.remove(row), plain.len() < before);
                }
                prop_assert_eq!(index.len(), plain.len());
                for content in 0..8 {
                    let holder = plain.iter().find(|(_, held)| *held == content).map(|(row, _)| *row);
                    prop_assert_eq!(index.get(&hash(content)), holder);
                }
            }
        }
    }
}
