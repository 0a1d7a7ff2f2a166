//! Self-improvement: a teacher that is the student, or descends from it, is asked real questions that nothing is generated from before it
//! may make rows.
//!
//! A model that is trained on its own output repeats its own errors, and loses the tails of the data (Nature s41586-024-07566-y). So such a
//! run goes on only where the teacher is shown to be right often enough: where the lower end of the 95 % interval of its accuracy on
//! validation rows (Wilson 1927) is at least what the job wants.

use serde::{Deserialize, Serialize};

use crate::stats::{Interval, Z_95, wilson};

/// How often a teacher that is related to the student answered validation questions right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeacherCheck {
    /// Name of the teacher.
    pub teacher: String,
    /// Questions that it answered right.
    pub right: u64,
    /// Questions that it answered wrong, or not in a form that can be read.
    pub wrong: u64,
    /// Questions whose calls failed for good: they say nothing of the teacher.
    #[serde(default)]
    pub failed: u64,
    /// The accuracy that the job wants, 0 to 1.
    pub min_accuracy: f64,
}

impl TeacherCheck {
    /// Questions that were answered, right or wrong.
    pub fn answered(&self) -> u64 {
        self.right + self.wrong
    }

    /// The 95 % interval of its accuracy (Wilson 1927); all that is possible where nothing was answered.
    pub fn interval(&self) -> Interval {
        wilson(self.right, self.answered(), Z_95).unwrap_or(Interval { low: 0.0, high: 1.0 })
    }

    /// Whether it is shown to be right as often as the job wants.
    pub fn passes(&self) -> bool {
        self.interval().low >= self.min_accuracy
    }
}

impl std::fmt::Display for TeacherCheck {
    /// `sim answered 55 of 60 validation questions right (81.9 % to 96.4 % with 95 % confidence; at least 80.0 % is wanted)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Interval { low, high } = self.interval();
        write!(
            f,
            "{} answered {} of {} validation questions right ({:.1} % to {:.1} % with 95 % confidence; at least {:.1} % is wanted)",
            self.teacher,
            self.right,
            self.answered(),
            100.0 * low,
            100.0 * high,
            100.0 * self.min_accuracy
        )?;
        match self.failed {
            0 => Ok(()),
            1 => write!(f, "; one call failed"),
            failed => write!(f, "; {failed} calls failed"),
        }
    }
}

/// The fewest questions by which a teacher can be shown to be right at least so often: were it right every time, the lower end of Wilson's
/// interval would be n / (n + z²), so n ≥ a·z² / (1 − a). `None` for an accuracy that no number of answers can show.
pub fn questions_needed(min_accuracy: f64) -> Option<u64> {
    if !(min_accuracy > 0.0 && min_accuracy < 1.0) {
        return None;
    }
    let near = (min_accuracy * Z_95 * Z_95 / (1.0 - min_accuracy)) as u64;
    let shows = |n: &u64| wilson(*n, *n, Z_95).is_some_and(|interval| interval.low >= min_accuracy);
    // By the very comparison that the teacher is held to; rounding may cost one.
    (near.max(1)..near + 3).find(shows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn check(right: u64, wrong: u64, min_accuracy: f64) -> TeacherCheck {
        TeacherCheck {
            teacher: "sim".into(),
            right,
            wrong,
            failed: 0,
            min_accuracy,
        }
    }

    #[test]
    fn a_teacher_passes_by_what_is_shown_and_not_by_its_share() {
        // Wilson's interval of 45 of 50 begins at .7864.
        assert!(check(45, 5, 0.78).passes());
        assert!(
            !check(45, 5, 0.79).passes(),
            "nine of ten were right, and less is shown"
        );
        assert!(!check(0, 0, 0.1).passes(), "nothing was asked");
        let failed = TeacherCheck {
            failed: 2,
            ..check(45, 5, 0.8)
        };
        assert_eq!(
            failed.to_string(),
            "sim answered 45 of 50 validation questions right (78.6 % to 95.7 % with 95 % confidence; at least 80.0 % is wanted); 2 calls failed"
        );
    }

    #[test]
    fn the_questions_that_are_needed_are_known() {
        assert_eq!(questions_needed(0.8), Some(16));
        assert_eq!(questions_needed(0.5), Some(4));
        assert_eq!(questions_needed(1.0), None);
        assert_eq!(questions_needed(0.0), None);
    }

    proptest! {
        #[test]
        fn as_many_as_are_needed_show_it_and_one_less_does_not(min_accuracy in 0.01..0.995_f64) {
            let needed = questions_needed(min_accuracy).unwrap();
            prop_assert!(check(needed, 0, min_accuracy).passes());
            prop_assert!(!check(needed - 1, 0, min_accuracy).passes());
        }
    }
}
