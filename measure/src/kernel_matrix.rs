//! Whole kernel matrices of small sets.

use crate::{Error, Kernel, UnitVectors};

/// Rows whose matrix still fits: 0.8 GB.
const MOST: usize = 10_000;

/// Similarities of all pairs of a small set: square, symmetric, finite.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelMatrix {
    n: usize,
    values: Vec<f64>,
}

impl KernelMatrix {
    /// Takes the rows of a kernel matrix, for similarities from elsewhere.
    ///
    /// # Errors
    /// [`Error::Kernel`]; [`Error::TooFew`] without a row.
    pub fn new(rows: &[impl AsRef<[f64]>]) -> Result<Self, Error> {
        let n = rows.len();
        if n == 0 {
            return Err(Error::TooFew {
                what: "a kernel matrix",
                need: 1,
                got: 0,
            });
        }
        let at = |row: usize, column: usize| rows.get(row).and_then(|row| row.as_ref().get(column)).copied();
        for (i, row) in rows.iter().enumerate() {
            for column in 0..n.max(row.as_ref().len()) {
                let (here, mirrored) = (at(i, column), at(column, i));
                let good = here.is_some_and(f64::is_finite) && here == mirrored;
                if !good {
                    return Err(Error::Kernel { row: i, column });
                }
            }
        }
        Ok(Self {
            n,
            values: rows.iter().flat_map(|row| row.as_ref()).copied().collect(),
        })
    }

    /// Rows, and columns.
    pub fn len(&self) -> usize {
        self.n
    }

    /// False: there is always a row.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.n)
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// The kernel of all pairs, in double precision. The set is not empty.
pub(crate) fn of_vectors(
    vectors: &UnitVectors,
    kernel: &Kernel,
    what: &'static str,
) -> Result<KernelMatrix, Error> {
    let vectors = vectors.as_vectors();
    let n = vectors.len();
    if n > MOST {
        return Err(Error::TooMany {
            what,
            most: MOST,
            got: n,
        });
    }
    let mut values = vec![0.0; n * n];
    for (i, x) in vectors.rows().enumerate() {
        for (j, y) in vectors.rows().enumerate().skip(i) {
            let similarity = kernel.of(x, y);
            values[i * n + j] = similarity;
            values[j * n + i] = similarity;
        }
    }
    Ok(KernelMatrix { n, values })
}
