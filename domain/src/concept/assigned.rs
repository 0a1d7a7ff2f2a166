//! What a row says of the concepts that it belongs to.

use serde::{Deserialize, Serialize};

/// A concept that a row belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// Its name.
    pub concept: String,
    /// How probable that is, from 0 to 1; 1 where a label of its own, or of the question that it rephrases, says so.
    pub confidence: f64,
    /// It counts towards the concept's target: accepted, and its question is none of those counted before.
    pub counted: bool,
}
