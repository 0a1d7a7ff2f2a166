//! What a row of a dataset asks, and what it answers.

use gristmill_dataset::DatasetRow;
use gristmill_domain::dialogue::Speaker;

/// The question of a row without the passage before it, and its last answer; `None` for a text, which has no question.
pub(crate) fn question_and_answer(row: &DatasetRow) -> Option<(String, String)> {
    let answer = row
        .messages
        .iter()
        .rposition(|turn| turn.role == Speaker::Assistant)?;
    let before = row.messages.get(..answer)?;
    let question = before.iter().rev().find(|turn| turn.role == Speaker::User)?;
    let skipped = row.provenance.passage_chars as usize;
    let asked: String = question.content.chars().skip(skipped).collect();
    let answer = row.messages.get(answer)?.content.clone();
    Some((asked, answer))
}

#[cfg(test)]
mod tests {
    use gristmill_dataset::Provenance;
    use gristmill_domain::dialogue::Turn;

    use super::*;

    #[test]
    fn passages_stay_out_of_questions() {
        let mut row = DatasetRow {
            id: "r".into(),
            messages: vec![
                Turn::new(Speaker::System, "be brief"),
                Turn::new(Speaker::User, "Päss\n\nWhy?"),
                Turn::new(Speaker::Assistant, "Because."),
            ],
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance {
                passage_chars: 6,
                ..Provenance::default()
            },
        };
        let read = question_and_answer(&row);
        assert_eq!(read, Some(("Why?".to_owned(), "Because.".to_owned())));
        row.messages = vec![Turn::new(Speaker::Assistant, "A text.")];
        assert_eq!(question_and_answer(&row), None);
    }
}
