//! What a search finds.

/// A row near a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// The row.
    pub row: u32,
    /// Cosine of the angle between the two vectors, from -1 to 1 up to rounding.
    pub cosine: f32,
}

/// Two rows near each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The smaller row.
    pub first: u32,
    /// The larger row.
    pub second: u32,
    /// Cosine of the angle between the two vectors, from -1 to 1 up to rounding.
    pub cosine: f32,
}
