//! Which call of a candidate a reply belongs to.

use serde::{Deserialize, Serialize};

/// Which call of a candidate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Number of the step in its recipe.
    pub step: usize,
    /// Pass of the loop that the step stands in, from 0.
    pub pass: u16,
    /// Which of the replies to the step, from 0.
    pub sample: u32,
}
