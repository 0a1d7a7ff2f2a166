//! Rows of numbers, with the name of the model that made them.

use std::sync::Arc;

use crate::Error;

/// Vectors of one model and one length, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    model: Arc<str>,
    dimensions: usize,
    values: Vec<f32>,
}

/// Vectors of length 1, up to rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitVectors(Vectors);

impl Vectors {
    /// Takes the values of all rows, one row after the other, and the name of the embedding model that they come from.
    ///
    /// # Errors
    /// [`Error::NoDimensions`]; [`Error::Ragged`]; [`Error::NotFinite`].
    pub fn new(model: impl Into<Arc<str>>, dimensions: usize, values: Vec<f32>) -> Result<Self, Error> {
        if dimensions == 0 {
            return Err(Error::NoDimensions);
        }
        if !values.len().is_multiple_of(dimensions) {
            return Err(Error::Ragged {
                values: values.len(),
                dimensions,
            });
        }
        // Squared distances, at most four times the larger squared length, must be finite in single precision too.
        let squares = |row: &[f32]| row.iter().map(|x| 4.0 * x * x).sum::<f32>();
        match values
            .chunks_exact(dimensions)
            .position(|row| !squares(row).is_finite())
        {
            Some(row) => Err(Error::NotFinite { row }),
            None => Ok(Self {
                model: model.into(),
                dimensions,
                values,
            }),
        }
    }

    /// Scales each row to length 1, in place.
    ///
    /// # Errors
    /// [`Error::Zero`].
    pub fn normalized(mut self) -> Result<UnitVectors, Error> {
        for (number, row) in self.values.chunks_exact_mut(self.dimensions).enumerate() {
            let square: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            if square == 0.0 {
                return Err(Error::Zero { row: number });
            }
            let scale = square.sqrt().recip();
            for x in row {
                *x = (f64::from(*x) * scale) as f32;
            }
        }
        Ok(UnitVectors(self))
    }

    /// Name of the model that made them.
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// Components of each row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// True without a row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A row; an empty slice past the last.
    pub fn row(&self, row: usize) -> &[f32] {
        self.values
            .get(row * self.dimensions..(row + 1) * self.dimensions)
            .unwrap_or_default()
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions)
    }

    /// A set of the rows named, in the order named.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn select(&self, rows: &[usize]) -> Result<Self, Error> {
        let mut values = Vec::with_capacity(rows.len() * self.dimensions);
        for &row in rows {
            if row >= self.len() {
                return Err(Error::OutOfRange {
                    what: "row",
                    got: row,
                    most: self.len(),
                });
            }
            values.extend_from_slice(self.row(row));
        }
        Ok(Self {
            model: Arc::clone(&self.model),
            dimensions: self.dimensions,
            values,
        })
    }

    /// All values, one row after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Refuses to compare with vectors of another model or length.
    pub(crate) fn comparable(&self, other: &Self) -> Result<(), Error> {
        if self.dimensions != other.dimensions {
            return Err(Error::Dimensions {
                left: self.dimensions,
                right: other.dimensions,
            });
        }
        if self.model != other.model {
            return Err(Error::Models {
                left: self.model.to_string(),
                right: other.model.to_string(),
            });
        }
        Ok(())
    }

    /// Refuses a set too small for a measure.
    pub(crate) fn at_least(&self, need: usize, what: &'static str) -> Result<(), Error> {
        if self.len() < need {
            return Err(Error::TooFew {
                what,
                need,
                got: self.len(),
            });
        }
        Ok(())
    }
}

impl UnitVectors {
    /// The rows.
    pub fn as_vectors(&self) -> &Vectors {
        &self.0
    }

    /// A set of the rows named, in the order named.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn select(&self, rows: &[usize]) -> Result<Self, Error> {
        self.0.select(rows).map(Self)
    }
}

impl AsRef<Vectors> for UnitVectors {
    fn as_ref(&self) -> &Vectors {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_set_of_vectors_is_refused() {
        assert_eq!(Vectors::new("m", 0, vec![]), Err(Error::NoDimensions));
        let ragged = Error::Ragged {
            values: 3,
            dimensions: 2,
        };
        assert_eq!(Vectors::new("m", 2, vec![1.0; 3]), Err(ragged));
        for wrong in [f32::NAN, f32::INFINITY, 1e30] {
            let values = vec![1.0, 0.0, wrong, 0.0];
            assert_eq!(Vectors::new("m", 2, values), Err(Error::NotFinite { row: 1 }));
        }
        let zero = Vectors::new("m", 2, vec![1.0, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(zero.normalized(), Err(Error::Zero { row: 1 }));
    }

    #[test]
    fn normalized_rows_keep_their_direction() {
        let unit = Vectors::new("m", 2, vec![3.0, 4.0, 0.0, -1e-12])
            .unwrap()
            .normalized()
            .unwrap();
        assert_eq!(unit.as_vectors().values(), [0.6, 0.8, 0.0, -1.0]);
        assert_eq!(unit.select(&[1]).unwrap().as_vectors().row(0), [0.0, -1.0]);
        assert!(unit.select(&[2]).is_err());
    }
}
