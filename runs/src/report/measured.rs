//! The figures of a report: where rows lie, how diverse they are, and what of the real rows they cover.

use gristmill_measure::coverage::{Coverage, coverage};
use gristmill_measure::dcscore::{AtFixedSize, Draws, Settings, at_fixed_size};
use gristmill_measure::map::{MapSettings, map};
use gristmill_measure::novelsum::{self, NovelSum};
use gristmill_measure::{Error, UnitVectors, Vectors};

use super::gather::Gathered;
use super::rounds::Cumulative;
use gristmill_measure::cores;
use gristmill_measure::sample::drawn;

/// Marks on the map, of each sort.
const MARKS_REAL: usize = 500;
const MARKS_MADE: usize = 1_000;
/// τ at which a DCScore counts rows and not only kinds of rows (FACTS of the field: at 1 it saturates).
const TAU: f64 = 0.1;
/// Rows of a draw at which sets are compared.
const AT: usize = 1_000;
/// Rows under which a round is not measured.
const LEAST: usize = 10;
/// Real rows that the size of a draw is fitted to.
const REAL_LEAST: usize = 50;
/// Real neighbors that set a ball's radius.
const K: usize = 5;
/// Rounds that are measured, at most: spread evenly, the last among them.
const ROUNDS: usize = 12;

/// A mark: a real row, or an accepted one, by its number among those gathered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Real(usize),
    Made(usize),
}

/// Figures of the rows accepted up to some round.
#[derive(Debug, Clone)]
pub(super) struct UpTo {
    pub(super) round: u32,
    pub(super) diversity: Option<AtFixedSize>,
    /// With densities among the real rows.
    pub(super) novelty: Option<NovelSum>,
    pub(super) coverage: Option<Coverage>,
}

/// All figures. A part that could not be measured takes no other with it: it holds why.
pub(super) struct Measured {
    pub(super) marks: Result<Vec<(Mark, [f32; 2])>, String>,
    pub(super) rounds: Vec<UpTo>,
    /// Of the real rows, at the same number of rows.
    pub(super) real: Option<AtFixedSize>,
    /// Figures of rounds that could not be taken, each with its reason, once.
    pub(super) failed: Vec<String>,
}

impl Measured {
    /// Figures of all accepted rows.
    pub(super) fn last(&self) -> Option<&UpTo> {
        self.rounds.last()
    }
}

/// Takes all figures.
pub(super) fn measure(gathered: &Gathered) -> Measured {
    let mut failed = Failed::default();
    let real = failed.told(
        "real rows",
        unit(gathered, gathered.real.iter().map(|row| row.vector.as_slice())),
    );
    let made = failed.told(
        "accepted rows",
        unit(gathered, gathered.made.iter().map(|row| row.vector.as_slice())),
    );
    let (real, made) = (real.flatten(), made.flatten());
    let cumulative = Cumulative::of(gathered.made.iter().map(|row| row.round), ROUNDS);
    // So that the real rows are measured at it as well, unless they are very few.
    let real_rows = if gathered.real.len() >= REAL_LEAST {
        gathered.real.len()
    } else {
        AT
    };
    let size = cumulative
        .smallest(LEAST.max(gathered.made.len() / 10))
        .map(|rows| rows.min(AT).min(real_rows));
    let fixed = |vectors: &UnitVectors| match size {
        Some(size) if vectors.as_vectors().len() >= size => {
            let draws = Draws {
                size,
                ..Draws::default()
            };
            let settings = Settings {
                tau: TAU,
                ..Settings::default()
            };
            at_fixed_size(vectors, settings, draws, cores()).map(Some)
        }
        _ => Ok(None),
    };
    let by_novelty = novelsum::Settings::default();
    let novelty = |vectors: &UnitVectors| match (size, &real) {
        (Some(size), Some(real))
            if vectors.as_vectors().len() >= size && real.as_vectors().len() >= by_novelty.neighbors =>
        {
            let draws = Draws {
                size,
                ..Draws::default()
            };
            let reference = Some(real.as_vectors());
            novelsum::at_fixed_size(vectors, reference, by_novelty, draws, cores()).map(Some)
        }
        _ => Ok(None),
    };
    let mut rounds = Vec::new();
    for (round, rows) in cumulative.rounds() {
        let Some(made) = &made else { break };
        let Some(vectors) = failed.told("accepted rows", made.select(rows)) else {
            continue;
        };
        let enough = rows.len() >= LEAST && real.as_ref().is_some_and(|real| real.as_vectors().len() > K);
        let covered = match &real {
            Some(real) if enough => coverage(real.as_vectors(), vectors.as_vectors(), K, cores()).map(Some),
            _ => Ok(None),
        };
        rounds.push(UpTo {
            round,
            diversity: failed
                .told("the diversity of accepted rows", fixed(&vectors))
                .flatten(),
            novelty: failed
                .told("the novelty of accepted rows", novelty(&vectors))
                .flatten(),
            coverage: failed.told("the coverage of real rows", covered).flatten(),
        });
    }
    let real = real.and_then(|real| failed.told("the diversity of real rows", fixed(&real)).flatten());
    Measured {
        marks: marks(gathered).map_err(|error| error.to_string()),
        rounds,
        real,
        failed: failed.0,
    }
}

/// What could not be measured, each thing once.
#[derive(Default)]
struct Failed(Vec<String>);

impl Failed {
    /// The value, or `None` with a note of what it was of and why there is none.
    fn told<T>(&mut self, what: &str, found: Result<T, Error>) -> Option<T> {
        match found {
            Ok(value) => Some(value),
            Err(error) => {
                let line = format!("{what} could not be measured: {error}");
                if !self.0.contains(&line) {
                    self.0.push(line);
                }
                None
            }
        }
    }
}

/// Vectors of length 1; `None` without a row.
fn unit<'a>(
    gathered: &Gathered,
    rows: impl Iterator<Item = &'a [f32]>,
) -> Result<Option<UnitVectors>, Error> {
    let (mut values, mut dimensions) = (Vec::new(), 0);
    for row in rows {
        dimensions = row.len();
        values.extend_from_slice(row);
    }
    if values.is_empty() {
        return Ok(None);
    }
    Vectors::new(gathered.model(), dimensions, values)?
        .normalized()
        .map(Some)
}

/// Lays out the rows that are marked on the map.
fn marks(gathered: &Gathered) -> Result<Vec<(Mark, [f32; 2])>, Error> {
    let real = drawn(gathered.real.len(), MARKS_REAL).into_iter().map(Mark::Real);
    let made = drawn(gathered.made.len(), MARKS_MADE).into_iter().map(Mark::Made);
    let marks: Vec<Mark> = real.chain(made).collect();
    let vectors = unit(
        gathered,
        marks.iter().map(|mark| match mark {
            Mark::Real(number) => gathered.real[*number].vector.as_slice(),
            Mark::Made(number) => gathered.made[*number].vector.as_slice(),
        }),
    )?;
    let Some(vectors) = vectors else {
        return Ok(Vec::new());
    };
    let found = map(vectors.as_vectors(), MapSettings::default(), cores())?;
    Ok(marks.into_iter().zip(found.points).collect())
}
