//! Thresholds of the stages.

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::fraction;
use crate::judge::JudgeQuality;

/// When a generation is in which stage. Shares and changes are fractions of one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollapseSettings {
    /// Accuracy of a guess: 0.25 with four choices, 0 of open questions.
    #[serde(deserialize_with = "fraction::one")]
    pub chance: f64,
    /// Stage C is at most this much above chance.
    #[serde(deserialize_with = "fraction::one")]
    pub above_chance: f64,
    /// Stage C is also when a smaller share of the answers has its form.
    #[serde(deserialize_with = "fraction::one")]
    pub form_min: f64,
    /// The least fall of accuracy that is stage B.
    #[serde(deserialize_with = "fraction::one")]
    pub drop: f64,
    /// How much the form may fall and still holds.
    #[serde(deserialize_with = "fraction::one")]
    pub form_drop: f64,
    /// Stage A is when the accuracy is shown to have fallen by less than this.
    #[serde(deserialize_with = "fraction::one")]
    pub margin: f64,
    /// The fewest prompt formats that items must have been asked in: at least 2, better 3. With one, a lost format looks like lost knowledge.
    pub formats_min: u64,
    /// The judge that gave the grades, where a judge did: its errors are carried into every threshold on accuracy. One that calls wrong answers
    /// right sees a fall smaller than it is.
    pub judge: Option<JudgeQuality>,
    /// Confidence of the interval; p-values are compared with 1 − confidence.
    pub confidence: Confidence,
}

impl Default for CollapseSettings {
    fn default() -> Self {
        Self {
            chance: 0.0,
            above_chance: 0.03,
            form_min: 0.5,
            drop: 0.02,
            form_drop: 0.02,
            margin: 0.02,
            formats_min: 2,
            judge: None,
            confidence: Confidence::default(),
        }
    }
}
