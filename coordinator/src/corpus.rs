//! What new questions are held against: seeds, rows kept so far, and held-out rows.
//!
//! Entries are compared with what was kept only: a candidate that is rejected is withdrawn, so that nothing is dropped for being
//! like something that is not in the dataset.

use std::cell::LazyCell;
use std::num::NonZeroUsize;

use gristmill_domain::filter::decontaminate::HeldOut;
use gristmill_domain::filter::dedup_policy::{Facts, compares_meaning, same_words};
use gristmill_domain::filter::leak::{self, Trial};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::{Decontaminate, Filter};
use gristmill_domain::strategy::Strategy;
use gristmill_index::minhash::{Parameters, Scheme, Sketch};
use gristmill_index::vectors::{Neighbor, cosine};
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

/// Seeds and kept rows by number: seeds first, in the order of the anchor, then those of earlier datasets, then rows in the order in which
/// they came.
pub(crate) struct Corpus {
    filter: Filter,
    exact: ExactIndex,
    near: MinHashIndex,
    vectors: Option<VectorIndex>,
    entries: Vec<Entry>,
    seeds: u32,
    /// Entries of earlier datasets, which come next.
    existing: u32,
    held_out: HeldOut,
    held_out_vectors: Option<VectorIndex>,
    held_out_texts: Vec<Box<str>>,
    /// Cosine from which a question counts as a held-out one.
    leak_cosine: f64,
    /// Cosines of seeds to their closest held-out question, from which that is chosen.
    closest: Vec<f64>,
}

/// The family of an entry that was made from no seed of the anchor.
const NO_FAMILY: u32 = u32::MAX;

/// What is looked at once an entry is found to be near.
struct Entry {
    text: Box<str>,
    /// The seed that it is, or was made from; or [`NO_FAMILY`].
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
            existing: 0,
            held_out: HeldOut::new(filter.decontaminate.ngram as usize, filter.decontaminate.coverage),
            held_out_vectors: vectors(dimensions),
            held_out_texts: Vec::new(),
            leak_cosine: filter.decontaminate.cosine.unwrap_or(leak::SAFE),
            closest: Vec::new(),
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

    /// Adds an anchor seed; they come in the order of the anchor, after the held-out rows and before any row.
    pub(crate) fn add_seed(&mut self, question: &str, vector: Option<Vec<f32>>) -> Result<(), Error> {
        if let Some(vector) = &vector
            && self.filter.decontaminate.cosine.is_none()
            && !self.held_out_texts.is_empty()
            // The same question on both sides is a leak of the seeds themselves, and says nothing about distinct ones.
            && self.held_out.check(question).is_none()
        {
            let closest = self.closest_held_out(question, vector, leak::FLOOR)?;
            self.closest
                .push(closest.map_or(0.0, |found| f64::from(found.cosine)));
        }
        let probe = self.probe(question, vector);
        self.insert(&probe, self.seeds)?;
        self.seeds += 1;
        Ok(())
    }

    /// Adds a text of an earlier dataset, with the number of the seed that it was made from; they come after the seeds, and before any row.
    pub(crate) fn add_existing(
        &mut self,
        text: &str,
        vector: Option<Vec<f32>>,
        family: Option<u32>,
    ) -> Result<(), Error> {
        let probe = self.probe(text, vector);
        self.insert(&probe, family.unwrap_or(NO_FAMILY))?;
        self.existing += 1;
        Ok(())
    }

    /// Chooses the cosine from which a question counts as a held-out one, where the job names none; after the last seed.
    pub(crate) fn choose_leak_cosine(&mut self) -> f64 {
        if self.filter.decontaminate.cosine.is_none() {
            self.leak_cosine = leak::threshold(&std::mem::take(&mut self.closest));
        }
        self.leak_cosine
    }

    /// Adds a held-out row.
    pub(crate) fn add_held_out(&mut self, question: &str, vector: Option<&[f32]>) -> Result<(), Error> {
        self.held_out.add(question);
        if let (Some(index), Some(vector)) = (&mut self.held_out_vectors, vector) {
            let number = u32::try_from(self.held_out_texts.len()).map_err(|_| Error::TooManyRows)?;
            index.insert(number, vector)?;
        }
        self.held_out_texts.push(question.into());
        Ok(())
    }

    /// Why a row like this entry is left out, where that is a seed, or of an earlier dataset.
    fn reason_by_key(&self, key: u32) -> Option<Reason> {
        match key {
            key if key < self.seeds => Some(Reason::DuplicateOfSeed),
            key if key < self.seeds + self.existing => Some(Reason::DuplicateOfExisting),
            _ => None,
        }
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
        if let Some(vector) = vector
            && let Some(found) = self.closest_held_out(question, vector, self.leak_cosine)?
        {
            let detail = format!("cosine {:.3} to held-out row {}", found.cosine, found.row);
            return Ok(Some(Rejection::new(Reason::Contaminated, detail)));
        }
        Ok(None)
    }

    /// The closest held-out question that a question may be in other words: what states other facts cannot be.
    fn closest_held_out(
        &self,
        question: &str,
        vector: &[f32],
        at_least: f64,
    ) -> Result<Option<Neighbor>, Error> {
        let Some(index) = &self.held_out_vectors else {
            return Ok(None);
        };
        let facts = LazyCell::new(|| Facts::of(question));
        let near = index.within(vector, at_least as f32)?;
        Ok(near.into_iter().find(|found| {
            let text = self.held_out_texts.get(found.row as usize);
            text.is_some_and(|text| !facts.apart(&Facts::of(text)))
        }))
    }

    /// Whether a rephrasing would have been recognised, had the seed that it was made from been held out. `None` without vectors.
    pub(crate) fn leak_trial(&self, probe: &Probe, seed: u32) -> Option<Trial> {
        let own = self.vectors.as_ref()?.vector(seed)?;
        let vector = probe.vector.as_ref()?;
        let text = &self.entries.get(seed as usize)?.text;
        let Decontaminate { ngram, coverage, .. } = self.filter.decontaminate;
        let mut words = HeldOut::new(ngram as usize, coverage);
        words.add(text);
        let near = f64::from(cosine(vector, &own)) >= self.leak_cosine;
        Some(Trial {
            cosine: self.leak_cosine,
            found: words.check(&probe.text).is_some()
                || (near && !Facts::of(text).apart(&Facts::of(&probe.text))),
        })
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
            let reason = self.reason_by_key(key).unwrap_or(reason);
            if !hits.iter().any(|hit| hit.key == key) {
                hits.push(Hit {
                    key,
                    rejection: Rejection::new(reason, detail),
                });
            }
        };
        // Equal but for case: `CO` and `Co`, 5 mW and 5 MW.
        if let Some(key) = self.exact.get(&probe.exact)
            && (same_words(strategy, related(key)) || *entry(key).text == *probe.text || same_facts(key))
        {
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
            .chain(
                self.held_out_texts
                    .iter()
                    .map(|text| text.len() + size_of::<Box<str>>()),
            )
            .sum();
        texts
            + self.held_out.bytes()
            + self.exact.bytes()
            + self.near.bytes()
            + vectors(&self.vectors)
            + vectors(&self.held_out_vectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit vector at a cosine to the first axis.
    fn at(cosine: f32) -> Vec<f32> {
        vec![cosine, (1.0 - cosine * cosine).sqrt()]
    }

    fn corpus(filter: &Filter) -> Corpus {
        Corpus::new(filter, Some(2)).unwrap()
    }

    const TOM: &str = "Tom bakes 12 cakes and eats 3 of them. How many cakes does he still have?";

    #[test]
    fn a_paraphrase_of_a_held_out_question_is_a_leak_and_other_numbers_are_none() {
        let mut corpus = corpus(&Filter::default());
        corpus.add_held_out(TOM, Some(&at(1.0))).unwrap();
        let paraphrase = "After eating three of the twelve cakes that he made, what number does Tom own?";
        let other = "After eating four of the fifteen cakes that he made, what number does Tom own?";
        let check = |question: &str, cosine: f32| corpus.contaminated(question, Some(&at(cosine))).unwrap();
        assert_eq!(check(paraphrase, 0.9).unwrap().reason, Reason::Contaminated);
        assert_eq!(check(paraphrase, 0.87), None, "under the safe cosine");
        assert_eq!(check(other, 0.99), None, "other numbers make another question");
    }

    #[test]
    fn the_cosine_of_leaks_follows_the_seeds_unless_the_job_names_one() {
        let filled = |cosine: Option<f64>, seeds: f32| {
            let mut filter = Filter::default();
            filter.decontaminate.cosine = cosine;
            let mut corpus = corpus(&filter);
            corpus
                .add_held_out("Which river crosses the plain?", Some(&at(1.0)))
                .unwrap();
            for n in 0..60 {
                let name: String = format!("{n}")
                    .bytes()
                    .map(|b| char::from(b - b'0' + b'a'))
                    .collect();
                corpus
                    .add_seed(
                        &format!("Who lives near the {name} bridge today?"),
                        Some(at(seeds)),
                    )
                    .unwrap();
            }
            corpus.choose_leak_cosine()
        };
        assert_eq!(filled(None, 0.3), leak::FLOOR);
        assert_eq!(
            filled(None, 0.95),
            leak::SAFE,
            "seeds that are close to held-out ones"
        );
        assert!((0.83..0.84).contains(&filled(None, 0.83)));
        assert_eq!(filled(Some(0.9), 0.3), 0.9);
    }

    #[test]
    fn a_rephrasing_is_tried_against_its_own_seed() {
        let mut corpus = corpus(&Filter::default());
        corpus.add_seed(TOM, Some(at(1.0))).unwrap();
        let trial = |question: &str, cosine: f32| {
            let probe = corpus.probe(question, Some(at(cosine)));
            corpus.leak_trial(&probe, 0).unwrap().found
        };
        let far = "What is left of a dozen cakes once three are gone?";
        assert!(trial(far, 0.9));
        assert!(!trial(far, 0.7));
        assert!(trial(&format!("Say: {TOM}"), 0.7), "found by its words");
        let probe = corpus.probe(far, None);
        assert_eq!(corpus.leak_trial(&probe, 0), None);
    }

    #[test]
    fn what_is_alike_but_differs_in_a_fact_is_kept() {
        let mut corpus = corpus(&Filter::default());
        for (a, b) in [
            (
                "小明有37个苹果，他又买了41个。他一共有多少个？",
                "小明有52个苹果，他又买了18个。他一共有多少个？",
            ),
            (
                "What does ls -a show in a folder?",
                "What does ls -A show in a folder?",
            ),
            (
                "Is this drug safe for use in young children?",
                "Is this drug unsafe for use in young children?",
            ),
            (
                "What did the cat do to the dog?",
                "What did the dog do to the cat?",
            ),
        ] {
            let first = corpus.probe(a, Some(at(1.0)));
            let key = corpus.insert(&first, 7).unwrap();
            let probe = corpus.probe(b, Some(at(1.0)));
            for strategy in [Strategy::NewQuestion, Strategy::Rephrasing] {
                assert_eq!(corpus.alike(&probe, strategy, 8).unwrap(), [], "{b}");
            }
            assert_eq!(corpus.alike(&first, Strategy::NewQuestion, 8).unwrap().len(), 1);
            corpus.withdraw(key);
        }
        // A rephrasing that repeats its own seed is no other wording, whatever it changed.
        let seed = corpus.probe("How many red apples are in the big box on the table?", None);
        corpus.insert(&seed, 7).unwrap();
        let copy = corpus.probe("How many red apples are in the big box on the shelf?", None);
        assert_eq!(corpus.alike(&copy, Strategy::Rephrasing, 7).unwrap().len(), 1);
        assert_eq!(corpus.alike(&copy, Strategy::Rephrasing, 8).unwrap(), []);
    }
}
