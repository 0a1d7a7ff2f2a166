//! One of a set of labels.

use gristmill_domain::answer::label::Labels;

use super::{Grade, abstains};

/// Grades the final label of an answer. A text that names none, or two, is wrong, unless it abstains. A reference that is not a label of
/// the set makes every answer wrong: check references before anything is asked.
pub fn by_label(answer: &str, gold: &str, labels: &Labels) -> Grade {
    let gold = labels.exact(gold);
    match labels.find(answer) {
        Ok(found) => Grade::of(Some(found) == gold),
        Err(_) if abstains(answer) => Grade::NOT_ATTEMPTED,
        Err(_) => Grade::INCORRECT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_label_is_graded() {
        let labels = Labels::new(&["yes", "no", "maybe"]).unwrap();
        for (answer, grade) in [
            ("Answer: yes", Grade::CORRECT),
            ("It lowers it, so the answer is no.", Grade::INCORRECT),
            ("It may or may not.", Grade::INCORRECT),
            ("I don't know.", Grade::NOT_ATTEMPTED),
            ("I'm sorry, but I can't help with that.", Grade::NOT_ATTEMPTED),
        ] {
            assert_eq!(by_label(answer, "Yes", &labels), grade, "{answer}");
        }
    }
}
