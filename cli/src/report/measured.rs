//! The figures of a report: where rows lie, how diverse they are, and what of the real rows they cover.

use gristmill_measure::coverage::{Coverage, coverage};
use gristmill_measure::dcscore::{AtFixedSize, Draws, Settings, at_fixed_size};
use gristmill_measure::map::{MapSettings, map};
use gristmill_measure::{Error, UnitVectors, Vectors};

use super::gather::Gathered;
use super::rounds::Cumulative;
use crate::data::sample::drawn;
use crate::workshop::cores;

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
    pub(super) coverage: Option<Coverage>,
}

/// All figures.
pub(super) struct Measured {
    pub(super) marks: Vec<(Mark, [f32; 2])>,
    pub(super) rounds: Vec<UpTo>,
    /// Of the real rows, at the same number of rows.
    pub(super) real: Option<AtFixedSize>,
}

impl Measured {
    /// Figures of all accepted rows.
    pub(super) fn last(&self) -> Option<&UpTo> {
        self.rounds.last()
    }
}

/// Takes all figures.
pub(super) fn measure(gathered: &Gathered) -> Result<Measured, Error> {
    let real = unit(gathered, gathered.real.iter().map(|row| row.vector.as_slice()))?;
    let made = unit(gathered, gathered.made.iter().map(|row| row.vector.as_slice()))?;
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
    let mut rounds = Vec::new();
    for (round, rows) in cumulative.rounds() {
        let Some(made) = &made else { break };
        let vectors = made.select(rows)?;
        let enough = rows.len() >= LEAST && real.as_ref().is_some_and(|real| real.as_vectors().len() > K);
        rounds.push(UpTo {
            round,
            diversity: fixed(&vectors)?,
            coverage: match &real {
                Some(real) if enough => Some(coverage(real.as_vectors(), vectors.as_vectors(), K, cores())?),
                _ => None,
            },
        });
    }
    Ok(Measured {
        marks: marks(gathered)?,
        rounds,
        real: match &real {
            Some(real) => fixed(real)?,
            None => None,
        },
    })
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
