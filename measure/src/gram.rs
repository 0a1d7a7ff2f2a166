//! `XᵀX`, a block of rows at a time.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use nalgebra::DMatrix;

use crate::tile::{Dot, Scratch, Sweep, Visit, WIDE};
use crate::{Vectors, parallel};

/// Rows taken together.
const DEPTH: usize = 256;
/// Parts of the work, each with a matrix of its own.
const STRIPS: usize = 8;

/// `XᵀX / n` in double precision. The set is not empty.
pub(crate) fn second_moments(vectors: &Vectors, threads: NonZeroUsize) -> DMatrix<f64> {
    let d = vectors.dimensions();
    let chunks: Vec<&[f32]> = vectors.values().chunks(DEPTH * d).collect();
    let strips = parallel::parts(threads, STRIPS.min(chunks.len()), |strip| {
        let mut upper = Upper {
            d,
            sums: vec![0.0; d * d],
        };
        let mut scratch = Scratch::<f64>::new();
        let mut turned = Vec::new();
        for chunk in chunks.iter().skip(strip).step_by(STRIPS) {
            let depth = chunk.len() / d;
            turned.clear();
            turned.resize(chunk.len(), 0.0);
            for (r, row) in chunk.chunks_exact(d).enumerate() {
                for (to, &x) in turned.iter_mut().skip(r).step_by(depth).zip(row) {
                    *to = x;
                }
            }
            Sweep {
                rows: &turned,
                first_row: 0,
                columns: &turned,
                first_column: 0,
                dimensions: depth,
                scratch: &mut scratch,
                visitor: &mut upper,
                form: PhantomData::<Dot>,
            }
            .run();
        }
        upper.sums
    });
    let mut sums = strips
        .into_iter()
        .reduce(|mut all, strip| {
            all.iter_mut().zip(strip).for_each(|(sum, more)| *sum += more);
            all
        })
        .unwrap_or_default();
    let n = vectors.len() as f64;
    for i in 0..d {
        for j in i..d {
            let moment = sums[i * d + j] / n;
            sums[i * d + j] = moment;
            sums[j * d + i] = moment;
        }
    }
    DMatrix::from_vec(d, d, sums)
}

/// Adds tiles to a matrix, those under its diagonal left out.
struct Upper {
    d: usize,
    sums: Vec<f64>,
}

impl Visit<f64> for Upper {
    #[inline(always)]
    fn skips(&self, top: usize, left: usize) -> bool {
        left + WIDE <= top
    }

    #[inline(always)]
    fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[f64; WIDE]]) {
        for (row, tile) in (top..).zip(tile) {
            let start = row * self.d + left;
            for (sum, more) in self.sums[start..start + columns].iter_mut().zip(tile) {
                *sum += more;
            }
        }
    }
}
