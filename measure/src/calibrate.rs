//! Turns scores into probabilities, by scores of which it is known whether they are of a true pair (Platt 1999, "Probabilistic outputs
//! for support vector machines"): log odds = slope · score + offset.
//!
//! The two parameters have Gaussian priors around "the score is the log odds" (slope 1, offset 0), so that a few pairs change them a
//! little and many pairs decide them. All log odds are natural logarithms.

use serde::{Deserialize, Serialize};

/// Standard deviation of the prior of the slope, and of the offset.
const PRIOR_SD: [f64; 2] = [1.0, 4.0];
/// Newton steps; the problem is convex, and a handful suffice.
const STEPS: usize = 30;
/// Largest score, in either direction: beyond it a score says no more.
const SCORE_MAX: f64 = 20.0;

/// What scores are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// A score changes the log odds by slope · score + offset.
    slope: f64,
    offset: f64,
    /// Log odds of a pair about which nothing is known.
    base: f64,
    /// The most that a score may take from the log odds, and add to them. A score that no false pair has may be that many times as
    /// common among true pairs as there are false ones; one that no true pair has, the other way round. More, pairs cannot show.
    bounds: (f64, f64),
}

impl Calibration {
    /// Takes scores for log odds as they are. `base` is the log odds of a pair about which nothing is known.
    pub fn identity(base: f64) -> Self {
        Self {
            slope: 1.0,
            offset: -base,
            base,
            bounds: (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The same evidence, where pairs are true more or less often than those that were fitted. `base` is the log odds of a pair about which
    /// nothing is known.
    #[must_use]
    pub fn rebased(self, base: f64) -> Self {
        Self { base, ..self }
    }

    /// Fits scores of pairs that are known to be true or false; `None` without at least one of each.
    pub fn fit(pairs: &[(f64, bool)]) -> Option<Self> {
        let all = pairs.len() as f64;
        let held = pairs.iter().filter(|(_, holds)| *holds).count() as f64;
        if held == 0.0 || held == all {
            return None;
        }
        let base = (held / (all - held)).ln();
        let bounds = (-(held + 1.0).ln(), (all - held + 1.0).ln());
        let (slope, offset) = newton(pairs, [1.0, 0.0], true);
        // Scores that point the wrong way say nothing.
        let (slope, offset) = if slope > 0.0 {
            (slope, offset)
        } else {
            newton(pairs, [0.0, base], false)
        };
        Some(Self {
            slope,
            offset: offset - base,
            base,
            bounds,
        })
    }

    /// Log odds that a pair with this score is true.
    pub fn log_odds(&self, score: f64) -> f64 {
        self.base + self.evidence(score)
    }

    /// By how much a score changes the log odds of a pair.
    pub fn evidence(&self, score: f64) -> f64 {
        let said = self.slope * score.clamp(-SCORE_MAX, SCORE_MAX) + self.offset;
        said.clamp(self.bounds.0, self.bounds.1)
    }

    /// Log odds of a pair about which nothing is known.
    pub fn base(&self) -> f64 {
        self.base
    }
}

/// The most probable slope and offset; the offset alone where the slope is fixed.
fn newton(pairs: &[(f64, bool)], start: [f64; 2], with_slope: bool) -> (f64, f64) {
    let [mut slope, mut offset] = start;
    let precision = PRIOR_SD.map(|sd| 1.0 / (sd * sd));
    for _ in 0..STEPS {
        let mut gradient = [precision[0] * (1.0 - slope), -precision[1] * offset];
        let mut curvature = [precision[0], 0.0, precision[1]];
        for (score, holds) in pairs {
            let score = score.clamp(-SCORE_MAX, SCORE_MAX);
            let probability = sigmoid(slope * score + offset);
            let miss = f64::from(u8::from(*holds)) - probability;
            let weight = probability * (1.0 - probability);
            gradient[0] += miss * score;
            gradient[1] += miss;
            curvature[0] += weight * score * score;
            curvature[1] += weight * score;
            curvature[2] += weight;
        }
        let (step_slope, step_offset) = if with_slope {
            let [a, b, c] = curvature;
            let determinant = a * c - b * b;
            (
                (c * gradient[0] - b * gradient[1]) / determinant,
                (a * gradient[1] - b * gradient[0]) / determinant,
            )
        } else {
            (0.0, gradient[1] / curvature[2])
        };
        // A long step from far away may overshoot where the curve is flat.
        let scale = 1.0 / (step_slope.abs().max(step_offset.abs() / 4.0)).max(1.0);
        slope += scale * step_slope;
        offset += scale * step_offset;
        if step_slope.abs().max(step_offset.abs()) < 1e-9 {
            break;
        }
    }
    (slope, offset)
}

/// The probability of log odds.
pub fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The log odds of a probability, which is kept off 0 and 1.
pub fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(1e-9, 1.0 - 1e-9);
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs whose log odds are `slope · score + offset`, spread evenly: of each score, that share holds.
    fn pairs(slope: f64, offset: f64) -> Vec<(f64, bool)> {
        let scores = (-40..=40).map(|n| f64::from(n) / 10.0);
        scores
            .flat_map(|score| {
                let held = (200.0 * sigmoid(slope * score + offset)).round() as u32;
                (0..200).map(move |n| (score, n < held))
            })
            .collect()
    }

    #[test]
    fn the_scores_own_curve_is_found() {
        let found = Calibration::fit(&pairs(0.4, -2.0)).unwrap();
        for score in [-3.0, 0.0, 2.5] {
            let expected = 0.4 * score - 2.0;
            assert!((found.log_odds(score) - expected).abs() < 0.05, "{found:?}");
        }
        assert!((logit(sigmoid(1.25)) - 1.25).abs() < 1e-9);
    }

    #[test]
    fn scores_that_say_nothing_leave_the_base_rate() {
        let reversed: Vec<(f64, bool)> = pairs(0.8, 0.0)
            .into_iter()
            .map(|(s, holds)| (-s, holds))
            .collect();
        let found = Calibration::fit(&reversed).unwrap();
        assert!((sigmoid(found.log_odds(4.0)) - 0.5).abs() < 0.02, "{found:?}");
        assert_eq!(Calibration::fit(&[(1.0, true), (2.0, true)]), None);
        assert_eq!(Calibration::fit(&[]), None);
    }

    #[test]
    fn few_pairs_claim_no_more_than_they_show() {
        // One true pair with a huge score among many false ones.
        let mut few: Vec<(f64, bool)> = (0..60).map(|n| (-f64::from(n % 7), false)).collect();
        few.push((18.0, true));
        let found = Calibration::fit(&few).unwrap();
        assert!(found.evidence(20.0) <= 61.0f64.ln() + 1e-12, "{found:?}");
        assert!(found.evidence(-20.0) >= -(2.0f64.ln()) - 1e-12);
        // Rare pairs that their scores tell from others are believed all the same.
        let rare: Vec<(f64, bool)> = (0..4_000)
            .map(|n| {
                if n % 80 == 0 {
                    (4.0, true)
                } else {
                    (-8.0 - f64::from(n % 5), false)
                }
            })
            .collect();
        let found = Calibration::fit(&rare).unwrap();
        assert!(sigmoid(found.log_odds(4.0)) > 0.9, "{found:?}");
        let identity = Calibration::identity(-3.0);
        assert!((identity.log_odds(1.5) - 1.5).abs() < 1e-12);
        assert!((identity.evidence(1.5) - 4.5).abs() < 1e-12);
    }
}
