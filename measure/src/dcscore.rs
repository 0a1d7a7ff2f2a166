//! DCScore (arXiv 2502.08512, ICML 2025): `P_ij = exp(K_ij/τ) / Σ_k exp(K_ik/τ)`, score `tr P`, between 1 and n.
//!
//! The score says how well a classifier tells each row from the others. It is a count of distinct rows only where τ is small: for n
//! orthogonal rows it is `n·e^{1/τ}/(e^{1/τ}+n-1)`, which at τ = 1 never passes e. So a score means nothing without its τ, its n and
//! its embedding model, and figures carry them; sets of different size are compared at a fixed n ([`at_fixed_size`]).
//!
//! - [`direct`]: the definition, in double precision, with all of K in memory. For small sets, and as what the other is held
//!   against.
//! - [`blocked`]: the same without K: O(n²d) time, O(n) memory besides the rows. Each pair is computed once and counts for both of
//!   its rows. Dot products are in single precision unless [`Precision::Double`] is asked for, everything after in
//!   double.
//! - [`shard`] and [`merge`]: blocks of columns apart, on several machines say, merged by `logaddexp`.

mod blocked;
mod direct;
mod fixed;
mod shards;

use serde::{Deserialize, Serialize};

pub use blocked::blocked;
pub use direct::{direct, of_kernel};
pub use fixed::{AtFixedSize, Draws, at_fixed_size};
pub use shards::{Shard, merge, shard};

use crate::kernel::positive;
use crate::{Error, Kernel, UnitVectors};

/// How a score is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Similarity of two rows.
    pub kernel: Kernel,
    /// Temperature τ: how sharply similarity counts. Over 0.
    pub tau: f64,
    /// Of the sums over a pair's dimensions.
    pub precision: Precision,
}

/// Precision of sums over a pair's dimensions. All after them is in double precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// A similarity is off by some 1e-7, at random; a score of thousands of rows by less than a billionth of itself.
    #[default]
    Single,
    /// As the definition, at half the speed.
    Double,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kernel: Kernel::default(),
            tau: 1.0,
            precision: Precision::default(),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        self.kernel.check()?;
        positive("tau", self.tau)
    }
}

/// `τ = (1-c)/ln 2`, at which a row and one at cosine `c` are told apart as by a coin: `c` = .9 gives .1443.
///
/// # Errors
/// [`Error::Setting`] when `cosine` is not from -1 to under 1.
pub fn tau_half_confusable(cosine: f64) -> Result<f64, Error> {
    if !(-1.0..1.0).contains(&cosine) {
        return Err(Error::Setting {
            name: "cosine",
            value: cosine,
            must: "at least -1 and under 1",
        });
    }
    Ok((1.0 - cosine) / std::f64::consts::LN_2)
}

/// A score, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DcScore {
    /// `tr P`, from 1 to `n`.
    pub value: f64,
    /// `P_ii`: how surely row `i` is told from the others, from `1/n` to 1.
    pub rows: Vec<f64>,
    /// Rows.
    pub n: usize,
    /// How it was computed.
    #[serde(flatten)]
    pub settings: Settings,
    /// Name of the embedding model.
    pub model: String,
}

impl DcScore {
    fn new(rows: Vec<f64>, settings: Settings, vectors: &UnitVectors) -> Self {
        Self {
            value: rows.iter().sum(),
            n: rows.len(),
            rows,
            settings,
            model: vectors.as_vectors().model().to_string(),
        }
    }
}

/// `exp((K_ii - peak)/τ)` of each row, in double precision: what a row weighs in its own sum.
fn own_terms(vectors: &UnitVectors, settings: &Settings) -> Vec<f64> {
    let rows = vectors.as_vectors();
    let peak = settings.kernel.peak(rows.dimensions());
    rows.rows()
        .map(|row| ((settings.kernel.of(row, row) - peak) / settings.tau).exp())
        .collect()
}
