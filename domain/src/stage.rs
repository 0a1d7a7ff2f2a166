//! The three kinds of paid work, in the order in which a row passes through them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a task asks of a model. Each stage has its own queue and its own share of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A teacher writes a candidate, or a part of one.
    Generate,
    /// A judge grades a candidate.
    Judge,
    /// A text is turned into a vector.
    Embed,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 3] = [Self::Generate, Self::Judge, Self::Embed];

    /// The name used in queues, books and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Judge => "judge",
            Self::Embed => "embed",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no stage: expected `generate`, `judge` or `embed`")]
pub struct ParseStageError(String);

impl FromStr for Stage {
    type Err = ParseStageError;
    fn from_str(text: &str) -> Result<Self, ParseStageError> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.name() == text)
            .ok_or_else(|| ParseStageError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_everywhere() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse(), Ok(stage));
            assert_eq!(serde_json::to_string(&stage).unwrap(), format!("\"{stage}\""));
        }
        assert!("Judge".parse::<Stage>().is_err(), "one spelling a stage");
    }
}
