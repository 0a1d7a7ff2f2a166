//! What is embedded before the first round, and what its vectors are for: seeds by their questions, concepts by their texts, and passages to
//! know which concept each is about, so that a question aimed at a concept is asked about one of its own.

use crate::Error;
use crate::assigner::Assigner;
use crate::passages::Passages;
use crate::prepare::Texts;
use crate::seeds::SeedStore;

/// The questions of all seeds, and their vectors in the order of the seeds.
pub(crate) struct Questions<'a> {
    seeds: &'a SeedStore,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl<'a> Questions<'a> {
    pub(crate) fn of(seeds: &'a SeedStore) -> Self {
        Self {
            vectors: vec![Vec::new(); seeds.len() as usize],
            seeds,
        }
    }
}

impl Texts for Questions<'_> {
    fn len(&self) -> u64 {
        self.seeds.len()
    }

    fn text(&self, place: u64) -> Result<String, Error> {
        Ok(self.seeds.read(place)?.question)
    }

    fn take(&mut self, place: u64, vector: Vec<f32>) {
        self.vectors[place as usize] = vector;
    }
}

/// Texts in memory, and their vectors.
pub(crate) struct Known {
    texts: Vec<String>,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Known {
    pub(crate) fn by(texts: Vec<String>) -> Self {
        Self {
            vectors: vec![Vec::new(); texts.len()],
            texts,
        }
    }
}

impl Texts for Known {
    fn len(&self) -> u64 {
        self.texts.len() as u64
    }

    fn text(&self, place: u64) -> Result<String, Error> {
        Ok(self.texts[place as usize].clone())
    }

    fn take(&mut self, place: u64, vector: Vec<f32>) {
        self.vectors[place as usize] = vector;
    }
}

/// Passages, each with the concept that it is near with confidence. Vectors are looked at and let go: four bytes a passage stay.
pub(crate) struct Placing<'a> {
    passages: &'a Passages,
    assigner: &'a Assigner,
    concept_of: Vec<Option<u32>>,
}

impl<'a> Placing<'a> {
    pub(crate) fn new(passages: &'a Passages, assigner: &'a Assigner) -> Self {
        Self {
            concept_of: vec![None; passages.len() as usize],
            passages,
            assigner,
        }
    }

    /// Numbers of the passages by concept, in their order.
    pub(crate) fn by_concept(self) -> Vec<Vec<u64>> {
        let mut of_concept = vec![Vec::new(); self.assigner.catalogue().concepts().len()];
        for (number, concept) in (0..).zip(&self.concept_of) {
            if let Some(concept) = concept {
                of_concept[*concept as usize].push(number);
            }
        }
        of_concept
    }
}

impl Texts for Placing<'_> {
    fn len(&self) -> u64 {
        self.passages.len()
    }

    fn text(&self, place: u64) -> Result<String, Error> {
        Ok(self.passages.read(place)?.text)
    }

    fn take(&mut self, place: u64, vector: Vec<f32>) {
        let belongs = self.assigner.of_vector(Some(&vector));
        self.concept_of[place as usize] = belongs.map(|belongs| belongs.concept);
    }
}
