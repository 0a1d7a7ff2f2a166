//! Reads what a report is made of: rows drawn from the journal with their vectors, and counts over all of them.

use std::collections::BTreeMap;

use gristmill_coordinator::{Journal, SeedStore, Start};
use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, Output, Report};
use gristmill_measure::hashed;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use crate::assemble::Yield;
use gristmill_measure::sample::Drawn;

/// Real rows that are measured and drawn, at most.
const REAL: usize = 2_000;
/// Accepted rows that are measured, at most.
const SYNTHETIC: usize = 4_000;
/// Rows that are shown with all that is known of them, of each sort.
const SAMPLES: usize = 20;
/// Seeds of the draws, each its own.
const DRAWS: [u64; 4] = [1, 2, 3, 4];

/// A real row as far as a report needs it.
pub(super) struct Real {
    pub(super) ordinal: u64,
    pub(super) id: String,
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) from: String,
    pub(super) vector: Vec<f32>,
}

/// An accepted row as far as a report needs it.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) round: u32,
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) from: String,
    seed: u64,
    pub(super) vector: Vec<f32>,
}

/// A row with its seed, to be shown whole.
pub(super) struct Whole {
    pub(super) row: Row,
    pub(super) seed: Seed,
}

/// All that was read.
pub(super) struct Gathered {
    pub(super) real: Vec<Real>,
    pub(super) real_of: u64,
    pub(super) made: Vec<Made>,
    pub(super) made_of: u64,
    /// Name of the model that the run embedded with; `None` where it embedded nothing.
    model: Option<String>,
    /// Rows whose vector has no direction or holds no number, and which are therefore not measured.
    pub(super) unusable: usize,
    pub(super) accepted: Vec<Whole>,
    pub(super) rejected: Vec<Whole>,
    /// Accepted rows by concept.
    pub(super) concepts: BTreeMap<String, u64>,
    pub(super) by_teacher: BTreeMap<String, Yield>,
    /// Rows by depth of lineage.
    pub(super) depths: BTreeMap<u8, u64>,
}

impl Gathered {
    /// Gives rows vectors of their words where the run embedded nothing, and leaves rows out whose vector is of no use.
    pub(super) fn fill_in_vectors(&mut self) {
        if self.model.is_none() {
            let of = |question: &str, answer: &str| hashed::of(&format!("{question}\n{answer}"));
            for row in &mut self.real {
                row.vector = of(&row.question, &row.answer);
            }
            for row in &mut self.made {
                row.vector = of(&row.question, &row.answer);
            }
        }
        let before = self.real.len() + self.made.len();
        let dimensions = self
            .real
            .iter()
            .map(|row| row.vector.len())
            .chain(self.made.iter().map(|row| row.vector.len()))
            .max();
        let usable = |vector: &[f32]| {
            Some(vector.len()) == dimensions
                && vector.iter().all(|x| x.is_finite() && x.abs() < 1e15)
                && vector.iter().any(|x| x.abs() > 1e-15)
        };
        self.real.retain(|row| usable(&row.vector));
        self.made.retain(|row| usable(&row.vector));
        self.unusable = before - self.real.len() - self.made.len();
    }

    /// What the vectors go under in figures.
    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(hashed::NAME)
    }

    /// What the vectors are of.
    pub(super) fn vectors_of(&self) -> &'static str {
        match self.model {
            Some(_) => "questions",
            None => "questions and answers",
        }
    }
}

/// What is drawn while rows go by.
struct Draws {
    made: Drawn<Made>,
    accepted: Drawn<Row>,
    rejected: Drawn<Row>,
    concepts: BTreeMap<String, u64>,
    by_teacher: BTreeMap<String, Yield>,
    depths: BTreeMap<u8, u64>,
}

/// Reads the journal once.
pub(super) async fn gather(state: &dyn Blobs, start: &Start, seeds: &SeedStore) -> anyhow::Result<Gathered> {
    let journal = Journal::new(state);
    let mut draws = Draws {
        made: Drawn::new(SYNTHETIC, DRAWS[0]),
        accepted: Drawn::new(SAMPLES, DRAWS[1]),
        rejected: Drawn::new(SAMPLES, DRAWS[2]),
        concepts: BTreeMap::new(),
        by_teacher: BTreeMap::new(),
        depths: BTreeMap::new(),
    };
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            let vector = record.vectors.into_iter().next().unwrap_or_default();
            draws.see(record.value, vector, seeds)?;
        }
    }
    let mut real = Drawn::new(REAL, DRAWS[3]);
    for number in 0..seeds.anchors() {
        real.see(|| seeds.anchor(number));
    }
    let real_of = real.seen();
    let mut real: Vec<Real> = real
        .into_drawn()
        .into_iter()
        .map(|ordinal| Ok(of_seed(ordinal, seeds.read(ordinal)?)))
        .collect::<anyhow::Result<_>>()?;
    let whole = |row: Row| -> anyhow::Result<Whole> {
        let seed = seeds.read(row.seed)?;
        Ok(Whole { row, seed })
    };
    let made_of = draws.made.seen();
    let mut made = draws.made.into_drawn();
    let model = embed(&journal, start, &mut real, &mut made).await?;
    Ok(Gathered {
        real,
        real_of,
        made,
        made_of,
        model,
        unusable: 0,
        accepted: draws
            .accepted
            .into_drawn()
            .into_iter()
            .map(whole)
            .collect::<Result<_, _>>()?,
        rejected: draws
            .rejected
            .into_drawn()
            .into_iter()
            .map(whole)
            .collect::<Result<_, _>>()?,
        concepts: draws.concepts,
        by_teacher: draws.by_teacher,
        depths: draws.depths,
    })
}

fn of_seed(ordinal: u64, seed: Seed) -> Real {
    Real {
        ordinal,
        id: seed.id.to_string(),
        question: seed.question,
        answer: seed.answer,
        from: seed.place.to_string(),
        vector: Vec::new(),
    }
}

impl Draws {
    fn see(&mut self, row: Row, vector: Vec<f32>, seeds: &SeedStore) -> anyhow::Result<()> {
        self.by_teacher.entry(row.teacher.clone()).or_default().add(&row);
        if !row.accepted() {
            self.rejected.see(|| row);
            return Ok(());
        }
        *self.depths.entry(row.depth).or_default() += 1;
        // A question about a document's passage has its seed's form, and not its concepts.
        if row.passage.is_none() {
            for concept in seeds.read(row.seed)?.concepts {
                *self.concepts.entry(concept).or_default() += 1;
            }
        }
        self.made.see(|| Made {
            id: row.id.to_string(),
            round: row.position.round,
            question: row.question.clone(),
            answer: row.answer.clone(),
            from: format!(
                "{}, round {}",
                row.strategy.to_string().replace('_', " "),
                row.position.round
            ),
            seed: row.seed,
            vector,
        });
        self.accepted.see(|| row);
        Ok(())
    }
}

/// Puts stored vectors to the rows that have none yet, and names their model; `None` where the run embedded nothing. A row whose question is its seed's
/// has its seed's vector.
async fn embed(
    journal: &Journal<'_>,
    start: &Start,
    real: &mut [Real],
    made: &mut [Made],
) -> anyhow::Result<Option<String>> {
    let batch = u64::from(start.job.embed.batch.max(1));
    let mut wanted: BTreeMap<u64, Vec<f32>> = real.iter().map(|row| (row.ordinal, Vec::new())).collect();
    wanted.extend(
        made.iter()
            .filter(|row| row.vector.is_empty())
            .map(|row| (row.seed, Vec::new())),
    );
    let mut model = None;
    for name in journal
        .segments(SegmentKind::Results, Address::PREPARATION)
        .await?
    {
        for result in journal.results(&name).await? {
            let Ok(Report {
                output: Output::Vectors(vectors),
                model_version,
            }) = result.brought
            else {
                continue;
            };
            for (ordinal, vector) in (result.address.index * batch..).zip(vectors) {
                if let Some(place) = wanted.get_mut(&ordinal) {
                    *place = vector;
                }
            }
            model.get_or_insert(model_version);
        }
    }
    let of = |ordinal: u64| wanted.get(&ordinal).cloned().unwrap_or_default();
    real.iter_mut().for_each(|row| row.vector = of(row.ordinal));
    made.iter_mut()
        .filter(|row| row.vector.is_empty())
        .for_each(|row| row.vector = of(row.seed));
    let whole =
        real.iter().all(|row| !row.vector.is_empty()) && made.iter().all(|row| !row.vector.is_empty());
    Ok(model.filter(|_| whole))
}
