//! The first reading of a dataset: the rows nearest to each question, and what concepts have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill_dataset::{DatasetRow, Origin};
use gristmill_domain::job::folded;
use gristmill_measure::cores;

use crate::Error;
use crate::compare::Comparison;
use crate::finding::{Coverage, Question};
use crate::names::{Names, concept_numbers};
use crate::nearest::{Found, Similarities, Top, compare_block};
use crate::vectors::Vectors;

/// Rows of each origin around a question that a verdict rests on, however many are shown.
const NEIGHBOURHOOD: usize = 64;
/// From this similarity on a row of another concept is kept among those of the question's own.
const KEPT_FROM: f32 = 0.9;

/// A question while rows are looked for.
pub(crate) struct Asked {
    /// Numbers of its concepts.
    pub(crate) concepts: Vec<u32>,
    /// Rows of its concepts.
    pub(crate) covering: u64,
    pub(crate) real: Tops,
    pub(crate) synthetic: Tops,
}

/// Rows of one origin.
pub(crate) struct Tops {
    /// The nearest ones, which are shown.
    pub(crate) nearest: Top,
    /// The nearest ones of the question's concepts before others, which count.
    pub(crate) about: Top,
}

/// A row around a question.
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) cosine: f32,
    /// Whether the verdict rests on it; otherwise it is only shown.
    pub(crate) counts: bool,
}

impl Tops {
    pub(crate) fn rows(&self) -> BTreeMap<u32, Beside> {
        let of = |top: &Top, counts| {
            let beside = move |found: &Found| {
                let cosine = found.cosine;
                (found.row, Beside { cosine, counts })
            };
            top.found().iter().map(beside).collect::<Vec<_>>()
        };
        let shown = of(&self.nearest, false).into_iter();
        // A row that is both counts.
        shown.chain(of(&self.about, true)).collect()
    }
}

/// The first reading.
pub(crate) struct Survey<'a> {
    pub(crate) names: &'a Names<'a>,
    pub(crate) comparison: &'a Comparison,
    pub(crate) asked: Vec<Asked>,
    pub(crate) vectors: Vec<f32>,
    /// The questions' concepts by their folded names.
    pub(crate) numbers: HashMap<String, u32>,
    pub(crate) similarities: Similarities,
    pub(crate) concepts: BTreeMap<String, Coverage>,
    pub(crate) rows: Coverage,
    pub(crate) sources: BTreeMap<String, BTreeSet<String>>,
    /// Real rows by their label.
    pub(crate) labels: HashMap<String, u64>,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(
        questions: &[Question],
        names: &'a Names<'a>,
        (shown, minimum): (usize, usize),
        comparison: &'a Comparison,
    ) -> Self {
        let mut numbers = HashMap::new();
        let tops = || Tops {
            nearest: Top::new(shown),
            about: Top::new(NEIGHBOURHOOD.max(minimum)),
        };
        let asked = questions
            .iter()
            .map(|question| Asked {
                concepts: names
                    .of(&question.concepts)
                    .iter()
                    .map(|name| {
                        let next = numbers.len() as u32;
                        *numbers.entry(folded(name)).or_insert(next)
                    })
                    .collect(),
                covering: 0,
                real: tops(),
                synthetic: tops(),
            })
            .collect();
        Self {
            names,
            comparison,
            asked,
            vectors: Vec::new(),
            numbers,
            similarities: Similarities::new(),
            concepts: BTreeMap::new(),
            rows: Coverage::default(),
            sources: BTreeMap::new(),
            labels: HashMap::new(),
        }
    }

    pub(crate) fn take(&mut self, rows: &[(u32, DatasetRow)], vectors: &Vectors<'_>) -> Result<(), Error> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut texts = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            let Some((question, answer)) = row.exchange() else {
                continue;
            };
            let real = row.provenance.origin == Origin::Human;
            let names = self.names.of(&row.provenance.concepts);
            let folded_names: BTreeSet<String> = names.iter().map(|name| folded(name)).collect();
            for name in &folded_names {
                let coverage = self.concepts.entry(name.clone()).or_default();
                *(if real {
                    &mut coverage.real
                } else {
                    &mut coverage.synthetic
                }) += 1;
                if let (Some(source), true) = (&row.provenance.seed_source, self.numbers.contains_key(name)) {
                    self.sources
                        .entry(name.clone())
                        .or_default()
                        .insert(source.clone());
                }
            }
            *(if real {
                &mut self.rows.real
            } else {
                &mut self.rows.synthetic
            }) += 1;
            if real
                && self.comparison.labels()
                && let Some(label) = self.comparison.canonical(&question, &answer)
            {
                *self.labels.entry(label).or_default() += 1;
            }
            kept.push((*number, real, concept_numbers(&self.numbers, &names)));
            texts.push(question);
        }
        let block = vectors.of(&texts)?;
        compare_block(
            &self.vectors,
            &block,
            vectors.dimensions(),
            &mut self.asked,
            &mut self.similarities,
            cores(),
            |asked, at, cosine| {
                let Some((number, real, concepts)) = kept.get(at) else {
                    return;
                };
                let shares = asked.concepts.iter().any(|concept| concepts.contains(concept));
                asked.covering += u64::from(shares);
                let tops = if *real {
                    &mut asked.real
                } else {
                    &mut asked.synthetic
                };
                tops.nearest.offer(*number, cosine, cosine);
                let first = shares || cosine >= KEPT_FROM;
                tops.about
                    .offer(*number, cosine, if first { cosine + 2.0 } else { cosine });
            },
        );
        Ok(())
    }
}
