//! New questions that nobody can answer: a made-up question with a sentence that leaves out what an answer needs.

use super::draw::Draw;

/// What is said in place of a fact. None of them occurs in the real data.
const LEFT_OUT: [&str; 4] = [
    " Use the amount that the earlier exercise gave.",
    " The remaining details are as in the figure above.",
    " Assume the same conditions as before.",
    " The missing entry is the one that the supplement lists.",
];

/// The question without what an answer needs.
pub(crate) fn make(question: &str, draw: Draw) -> String {
    format!("{question}{}", draw.text(&LEFT_OUT))
}

/// The question that an incomplete one was made from; `None` for any other question.
pub(crate) fn whole(question: &str) -> Option<&str> {
    let question = question.trim_end();
    LEFT_OUT
        .iter()
        .find_map(|sentence| question.strip_suffix(sentence.trim_end()))
        .map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_question_is_told_from_its_whole_one() {
        for i in 0..20 {
            let question = make("How many figs are left?", Draw::new(i));
            assert_eq!(whole(&question), Some("How many figs are left?"));
        }
        assert_eq!(whole("How many figs are left?"), None);
    }
}
