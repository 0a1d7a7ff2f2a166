//! Short free-text answers: normalisation, exact match and token F1 of SQuAD (Rajpurkar et al. 2016, evaluation script
//! version 1.1; stanford-qa).

use std::collections::HashMap;

/// Lower case, without ASCII punctuation, without the words *a*, *an*, *the*, blanks collapsed: in this order, as the
/// reference script does, so that `U.S.` becomes `us`.
pub fn normalize(text: &str) -> String {
    let bare: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    // Articles are whole words between non-word characters, which after the step above need not be blanks ("–a").
    let mut kept = String::with_capacity(bare.len());
    let mut word = String::new();
    for c in bare.chars().chain([' ']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        match word.as_str() {
            "a" | "an" | "the" => kept.push(' '),
            _ => kept.push_str(&word),
        }
        word.clear();
        kept.push(c);
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How well an answer fits its references.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Equal to one of them after normalisation.
    pub exact: bool,
    /// Best harmonic mean of token precision and recall, between 0 and 1.
    pub f1: f64,
}

/// Best score over the references; no reference scores nothing.
pub fn score<S: AsRef<str>>(answer: &str, golds: &[S]) -> Score {
    let answer = normalize(answer);
    golds
        .iter()
        .map(|gold| normalize(gold.as_ref()))
        .map(|gold| (gold == answer, f1(&answer, &gold)))
        .fold(
            Score {
                exact: false,
                f1: 0.0,
            },
            |best, (exact, f1)| Score {
                exact: best.exact || exact,
                f1: best.f1.max(f1),
            },
        )
}

/// Token F1 of two normalised texts; where either is empty, 1 if both are (SQuAD 2.0's rule).
fn f1(answer: &str, gold: &str) -> f64 {
    let answer: Vec<&str> = answer.split_whitespace().collect();
    let gold: Vec<&str> = gold.split_whitespace().collect();
    if answer.is_empty() || gold.is_empty() {
        return f64::from(u8::from(answer.is_empty() && gold.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &gold {
        *left.entry(word).or_default() += 1;
    }
    let shared = answer
        .iter()
        .filter(|word| match left.get_mut(*word) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        })
        .count();
    // 2PR/(P+R) with P = shared/answer and R = shared/gold.
    2.0 * shared as f64 / (answer.len() + gold.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squad_vectors() {
        for (answer, gold, exact, f1) in [
            ("The Eiffel Tower!", "eiffel tower", true, 1.0),
            ("the U.S. of America", "US", false, 0.5),
            ("in the year 1969, July", "July 1969", false, 2.0 / 3.0),
            ("", "", true, 1.0),
            ("the", "a", true, 1.0),
            ("x", "", false, 0.0),
            ("b b", "b c", false, 0.5),
        ] {
            let seen = score(answer, &[gold]);
            assert_eq!(seen.exact, exact, "{answer} / {gold}");
            assert!((seen.f1 - f1).abs() < 1e-12, "{answer} / {gold}: {}", seen.f1);
        }
    }

    #[test]
    fn the_best_reference_counts() {
        let seen = score("July 1969", &["1969", "july, 1969"]);
        assert_eq!(seen, Score { exact: true, f1: 1.0 });
        let none: [&str; 0] = [];
        assert!(!score("x", &none).exact);
    }

    #[test]
    fn articles_go_only_as_whole_words() {
        assert_eq!(
            normalize("  An anthem, the\tATHENS \u{2013}a plan "),
            "anthem athens \u{2013} plan"
        );
        assert_eq!(normalize("the A-team"), "ateam");
    }
}
