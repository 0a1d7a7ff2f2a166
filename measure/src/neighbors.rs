//! The k nearest rows by Euclidean distance, exactly.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use crate::tile::{Scratch, Squared, Sweep, Visit, WIDE};
use crate::{Error, Vectors, parallel};

/// Rows asked about together.
const BLOCK: usize = 256;

/// The `k` nearest rows of each of several rows, closest first; of equally far ones the earlier first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    k: usize,
    rows: Vec<u32>,
    /// Squared distances.
    squares: Vec<f32>,
}

impl Neighbors {
    /// Neighbors of each row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Rows that have them.
    pub fn len(&self) -> usize {
        self.rows.len() / self.k
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Numbers and distances of the rows nearest to a row.
    pub fn of(&self, row: usize) -> impl ExactSizeIterator<Item = (u32, f32)> {
        let range = row * self.k..(row + 1) * self.k;
        let rows = self.rows.get(range.clone()).unwrap_or_default();
        let squares = self.squares.get(range).unwrap_or_default();
        rows.iter()
            .zip(squares)
            .map(|(&row, &square)| (row, square.sqrt()))
    }

    /// The squared distance of each row's farthest neighbor.
    pub(crate) fn squared_radii(&self) -> Vec<f32> {
        self.squares
            .chunks_exact(self.k)
            .filter_map(<[f32]>::last)
            .copied()
            .collect()
    }
}

/// The `k` nearest others of each row of a set, the row itself excluded, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`] when `k` is 0; [`Error::TooFew`] with `k` rows or fewer; [`Error::TooMany`] past 2³² rows.
pub fn neighbors(vectors: &Vectors, k: usize, threads: NonZeroUsize) -> Result<Neighbors, Error> {
    vectors.at_least(k + 1, "finding k neighbors")?;
    search(vectors, vectors, k, true, threads)
}

/// The `k` rows of `among` nearest to each of `queries`, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`] when `k` is 0; [`Error::TooFew`] with fewer than `k` rows; [`Error::Dimensions`] or [`Error::Models`] when the two
/// do not compare; [`Error::TooMany`] past 2³² rows.
pub fn nearest(
    queries: &Vectors,
    among: &Vectors,
    k: usize,
    threads: NonZeroUsize,
) -> Result<Neighbors, Error> {
    queries.comparable(among)?;
    among.at_least(k, "finding k neighbors")?;
    search(queries, among, k, false, threads)
}

fn search(
    queries: &Vectors,
    among: &Vectors,
    k: usize,
    same: bool,
    threads: NonZeroUsize,
) -> Result<Neighbors, Error> {
    if k == 0 {
        return Err(Error::Setting {
            name: "k",
            value: 0.0,
            must: "at least 1",
        });
    }
    if u32::try_from(among.len()).is_err() {
        return Err(Error::TooMany {
            what: "finding k neighbors",
            most: u32::MAX as usize,
            got: among.len(),
        });
    }
    let dimensions = queries.dimensions();
    let blocks: Vec<&[f32]> = queries.values().chunks(BLOCK * dimensions).collect();
    let found = parallel::parts(threads, blocks.len(), |block| {
        let rows = blocks[block].len() / dimensions;
        let mut closest = Closest {
            k,
            same,
            first_row: block * BLOCK,
            limits: vec![f32::INFINITY; rows],
            found: vec![Vec::with_capacity(k + 1); rows],
        };
        Sweep {
            rows: blocks[block],
            first_row: block * BLOCK,
            columns: among.values(),
            first_column: 0,
            dimensions,
            scratch: &mut Scratch::<f32>::new(),
            visitor: &mut closest,
            form: PhantomData::<Squared>,
        }
        .run();
        closest.found
    });
    let (squares, rows) = found.into_iter().flatten().flatten().unzip();
    Ok(Neighbors { k, rows, squares })
}

struct Closest {
    k: usize,
    /// Rows and columns are one set: a row is not its own neighbor.
    same: bool,
    first_row: usize,
    /// The squared distance under which a column is of interest to a row.
    limits: Vec<f32>,
    /// Squared distance and number of the closest so far, ascending.
    found: Vec<Vec<(f32, u32)>>,
}

impl Closest {
    #[inline(never)]
    fn take(&mut self, place: usize, column: usize, square: f32) {
        if self.same && self.first_row + place == column {
            return;
        }
        let found = &mut self.found[place];
        // Columns come in ascending order: an equally far one goes behind.
        let at = found.partition_point(|&(other, _)| other <= square);
        found.insert(at, (square, column as u32));
        found.truncate(self.k);
        if let (true, Some(&(last, _))) = (found.len() == self.k, found.last()) {
            self.limits[place] = last;
        }
    }
}

impl Visit<f32> for Closest {
    #[inline(always)]
    fn skips(&self, _top: usize, _left: usize) -> bool {
        false
    }

    #[inline(always)]
    fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[f32; WIDE]]) {
        for (place, row) in (top - self.first_row..).zip(tile) {
            // Nearly always none is close enough: one look at all of them, in a few instructions.
            let limit = self.limits[place];
            let any = row.iter().fold(false, |any, &square| any | (square < limit));
            if !any {
                continue;
            }
            for (column, &square) in (left..left + columns).zip(row) {
                if square < self.limits[place] {
                    self.take(place, column, square);
                }
            }
        }
    }
}
