//! What a gate wants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::fraction;

/// What a set can be parted by.
pub const SLICES: [&str; 6] = ["tier", "format", "concept", "answer", "source", "known"];

/// The rules of a gate. A rule that is `None` or `false` is not checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GatePolicy {
    /// The least accuracy, 0 to 1. It holds where the lower end of the interval reaches it, and is broken where the upper end does not.
    #[serde(deserialize_with = "fraction::optional")]
    pub min_accuracy: Option<f64>,
    /// How much accuracy may fall overall, as a fraction of one. It holds where the lower end of the change's interval is above `-margin`.
    #[serde(deserialize_with = "fraction::optional")]
    pub margin: Option<f64>,
    /// How much accuracy may fall in each slice. A slice is smaller than the whole, so that it takes a larger margin or more items.
    #[serde(deserialize_with = "fraction::optional")]
    pub slice_margin: Option<f64>,
    /// What the set is parted by for that: `tier` (head and tail), `format`, `concept`, `answer`, `source`, `known`. What the set has no parts
    /// of is left out; what it has too many parts of, or what the base knew where no base was asked, stays open.
    pub slices: Vec<String>,
    /// How much accuracy may fall on a regression set, against the student's base. Checked where such a set was asked.
    #[serde(deserialize_with = "fraction::optional")]
    pub regression_margin: Option<f64>,
    /// A regression set must have been asked.
    pub regression_asked: bool,
    /// Knowledge must be kept: no stage B or C, and not degraded.
    pub no_collapse: bool,
    /// All real rows must be in the training set.
    pub anchor_kept: bool,
    /// No held-out item may be in the training set.
    pub no_leaks: bool,
    /// Confidence of every interval.
    #[schemars(with = "f64")]
    pub confidence: Confidence,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            min_accuracy: None,
            margin: Some(0.02),
            slice_margin: Some(0.05),
            slices: ["tier", "format"].map(str::to_owned).into(),
            regression_margin: Some(0.02),
            regression_asked: false,
            no_collapse: true,
            anchor_kept: true,
            no_leaks: true,
            confidence: Confidence::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_written_as_whole_numbers_are_refused() {
        let read = |text: &str| serde_json::from_str::<GatePolicy>(text);
        assert_eq!(
            read(r#"{"margin": 0.03, "slice_margin": null}"#)
                .unwrap()
                .slice_margin,
            None
        );
        for wrong in [
            r#"{"margin": 2}"#,
            r#"{"min_accuracy": 80}"#,
            r#"{"slice_margin": -0.05}"#,
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(
                error.contains("is not a fraction of one: write 0.02 for 2 points"),
                "{error}"
            );
        }
        assert!(
            read(r#"{"margins": 0.02}"#).is_err(),
            "unknown settings are refused"
        );
    }
}
