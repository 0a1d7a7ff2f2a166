//! A filter, made ready for going through columns.

use std::sync::Arc;

use rusqlite::Connection;

use gristmill_domain::near::nearest;

use crate::bits::Bits;
use crate::columns::{BLOCK, Block, NONE, SEED, VECTOR};
use crate::error::Error;
use crate::facet::Facet;
use crate::filter::Filter;
use crate::names::Names;
use crate::similar::{SAME, Similarities};
use crate::{located, places, search};

/// A filter, with how similar rows are to what it names.
#[derive(Clone)]
pub(crate) struct Wanted<'f> {
    pub(crate) filter: &'f Filter,
    pub(crate) similar: Option<Arc<Similarities>>,
}

/// What of a filter a row fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Nothing.
    Fits,
    /// The values of this facet alone.
    But(Facet),
    /// More, or what is no facet.
    Not,
}

/// A filter by codes.
pub(crate) struct Selection {
    /// For each facet that is named, whether a code has one of its values.
    wanted: Vec<(Facet, Vec<bool>)>,
    found: Option<Bits>,
    /// Vectors that lie in the outline.
    inside: Option<Bits>,
    /// Ordinal of the seed that rows were made from.
    seed: Option<u32>,
    /// For each code of a round, whether it is among those that are wanted.
    through: Option<Vec<bool>>,
    similar: Option<Arc<Similarities>>,
}

impl Selection {
    /// The codes of a filter's values.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a value that no row has, [`Error::Search`] for a search without a word.
    pub(crate) fn new(connection: &Connection, names: &Names, of: Wanted<'_>) -> Result<Self, Error> {
        let Wanted { filter, similar } = of;
        let mut wanted = Vec::new();
        for (facet, values) in &filter.values {
            let lists = names.lists(*facet);
            for value in values {
                if !lists.iter().flatten().any(|known| known == value) {
                    let known = lists.iter().flatten().map(String::as_str);
                    return Err(Error::Unknown {
                        facet: *facet,
                        value: value.clone(),
                        nearest: nearest(value, known).map(str::to_owned),
                    });
                }
            }
            let has = |list: &Vec<String>| list.iter().any(|value| values.contains(value));
            wanted.push((*facet, lists.iter().map(has).collect()));
        }
        let found = match filter.search.is_empty() {
            true => None,
            false => Some(search::matches(connection, &filter.search)?),
        };
        let inside = match filter.outline.is_empty() {
            true => None,
            false => Some(places::inside(connection, &filter.outline)?),
        };
        let seed = match filter.seed.is_empty() {
            true => None,
            false => Some(located::ordinal(connection, &filter.seed)?),
        };
        // Real rows are of no round, and were there before the first.
        let until = |list: &Vec<String>, last: u32| {
            let mut rounds = list.iter().map(|round| round.parse::<u32>());
            rounds.all(|round| round.is_ok_and(|round| round <= last))
        };
        let through = filter.through.map(|last| {
            let rounds = names.lists(Facet::Round).iter();
            rounds.map(|list| until(list, last)).collect()
        });
        Ok(Self {
            wanted,
            found,
            inside,
            seed,
            through,
            similar,
        })
    }

    /// How each row of a block fits. As long as the block has rows; empty past the last.
    pub(crate) fn fits(&self, block: &mut Block<'_>) -> Result<Vec<Fit>, Error> {
        let rows = block.column(Facet::Verdict.column())?.len();
        let mut fits = vec![Fit::Fits; rows];
        for (facet, has) in &self.wanted {
            for (fit, code) in fits.iter_mut().zip(block.column(facet.column())?) {
                if !has.get(*code as usize).copied().unwrap_or_default() {
                    *fit = match fit {
                        Fit::Fits => Fit::But(*facet),
                        Fit::But(_) | Fit::Not => Fit::Not,
                    };
                }
            }
        }
        if let Some(found) = &self.found {
            for (row, fit) in (block.first()..).zip(&mut fits) {
                if !found.contains(row) {
                    *fit = Fit::Not;
                }
            }
        }
        if let Some(inside) = &self.inside {
            for (vector, fit) in block.column(VECTOR)?.iter().zip(&mut fits) {
                if *vector == NONE || !inside.contains((*vector).into()) {
                    *fit = Fit::Not;
                }
            }
        }
        if let Some(seed) = self.seed {
            for (of, fit) in block.column(SEED)?.iter().zip(&mut fits) {
                if *of != seed {
                    *fit = Fit::Not;
                }
            }
        }
        if let Some(through) = &self.through {
            for (code, fit) in block.column(Facet::Round.column())?.iter().zip(&mut fits) {
                if !through.get(*code as usize).copied().unwrap_or_default() {
                    *fit = Fit::Not;
                }
            }
        }
        if self.similar.is_some() {
            for (similar, fit) in self.similarities(block)?.into_iter().zip(&mut fits) {
                if similar == 0 {
                    *fit = Fit::Not;
                }
            }
        }
        Ok(fits)
    }

    /// How similar each row of a block is to what the filter names; nothing where it names nothing.
    pub(crate) fn similarities(&self, block: &mut Block<'_>) -> Result<Vec<u32>, Error> {
        match &self.similar {
            Some(similar) => similar.of_block(block),
            None => Ok(Vec::new()),
        }
    }

    /// How similar a row is to what the filter names, from 0 to 1.
    pub(crate) fn similarity(&self, connection: &Connection, row: u64) -> Result<Option<f32>, Error> {
        let similar = self.similarities(&mut Block::new(connection, row / BLOCK))?;
        let similar = similar.get((row % BLOCK) as usize);
        Ok(similar.map(|similar| *similar as f32 / SAME as f32))
    }

    /// Numbers of the rows of a block that fit, ascending.
    pub(crate) fn rows(&self, block: &mut Block<'_>) -> Result<Vec<u64>, Error> {
        let fits = self.fits(block)?;
        let numbered = (block.first()..).zip(fits);
        Ok(numbered
            .filter(|(_, fit)| *fit == Fit::Fits)
            .map(|(row, _)| row)
            .collect())
    }
}

/// Blocks that so many rows take.
pub(crate) fn blocks(rows: u64) -> u64 {
    rows.div_ceil(BLOCK)
}
