//! How far apart rows are: on average, and from their nearest other.

use std::num::NonZeroUsize;

use serde::Serialize;

use crate::neighbors::neighbors;
use crate::{Error, UnitVectors};

/// Cosine distances `1 - x·y`, from 0 to 2, with what they depend on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Mean over all pairs of two rows.
    pub mean: f64,
    /// Mean over rows of the distance to the nearest other row: near 0 where rows come in near-copies, whatever the mean says.
    pub nearest_mean: f64,
    /// Smallest of these.
    pub nearest_min: f64,
    /// Half of these are at most this.
    pub nearest_median: f64,
    /// Rows.
    pub n: usize,
    /// Name of the embedding model.
    pub model: String,
}

/// Measures distances, on up to `threads` threads. The mean over pairs takes O(nd): `Σ_{i≠j} x_i·x_j = ‖Σx‖² - Σ‖x‖²`.
///
/// # Errors
/// [`Error::TooFew`] with fewer than two rows.
pub fn spread(vectors: &UnitVectors, threads: NonZeroUsize) -> Result<Spread, Error> {
    let rows = vectors.as_vectors();
    rows.at_least(2, "a distance")?;
    let n = rows.len() as f64;
    let mut total = vec![0.0f64; rows.dimensions()];
    let mut own = 0.0f64;
    for row in rows.rows() {
        for (sum, &x) in total.iter_mut().zip(row) {
            *sum += f64::from(x);
            own += f64::from(x) * f64::from(x);
        }
    }
    let together: f64 = total.iter().map(|sum| sum * sum).sum();
    // ‖x-y‖² = 2 (1 - x·y) for unit vectors.
    let mut nearest: Vec<f64> = neighbors(rows, 1, threads)?
        .squared_radii()
        .into_iter()
        .map(|square| f64::from(square) / 2.0)
        .collect();
    nearest.sort_by(f64::total_cmp);
    let middle = |place: usize| nearest.get(place).copied().unwrap_or_default();
    Ok(Spread {
        mean: 1.0 - (together - own) / (n * (n - 1.0)),
        nearest_mean: nearest.iter().sum::<f64>() / n,
        nearest_min: middle(0),
        nearest_median: (middle((nearest.len() - 1) / 2) + middle(nearest.len() / 2)) / 2.0,
        n: rows.len(),
        model: rows.model().to_string(),
    })
}
