//! Whether two answers in words say the same, so that they vote together.
//!
//! Two answers are the same where most of their words are (token F1) and neither states a number, a name or code that the other does
//! not, nor the opposite of what the other says ([`Facts::apart`]). It errs on one side: the same in quite other words counts as another
//! answer, which costs calls and no accuracy. What it is worth is measured like any teacher's accuracy, on the seeds' own answers.

use crate::answer::text;
use crate::filter::dedup_policy::Facts;
use crate::reply::Answer;

/// True where one text says what the other says; `min_f1` is the token F1 (0 to 1) from which their words are alike enough.
pub fn same(a: &str, b: &str, min_f1: f64) -> bool {
    let score = text::score(a, &[b]);
    score.exact || score.f1 >= min_f1 && !Facts::of(a).apart(&Facts::of(b))
}

/// Gives answers that say the same the canonical form of the first of them.
pub fn unite<'a>(answers: impl IntoIterator<Item = &'a mut Answer>, min_f1: f64) {
    // The first answer of each meaning, with its canonical form.
    let mut meanings: Vec<(String, String)> = Vec::new();
    for answer in answers {
        if meanings
            .iter()
            .any(|(_, canonical)| *canonical == answer.canonical)
        {
            continue;
        }
        match meanings
            .iter()
            .find(|(first, _)| same(first, &answer.answer, min_f1))
        {
            Some((_, canonical)) => answer.canonical.clone_from(canonical),
            None => meanings.push((answer.answer.clone(), answer.canonical.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_other_words_is_one_answer_and_another_fact_is_not() {
        for (a, b, expected) in [
            (
                "Metformin lowers blood glucose mainly by reducing glucose production in the liver.",
                "It lowers blood glucose mainly by reducing the liver's production of glucose.",
                true,
            ),
            (
                "Metformin lowers blood glucose mainly by reducing glucose production in the liver.",
                "Metformin raises blood glucose mainly by reducing glucose production in the liver.",
                false,
            ),
            (
                "Give 5 mg twice a day with food.",
                "Give 50 mg twice a day with food.",
                false,
            ),
            (
                "Give 5 mg twice a day with food.",
                "Give 5 mg with food twice a day.",
                true,
            ),
            (
                "The drug is safe in pregnancy.",
                "The drug is not safe in pregnancy.",
                false,
            ),
            (
                "It was signed in Paris in 1783.",
                "It was signed in London in 1783.",
                false,
            ),
            ("The Eiffel Tower!", "eiffel tower", true),
            (
                "It blocks the enzyme.",
                "Rest and plenty of water help most people.",
                false,
            ),
        ] {
            assert_eq!(same(a, b, 0.6), expected, "{a} / {b}");
            assert_eq!(same(b, a, 0.6), expected, "{b} / {a}");
        }
    }

    #[test]
    fn answers_vote_with_the_first_that_says_the_same() {
        let answer = |text: &str| Answer {
            reasoning: String::new(),
            answer: text.to_owned(),
            canonical: text::normalize(text),
            correct: None,
            detail: String::new(),
        };
        let mut answers = [
            answer("Give 5 mg twice a day with food."),
            answer("Give 50 mg twice a day with food."),
            answer("Give 5 mg with food twice a day."),
        ];
        unite(&mut answers, 0.6);
        let canonical: Vec<&str> = answers.iter().map(|answer| answer.canonical.as_str()).collect();
        let [first, second, _] = canonical[..] else {
            panic!("{canonical:?}")
        };
        assert_eq!(canonical[2], first);
        assert_ne!(first, second);
        let before = answers.clone();
        unite(&mut answers, 0.6);
        assert_eq!(answers, before, "nothing is left to unite");
    }
}
