//! The real rows of a run: taken in once, split, kept as segments, read by ordinal.
//!
//! Only a few bytes a row stay in memory (where it starts, its split, its concept).

use std::collections::{BTreeMap, HashMap, HashSet};

use gristmill_domain::existing::ExistingRow;
use gristmill_domain::id::ContentId;
use gristmill_domain::job::Holdout;
use gristmill_domain::passage::Passage;
use gristmill_domain::seed::{Seed, Split, split};
use gristmill_index::MinHashIndex;
use gristmill_index::minhash::{Parameters, Scheme};
use gristmill_ports::blob::Blobs;
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::existing::{self, Anchor, ExistingRows};
use crate::passages::{self, Gathering, Grounds, Passages};
use crate::scratch::{ScratchRecords, ScratchWriter, each_stored};

/// What the names of all that is taken in begin with.
const PREFIX: &str = "seeds/";
/// Written after the last segment of seeds: before it is there, they are not all there.
const COMPLETE: &str = "seeds/complete.json";

/// A seed with what it serves, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    split: Split,
    seed: Seed,
}

/// The blob that is written after the last segment of seeds.
#[derive(Serialize, Deserialize)]
struct Complete<S> {
    #[serde(default)]
    format: FormatVersion<1>,
    #[serde(flatten)]
    summary: S,
}

/// What was taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows kept.
    pub rows: u64,
    /// Rows that were the same as one before.
    pub repeated: u64,
    /// Rows by split.
    pub splits: BTreeMap<Split, u64>,
    /// Groups of rows that stay in one split.
    pub groups: u64,
    /// Concepts with their rows in the anchor.
    pub concepts: BTreeMap<String, u64>,
    /// Passages of documents that questions are asked about.
    #[serde(default)]
    pub passages: u64,
    /// Documents that they are from.
    #[serde(default)]
    pub documents: u64,
    /// Passages left out, since held-out rows rest on them.
    #[serde(default)]
    pub held_out_passages: u64,
    /// Rows of earlier datasets that new ones may not repeat.
    #[serde(default)]
    pub existing: u64,
}

/// Real rows by ordinal.
pub struct SeedStore {
    records: ScratchRecords<Seed>,
    splits: Vec<Split>,
    /// Ordinals of anchor rows: the nth seed to generate from.
    anchor: Vec<u64>,
    /// Anchor seeds that share a database, or else a first concept.
    peers: HashMap<String, Vec<u64>>,
    ids: Vec<ContentId>,
    summary: Summary,
    /// Words of the shortest answer in the anchor.
    shortest_answer: Option<u32>,
    passages: Passages,
    existing: ExistingRows,
}

/// Takes rows in, one by one.
pub struct Intake {
    records: ScratchWriter<Seed>,
    seen: HashSet<ContentId>,
    ids: Vec<ContentId>,
    repeated: u64,
    near: MinHashIndex,
    group_jaccard: f64,
    /// Union-find over rows, joined by source and by similarity.
    parent: Vec<u32>,
    sources: HashMap<String, u32>,
    strata: Vec<String>,
    passages: Gathering,
    existing: existing::Taking,
}

impl Intake {
    /// An empty intake.
    pub fn new(holdout: &Holdout) -> Result<Self, Error> {
        Ok(Self {
            records: ScratchWriter::new()?,
            seen: HashSet::new(),
            ids: Vec::new(),
            repeated: 0,
            near: MinHashIndex::new(Scheme::new(Parameters::default())?),
            group_jaccard: holdout.group_jaccard,
            parent: Vec::new(),
            sources: HashMap::new(),
            strata: Vec::new(),
            passages: Gathering::new()?,
            existing: existing::Taking::new()?,
        })
    }

    /// Takes one row in; a row that was there before is only counted.
    pub fn push(&mut self, seed: &Seed) -> Result<(), Error> {
        if !self.seen.insert(seed.id) {
            self.repeated += 1;
            return Ok(());
        }
        let row = u32::try_from(self.parent.len()).map_err(|_| Error::TooManySeeds)?;
        self.parent.push(row);
        if let Some(source) = &seed.source {
            let first = *self.sources.entry(source.clone()).or_insert(row);
            self.join(first, row);
        }
        let sketch = self.near.scheme().sketch_text(&seed.question);
        for found in self.near.near(&sketch, self.group_jaccard)? {
            self.join(found.row, row);
        }
        self.near.insert(row, &sketch)?;
        self.strata.push(stratum(seed));
        self.ids.push(seed.id);
        self.records.push(seed)
    }

    /// Takes a passage of a document in.
    pub fn push_passage(&mut self, passage: &Passage) -> Result<(), Error> {
        self.passages.push(passage)
    }

    /// Takes a row of an earlier dataset in, after all seeds: one that is a seed is none of them.
    pub fn push_existing(&mut self, row: &ExistingRow) -> Result<(), Error> {
        let is_seed = row.strategy.is_none() && row.seed.is_some_and(|seed| self.seen.contains(&seed));
        match is_seed {
            true => Ok(()),
            false => self.existing.push(row),
        }
    }

    fn find(&mut self, mut row: u32) -> u32 {
        while self.parent[row as usize] != row {
            let next = self.parent[self.parent[row as usize] as usize];
            self.parent[row as usize] = next;
            row = next;
        }
        row
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        // The earlier row names the group, so that grouping does not depend on the order of joins.
        self.parent[a.max(b) as usize] = a.min(b);
    }

    /// Draws the splits.
    pub fn finish(mut self, holdout: &Holdout) -> Result<SeedStore, Error> {
        let groups = self.groups();
        let strata: Vec<&str> = self.strata.iter().map(String::as_str).collect();
        let splits = split(&groups, &strata, holdout.validation, holdout.test, holdout.seed);
        self.parted(&groups, splits)
    }

    /// Has each row serve what is said of its ordinal.
    pub fn finish_by(mut self, split: impl Fn(u64) -> Split) -> Result<SeedStore, Error> {
        let groups = self.groups();
        let splits = (0..groups.len() as u64).map(split).collect();
        self.parted(&groups, splits)
    }

    /// Rows that were taken in.
    pub fn taken(&self) -> u64 {
        self.parent.len() as u64
    }

    fn groups(&mut self) -> Vec<u64> {
        (0..self.parent.len())
            .map(|row| u64::from(self.find(row as u32)))
            .collect()
    }

    fn parted(self, groups: &[u64], splits: Vec<Split>) -> Result<SeedStore, Error> {
        let distinct: HashSet<u64> = groups.iter().copied().collect();
        let mut store = SeedStore::empty(self.records.finish()?)?;
        store.ids = self.ids;
        store.summary.repeated = self.repeated;
        store.summary.groups = distinct.len() as u64;
        let mut held_out = Grounds::new();
        for split in splits {
            let seed = store.read(store.splits.len() as u64)?;
            if split != Split::Anchor {
                held_out.add(&seed);
            }
            store.note(split, &seed);
        }
        let passages = self.passages.finish()?;
        let all = passages.len();
        store.passages = passages.without(&held_out)?;
        store.summary.passages = store.passages.len();
        store.summary.held_out_passages = all - store.passages.len();
        store.summary.documents = store.passages.documents();
        store.existing = self.existing.finish()?;
        store.summary.existing = store.existing.len();
        Ok(store)
    }
}

pub(crate) fn stratum(seed: &Seed) -> String {
    seed.concepts
        .first()
        .or(seed.database.as_ref())
        .cloned()
        .unwrap_or_default()
}

/// At most so many of these rows, drawn evenly: neighbours may come from one source. Tasks are numbered by what is drawn, so that a run
/// under way depends on it.
pub(crate) fn drawn_evenly(rows: &[u64], most: u64) -> Vec<u64> {
    let there = rows.len() as u64;
    let wanted = most.min(there);
    (0..wanted)
        .filter_map(|n| rows.get((n * there / wanted) as usize).copied())
        .collect()
}

impl SeedStore {
    fn empty(records: ScratchRecords<Seed>) -> Result<Self, Error> {
        Ok(Self {
            records,
            splits: Vec::new(),
            anchor: Vec::new(),
            peers: HashMap::new(),
            ids: Vec::new(),
            summary: Summary::default(),
            shortest_answer: None,
            passages: Passages::none()?,
            existing: ExistingRows::none()?,
        })
    }

    /// Passages that new questions are asked about.
    pub fn passages(&self) -> &Passages {
        &self.passages
    }

    /// Rows of earlier datasets that new ones may not repeat.
    pub fn existing(&self) -> &ExistingRows {
        &self.existing
    }

    fn note(&mut self, split: Split, seed: &Seed) {
        let ordinal = self.splits.len() as u64;
        self.splits.push(split);
        self.summary.rows += 1;
        *self.summary.splits.entry(split).or_default() += 1;
        if split == Split::Anchor {
            let key = seed.database.clone().unwrap_or_else(|| stratum(seed));
            self.peers.entry(key).or_default().push(self.anchor.len() as u64);
            self.anchor.push(ordinal);
            let words = u32::try_from(seed.answer.split_whitespace().count()).unwrap_or(u32::MAX);
            self.shortest_answer = Some(self.shortest_answer.map_or(words, |shortest| shortest.min(words)));
            for concept in &seed.concepts {
                *self.summary.concepts.entry(concept.clone()).or_default() += 1;
            }
        }
    }

    /// Words of the shortest answer that is generated from: shorter ones than that are suspicious, others are not.
    pub(crate) fn shortest_answer(&self) -> Option<u32> {
        self.shortest_answer
    }

    /// What was taken in.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Rows.
    pub fn len(&self) -> u64 {
        self.splits.len() as u64
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.splits.is_empty()
    }

    /// Anchor rows.
    pub fn anchors(&self) -> u64 {
        self.anchor.len() as u64
    }

    /// Ordinal of the nth anchor row.
    pub fn anchor(&self, n: u64) -> u64 {
        self.anchor.get(n as usize).copied().unwrap_or_default()
    }

    /// Numbers of the anchor's rows by their ids.
    pub(crate) fn by_id(&self) -> Anchor {
        let ids = self.anchor.iter().map(|ordinal| self.ids[*ordinal as usize]);
        ids.zip(0..).collect()
    }

    /// What a row serves.
    pub fn split(&self, ordinal: u64) -> Split {
        self.splits
            .get(ordinal as usize)
            .copied()
            .unwrap_or(Split::Anchor)
    }

    /// Ordinals of the rows that serve this.
    pub fn ordinals(&self, split: Split) -> Vec<u64> {
        (0..self.len())
            .filter(|ordinal| self.split(*ordinal) == split)
            .collect()
    }

    /// Identity of all rows in their order: what a run's id is made of.
    pub fn digest(&self) -> ContentId {
        let bytes = |ids: &[ContentId]| ids.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>();
        let seeds = bytes(&self.ids);
        let mut all = vec![b"seeds".to_vec(), seeds];
        if !self.passages.is_empty() || !self.existing.is_empty() {
            all.push(bytes(self.passages.ids()));
        }
        if !self.existing.is_empty() {
            all.push(bytes(self.existing.ids()));
        }
        ContentId::of(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Ordinals of the rows whose ids begin so.
    pub(crate) fn beginning(&self, digits: &str) -> impl Iterator<Item = u64> {
        let ids = (0..).zip(&self.ids);
        ids.filter(move |(_, id)| id.to_string().starts_with(digits))
            .map(|(ordinal, _)| ordinal)
    }

    /// Reads a row.
    pub fn read(&self, ordinal: u64) -> Result<Seed, Error> {
        self.records.read(ordinal)?.ok_or(Error::NoSuchSeed {
            ordinal,
            rows: self.len(),
        })
    }

    /// Anchor seeds (as numbers below [`Self::anchors`]) that share the seed's database, or else its first concept; never
    /// empty for an anchor seed.
    pub fn peers(&self, seed: &Seed) -> &[u64] {
        let key = seed.database.clone().unwrap_or_else(|| stratum(seed));
        self.peers.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Stores the rows as segments; those that are there stay.
    pub async fn publish(&self, blobs: &dyn Blobs) -> Result<(), Error> {
        if blobs.list(COMPLETE).await?.iter().any(|name| name == COMPLETE) {
            return Ok(());
        }
        let stored = |ordinal, seed| Stored {
            split: self.split(ordinal),
            seed,
        };
        self.records.publish(blobs, PREFIX, stored).await?;
        self.passages.publish(blobs).await?;
        self.existing.publish(blobs).await?;
        let complete = serde_json::to_vec(&Complete {
            format: FormatVersion,
            summary: &self.summary,
        })?;
        blobs.create(COMPLETE, complete).await?;
        Ok(())
    }

    /// Loads the rows that an earlier start of the run has published; `None` when it did not get that far.
    pub async fn load(blobs: &dyn Blobs) -> Result<Option<Self>, Error> {
        let names = blobs.list(PREFIX).await?;
        if !names.iter().any(|name| name == COMPLETE) {
            return Ok(None);
        }
        let complete: Complete<Summary> = serde_json::from_slice(&blobs.read(COMPLETE).await?)?;
        let summary = complete.summary;
        let (mut records, mut splits) = (ScratchWriter::new()?, Vec::new());
        let is_seeds = |name: &str| {
            let others = [passages::PREFIX, existing::PREFIX];
            name.ends_with(".seg") && !others.iter().any(|other| name.starts_with(other))
        };
        each_stored(blobs, &names, is_seeds, |Stored { split, seed }| {
            splits.push(split);
            records.push(&seed)
        })
        .await?;
        let mut store = Self::empty(records.finish()?)?;
        for split in splits {
            let seed = store.read(store.len())?;
            store.ids.push(seed.id);
            store.note(split, &seed);
        }
        store.passages = Passages::load(blobs, &names).await?;
        store.existing = ExistingRows::load(blobs, &names).await?;
        store.summary = summary;
        Ok(Some(store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_evenly() {
        let rows: Vec<u64> = (10..17).collect();
        assert_eq!(drawn_evenly(&rows, 3), [10, 12, 14]);
        assert_eq!(drawn_evenly(&rows, 5), [10, 11, 12, 14, 15]);
        assert_eq!(drawn_evenly(&rows, 7), rows);
        assert_eq!(drawn_evenly(&rows, u64::MAX), rows);
        assert_eq!(drawn_evenly(&rows, 0), [0; 0]);
        assert_eq!(drawn_evenly(&[], 3), [0; 0]);
    }
}
