//! Multiple choice by likelihood.

use gristmill_domain::answer::choice::pick;

use super::Grade;

/// Both grades of a question whose choices were scored by their likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceGrades {
    /// By the greatest log-likelihood: `acc` of lm-evaluation-harness.
    pub plain: Grade,
    /// By the greatest log-likelihood a character: `acc_norm`.
    pub normalized: Grade,
}

/// Grades by the log-likelihood, in nats, of each choice's text. Such a question is always attempted.
///
/// `None` where the question cannot be scored: lists of different length, an empty choice, a likelihood that is not a number, or a gold
/// choice that is not there.
pub fn by_likelihood<S: AsRef<str>>(
    log_likelihoods: &[f64],
    choices: &[S],
    gold: usize,
) -> Option<ChoiceGrades> {
    if gold >= choices.len() {
        return None;
    }
    let (plain, normalized) = pick(log_likelihoods, choices)?.hits(gold);
    Some(ChoiceGrades {
        plain: Grade::of(plain),
        normalized: Grade::of(normalized),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_vector() {
        let graded = by_likelihood(&[-4.0, -5.0], &["cat", "a tabby cat"], 1).unwrap();
        assert_eq!(
            (graded.plain, graded.normalized),
            (Grade::INCORRECT, Grade::CORRECT)
        );
        assert_eq!(by_likelihood(&[-4.0, -5.0], &["cat", "a tabby cat"], 2), None);
        assert_eq!(by_likelihood(&[-4.0], &["cat", "dog"], 0), None);
    }
}
