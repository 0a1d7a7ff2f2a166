//! The score without the matrix.
//!
//! The running logsumexp needs no running maximum here: a unit vector's kernel with itself is the same for all (1, but for the
//! polynomial) and no pair's is larger, so every term is taken relative to that peak, lies between 0 and 1, and a row's sum is at
//! least 1. Terms under e⁻⁷⁰⁸ of it count as that.
//!
//! Rows are cut into blocks; a block meets itself and the columns after it, and each term is added to its row's sum and to its
//! column's. Blocks are dealt to a fixed number of strips, each with sums of its own, so that the result does not depend on how
//! many threads there are.

use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;

use super::{DcScore, Precision, Settings, own_terms};
use crate::exp::exp;
use crate::kernel::{Cosine, Laplacian, OfPair, Polynomial, Rbf};
use crate::tile::{Element, Scratch, Sweep, Visit, WIDE};
use crate::{Error, Kernel, UnitVectors, Vectors, parallel};

/// Parts of the work, each with 8 bytes a row.
const STRIPS: usize = 32;
/// Sums of a row, each over every eighth column: a register's worth, so that they are added to at once.
const LANES: usize = 8;
/// Bytes of a block of rows, to lie in a second-level cache.
const BLOCK_BYTES: usize = 3 << 19;

/// Scores any number of rows, on up to `threads` threads. The result is the same for any number of them.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooFew`] for an empty set.
pub fn blocked(vectors: &UnitVectors, settings: Settings, threads: NonZeroUsize) -> Result<DcScore, Error> {
    settings.check()?;
    vectors.as_vectors().at_least(1, "DCScore")?;
    let others = sums(vectors.as_vectors(), &settings, Columns::All, threads);
    let rows = own_terms(vectors, &settings)
        .into_iter()
        .zip(others)
        .map(|(own, others)| own / (own + others))
        .collect();
    Ok(DcScore::new(rows, settings, vectors))
}

/// Which columns a row's sum is over; its own is never among them.
#[derive(Clone)]
pub(super) enum Columns {
    /// All: each pair is computed once.
    All,
    /// Some of them.
    Some(Range<usize>),
}

/// For each row, the sum of `exp((K_ij - peak)/τ)` over columns other than its own.
pub(super) fn sums(
    vectors: &Vectors,
    settings: &Settings,
    columns: Columns,
    threads: NonZeroUsize,
) -> Vec<f64> {
    let run = Run {
        vectors,
        columns,
        threads,
        scale: settings.tau.recip(),
        peak: settings.kernel.peak(vectors.dimensions()),
    };
    match settings.kernel {
        Kernel::Cosine => run.with(Cosine, settings.precision),
        Kernel::Rbf { gamma } => run.with(Rbf { gamma }, settings.precision),
        Kernel::Laplacian { gamma } => run.with(Laplacian { gamma }, settings.precision),
        Kernel::Polynomial { degree } => {
            run.with(Polynomial::new(degree, vectors.dimensions()), settings.precision)
        }
    }
}

struct Run<'a> {
    vectors: &'a Vectors,
    columns: Columns,
    threads: NonZeroUsize,
    scale: f64,
    peak: f64,
}

impl Run<'_> {
    fn with<K: OfPair>(&self, kernel: K, precision: Precision) -> Vec<f64> {
        match precision {
            Precision::Single => self.strips::<f32, K>(kernel),
            Precision::Double => self.strips::<f64, K>(kernel),
        }
    }

    fn strips<E: Element, K: OfPair>(&self, kernel: K) -> Vec<f64> {
        let n = self.vectors.len();
        let height = block_rows(n, self.vectors.dimensions(), size_of::<E>());
        let blocks = n.div_ceil(height);
        let strips = parallel::parts(self.threads, STRIPS.min(blocks), |strip| {
            let mut sums = vec![0.0; n];
            let mut scratch = Scratch::<E>::new();
            for block in dealt(strip, blocks) {
                let rows = block * height..n.min((block + 1) * height);
                self.block(kernel, rows, &mut scratch, &mut sums);
            }
            sums
        });
        strips
            .into_iter()
            .reduce(|mut all, strip| {
                all.iter_mut().zip(strip).for_each(|(sum, more)| *sum += more);
                all
            })
            .unwrap_or_default()
    }

    /// Adds a block's terms to the sums of its rows and, where each pair is computed once, of its columns.
    fn block<E: Element, K: OfPair>(
        &self,
        kernel: K,
        rows: Range<usize>,
        scratch: &mut Scratch<E>,
        sums: &mut [f64],
    ) {
        let dimensions = self.vectors.dimensions();
        let values =
            |rows: &Range<usize>| &self.vectors.values()[rows.start * dimensions..rows.end * dimensions];
        let (columns, mirrored) = match &self.columns {
            Columns::All => (rows.start..self.vectors.len(), true),
            Columns::Some(columns) => (columns.clone(), false),
        };
        let mut visitor = Terms {
            kernel,
            scale: self.scale,
            peak: self.peak,
            first_row: rows.start,
            by_row: vec![[0.0; LANES]; rows.len()],
            mirrored,
            by_column: sums,
        };
        Sweep {
            rows: values(&rows),
            first_row: rows.start,
            columns: values(&columns),
            first_column: columns.start,
            dimensions,
            scratch,
            visitor: &mut visitor,
            form: PhantomData::<K::Form>,
        }
        .run();
        let by_row = visitor.by_row;
        for (sum, lanes) in sums[rows].iter_mut().zip(by_row) {
            *sum += lanes.iter().sum::<f64>();
        }
    }
}

/// The blocks of a strip, to and fro, as later blocks meet fewer columns.
fn dealt(strip: usize, blocks: usize) -> impl Iterator<Item = usize> {
    let strips = STRIPS.min(blocks);
    (0..blocks.div_ceil(strips))
        .map(move |round| {
            let place = if round % 2 == 0 { strip } else { strips - 1 - strip };
            round * strips + place
        })
        .filter(move |&block| block < blocks)
}

/// Rows of a block: as many as the cache holds, but enough blocks for many threads.
fn block_rows(n: usize, dimensions: usize, bytes: usize) -> usize {
    let fit = (BLOCK_BYTES / (dimensions * bytes)).clamp(64, 1024);
    fit.min((n / STRIPS).next_multiple_of(8).max(64))
}

struct Terms<'a, K> {
    kernel: K,
    scale: f64,
    peak: f64,
    first_row: usize,
    by_row: Vec<[f64; LANES]>,
    /// Only pairs whose column comes after their row are computed, and count for both.
    mirrored: bool,
    by_column: &'a mut [f64],
}

impl<E: Element, K: OfPair> Visit<E> for Terms<'_, K> {
    #[inline(always)]
    fn skips(&self, top: usize, left: usize) -> bool {
        self.mirrored && left + WIDE <= top
    }

    #[inline(always)]
    fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[E; WIDE]]) {
        let by_row = &mut self.by_row[top - self.first_row..][..tile.len()];
        for ((row, tile), by_row) in (top..).zip(tile).zip(by_row) {
            let mut terms = [0.0f64; WIDE];
            for (term, &sum) in terms.iter_mut().zip(tile) {
                *term = exp((self.kernel.of(sum.into()) - self.peak) * self.scale);
            }
            let inside = columns == WIDE
                && if self.mirrored {
                    row < left
                } else {
                    !(left..left + WIDE).contains(&row)
                };
            if !inside {
                for (column, term) in (left..).zip(&mut terms) {
                    let counts = if self.mirrored {
                        row < column
                    } else {
                        row != column
                    };
                    if !counts || column >= left + columns {
                        *term = 0.0;
                    }
                }
            }
            for lanes in terms.as_chunks::<LANES>().0 {
                for (sum, term) in by_row.iter_mut().zip(lanes) {
                    *sum += term;
                }
            }
            if self.mirrored {
                for (sum, term) in self.by_column[left..left + columns].iter_mut().zip(&terms) {
                    *sum += term;
                }
            }
        }
    }
}
