//! What is counted for each concept of a run: real rows first, then accepted ones in their order.
//!
//! A row counts for a concept when it belongs to it and its question is none of those that count for it already, by words, whatever
//! numbers or names differ. A further answer to a seed's question is no other question, and never counts.

use std::collections::HashMap;
use std::sync::Arc;

use gristmill_domain::concept::{Assigned, Outlook};
use gristmill_domain::job::{Concept, Filter};
use gristmill_domain::plan::{Spec, Start};
use gristmill_domain::row::Row;
use gristmill_domain::strategy::Strategy;
use gristmill_index::MinHashIndex;
use gristmill_index::minhash::{Parameters, Scheme, Sketch};

use crate::Error;
use crate::assigner::{Assigner, Belongs, Trial};
use crate::concept_odds::{Asked, Clues, Reliability};
use crate::seeds::SeedStore;

/// Where a candidate starts, and what it is about.
pub(crate) struct Direction {
    /// Number of its seed in the anchor.
    pub(crate) anchor: u64,
    /// The concept it is aimed at, or else that of its seed.
    pub(crate) topic: Option<Arc<Concept>>,
    /// It is aimed at `topic`.
    pub(crate) aimed: bool,
    /// The seed lends its form alone: the concept has none of its own.
    pub(crate) borrowed: bool,
    /// Anchor numbers of the topic's seeds.
    pub(crate) peers: Arc<[u64]>,
    /// Passages that are about the concept it is aimed at.
    pub(crate) passages: Arc<[u64]>,
}

/// What seeds alone say of a job's concepts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BySeeds {
    /// Where each concept stands, by its number.
    pub concepts: Vec<Outlook>,
    /// The concepts of each anchor seed.
    pub of_anchor: Vec<Vec<Belongs>>,
    /// How good assigning by embedding is, by the seeds' labels, where these say enough.
    pub trial: Option<Trial>,
}

impl BySeeds {
    /// Anchor seeds that belong to a concept.
    pub fn assigned(&self) -> u64 {
        assigned(&self.of_anchor)
    }
}

fn assigned(of_anchor: &[Vec<Belongs>]) -> u64 {
    of_anchor.iter().filter(|belongs| !belongs.is_empty()).count() as u64
}

/// What the seeds alone say; `vectors` are those of the seeds by ordinal, or none.
///
/// # Errors
/// Seeds that cannot be read.
pub fn by_seeds(
    assigner: Assigner,
    seeds: &SeedStore,
    vectors: &[Vec<f32>],
    filter: &Filter,
) -> Result<BySeeds, Error> {
    let coverage = Coverage::new(assigner, seeds, vectors, filter)?;
    Ok(BySeeds {
        concepts: coverage.outlooks(),
        trial: coverage.assigner.trial().cloned(),
        of_anchor: coverage.of_anchor,
    })
}

/// A decided candidate as far as its concepts go.
pub(crate) struct Decided<'a> {
    pub(crate) strategy: Strategy,
    /// Number of its seed in the anchor.
    pub(crate) anchor: u64,
    /// The concept that its prompt named.
    pub(crate) topic: Option<&'a str>,
    /// It was asked about its seed's own passage.
    pub(crate) of_passage: bool,
    pub(crate) question: &'a str,
    pub(crate) vector: Option<&'a [f32]>,
    /// What a model said that a new question is about, where one was asked.
    pub(crate) model: Option<Heard<'a>>,
    pub(crate) accepted: bool,
}

/// What a model said that a question is about.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    /// One of the concepts shown, or none of them.
    pub(crate) concept: Option<&'a str>,
    pub(crate) shown: &'a [Arc<Concept>],
}

/// What a decided candidate came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Assessed {
    /// The concepts that it belongs to.
    pub(crate) assigned: Vec<Assigned>,
    /// How probable it is that a new question is about the concept that its prompt named.
    pub(crate) on_topic: Option<f64>,
}

/// Counts rows by concept.
pub(crate) struct Coverage {
    assigner: Assigner,
    concepts: Vec<Arc<Concept>>,
    numbers: HashMap<String, u32>,
    /// Anchor numbers of each concept's seeds.
    seeds: Vec<Arc<[u64]>>,
    /// Passages of each concept.
    passages: Vec<Arc<[u64]>>,
    /// Concepts of each anchor seed.
    of_anchor: Vec<Vec<Belongs>>,
    /// Anchor seeds with a passage.
    with_passage: Vec<bool>,
    real: Vec<u64>,
    reliability: Reliability,
    counted: MinHashIndex,
    jaccard: f64,
    /// The concepts that each entry of `counted` counts for.
    counted_for: Vec<Box<[u32]>>,
}

impl Coverage {
    /// Counts the anchor; `vectors` are those of all seeds by ordinal, or none.
    pub(crate) fn new(
        assigner: Assigner,
        seeds: &SeedStore,
        vectors: &[Vec<f32>],
        filter: &Filter,
    ) -> Result<Self, Error> {
        let parameters = Parameters {
            shingle: filter.near_duplicates.shingle_words as usize,
            ..Parameters::default()
        };
        let concepts: Vec<Arc<Concept>> = assigner
            .catalogue()
            .concepts()
            .iter()
            .cloned()
            .map(Arc::new)
            .collect();
        let numbers = (0..)
            .zip(&concepts)
            .map(|(number, concept)| (concept.name.clone(), number))
            .collect();
        let mut coverage = Self {
            numbers,
            real: vec![0; concepts.len()],
            seeds: Vec::new(),
            passages: vec![Arc::default(); concepts.len()],
            of_anchor: Vec::new(),
            with_passage: Vec::new(),
            reliability: Reliability::default(),
            counted: MinHashIndex::new(Scheme::new(parameters)?),
            jaccard: filter.near_duplicates.jaccard,
            counted_for: Vec::new(),
            concepts,
            assigner,
        };
        let mut members = vec![Vec::new(); coverage.concepts.len()];
        for n in 0..seeds.anchors() {
            let ordinal = seeds.anchor(n);
            let seed = seeds.read(ordinal)?;
            let belongs = coverage
                .assigner
                .of_seed(&seed, vectors.get(ordinal as usize).map(Vec::as_slice));
            for concept in coverage.count(&seed.question, &belongs)? {
                coverage.real[concept as usize] += 1;
            }
            for belongs in &belongs {
                members[belongs.concept as usize].push(n);
            }
            coverage.of_anchor.push(belongs);
            coverage.with_passage.push(seed.context.is_some());
        }
        coverage.seeds = members.into_iter().map(Arc::from).collect();
        Ok(coverage)
    }

    /// What rows are assigned by.
    pub(crate) fn assigner(&self) -> &Assigner {
        &self.assigner
    }

    /// Takes the passages that are about each concept.
    pub(crate) fn place(&mut self, passages: Vec<Vec<u64>>) {
        self.passages = passages.into_iter().map(Arc::from).collect();
    }

    /// What planning looks at before the first round.
    pub(crate) fn outlooks(&self) -> Vec<Outlook> {
        let mut outlooks = self.assigner.catalogue().outlooks();
        let known = self.real.iter().zip(&self.seeds).zip(&self.passages);
        for (outlook, ((real, seeds), passages)) in outlooks.iter_mut().zip(known) {
            outlook.progress.real = *real;
            outlook.seeds = seeds.len() as u64;
            outlook.anchors = seeds.clone();
            outlook.passages = passages.len() as u64;
        }
        outlooks
    }

    /// Anchor seeds that belong to a concept.
    pub(crate) fn assigned(&self) -> u64 {
        assigned(&self.of_anchor)
    }

    /// Numbers of the concepts that each anchor seed belongs to.
    pub(crate) fn of_anchor(&self) -> Vec<Vec<u32>> {
        let numbers = |belongs: &Vec<Belongs>| belongs.iter().map(|belongs| belongs.concept).collect();
        self.of_anchor.iter().map(numbers).collect()
    }

    /// Where a candidate starts, and what it is about.
    pub(crate) fn direction(&self, spec: &Spec) -> Direction {
        let aim = spec.concept.map(|concept| concept as usize);
        let anchor = match (spec.start, aim.and_then(|concept| self.seeds.get(concept))) {
            (Start::Own(place), Some(own)) => own.get(place as usize).copied().unwrap_or_default(),
            (Start::Own(place), None) => place,
            (Start::Anchor(anchor), _) => anchor,
        };
        let of_seed = || Some(self.of_anchor.get(anchor as usize)?.first()?.concept as usize);
        let topic = aim.or_else(of_seed);
        Direction {
            anchor,
            topic: topic.and_then(|concept| self.concepts.get(concept).cloned()),
            aimed: aim.is_some(),
            borrowed: aim.is_some() && matches!(spec.start, Start::Anchor(_)),
            peers: topic
                .and_then(|concept| self.seeds.get(concept).cloned())
                .unwrap_or_default(),
            passages: aim
                .and_then(|concept| self.passages.get(concept).cloned())
                .unwrap_or_default(),
        }
    }

    /// The concepts of a decided row, and for which of them it counts; rows come in their order.
    pub(crate) fn assess(&mut self, decided: &Decided<'_>) -> Result<Assessed, Error> {
        let (belongs, on_topic) = match decided.strategy {
            // The same meaning, so the same concepts.
            Strategy::AnswerAugmentation | Strategy::Rephrasing => {
                let of_seed = self.of_anchor.get(decided.anchor as usize);
                (of_seed.cloned().unwrap_or_default(), None)
            }
            Strategy::NewQuestion if self.assigner.weighs() => self.weigh(decided),
            Strategy::NewQuestion => (Vec::new(), None),
        };
        let counted = if decided.accepted && decided.strategy != Strategy::AnswerAugmentation {
            self.count(decided.question, &belongs)?
        } else {
            Vec::new()
        };
        let assigned = |belongs: &Belongs| {
            Some(Assigned {
                concept: self.concepts.get(belongs.concept as usize)?.name.clone(),
                confidence: belongs.confidence,
                counted: counted.contains(&belongs.concept),
            })
        };
        Ok(Assessed {
            assigned: belongs.iter().filter_map(assigned).collect(),
            on_topic,
        })
    }

    /// The concepts that a new question is about with confidence, and how probable it is that it is about the one that its prompt named.
    fn weigh(&mut self, decided: &Decided<'_>) -> (Vec<Belongs>, Option<f64>) {
        let topic = decided.topic.and_then(|name| self.number(name));
        let scores = self.assigner.scores(decided.vector);
        let heard = decided.model.map(|heard| {
            let shown = heard
                .shown
                .iter()
                .filter_map(|concept| self.number(&concept.name));
            (
                heard.concept.and_then(|name| self.number(name)),
                shown.collect::<Vec<u32>>(),
            )
        });
        let probability = |concept: u32| {
            let asked = self.asked(concept, topic, decided);
            let said = heard.as_ref().filter(|(_, shown)| shown.contains(&concept));
            let clues = Clues {
                asked: asked.map(|(asked, sure)| sure * self.reliability.of(asked)),
                score: scores
                    .as_ref()
                    .and_then(|scores| scores.get(concept as usize))
                    .copied(),
                model: said.map(|(said, shown)| (*said == Some(concept), shown.len())),
            };
            clues.probability(self.assigner.calibration())
        };
        let belongs: Vec<Belongs> = (0..self.concepts.len() as u32)
            .map(|concept| Belongs {
                concept,
                confidence: probability(concept),
            })
            .filter(|belongs| belongs.confidence >= self.assigner.confidence())
            .collect();
        let on_topic = topic.map(&probability);
        if let (Some(topic), Some(probability), true) = (topic, on_topic, decided.accepted)
            && let Some((asked, _)) = self.asked(topic, Some(topic), decided)
        {
            self.reliability.learn(asked, probability);
        }
        (belongs, on_topic)
    }

    /// How a new question was asked with respect to a concept, and how sure its seed's part in that is; `None` where it has none.
    fn asked(&self, concept: u32, topic: Option<u32>, decided: &Decided<'_>) -> Option<(Asked, f64)> {
        let of_seed = self.of_anchor.get(decided.anchor as usize);
        let belongs = of_seed.and_then(|all| all.iter().find(|belongs| belongs.concept == concept));
        let of_passage = belongs.filter(|_| decided.of_passage);
        match (topic == Some(concept), of_passage) {
            (true, Some(belongs)) => Some((Asked::ForItsPassage, belongs.confidence)),
            (true, None) => Some((Asked::For, 1.0)),
            (false, Some(belongs)) => Some((Asked::Passage, belongs.confidence)),
            (false, None) => None,
        }
    }

    /// The concepts that a model is shown to assign a new question by, the one that it was asked for among them; none where no model does.
    pub(crate) fn choices(&self, vector: Option<&[f32]>, topic: Option<&str>) -> Vec<Arc<Concept>> {
        let asked: Vec<u32> = topic.and_then(|name| self.number(name)).into_iter().collect();
        let numbers = self.assigner.choices(vector, &asked);
        numbers
            .into_iter()
            .filter_map(|number| self.concepts.get(number as usize).cloned())
            .collect()
    }

    /// The numbers of the concepts by their names.
    pub(crate) fn numbers(&self) -> &HashMap<String, u32> {
        &self.numbers
    }

    /// The number of a concept by its name.
    fn number(&self, concept: &str) -> Option<u32> {
        self.numbers.get(concept).copied()
    }

    /// Takes up a row that was assessed before.
    pub(crate) fn recall(&mut self, row: &Row) -> Result<(), Error> {
        if let Some(probability) = row.on_topic
            && let Some(asked) = self.asked_by(row)
        {
            self.reliability.learn(asked, probability);
        }
        let counted: Vec<u32> = row
            .assigned
            .iter()
            .filter(|assigned| assigned.counted)
            .filter_map(|assigned| self.number(&assigned.concept))
            .collect();
        if counted.is_empty() {
            return Ok(());
        }
        let sketch = self.counted.scheme().sketch_text(&row.question);
        self.keep(&sketch, counted)
    }

    /// How an accepted new question was asked with respect to the concept that its prompt named.
    fn asked_by(&self, row: &Row) -> Option<Asked> {
        let anchor = row.family as usize;
        let of_seed = self.of_anchor.get(anchor)?;
        let topic = match &row.concept {
            Some(aim) => self.number(aim)?,
            None => of_seed.first()?.concept,
        };
        let with_passage = self.with_passage.get(anchor).copied().unwrap_or_default();
        let of_passage = with_passage && !row.borrowed && row.passage.is_none();
        let belongs = of_seed.iter().any(|belongs| belongs.concept == topic);
        Some(if of_passage && belongs {
            Asked::ForItsPassage
        } else {
            Asked::For
        })
    }

    /// The concepts for which a question counts; it is kept for those that come after it.
    fn count(&mut self, question: &str, belongs: &[Belongs]) -> Result<Vec<u32>, Error> {
        if belongs.is_empty() {
            return Ok(Vec::new());
        }
        let sketch = self.counted.scheme().sketch_text(question);
        let near = self.counted.near(&sketch, self.jaccard)?;
        let taken = |concept: u32| {
            near.iter().any(|found| {
                let counts_for = self.counted_for.get(found.row as usize);
                counts_for.is_some_and(|concepts| concepts.contains(&concept))
            })
        };
        let counted: Vec<u32> = belongs
            .iter()
            .map(|belongs| belongs.concept)
            .filter(|concept| !taken(*concept))
            .collect();
        if !counted.is_empty() {
            self.keep(&sketch, counted.clone())?;
        }
        Ok(counted)
    }

    fn keep(&mut self, sketch: &Sketch, counted: Vec<u32>) -> Result<(), Error> {
        let key = u32::try_from(self.counted_for.len()).map_err(|_| Error::TooManyRows)?;
        self.counted.insert(key, sketch)?;
        self.counted_for.push(counted.into());
        Ok(())
    }
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
