//! The definition, with the whole kernel matrix.

use super::{DcScore, Settings};
use crate::kernel_matrix::{self, KernelMatrix};
use crate::{Error, UnitVectors};

/// Scores rows by their whole kernel matrix, `8n²` bytes.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooFew`] for an empty set; [`Error::TooMany`] past 10,000 rows.
pub fn direct(vectors: &UnitVectors, settings: Settings) -> Result<DcScore, Error> {
    settings.check()?;
    vectors.as_vectors().at_least(1, "DCScore")?;
    let kernel = kernel_matrix::of_vectors(vectors, &settings.kernel, "direct DCScore")?;
    Ok(DcScore::new(
        softmax_diagonal(&kernel, settings.tau),
        settings,
        vectors,
    ))
}

/// `P_ii` of each row of a kernel matrix; their sum is the score.
///
/// # Errors
/// [`Error::Setting`] when `tau` is not over 0.
pub fn of_kernel(kernel: &KernelMatrix, tau: f64) -> Result<Vec<f64>, Error> {
    crate::kernel::positive("tau", tau)?;
    Ok(softmax_diagonal(kernel, tau))
}

fn softmax_diagonal(kernel: &KernelMatrix, tau: f64) -> Vec<f64> {
    kernel
        .rows()
        .enumerate()
        .map(|(i, row)| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|k| ((k - largest) / tau).exp()).sum();
            row.get(i).map_or(0.0, |own| ((own - largest) / tau).exp() / sum)
        })
        .collect()
}
