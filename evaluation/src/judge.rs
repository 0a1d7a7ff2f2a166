//! How often a judge is right, and what that leaves of a figure that it gave.

use gristmill_domain::stats::{Interval, kappa, wilson};
use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::paired::PairedComparison;
use crate::proportion::Proportion;

/// A judge's grades of answers whose correctness is known, such as real rows and rows with another row's answer.
///
/// "Called right" is the grade *correct*; *incorrect* and *not attempted* are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeQuality {
    /// Answers that are right.
    pub right: u64,
    /// Of these, those that the judge called right.
    pub right_called_right: u64,
    /// Answers that are not right.
    pub wrong: u64,
    /// Of these, those that the judge did not call right.
    pub wrong_called_wrong: u64,
}

/// A share that a judge gave, corrected for its errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorrectedShare {
    /// The share as the judge saw it.
    pub apparent: f64,
    /// The true share: (apparent + specificity − 1) / (sensitivity + specificity − 1), cut at 0 and 1 (Rogan and Gladen 1978).
    pub value: f64,
    /// Its standard error, from the answers and from the judge's rows.
    pub standard_error: f64,
    /// The part of the standard error that more answers do not make smaller: that of the judge's rows.
    pub standard_error_of_judge: f64,
    /// The interval of Lang and Reiczigel (2014), cut at 0 and 1: it holds its confidence also where the judge was measured on few rows.
    pub interval: Interval,
}

/// A change between two models that a judge saw, corrected for its errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorrectedChange {
    /// The true change: the apparent one / (sensitivity + specificity − 1).
    pub value: f64,
    /// Its interval, cut at −1 and 1: the distances of the apparent interval's ends and of the judge's, added in squares (Zou and Donner 2008).
    pub interval: Interval,
}

/// Sensitivity and specificity with one success and one failure added to each, and their variances, as Lang and Reiczigel take them.
struct Smoothed {
    sensitivity: f64,
    specificity: f64,
    variance_of_sensitivity: f64,
    variance_of_specificity: f64,
}

impl JudgeQuality {
    /// From pairs of what is true and what the judge said, each `true` where an answer is right.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut found = Self::default();
        for (truth, judged) in pairs {
            if truth {
                found.right += 1;
                found.right_called_right += u64::from(judged);
            } else {
                found.wrong += 1;
                found.wrong_called_wrong += u64::from(!judged);
            }
        }
        found
    }

    /// Right answers that the judge calls right, with Wilson's interval. `None` where no right answer was judged.
    pub fn sensitivity(&self, confidence: Confidence) -> Option<(f64, Interval)> {
        share(self.right_called_right, self.right, confidence)
    }

    /// Wrong answers that the judge does not call right, with Wilson's interval. `None` where no wrong answer was judged.
    pub fn specificity(&self, confidence: Confidence) -> Option<(f64, Interval)> {
        share(self.wrong_called_wrong, self.wrong, confidence)
    }

    /// Cohen's κ between the truth and the judge.
    pub fn kappa(&self) -> Option<f64> {
        kappa(&[
            [
                self.right_called_right,
                self.right.checked_sub(self.right_called_right)?,
            ],
            [
                self.wrong.checked_sub(self.wrong_called_wrong)?,
                self.wrong_called_wrong,
            ],
        ])
    }

    /// Sensitivity + specificity − 1 (Youden 1950): 1 of a judge without errors, 0 of one that guesses. `None` unless both were measured, or
    /// where it is not above 0: from the grades of such a judge nothing follows.
    pub fn informedness(&self) -> Option<f64> {
        let (sensitivity, specificity) = self.rates()?;
        let informedness = sensitivity + specificity - 1.0;
        (informedness > 0.0).then_some(informedness)
    }

    /// What a share of answers that the judge called right says of the share that is right. `None` as of [`Self::informedness`].
    pub fn correct_share(&self, apparent: &Proportion, confidence: Confidence) -> Option<CorrectedShare> {
        let informedness = self.informedness()?;
        let (sensitivity, specificity) = self.rates()?;
        let plain = (apparent.value + specificity - 1.0) / informedness;
        let value = plain.clamp(0.0, 1.0);
        let spread = |rate: f64, rows: u64| rate * (1.0 - rate) / rows as f64;
        let of_answers = apparent.value * (1.0 - apparent.value) / apparent.effective;
        let of_judge = value.powi(2) * spread(sensitivity, self.right)
            + (1.0 - value).powi(2) * spread(specificity, self.wrong);
        Some(CorrectedShare {
            apparent: apparent.value,
            value,
            standard_error: (of_answers + of_judge).sqrt() / informedness,
            standard_error_of_judge: of_judge.sqrt() / informedness,
            interval: self.lang_reiczigel(apparent, confidence),
        })
    }

    /// Lang and Reiczigel 2014 (Prev Vet Med 113:13–22): Rogan and Gladen's estimate of smoothed counts, moved by Δ, ± z·SE.
    fn lang_reiczigel(&self, apparent: &Proportion, confidence: Confidence) -> Interval {
        let z = confidence.z();
        let (z2, n) = (z * z, apparent.effective);
        let smoothed = self.smoothed();
        let seen = (n * apparent.value + z2 / 2.0) / (n + z2);
        let informedness = smoothed.sensitivity + smoothed.specificity - 1.0;
        let share = (seen + smoothed.specificity - 1.0) / informedness;
        let (of_sensitivity, of_specificity) =
            (smoothed.variance_of_sensitivity, smoothed.variance_of_specificity);
        let moved = 2.0 * z2 * (share * of_sensitivity - (1.0 - share) * of_specificity);
        let variance = seen * (1.0 - seen) / (n + z2)
            + share.powi(2) * of_sensitivity
            + (1.0 - share).powi(2) * of_specificity;
        let half = z * variance.sqrt() / informedness;
        if !(informedness > 0.0 && half.is_finite()) {
            return Interval { low: 0.0, high: 1.0 };
        }
        Interval {
            low: (share + moved - half).clamp(0.0, 1.0),
            high: (share + moved + half).clamp(0.0, 1.0),
        }
    }

    /// What a change that the judge saw says of the true change, where it errs alike on both models. `None` as of [`Self::informedness`].
    pub fn correct_change(
        &self,
        apparent: &PairedComparison,
        confidence: Confidence,
    ) -> Option<CorrectedChange> {
        let informedness = self.informedness()?;
        let smoothed = self.smoothed();
        let value = apparent.change / informedness;
        let variance = smoothed.variance_of_sensitivity + smoothed.variance_of_specificity;
        let by_judge = confidence.z() * value.abs() * variance.sqrt() / informedness;
        let distance = |end: f64| ((end - apparent.change) / informedness).hypot(by_judge);
        Some(CorrectedChange {
            value,
            interval: Interval {
                low: (value - distance(apparent.interval.low)).max(-1.0),
                high: (value + distance(apparent.interval.high)).min(1.0),
            },
        })
    }

    fn rates(&self) -> Option<(f64, f64)> {
        let rate = |part: u64, of: u64| (of > 0 && part <= of).then(|| part as f64 / of as f64);
        Some((
            rate(self.right_called_right, self.right)?,
            rate(self.wrong_called_wrong, self.wrong)?,
        ))
    }

    fn smoothed(&self) -> Smoothed {
        let rate = |part: u64, of: u64| (part as f64 + 1.0) / (of as f64 + 2.0);
        let sensitivity = rate(self.right_called_right, self.right);
        let specificity = rate(self.wrong_called_wrong, self.wrong);
        Smoothed {
            sensitivity,
            specificity,
            variance_of_sensitivity: sensitivity * (1.0 - sensitivity) / (self.right as f64 + 2.0),
            variance_of_specificity: specificity * (1.0 - specificity) / (self.wrong as f64 + 2.0),
        }
    }
}

/// A change with its interval, corrected for the judge where there is one. `None` where nothing follows from its grades.
pub(crate) fn true_change(
    found: &PairedComparison,
    judge: Option<&JudgeQuality>,
    confidence: Confidence,
) -> Option<(f64, Interval)> {
    match judge {
        None => Some((found.change, found.interval)),
        Some(judge) => {
            let corrected = judge.correct_change(found, confidence)?;
            Some((corrected.value, corrected.interval))
        }
    }
}

/// What a judge makes of a true share. `None` where nothing follows from its grades.
pub(crate) fn seen_share(share: f64, judge: Option<&JudgeQuality>) -> Option<f64> {
    let Some(judge) = judge else { return Some(share) };
    judge.informedness()?;
    let (sensitivity, specificity) = judge.rates()?;
    Some(share * sensitivity + (1.0 - share) * (1.0 - specificity))
}

fn share(part: u64, of: u64, confidence: Confidence) -> Option<(f64, Interval)> {
    Some((part as f64 / of as f64, wilson(part, of, confidence.z())?))
}

#[cfg(test)]
mod tests;
