//! Short texts, as SQuAD grades them.

use gristmill_domain::answer::text;
use serde::{Deserialize, Serialize};

use super::{Grade, abstains};

/// When a short text counts as right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextRule {
    /// Equal to a reference after normalisation; the score is 1 or 0 (SQuAD's exact match).
    Exact,
    /// The score is the token F1 with the best reference (SQuAD's F1).
    F1 {
        /// The least F1 that counts as right, 0 to 1.
        min: f64,
    },
}

/// Grades a short text against its references (Rajpurkar et al. 2016, evaluation script 1.1).
pub fn by_text<S: AsRef<str>>(answer: &str, golds: &[S], rule: TextRule) -> Grade {
    let found = text::score(answer, golds);
    if found.exact {
        return Grade::CORRECT;
    }
    if abstains(answer) {
        return Grade::NOT_ATTEMPTED;
    }
    match rule {
        TextRule::Exact => Grade::INCORRECT,
        TextRule::F1 { min } => Grade::partial(found.f1, found.f1 >= min).unwrap_or(Grade::INCORRECT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::Correctness;

    #[test]
    fn squad_vectors() {
        for (answer, gold, exact, f1) in [
            ("The Eiffel Tower!", "eiffel tower", 1.0, 1.0),
            ("the U.S. of America", "US", 0.0, 0.5),
            ("in the year 1969, July", "July 1969", 0.0, 2.0 / 3.0),
        ] {
            assert_eq!(
                by_text(answer, &[gold], TextRule::Exact).score(),
                exact,
                "{answer}"
            );
            let graded = by_text(answer, &[gold], TextRule::F1 { min: 0.6 });
            assert!((graded.score() - f1).abs() < 1e-12, "{answer}");
            assert_eq!(graded.is_correct(), f1 >= 0.6, "{answer}");
        }
    }

    #[test]
    fn an_abstention_is_not_attempted_unless_it_is_the_answer() {
        let rule = TextRule::F1 { min: 0.6 };
        assert_eq!(by_text("I don't know.", &["1969"], rule), Grade::NOT_ATTEMPTED);
        assert_eq!(by_text("Unknown", &["unknown"], rule), Grade::CORRECT);
        assert_eq!(
            by_text("1970", &["1969"], rule).correctness(),
            Correctness::Incorrect
        );
    }
}
