//! What rows carry of their recipe.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What rows carry of the recipe that made them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Made {
    /// Name of the recipe.
    pub recipe: String,
    /// Its version.
    pub version: u32,
    /// The first 8 hexadecimal digits of the BLAKE3 hash of its file and its prompts.
    pub digest: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.recipe, self.version, self.digest)
    }
}
