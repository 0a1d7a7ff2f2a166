//! Multiple choice by likelihood, scored as lm-evaluation-harness does (`acc` and `acc_norm`).

/// Which choice wins a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    /// Index of the greatest log-likelihood.
    pub plain: usize,
    /// Index of the greatest log-likelihood a character.
    pub normalized: usize,
}

impl Picked {
    /// (`acc`, `acc_norm`): whether each reading hits the gold choice.
    pub fn hits(self, gold: usize) -> (bool, bool) {
        (self.plain == gold, self.normalized == gold)
    }
}

/// Picks by log-likelihood, in nats, of each choice's text; the first wins a tie, as `argmax` has it.
///
/// `None` when the two lists differ in length, are empty, hold an empty choice, or a likelihood is no number: a score of
/// such a question would be noise.
pub fn pick<S: AsRef<str>>(log_likelihoods: &[f64], choices: &[S]) -> Option<Picked> {
    if log_likelihoods.len() != choices.len() {
        return None;
    }
    let lengths: Vec<f64> = choices
        .iter()
        .map(|c| c.as_ref().chars().count() as f64)
        .collect();
    if lengths.contains(&0.0) || log_likelihoods.iter().any(|ll| ll.is_nan()) {
        return None;
    }
    let by_character: Vec<f64> = log_likelihoods
        .iter()
        .zip(&lengths)
        .map(|(ll, n)| ll / n)
        .collect();
    Some(Picked {
        plain: argmax(log_likelihoods)?,
        normalized: argmax(&by_character)?,
    })
}

fn argmax(values: &[f64]) -> Option<usize> {
    let mut best = None;
    for (index, &value) in values.iter().enumerate() {
        if best.is_none_or(|(_, greatest)| value > greatest) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_choices_are_not_punished_when_normalized() {
        // The harness's vector: acc 0, acc_norm 1.
        let picked = pick(&[-4.0, -5.0], &["cat", "a tabby cat"]);
        assert_eq!(picked.map(|p| p.hits(1)), Some((false, true)));
    }

    #[test]
    fn unusable_questions_have_no_winner() {
        assert_eq!(pick(&[-1.0], &["a", "b"]), None);
        assert_eq!(pick(&[-1.0, f64::NAN], &["a", "b"]), None);
        assert_eq!(pick(&[-1.0, -2.0], &["a", ""]), None);
        assert_eq!(pick::<&str>(&[], &[]), None);
        assert_eq!(pick(&[-1.0, -1.0], &["a", "b"]).map(|p| p.plain), Some(0));
    }
}
