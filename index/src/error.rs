//! What an index refuses.

/// An index refused an operation; nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The row is in the index already.
    #[error("row {row} is in the index already: remove it before inserting it again")]
    RowTaken {
        /// The row.
        row: u32,
    },
    /// The index holds as much as its 32-bit addresses reach.
    #[error("the index is full: it addresses at most {limit} {what}; split the rows over several indexes")]
    Full {
        /// What ran out.
        what: &'static str,
        /// How many there can be.
        limit: u64,
    },
    /// A MinHash parameter is out of its range.
    #[error("MinHash {name} is {value}: it must be between 1 and {most}")]
    Parameter {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: usize,
        /// The largest allowed.
        most: usize,
    },
    /// A sketch was made with other parameters or another seed than the index's.
    #[error(
        "the sketch was made with other MinHash parameters than the index's: make it with the index's own scheme"
    )]
    OtherScheme,
    /// A similarity that is no number in the allowed range.
    #[error("similarity {value} is out of range: it must be between {least} and 1")]
    Similarity {
        /// What was given.
        value: f64,
        /// The smallest allowed: 0 for Jaccard, -1 for a cosine.
        least: f64,
    },
    /// A vector of the wrong length.
    #[error(
        "a vector has {got} dimensions where the index has {expected}: vectors of two models cannot be compared"
    )]
    Dimensions {
        /// The index's.
        expected: usize,
        /// The vector's.
        got: usize,
    },
    /// A vector that is not of length 1, or has a component that is no finite number.
    #[error("a vector's length is {norm}, not 1: normalize it first")]
    NotUnit {
        /// Its Euclidean length; NaN or infinite when a component is.
        norm: f64,
    },
}
