//! Grades of an answer to a held-out question.
//!
//! Every way to grade gives a [`Grade`]. An answer that declines to answer is not attempted, which is better than wrong: a model that says
//! that it does not know can be used, one that is confidently wrong cannot.

mod abstention;
mod choice;
mod judged;
mod label;
mod number;
mod text;
mod verdict;

use serde::{Deserialize, Serialize};

pub use abstention::abstains;
pub use choice::{ChoiceGrades, by_likelihood};
pub use judged::by_judge;
pub use label::by_label;
pub use number::{NumberRule, by_number};
pub use text::{TextRule, by_text};
pub use verdict::by_verdict;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correctness {
    /// The answer is right.
    Correct,
    /// The answer is wrong.
    Incorrect,
    /// There is no answer: the model refused, or said that it does not know.
    NotAttempted,
}

/// How good an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Grade {
    result: Correctness,
    score: f64,
}

/// A grade as it is written.
#[derive(Serialize, Deserialize)]
struct Stored {
    result: Correctness,
    score: f64,
}

/// A score that is not a share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the score of a grade is {0}: it must be between 0 and 1, and 0 where nothing was attempted")]
pub struct NotAScore(pub f64);

impl Grade {
    /// Right.
    pub const CORRECT: Self = Self {
        result: Correctness::Correct,
        score: 1.0,
    };

    /// Wrong.
    pub const INCORRECT: Self = Self {
        result: Correctness::Incorrect,
        score: 0.0,
    };

    /// Not attempted.
    pub const NOT_ATTEMPTED: Self = Self {
        result: Correctness::NotAttempted,
        score: 0.0,
    };

    /// Right or wrong.
    pub const fn of(correct: bool) -> Self {
        if correct { Self::CORRECT } else { Self::INCORRECT }
    }

    /// An attempted answer that is partly right: `score` from 0 to 1, and whether that counts as right.
    pub fn partial(score: f64, correct: bool) -> Result<Self, NotAScore> {
        let result = if correct {
            Correctness::Correct
        } else {
            Correctness::Incorrect
        };
        Self::try_from(Stored { result, score })
    }

    /// What became of the question.
    pub fn correctness(self) -> Correctness {
        self.result
    }

    /// How much of the answer is right, 0 to 1.
    pub fn score(self) -> f64 {
        self.score
    }

    /// True where it counts as right.
    pub fn is_correct(self) -> bool {
        self.result == Correctness::Correct
    }

    /// True where there is an answer, right or wrong.
    pub fn attempted(self) -> bool {
        self.result != Correctness::NotAttempted
    }
}

impl TryFrom<Stored> for Grade {
    type Error = NotAScore;
    fn try_from(Stored { result, score }: Stored) -> Result<Self, NotAScore> {
        let possible = (0.0..=1.0).contains(&score) && (result != Correctness::NotAttempted || score == 0.0);
        possible.then_some(Self { result, score }).ok_or(NotAScore(score))
    }
}

impl From<Grade> for Stored {
    fn from(Grade { result, score }: Grade) -> Self {
        Self { result, score }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_grade_is_read_back_and_an_impossible_one_is_refused() {
        let grade = Grade::partial(0.5, false).unwrap();
        let stored = serde_json::to_string(&grade).unwrap();
        assert_eq!(stored, r#"{"result":"incorrect","score":0.5}"#);
        assert_eq!(serde_json::from_str::<Grade>(&stored).unwrap(), grade);
        for impossible in [
            r#"{"result":"correct","score":1.5}"#,
            r#"{"result":"not_attempted","score":0.5}"#,
        ] {
            let error = serde_json::from_str::<Grade>(impossible).unwrap_err().to_string();
            assert!(error.contains("between 0 and 1"), "{error}");
        }
        assert!(Grade::partial(f64::NAN, true).is_err());
    }

    #[test]
    fn only_an_abstention_is_not_attempted() {
        assert!(Grade::CORRECT.attempted() && Grade::INCORRECT.attempted());
        assert!(!Grade::NOT_ATTEMPTED.attempted());
        assert_eq!(Grade::of(true), Grade::CORRECT);
        assert_eq!(Grade::of(false).score(), 0.0);
    }
}
