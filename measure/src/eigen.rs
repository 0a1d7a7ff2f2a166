//! Eigenvalues of symmetric matrices that may be of low rank.
//!
//! nalgebra brings a matrix into tridiagonal form by reflections. Where rows repeat, what a reflection leaves of a column is rounding of
//! rounding; after some dozen columns its square is no number that is left in double precision, and the result is NaN throughout.
//! Noise far below the rounding of the entries keeps all columns at a size that can be squared.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::draw::Draw;

/// Noise in relation to the largest entry: some units in its last place.
const NOISE: f64 = 1e-15;

/// Eigenvalues and eigenvectors; `None` where there are none in double precision, as for a matrix of zeros.
pub(crate) fn symmetric(matrix: DMatrix<f64>) -> Option<SymmetricEigen<f64, nalgebra::Dyn>> {
    let (matrix, scale) = disturbed(matrix)?;
    let mut found = SymmetricEigen::new(matrix);
    found.eigenvalues *= scale;
    let finite = found
        .eigenvalues
        .iter()
        .chain(found.eigenvectors.iter())
        .all(|x| x.is_finite());
    finite.then_some(found)
}

/// Eigenvalues alone, in no order.
pub(crate) fn values(matrix: DMatrix<f64>) -> Option<Vec<f64>> {
    let (matrix, scale) = disturbed(matrix)?;
    let found: Vec<f64> = matrix
        .symmetric_eigenvalues()
        .iter()
        .map(|value| value * scale)
        .collect();
    found.iter().all(|x| x.is_finite()).then_some(found)
}

/// The matrix with its largest entry at 1 and noise, and what it was divided by; `None` without an entry other than 0.
fn disturbed(mut matrix: DMatrix<f64>) -> Option<(DMatrix<f64>, f64)> {
    let largest = matrix.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    if !(largest > 0.0 && largest.is_finite()) || matrix.iter().any(|x| x.is_nan()) {
        return None;
    }
    matrix /= largest;
    let mut draw = Draw::new(0);
    for i in 0..matrix.nrows() {
        for j in i..matrix.ncols() {
            let noise = NOISE * (2.0 * draw.uniform() - 1.0);
            matrix[(i, j)] += noise;
            if i != j {
                matrix[(j, i)] += noise;
            }
        }
    }
    Some((matrix, largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of so few kinds that most eigenvalues are 0.
    fn low_rank(n: usize, rank: usize, scale: f64) -> DMatrix<f64> {
        let mut draw = Draw::new(7);
        let factors = DMatrix::from_fn(n, rank, |_, _| {
            if draw.uniform() < 0.1 {
                draw.uniform() - 0.5
            } else {
                0.0
            }
        });
        &factors * factors.transpose() * scale
    }

    #[test]
    fn matrices_of_any_rank_and_size_have_eigenvalues() {
        for (n, rank, scale) in [
            (64, 1, 1.0),
            (128, 16, 1.0),
            (256, 3, 1e-12),
            (60, 60, 1e-200),
            (3, 1, 1.0),
        ] {
            let matrix = low_rank(n, rank, scale);
            let trace = matrix.trace();
            if trace == 0.0 {
                continue;
            }
            let found = symmetric(matrix.clone()).unwrap();
            let sum: f64 = found.eigenvalues.iter().sum();
            assert!(
                (sum - trace).abs() <= 1e-9 * trace,
                "{n} {rank} {scale}: {sum} for {trace}"
            );
            let sum: f64 = values(matrix).unwrap().iter().sum();
            assert!((sum - trace).abs() <= 1e-9 * trace);
        }
    }

    #[test]
    fn zeros_and_what_is_no_number_have_none() {
        assert!(values(DMatrix::zeros(4, 4)).is_none());
        assert!(symmetric(DMatrix::from_element(2, 2, f64::NAN)).is_none());
        assert!(symmetric(DMatrix::from_element(2, 2, f64::INFINITY)).is_none());
    }
}
