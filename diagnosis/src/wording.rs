//! Whether two questions that are alike are one.

use std::collections::BTreeSet;

use gristmill_domain::filter::dedup_policy::Facts;

/// Letters from which a word says what a question is about.
const LETTERS_MIN: usize = 4;
/// Letters by which words are compared: endings do not count.
const STEM: usize = 5;
/// Share of the words of two questions that both must have: of six words, one that differs makes another question.
const SHARED_MIN: f64 = 0.8;

/// What tells a question from others that are like it.
#[derive(Debug)]
pub(crate) struct Wording {
    facts: Facts,
    stems: BTreeSet<String>,
}

impl Wording {
    pub(crate) fn of(question: &str) -> Self {
        let lower = question.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric());
        let long = words.filter(|word| word.chars().count() >= LETTERS_MIN);
        Self {
            facts: Facts::of(question),
            stems: long.map(|word| word.chars().take(STEM).collect()).collect(),
        }
    }

    /// True where neither facts nor words set the two apart.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let shared = self.stems.intersection(&other.stems).count() as f64;
        let all = self.stems.union(&other.stems).count() as f64;
        shared >= SHARED_MIN * all && !self.facts.apart(&other.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_a_number_makes_another_question() {
        let question = Wording::of("Does zinc reduce symptoms of children with gout?");
        for (other, same) in [
            ("Are the symptoms of children with gout reduced by zinc?", true),
            ("Does zinc reduce symptoms of smokers with gout?", false),
            ("Does zinc reduce symptoms of children with asthma?", false),
        ] {
            assert_eq!(question.same_as(&Wording::of(other)), same, "{other}");
        }
        let year = Wording::of("How many people crossed the bridge in 1901?");
        assert!(!year.same_as(&Wording::of("How many people crossed the bridge in 1902?")));
    }
}
