//! How answers to one question are compared.

/// How answers to one question are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Comparison {
    /// Not at all, unless the job compares them by what they say (`generate.agreement.min_f1`).
    No,
    /// Two are the same when their canonical forms are.
    Canonical,
    /// Two are the same from this token F1 on.
    Meaning {
        /// The least F1.
        min_f1: f64,
    },
}
