//! How sure an interval is.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The confidence of two-sided intervals: 0.95 unless somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

/// Not a confidence.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a confidence: give a number from 0.5 to 0.9999, such as 0.95")]
pub struct NotALevel(pub f64);

impl Confidence {
    /// A confidence from 0.5 to 0.9999.
    pub fn new(level: f64) -> Result<Self, NotALevel> {
        if (0.5..=0.9999).contains(&level) {
            Ok(Self(level))
        } else {
            Err(NotALevel(level))
        }
    }

    /// The confidence, as a fraction of one.
    pub fn level(self) -> f64 {
        self.0
    }

    /// The probability that an interval misses: 0.05 at a confidence of 0.95.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// Two-sided quantile of the standard normal distribution: 1.96 at 0.95.
    pub fn z(self) -> f64 {
        Normal::standard().inverse_cdf(1.0 - self.alpha() / 2.0)
    }

    /// Two-sided quantile of Student's t distribution with so many degrees of freedom, which need not be whole. `None` without any.
    pub fn t(self, freedom: f64) -> Option<f64> {
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
        Some(t.inverse_cdf(1.0 - self.alpha() / 2.0))
    }
}

impl Default for Confidence {
    fn default() -> Self {
        Self(0.95)
    }
}

impl TryFrom<f64> for Confidence {
    type Error = NotALevel;
    fn try_from(level: f64) -> Result<Self, NotALevel> {
        Self::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// Probability that a standard normal variable is at most `z`.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// Two-sided p-value of Student's t with so many degrees of freedom. `None` without any.
pub(crate) fn t_test(t: f64, freedom: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some((2.0 * distribution.sf(t.abs())).min(1.0))
}

#[cfg(test)]
mod tests {
    use gristmill_domain::stats::Z_95;

    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let usual = Confidence::default();
        assert!((usual.z() - Z_95).abs() < 1e-12);
        for (freedom, t) in [
            (1.0, 12.706_204_736),
            (4.0, 2.776_445_105),
            (30.0, 2.042_272_456),
            (499.0, 1.964_729_391),
        ] {
            assert!((usual.t(freedom).unwrap() - t).abs() < 1e-7, "{freedom}");
        }
        assert_eq!(usual.t(0.0), None);
        assert!((normal_cdf(-Z_95) - 0.025).abs() < 1e-9);
        assert!((t_test(2.776_445_105, 4.0).unwrap() - 0.05).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_a_confidence_is_refused() {
        assert_eq!(serde_json::from_str::<Confidence>("0.9").unwrap().level(), 0.9);
        let error = serde_json::from_str::<Confidence>("95").unwrap_err().to_string();
        assert!(error.contains("95 is not a confidence"), "{error}");
    }
}
