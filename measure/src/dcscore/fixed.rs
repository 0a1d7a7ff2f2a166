//! Scores of sets of different size, made comparable.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Settings, blocked};
use crate::draw::{Draw, quantile};
use crate::{Error, UnitVectors};

/// How often and how many rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draws {
    /// Draws, at least 1.
    pub draws: usize,
    /// Rows of a draw, each at most once: with repeated rows a small set would score less than a large one of the same kind.
    pub size: usize,
    /// Chooses the rows.
    pub seed: u64,
}

impl Default for Draws {
    /// Ten draws of 1,000 rows.
    fn default() -> Self {
        Self {
            draws: 10,
            size: 1_000,
            seed: 0,
        }
    }
}

impl Draws {
    /// # Errors
    /// [`Error::Setting`].
    pub(crate) fn check(self) -> Result<(), Error> {
        for (name, value) in [("draws", self.draws), ("size of a draw", self.size)] {
            if value == 0 {
                return Err(Error::Setting {
                    name,
                    value: 0.0,
                    must: "at least 1",
                });
            }
        }
        Ok(())
    }

    /// Mean, .025 and .975 quantile of a score over draws from so many rows.
    pub(crate) fn of(
        self,
        rows: usize,
        mut score: impl FnMut(&[usize]) -> Result<f64, Error>,
    ) -> Result<[f64; 3], Error> {
        let mut scores = Vec::with_capacity(self.draws);
        for number in 0..self.draws {
            scores.push(score(
                &Draw::numbered(self.seed, number as u64).sample(rows, self.size),
            )?);
        }
        scores.sort_by(f64::total_cmp);
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        Ok([mean, quantile(&scores, 0.025), quantile(&scores, 0.975)])
    }
}

/// The score at a fixed number of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtFixedSize {
    /// Mean over the draws.
    pub mean: f64,
    /// Of the draws, the .025 quantile (linear between draws).
    pub low: f64,
    /// Of the draws, the .975 quantile.
    pub high: f64,
    /// The draws; their size is the `n` of the score.
    pub draws: Draws,
    /// Rows there were to draw from.
    pub of: usize,
    /// How each draw was scored.
    #[serde(flatten)]
    pub settings: Settings,
    /// Name of the embedding model.
    pub model: String,
}

/// Scores draws of one size. Compare only what was drawn at one size; a draw of all rows has an interval without width.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooFew`] when there are fewer rows than a draw takes.
pub fn at_fixed_size(
    vectors: &UnitVectors,
    settings: Settings,
    draws: Draws,
    threads: NonZeroUsize,
) -> Result<AtFixedSize, Error> {
    let rows = vectors.as_vectors();
    draws.check()?;
    rows.at_least(draws.size, "DCScore at a fixed size")?;
    let [mean, low, high] = draws.of(rows.len(), |chosen| {
        Ok(blocked(&vectors.select(chosen)?, settings, threads)?.value)
    })?;
    Ok(AtFixedSize {
        mean,
        low,
        high,
        draws,
        of: rows.len(),
        settings,
        model: rows.model().to_string(),
    })
}
