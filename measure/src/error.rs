//! What a measure refuses.

/// A measure could not be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Values that are no whole number of rows.
    #[error("{values} values are no whole number of rows of {dimensions} dimensions")]
    Ragged {
        /// Values given.
        values: usize,
        /// Dimensions of a row.
        dimensions: usize,
    },
    /// Vectors without a dimension.
    #[error("vectors need at least one dimension")]
    NoDimensions,
    /// A component that is no finite number, or a row whose length overflows.
    #[error("row {row} holds a number that is not finite or too large")]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
    },
    /// A row of zeros, which has no direction.
    #[error("row {row} is all zeros and has no direction: leave it out")]
    Zero {
        /// The row, counted from 0.
        row: usize,
    },
    /// Vectors of two lengths.
    #[error("vectors of {left} and of {right} dimensions cannot be compared: embed both with one model")]
    Dimensions {
        /// Dimensions of the one set.
        left: usize,
        /// Dimensions of the other.
        right: usize,
    },
    /// Vectors of two models.
    #[error("vectors of `{left}` and of `{right}` cannot be compared: embed both with one model")]
    Models {
        /// Model of the one set.
        left: String,
        /// Model of the other.
        right: String,
    },
    /// Fewer rows than the measure needs.
    #[error("{what} needs at least {need} rows and got {got}")]
    TooFew {
        /// The measure.
        what: &'static str,
        /// Rows it needs.
        need: usize,
        /// Rows there are.
        got: usize,
    },
    /// More rows than the measure can take.
    #[error("{what} takes at most {most} rows and got {got}: measure draws of fixed size instead")]
    TooMany {
        /// The measure.
        what: &'static str,
        /// Rows it takes.
        most: usize,
        /// Rows there are.
        got: usize,
    },
    /// A setting out of its range.
    #[error("{name} is {value}: it must be {must}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// A kernel matrix that is not square, finite and symmetric.
    #[error("a kernel matrix must be square, symmetric and finite: entry ({row}, {column}) is not")]
    Kernel {
        /// Row of the first wrong entry.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// A number that does not fit what it counts over.
    #[error("{what} {got} is out of range: there are {most}")]
    OutOfRange {
        /// What it names.
        what: &'static str,
        /// What was given.
        got: usize,
        /// How many there are.
        most: usize,
    },
    /// Shards that leave columns out or count them twice.
    #[error("the shards do not cover the columns 0..{n} once each: column {column} is wrong")]
    Shards {
        /// Columns there are.
        n: usize,
        /// The first column covered not at all or twice.
        column: usize,
    },
}
