//! How well synthetic rows cover the real ones, and stay among them.
//!
//! Around each real row lies a ball with the distance of its k-th real neighbor as radius. Density and coverage (Naeem et al., "Reliable
//! Fidelity and Diversity Metrics for Generative Models", 2020): how many such balls a synthetic row lies in, over k, on average; and the
//! share of balls with a synthetic row in them. Precision and recall (Kynkäänniemi et al. 2019): the share of synthetic rows in any
//! real ball, and of real rows in any synthetic ball. "In" is strictly closer than the radius.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use serde::Serialize;

use crate::neighbors::neighbors;
use crate::tile::{Scratch, Squared, Sweep, Visit, WIDE};
use crate::{Error, Vectors, parallel};

/// Real rows compared together.
const BLOCK: usize = 256;
/// Parts of the work, each with a byte a synthetic row.
const STRIPS: usize = 32;

/// The four figures, with all that they depend on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// Share of synthetic rows in the ball of any real row.
    pub precision: f64,
    /// Share of real rows in the ball of any synthetic row.
    pub recall: f64,
    /// Real balls that a synthetic row lies in, on average, over k. Over 1 where synthetic rows crowd where real ones do.
    pub density: f64,
    /// Share of real rows with a synthetic row in their ball.
    pub coverage: f64,
    /// Neighbors that set a ball's radius.
    pub k: usize,
    /// Real rows.
    pub real: usize,
    /// Synthetic rows.
    pub n: usize,
    /// Name of the embedding model.
    pub model: String,
}

/// Measures synthetic rows against real ones, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`] when `k` is 0; [`Error::TooFew`] unless both sets have more than `k` rows; [`Error::Dimensions`] or
/// [`Error::Models`] when they do not compare.
pub fn coverage(
    real: &Vectors,
    synthetic: &Vectors,
    k: usize,
    threads: NonZeroUsize,
) -> Result<Coverage, Error> {
    real.comparable(synthetic)?;
    let dimensions = real.dimensions();
    let real_radii = neighbors(real, k, threads)?.squared_radii();
    let synthetic_radii = neighbors(synthetic, k, threads)?.squared_radii();
    let blocks: Vec<&[f32]> = real.values().chunks(BLOCK * dimensions).collect();
    let strips = parallel::parts(threads, STRIPS.min(blocks.len()), |strip| {
        let mut balls = Balls {
            real_radii: &real_radii,
            synthetic_radii: &synthetic_radii,
            inside: vec![0; real.len()],
            recalled: vec![false; real.len()],
            precise: vec![false; synthetic.len()],
        };
        let mut scratch = Scratch::<f32>::new();
        for block in (strip..blocks.len()).step_by(STRIPS) {
            Sweep {
                rows: blocks[block],
                first_row: block * BLOCK,
                columns: synthetic.values(),
                first_column: 0,
                dimensions,
                scratch: &mut scratch,
                visitor: &mut balls,
                form: PhantomData::<Squared>,
            }
            .run();
        }
        (balls.inside, balls.recalled, balls.precise)
    });
    let (mut inside, mut covered, mut recalled) = (0u64, 0usize, 0usize);
    let mut precise = vec![false; synthetic.len()];
    for (own_inside, own_recalled, own_precise) in strips {
        inside += own_inside.iter().map(|&count| u64::from(count)).sum::<u64>();
        covered += own_inside.iter().filter(|&&count| count > 0).count();
        recalled += own_recalled.iter().filter(|&&yes| yes).count();
        precise
            .iter_mut()
            .zip(own_precise)
            .for_each(|(any, own)| *any |= own);
    }
    let precise = precise.into_iter().filter(|&yes| yes).count();
    let share = |count: usize, of: usize| count as f64 / of as f64;
    Ok(Coverage {
        precision: share(precise, synthetic.len()),
        recall: share(recalled, real.len()),
        density: inside as f64 / (k as f64 * synthetic.len() as f64),
        coverage: share(covered, real.len()),
        k,
        real: real.len(),
        n: synthetic.len(),
        model: real.model().to_string(),
    })
}

struct Balls<'a> {
    real_radii: &'a [f32],
    synthetic_radii: &'a [f32],
    /// Synthetic rows in each real ball.
    inside: Vec<u32>,
    /// Real rows in a synthetic ball.
    recalled: Vec<bool>,
    /// Synthetic rows in a real ball.
    precise: Vec<bool>,
}

impl Visit<f32> for Balls<'_> {
    #[inline(always)]
    fn skips(&self, _top: usize, _left: usize) -> bool {
        false
    }

    #[inline(always)]
    fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[f32; WIDE]]) {
        let radii = &self.synthetic_radii[left..left + columns];
        let precise = &mut self.precise[left..left + columns];
        for (row, tile) in (top..).zip(tile) {
            let radius = self.real_radii[row];
            let (mut inside, mut recalled) = (0, false);
            for ((&square, &other), precise) in tile.iter().zip(radii).zip(&mut *precise) {
                let here = square < radius;
                inside += u32::from(here);
                *precise |= here;
                recalled |= square < other;
            }
            self.inside[row] += inside;
            self.recalled[row] |= recalled;
        }
    }
}
