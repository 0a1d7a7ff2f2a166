//! Blocks of columns apart, and merged.

use std::num::NonZeroUsize;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::blocked::{Columns, sums};
use super::{DcScore, Settings, own_terms};
use crate::{Error, UnitVectors};

/// What a block of columns adds to every row: enough to score the whole, without the rows of other blocks' similarities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// The columns.
    pub columns: Range<usize>,
    /// For each row, `ln Σ exp((K_ij - K_max)/τ)` over the columns, where `K_max` is a unit vector's kernel with itself.
    pub log_sums: Vec<f64>,
}

/// Sums a block of columns for all rows, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`]; [`Error::OutOfRange`] when the columns are none of the rows.
pub fn shard(
    vectors: &UnitVectors,
    columns: Range<usize>,
    settings: Settings,
    threads: NonZeroUsize,
) -> Result<Shard, Error> {
    settings.check()?;
    let rows = vectors.as_vectors();
    if columns.is_empty() || columns.end > rows.len() {
        return Err(Error::OutOfRange {
            what: "the end of a shard's columns",
            got: columns.end,
            most: rows.len(),
        });
    }
    let mut sums = sums(rows, &settings, Columns::Some(columns.clone()), threads);
    let own = own_terms(vectors, &settings);
    for (sum, own) in sums[columns.clone()].iter_mut().zip(&own[columns.clone()]) {
        *sum += own;
    }
    Ok(Shard {
        columns,
        log_sums: sums.into_iter().map(f64::ln).collect(),
    })
}

/// Scores the whole from its shards: `P_ii = exp((K_ii - K_max)/τ - L_i)`, the `L` of shards merged by `logaddexp`.
///
/// # Errors
/// [`Error::Setting`]; [`Error::Shards`] when the shards do not hold every column once; [`Error::TooFew`] when one is of fewer rows.
pub fn merge(vectors: &UnitVectors, settings: Settings, mut shards: Vec<Shard>) -> Result<DcScore, Error> {
    settings.check()?;
    let n = vectors.as_vectors().len();
    shards.sort_by_key(|shard| shard.columns.start);
    let mut covered = 0;
    let mut log_sums = vec![f64::NEG_INFINITY; n];
    for shard in shards {
        if shard.columns.start != covered {
            return Err(Error::Shards {
                n,
                column: covered.min(shard.columns.start),
            });
        }
        if shard.log_sums.len() != n {
            return Err(Error::TooFew {
                what: "a shard",
                need: n,
                got: shard.log_sums.len(),
            });
        }
        covered = shard.columns.end;
        for (sum, more) in log_sums.iter_mut().zip(shard.log_sums) {
            *sum = log_add_exp(*sum, more);
        }
    }
    if covered != n || n == 0 {
        return Err(Error::Shards {
            n,
            column: covered.min(n),
        });
    }
    let rows = own_terms(vectors, &settings)
        .into_iter()
        .zip(log_sums)
        .map(|(own, sum)| (own.ln() - sum).exp())
        .collect();
    Ok(DcScore::new(rows, settings, vectors))
}

/// `ln(eᵃ + eᵇ)`.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}
