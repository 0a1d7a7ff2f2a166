//! Vendi scores (Friedman and Dieng, arXiv 2210.02410; orders: Pasarkar and Dieng, arXiv 2310.12952): the exponential of the Rényi
//! entropy of the eigenvalues λ of `K/n`. Order 1 is `exp(-Σ λ ln λ)`, order q `exp(ln Σλ^q / (1-q))`, order ∞ `1/λ_max`.
//!
//! For the cosine kernel `XᵀX/n` has the same eigenvalues but for zeros, so the smaller of the two matrices is used: any number of rows
//! is measured through d×d numbers. Other kernels need `K/n`.

use std::num::NonZeroUsize;

use nalgebra::DMatrix;
use serde::{Serialize, Serializer};

use crate::gram::second_moments;
use crate::kernel_matrix::{self, KernelMatrix};
use crate::{Error, Kernel, UnitVectors, eigen};

/// The orders usually shown: small ones see rare kinds of rows, large ones only the common.
pub const ORDERS: [f64; 4] = [0.5, 1.0, 2.0, f64::INFINITY];

/// Rows of a matrix whose eigenvalues are found in about a minute.
const MOST: usize = 4_096;

/// A score, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vendi {
    /// The effective number of distinct rows, from 1 to `n`.
    pub value: f64,
    /// Order q; written as a number, or `"inf"`.
    #[serde(serialize_with = "order")]
    pub order: f64,
    /// Similarity of two rows.
    pub kernel: Kernel,
    /// Rows.
    pub n: usize,
    /// Name of the embedding model.
    pub model: String,
}

fn order<S: Serializer>(order: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if order.is_finite() {
        serializer.serialize_f64(*order)
    } else {
        serializer.serialize_str("inf")
    }
}

/// Scores of all `orders`, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooFew`] for an empty set; [`Error::TooMany`] past 4,096 rows with a kernel other than cosine, or
/// where rows and dimensions are both over 4,096.
pub fn vendi(
    vectors: &UnitVectors,
    kernel: Kernel,
    orders: &[f64],
    threads: NonZeroUsize,
) -> Result<Vec<Vendi>, Error> {
    kernel.check()?;
    let rows = vectors.as_vectors();
    rows.at_least(1, "the Vendi score")?;
    let n = rows.len();
    let smaller = if kernel == Kernel::Cosine {
        n.min(rows.dimensions())
    } else {
        n
    };
    if smaller > MOST {
        return Err(Error::TooMany {
            what: "the Vendi score",
            most: MOST,
            got: n,
        });
    }
    let eigenvalues = if smaller < n {
        shares(second_moments(rows, threads))
    } else {
        shares_of(&kernel_matrix::of_vectors(vectors, &kernel, "the Vendi score")?)
    };
    orders
        .iter()
        .map(|&order| {
            Ok(Vendi {
                value: score(&eigenvalues, order)?,
                order,
                kernel,
                n,
                model: rows.model().to_string(),
            })
        })
        .collect()
}

/// The score of one order of a kernel matrix from elsewhere.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooMany`] past 4,096 rows.
pub fn of_kernel(kernel: &KernelMatrix, order: f64) -> Result<f64, Error> {
    if kernel.len() > MOST {
        return Err(Error::TooMany {
            what: "the Vendi score",
            most: MOST,
            got: kernel.len(),
        });
    }
    score(&shares_of(kernel), order)
}

fn shares_of(kernel: &KernelMatrix) -> Vec<f64> {
    shares(DMatrix::from_row_slice(
        kernel.len(),
        kernel.len(),
        kernel.values(),
    ))
}

/// Eigenvalues as shares of their sum. Those under 0 are rounding. A matrix without any is that of rows without a length, which
/// are all the same.
fn shares(matrix: DMatrix<f64>) -> Vec<f64> {
    let values = eigen::values(matrix).unwrap_or_default();
    let sum: f64 = values.iter().map(|value| value.max(0.0)).sum();
    if sum <= 0.0 {
        return vec![1.0];
    }
    values.iter().map(|value| value.max(0.0) / sum).collect()
}

fn score(shares: &[f64], order: f64) -> Result<f64, Error> {
    if order.is_nan() || order <= 0.0 {
        return Err(Error::Setting {
            name: "order",
            value: order,
            must: "over 0, or infinite",
        });
    }
    // What is this small is rounding, and a small order would count it.
    let shares = || shares.iter().copied().filter(|&share| share > 1e-12);
    Ok(if order == f64::INFINITY {
        shares().fold(0.0, f64::max).recip()
    } else if (order - 1.0).abs() < 1e-9 {
        (-shares().map(|share| share * share.ln()).sum::<f64>()).exp()
    } else {
        (shares().map(|share| share.powf(order)).sum::<f64>().ln() / (1.0 - order)).exp()
    })
}
