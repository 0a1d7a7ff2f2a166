//! The two that may keep a run's books.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who keeps a run's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One machine: `gristmill run`.
    Machine,
    /// A cluster: `gristmill submit`.
    Cluster,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "one machine",
            Self::Cluster => "a cluster",
        })
    }
}
