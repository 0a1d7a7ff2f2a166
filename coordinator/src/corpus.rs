//! What new questions are held against: seeds, rows kept so far, and held-out rows.
//!
//! Entries are compared with what was kept only: a candidate that is rejected is withdrawn, so that nothing is dropped for being
//! like something that is not in the dataset.

use std::cell::LazyCell;
use std::num::NonZeroUsize;

use gristmill_domain::filter::decontaminate::HeldOut;
use gristmill_domain::filter::dedup_policy::{Facts, compares_meaning, same_words};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::Filter;
use gristmill_domain::strategy::Strategy;
use gristmill_index::minhash::{Parameters, Scheme, Sketch};
use gristmill_index::{ExactIndex, MinHashIndex, VectorIndex};

use crate::Error;

/// A question with all that it is compared by.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    exact: [u8; 16],
    sketch: Sketch,
    text: Box<str>,
    vector: Option<Vec<f32>>,
}

/// An entry like the probe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hit {
    pub(crate) key: u32,
    pub(crate) rejection: Rejection,
}

/// Seeds and kept rows by number: seeds first, in the order of the anchor, then rows in the order in which they came.
pub(crate) struct Corpus {
    filter: Filter,
    exact: ExactIndex,
    near: MinHashIndex,
    vectors: Option<VectorIndex>,
    entries: Vec<Entry>,
    seeds: u32,
    held_out: HeldOut,
    held_out_vectors: Option<VectorIndex>,
    held_out_count: u32,
}

/// What is looked at once an entry is found to be near.
struct Entry {
    text: Box<str>,
    /// The seed that it is, or was made from.
    family: u32,
}

fn vectors(dimensions: Option<usize>) -> Option<VectorIndex> {
    dimensions.and_then(NonZeroUsize::new).map(VectorIndex::new)
}

impl Corpus {
    /// An empty corpus; `dimensions` is the vectors' length, or `None` when nothing is embedded.
    pub(crate) fn new(filter: &Filter, dimensions: Option<usize>) -> Result<Self, Error> {
        let parameters = Parameters {
            shingle: filter.near_duplicates.shingle_words as usize,
            ..Parameters::default()
        };
        Ok(Self {
            exact: ExactIndex::new(),
            near: MinHashIndex::new(Scheme::new(parameters)?),
            vectors: vectors(dimensions),
            entries: Vec::new(),
            seeds: 0,
            held_out: HeldOut::new(filter.decontaminate.ngram as usize, filter.decontaminate.coverage),
            held_out_vectors: vectors(dimensions),
            held_out_count: 0,
            filter: filter.clone(),
        })
    }

    /// The comparable form of a question.
    pub(crate) fn probe(&self, question: &str, vector: Option<Vec<f32>>) -> Probe {
        Probe {
            exact: *gristmill_domain::filter::text::exact_key(&[question]).as_bytes(),
            sketch: self.near.scheme().sketch_text(question),
            text: question.into(),
            vector,
        }
    }

    /// Adds an anchor seed; they come in the order of the anchor, before any row.
    pub(crate) fn add_seed(&mut self, question: &str, vector: Option<Vec<f32>>) -> Result<(), Error> {
        let probe = self.probe(question, vector);
        self.insert(&probe, self.seeds)?;
        self.seeds += 1;
        Ok(())
    }

    /// Adds a held-out row.
    pub(crate) fn add_held_out(&mut self, question: &str, vector: Option<&[f32]>) -> Result<(), Error> {
        self.held_out.add(question);
        if let (Some(index), Some(vector)) = (&mut self.held_out_vectors, vector) {
            index.insert(self.held_out_count, vector)?;
        }
        self.held_out_count += 1;
        Ok(())
    }

    /// True for the number of a seed.
    pub(crate) fn is_seed(&self, key: u32) -> bool {
        key < self.seeds
    }

    /// Adds an entry made from a seed and returns its number.
    pub(crate) fn insert(&mut self, probe: &Probe, family: u32) -> Result<u32, Error> {
        let key = u32::try_from(self.entries.len()).map_err(|_| Error::TooManyRows)?;
        // The first of equal texts holds the place; MinHash finds the others while it is there.
        self.exact.insert(key, probe.exact)?;
        self.near.insert(key, &probe.sketch)?;
        if let (Some(index), Some(vector)) = (&mut self.vectors, &probe.vector) {
            index.insert(key, vector)?;
        }
        self.entries.push(Entry {
            text: probe.text.clone(),
            family,
        });
        Ok(key)
    }

    /// Takes an entry back.
    pub(crate) fn withdraw(&mut self, key: u32) {
        self.exact.remove(key);
        self.near.remove(key);
        if let Some(entry) = self.entries.get_mut(key as usize) {
            entry.text = "".into();
        }
        if let Some(index) = &mut self.vectors {
            index.remove(key);
        }
    }

    /// Why a question is too close to a held-out one, if it is. Without a vector, by words only.
    pub(crate) fn contaminated(
        &self,
        question: &str,
        vector: Option<&[f32]>,
    ) -> Result<Option<Rejection>, Error> {
        if let Some(found) = self.held_out.check(question) {
            return Ok(Some(Rejection::new(Reason::Contaminated, found.to_string())));
        }
        if let (Some(index), Some(vector)) = (&self.held_out_vectors, vector) {
            let at_least = self.filter.decontaminate.cosine as f32;
            if let Some(found) = index.within(vector, at_least)?.first() {
                let detail = format!("cosine {:.3} to held-out row {}", found.cosine, found.row);
                return Ok(Some(Rejection::new(Reason::Contaminated, detail)));
            }
        }
        Ok(None)
    }

    /// Entries that the probe is a duplicate of, by the tests that its strategy is held to (FACTS of the field: no single
    /// cosine separates a duplicate from a new question).
    ///
    /// | strategy | equal texts | alike in words | alike in meaning |
    /// |---|---|---|---|
    /// | rephrasing | yes | of its family, or facts are the same | not of its family, and facts are the same |
    /// | new question | yes | facts are the same | facts are the same |
    ///
    /// The family of a row is its seed and what else was made from it. Facts are read of what is found near, and only then.
    pub(crate) fn alike(&self, probe: &Probe, strategy: Strategy, family: u32) -> Result<Vec<Hit>, Error> {
        let mut hits: Vec<Hit> = Vec::new();
        let entry = |key: u32| &self.entries[key as usize];
        let facts = LazyCell::new(|| Facts::of(&probe.text));
        let related = |key: u32| entry(key).family == family;
        let same_facts = |key: u32| facts.differ(&Facts::of(&entry(key).text)).is_none();
        let mut add = |key: u32, reason: Reason, detail: String| {
            let reason = if self.is_seed(key) {
                Reason::DuplicateOfSeed
            } else {
                reason
            };
            if !hits.iter().any(|hit| hit.key == key) {
                hits.push(Hit {
                    key,
                    rejection: Rejection::new(reason, detail),
                });
            }
        };
        if let Some(key) = self.exact.get(&probe.exact) {
            add(key, Reason::ExactDuplicate, "the same words".into());
        }
        for found in self
            .near
            .near(&probe.sketch, self.filter.near_duplicates.jaccard)?
        {
            // Templates with other numbers share most of their words and have other answers.
            if same_words(strategy, related(found.row)) || same_facts(found.row) {
                add(
                    found.row,
                    Reason::NearDuplicate,
                    format!("Jaccard {:.2}", found.jaccard),
                );
            }
        }
        if let (Some(index), Some(vector)) = (&self.vectors, &probe.vector) {
            for found in index.within(vector, self.filter.semantic_duplicates.cosine as f32)? {
                if compares_meaning(strategy, related(found.row)) && same_facts(found.row) {
                    add(
                        found.row,
                        Reason::SemanticDuplicate,
                        format!("cosine {:.3}", found.cosine),
                    );
                }
            }
        }
        Ok(hits)
    }

    /// Bytes of all indexes and texts.
    pub(crate) fn bytes(&self) -> usize {
        let vectors = |index: &Option<VectorIndex>| index.as_ref().map_or(0, VectorIndex::bytes);
        let texts: usize = self
            .entries
            .iter()
            .map(|entry| entry.text.len() + size_of::<Entry>())
            .sum();
        texts
            + self.held_out.bytes()
            + self.exact.bytes()
            + self.near.bytes()
            + vectors(&self.vectors)
            + vectors(&self.held_out_vectors)
    }
}
