//! Banded signatures of the rows kept.
//!
//! Each band has a table of buckets; a bucket is a chain of slots, linked through one array with `bands` links a slot. A link
//! is a slot's number and, in the bits that the number leaves free, a tag from that slot's band key: nearly all chance
//! neighbours in a bucket are passed over without a look at their shingles, at no cost in memory.
//!
//! Signatures are not kept: when a table must grow, or a row goes, they are made again from its shingles.

use super::{Scheme, Sketch};
use crate::Error;
use crate::memory::{bytes, reserve_quarter};
use crate::slots::Slots;
use crate::text::jaccard;

/// The link that ends a chain. No slot and tag make it: the highest slot that has room in a link is never given out.
const END: u32 = u32::MAX;
/// Buckets a band starts with.
const FIRST_BUCKETS: usize = 256;
/// Rows a bucket holds on average before the tables grow.
const ROWS_A_BUCKET: usize = 2;

/// Rows by the shingles of their texts.
#[derive(Debug, Clone)]
pub struct MinHashIndex {
    scheme: Scheme,
    slots: Slots,
    /// Where each slot's shingles are in the arena.
    spans: Vec<Span>,
    /// Shingles of all rows, ascending within a row.
    arena: Vec<u32>,
    /// Places of the arena that belong to no row any more.
    unused: usize,
    /// Link to the first slot of each bucket: `heads[band * buckets + bucket]`.
    heads: Vec<u32>,
    /// Link to the slot after: `next[slot * bands + band]`.
    next: Vec<u32>,
    /// Buckets a band, a power of two.
    buckets: usize,
    /// Bits of a link that are the slot's number.
    slot_bits: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn of(self, arena: &[u32]) -> &[u32] {
        let start = self.start as usize;
        arena.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// A row near a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The row.
    pub row: u32,
    /// Exact Jaccard similarity of the two shingle sets, 0 to 1.
    pub jaccard: f64,
}

impl MinHashIndex {
    /// An empty index over the scheme's sketches.
    pub fn new(scheme: Scheme) -> Self {
        let mut index = Self {
            scheme,
            slots: Slots::default(),
            spans: Vec::new(),
            arena: Vec::new(),
            unused: 0,
            heads: Vec::new(),
            next: Vec::new(),
            buckets: 0,
            slot_bits: 0,
        };
        index.size(FIRST_BUCKETS);
        index
    }

    /// The scheme whose sketches it takes.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Inserts a row by its sketch.
    ///
    /// # Errors
    /// [`Error::OtherScheme`]; [`Error::RowTaken`]; [`Error::Full`] past 2³¹ - 1 rows or 2³² shingles in all.
    pub fn insert(&mut self, row: u32, sketch: &Sketch) -> Result<(), Error> {
        self.check(sketch)?;
        if self.unused > 4096 && self.unused > self.arena.len() / 2 {
            self.compact();
        }
        let full = Error::Full {
            what: "shingles",
            limit: u32::MAX.into(),
        };
        let len = u32::try_from(sketch.shingles.len()).map_err(|_| full.clone())?;
        let start = u32::try_from(self.arena.len())
            .ok()
            .filter(|start| start.checked_add(len).is_some())
            .ok_or(full)?;
        let slot = self.slots.insert(row)?;
        let bands = self.scheme.parameters().bands;
        if slot as usize == self.spans.len() {
            reserve_quarter(&mut self.spans, 1);
            reserve_quarter(&mut self.next, bands);
            self.spans.push(Span::default());
            self.next.resize(self.next.len() + bands, END);
        }
        reserve_quarter(&mut self.arena, sketch.shingles.len());
        self.arena.extend_from_slice(&sketch.shingles);
        self.spans[slot as usize] = Span { start, len };
        if self.slots.extent() >= self.buckets * ROWS_A_BUCKET {
            self.grow();
        } else {
            self.link(slot, &sketch.bands);
        }
        Ok(())
    }

    /// Rows whose exact Jaccard similarity with the query is at least `at_least`, closest first, then by row.
    ///
    /// All that is named is right; each row that is there is found with the chance [`super::Parameters::detection`].
    ///
    /// # Errors
    /// [`Error::OtherScheme`]; [`Error::Similarity`] when `at_least` is not between 0 and 1.
    pub fn near(&self, query: &Sketch, at_least: f64) -> Result<Vec<Match>, Error> {
        self.check(query)?;
        if !(0.0..=1.0).contains(&at_least) {
            return Err(Error::Similarity {
                value: at_least,
                least: 0.0,
            });
        }
        let wanted = query.shingles.len() as f64;
        let mut found: Vec<Match> = self
            .candidate_slots(query)
            .into_iter()
            .filter_map(|slot| {
                let span = self.spans[slot as usize];
                let size = f64::from(span.len);
                // The similarity of two sets is at most the ratio of their sizes.
                if size.min(wanted) / size.max(wanted) < at_least {
                    return None;
                }
                let jaccard = jaccard(&query.shingles, span.of(&self.arena));
                (jaccard >= at_least && jaccard > 0.0).then(|| Match {
                    row: self.slots.row(slot),
                    jaccard,
                })
            })
            .collect();
        found.sort_unstable_by(|a, b| b.jaccard.total_cmp(&a.jaccard).then(a.row.cmp(&b.row)));
        Ok(found)
    }

    /// How many rows [`Self::near`] verifies for a query: what a query costs, for choosing parameters.
    ///
    /// # Errors
    /// [`Error::OtherScheme`].
    pub fn candidates(&self, query: &Sketch) -> Result<usize, Error> {
        self.check(query)?;
        Ok(self.candidate_slots(query).len())
    }

    /// Withdraws a row; false when it is not here.
    pub fn remove(&mut self, row: u32) -> bool {
        let Some(slot) = self.slots.remove(row) else {
            return false;
        };
        let span = std::mem::take(&mut self.spans[slot as usize]);
        let keys = self.scheme.bands(span.of(&self.arena));
        self.unlink(slot, &keys);
        self.unused += span.len as usize;
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
        self.slots.bytes() + bytes(&self.spans) + bytes(&self.arena) + bytes(&self.heads) + bytes(&self.next)
    }

    /// Bytes of memory reserved for each row held; 0 when there is none.
    pub fn bytes_per_row(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        self.bytes() as f64 / self.len() as f64
    }

    fn check(&self, sketch: &Sketch) -> Result<(), Error> {
        if sketch.parameters == self.scheme.parameters() {
            Ok(())
        } else {
            Err(Error::OtherScheme)
        }
    }

    /// Slots that agree with the query in any band, each once, and a few that only seem to.
    fn candidate_slots(&self, query: &Sketch) -> Vec<u32> {
        let bands = self.scheme.parameters().bands;
        // All chains are followed in step: their cache misses overlap, where one chain after the other would wait for each.
        let mut chains: Vec<(usize, u32, u32)> = query
            .bands
            .iter()
            .enumerate()
            .map(|(band, &key)| (band, self.tag(key), self.heads[self.head(band, key)]))
            .collect();
        let mut slots = Vec::with_capacity(bands);
        while !chains.is_empty() {
            chains.retain_mut(|(band, tag, link)| {
                if *link == END {
                    return false;
                }
                let slot = self.slot_of(*link);
                if *link == (*tag | slot) {
                    slots.push(slot);
                }
                *link = self.next[slot as usize * bands + *band];
                true
            });
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Place of the head of the bucket that a key falls into.
    fn head(&self, band: usize, key: u32) -> usize {
        band * self.buckets + (key as usize & (self.buckets - 1))
    }

    /// A key's bits that tag a link: the high ones, as the low ones choose the bucket.
    fn tag(&self, key: u32) -> u32 {
        key >> self.slot_bits << self.slot_bits
    }

    /// The slot that a link leads to.
    fn slot_of(&self, link: u32) -> u32 {
        link & !(u32::MAX << self.slot_bits)
    }

    fn link(&mut self, slot: u32, keys: &[u32]) {
        let bands = self.scheme.parameters().bands;
        for (band, &key) in keys.iter().enumerate() {
            let head = self.head(band, key);
            let link = self.tag(key) | slot;
            self.next[slot as usize * bands + band] = std::mem::replace(&mut self.heads[head], link);
        }
    }

    fn unlink(&mut self, slot: u32, keys: &[u32]) {
        let bands = self.scheme.parameters().bands;
        for (band, &key) in keys.iter().enumerate() {
            let after = self.next[slot as usize * bands + band];
            let own = self.tag(key) | slot;
            let head = self.head(band, key);
            if self.heads[head] == own {
                self.heads[head] = after;
                continue;
            }
            let mut link = self.heads[head];
            while link != END {
                let place = self.slot_of(link) as usize * bands + band;
                link = self.next[place];
                if link == own {
                    self.next[place] = after;
                    break;
                }
            }
        }
    }

    /// Doubles the buckets and links every row anew.
    fn grow(&mut self) {
        self.size(self.buckets * 2);
        let live: Vec<u32> = self.slots.live().collect();
        for slot in live {
            let keys = self.scheme.bands(self.spans[slot as usize].of(&self.arena));
            self.link(slot, &keys);
        }
    }

    /// Sets the number of buckets a band, all of them empty.
    fn size(&mut self, buckets: usize) {
        self.buckets = buckets;
        self.slot_bits = (buckets * ROWS_A_BUCKET).trailing_zeros();
        // The old heads go before the new ones come: they are a large part of the memory.
        self.heads = Vec::new();
        self.heads = vec![END; buckets * self.scheme.parameters().bands];
    }

    /// Closes the gaps that removed rows left in the arena.
    fn compact(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.unused);
        for slot in self.slots.live() {
            let span = &mut self.spans[slot as usize];
            let start = arena.len() as u32;
            arena.extend_from_slice(span.of(&self.arena));
            span.start = start;
        }
        self.arena = arena;
        self.unused = 0;
    }
}
