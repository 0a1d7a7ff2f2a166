//! Principal components.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::draw::Draw;
use crate::gram::second_moments;
use crate::{Error, Vectors, eigen, parallel};

/// Rows that the components are fitted on, at most.
const FITTED: usize = 20_000;
/// Rows reduced together.
const BLOCK: usize = 1_024;

/// Rows by their `most` first principal components (all, when there are fewer dimensions), the largest first.
///
/// A component's largest entry is positive, so that the same rows never come out mirrored.
pub(super) fn reduce(
    vectors: &Vectors,
    most: usize,
    draw: &mut Draw,
    threads: NonZeroUsize,
) -> Result<Vectors, Error> {
    let d = vectors.dimensions();
    let fitted = if vectors.len() > FITTED {
        Some(vectors.select(&draw.sample(vectors.len(), FITTED))?)
    } else {
        None
    };
    let fitted = fitted.as_ref().unwrap_or(vectors);
    let mean = mean(fitted);
    let mut covariance = second_moments(fitted, threads);
    for (i, x) in mean.iter().enumerate() {
        for (j, y) in mean.iter().enumerate() {
            covariance[(i, j)] -= x * y;
        }
    }
    let components = components(covariance, most);
    let mean: Vec<f32> = mean.into_iter().map(|x| x as f32).collect();
    let blocks: Vec<&[f32]> = vectors.values().chunks(BLOCK * d).collect();
    let reduced = parallel::parts(threads, blocks.len(), |block| {
        let mut values = Vec::with_capacity(blocks[block].len() / d * components.len());
        let mut centered = vec![0.0; d];
        for row in blocks[block].chunks_exact(d) {
            for ((to, x), mean) in centered.iter_mut().zip(row).zip(&mean) {
                *to = x - mean;
            }
            values.extend(components.iter().map(|component| dot(&centered, component)));
        }
        values
    });
    Vectors::new(Arc::clone(vectors.model()), components.len(), reduced.concat())
}

/// The directions of the largest variance. Rows that are all the same have none: then the first axes stand for them.
fn components(covariance: nalgebra::DMatrix<f64>, most: usize) -> Vec<Vec<f32>> {
    let d = covariance.nrows();
    let Some(eigen) = eigen::symmetric(covariance) else {
        let axis = |axis: usize| (0..d).map(|i| if i == axis { 1.0 } else { 0.0 }).collect();
        return (0..d.min(most)).map(axis).collect();
    };
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&a, &b| {
        eigen.eigenvalues[b]
            .total_cmp(&eigen.eigenvalues[a])
            .then(a.cmp(&b))
    });
    order.truncate(most);
    let signed = |component: usize| {
        let column = eigen.eigenvectors.column(component);
        let largest = column
            .iter()
            .copied()
            .reduce(|a, b| if b.abs() > a.abs() { b } else { a });
        let sign = if largest.is_some_and(|x| x < 0.0) {
            -1.0
        } else {
            1.0
        };
        column.iter().map(|x| (sign * x) as f32).collect()
    };
    order.into_iter().map(signed).collect()
}

fn mean(vectors: &Vectors) -> Vec<f64> {
    let mut mean = vec![0.0f64; vectors.dimensions()];
    for row in vectors.rows() {
        for (sum, &x) in mean.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= vectors.len() as f64);
    mean
}

/// In eight sums side by side, for the machine's vectors.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (x, y) in x.iter().zip(y) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points along (3, 4)/5, with a little of (-4, 3)/5 and nothing else.
    #[test]
    fn the_first_component_is_the_long_direction() {
        let rows = [(-2.0, 0.1), (-1.0, -0.1), (1.0, -0.1), (2.0, 0.1)];
        let values = rows
            .iter()
            .flat_map(|(a, b)| [0.6 * a - 0.8 * b + 7.0, 0.8 * a + 0.6 * b, 1.0])
            .collect();
        let vectors = Vectors::new("m", 3, values).unwrap();
        let reduced = reduce(&vectors, 2, &mut Draw::new(0), NonZeroUsize::MIN).unwrap();
        for (row, (a, b)) in reduced.rows().zip(rows) {
            assert!(
                (row[0] - a).abs() < 1e-5 && (row[1].abs() - b.abs()).abs() < 1e-5,
                "{row:?}"
            );
        }
    }
}
