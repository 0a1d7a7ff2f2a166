//! NovelSum (arXiv 2502.17184, ACL 2025): how new each row is beside the others, on average.
//!
//! The novelty of a row is the weighted mean of its cosine distances `1 - x·y` to all other rows, sorted from the nearest on, times the density
//! around it. The distance at rank `r` weighs `r^-α`: a row is new where its nearest neighbours are far. The density is `(m + ε)^-β`, with `m` the
//! mean squared Euclidean distance to the `k` nearest rows of a reference (ε = 1e-9): a step in a crowded region says more than one in an empty one.
//! NovelSum is the mean novelty of the rows, and larger is more diverse. Of eleven measures it correlated best with how good the models were
//! that were trained on the rows.
//!
//! A row's own distance, 0, is not among the ranks: the authors' code takes it in with rank 1 in the paper's figures, and leaves it out since.
//! The weights of a row add up to 1 whatever the number of rows, and yet more rows bring nearer neighbours: compare sets at one number of rows.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::dcscore::Draws;
use crate::kernel::positive;
use crate::neighbors::{nearest, neighbors};
use crate::{Error, UnitVectors, Vectors, parallel};

/// Keeps the density of a row that stands in the reference `k` times finite, as the authors' code does.
const EPSILON: f64 = 1e-9;
/// Rows whose distances one thread sorts in turn.
const BLOCK: usize = 64;

/// How a score is computed; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How much nearer rows weigh more, `α`. At least 0.
    pub alpha: f64,
    /// How much density counts, `β`. At least 0; 0 leaves it out.
    pub beta: f64,
    /// Nearest rows of the reference by which the density is measured, `k`. At least 1.
    pub neighbors: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            beta: 0.5,
            neighbors: 10,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        // Zero is allowed.
        positive("alpha", self.alpha + f64::MIN_POSITIVE)?;
        positive("beta", self.beta + f64::MIN_POSITIVE)
    }
}

/// The density around each row, by the rows of a reference that it is not itself among; without one, by the other rows of the set.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooFew`] where there are not `neighbors` rows to compare with; [`Error::Dimensions`] or [`Error::Models`] when
/// the two do not compare.
pub fn densities(
    vectors: &UnitVectors,
    reference: Option<&Vectors>,
    settings: Settings,
    threads: NonZeroUsize,
) -> Result<Vec<f64>, Error> {
    settings.check()?;
    let rows = vectors.as_vectors();
    let found = match reference {
        None => neighbors(rows, settings.neighbors, threads)?,
        Some(reference) => nearest(rows, reference, settings.neighbors, threads)?,
    };
    let density = |row: usize| {
        let squares: f64 = found
            .of(row)
            .map(|(_, distance)| f64::from(distance).powi(2))
            .sum();
        (squares / settings.neighbors as f64 + EPSILON).powf(-settings.beta)
    };
    Ok((0..rows.len()).map(density).collect())
}

/// The mean novelty of rows with these densities, on up to `threads` threads: O(n²(d + log n)) time, and a row's distances at a time in memory.
///
/// # Errors
/// [`Error::Setting`] where there is not one density for each row; [`Error::TooFew`] with fewer than two rows.
pub fn novelsum(
    vectors: &UnitVectors,
    densities: &[f64],
    settings: Settings,
    threads: NonZeroUsize,
) -> Result<f64, Error> {
    settings.check()?;
    let rows = vectors.as_vectors();
    rows.at_least(2, "NovelSum")?;
    if densities.len() != rows.len() {
        return Err(Error::Setting {
            name: "densities",
            value: densities.len() as f64,
            must: "as many as rows",
        });
    }
    let weights: Vec<f64> = (1..rows.len())
        .map(|rank| (rank as f64).powf(-settings.alpha))
        .collect();
    let all: f64 = weights.iter().sum();
    let novelty = |row: usize, distances: &mut Vec<f64>| {
        let own = rows.row(row);
        distances.clear();
        let others = rows.rows().enumerate().filter(|(other, _)| *other != row);
        distances.extend(others.map(|(_, other)| 1.0 - dot(own, other)));
        distances.sort_unstable_by(f64::total_cmp);
        let weighted: f64 = distances
            .iter()
            .zip(&weights)
            .map(|(distance, weight)| distance * weight)
            .sum();
        weighted / all * densities[row]
    };
    let blocks = parallel::parts(threads, rows.len().div_ceil(BLOCK), |block| {
        let mut distances = Vec::with_capacity(rows.len());
        let range = block * BLOCK..((block + 1) * BLOCK).min(rows.len());
        range.map(|row| novelty(row, &mut distances)).sum::<f64>()
    });
    Ok(blocks.iter().sum::<f64>() / rows.len() as f64)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// NovelSum at a fixed number of rows, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NovelSum {
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
    /// Rows by which densities were measured: real ones where there are any, else all that there were to draw from.
    pub reference: usize,
    /// How each draw was scored.
    #[serde(flatten)]
    pub settings: Settings,
    /// Name of the embedding model.
    pub model: String,
}

/// Scores draws of one size; densities are those among all rows, or among a reference.
///
/// # Errors
/// [`Error::Setting`] for no draws or draws of no rows; as [`densities`] and [`novelsum`]; [`Error::TooFew`] when there are fewer rows than a draw takes.
pub fn at_fixed_size(
    vectors: &UnitVectors,
    reference: Option<&Vectors>,
    settings: Settings,
    draws: Draws,
    threads: NonZeroUsize,
) -> Result<NovelSum, Error> {
    let rows = vectors.as_vectors();
    draws.check()?;
    rows.at_least(draws.size.max(2), "NovelSum at a fixed size")?;
    let densities = densities(vectors, reference, settings, threads)?;
    let [mean, low, high] = draws.of(rows.len(), |chosen| {
        let of_chosen: Vec<f64> = chosen.iter().map(|row| densities[*row]).collect();
        novelsum(&vectors.select(chosen)?, &of_chosen, settings, threads)
    })?;
    Ok(NovelSum {
        mean,
        low,
        high,
        draws,
        of: rows.len(),
        reference: reference.map_or(rows.len(), Vectors::len),
        settings,
        model: rows.model().to_string(),
    })
}
