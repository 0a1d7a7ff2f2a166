//! Rows of a dataset as rows of a trainer.

use gristmill_dataset::DatasetRow;
use gristmill_domain::chat::{Message, Role};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_ports::trainer::{Pair, Row};

/// What a row of a dataset is trained on as: each of the assistant's turns behind all that was said before it, so that the loss falls on all of
/// them and on nothing else. `None` where tools are called, which trainers are not shown yet.
pub(crate) fn rows(row: &DatasetRow) -> Option<Vec<Row>> {
    let messages: Option<Vec<Message>> = row.messages.iter().map(message).collect();
    let messages = messages.filter(|_| row.tools.is_empty())?;
    let turns = messages.iter().enumerate().filter(|(at, message)| {
        // A text without a question before it is not an answer.
        message.role == Role::Assistant && *at > 0
    });
    let mut rows: Vec<Row> = turns
        .map(|(at, answer)| Row {
            id: row.id.clone(),
            prompt: messages.get(..at).unwrap_or_default().to_vec(),
            completion: vec![answer.clone()],
        })
        .collect();
    if rows.len() > 1 {
        for (number, row) in rows.iter_mut().enumerate() {
            row.id = format!("{}#{}", row.id, number + 1);
        }
    }
    Some(rows)
}

/// A row of the form `preference` as a pair; `None` for other rows.
pub(crate) fn pair(row: &DatasetRow) -> Option<Pair> {
    let rejected = row.rejected.as_ref()?;
    let mut prompt: Vec<Message> = row.messages.iter().map(message).collect::<Option<_>>()?;
    let chosen = prompt.pop().filter(|last| last.role == Role::Assistant)?;
    let rejected = Message {
        role: Role::Assistant,
        content: rejected.content.clone(),
    };
    Some(Pair {
        id: row.id.clone(),
        prompt,
        chosen: vec![chosen],
        rejected: vec![rejected],
    })
}

fn message(turn: &Turn) -> Option<Message> {
    let role = match turn.role {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
        Speaker::Tool => return None,
    };
    turn.tool_calls.is_empty().then(|| Message {
        role,
        content: turn.content.clone(),
    })
}

#[cfg(test)]
mod tests {
    use gristmill_dataset::RejectedAnswer;

    use super::*;

    fn row(turns: &[(Speaker, &str)]) -> DatasetRow {
        DatasetRow {
            id: "r".to_owned(),
            messages: turns.iter().map(|(role, text)| Turn::new(*role, *text)).collect(),
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Default::default(),
        }
    }

    #[test]
    fn each_turn_of_the_assistant_is_learned_behind_what_was_said() {
        use Speaker::*;
        let made = rows(&row(&[
            (System, "s"),
            (User, "a"),
            (Assistant, "b"),
            (User, "c"),
            (Assistant, "d"),
        ]))
        .unwrap();
        let shown: Vec<_> = made
            .iter()
            .map(|row| {
                (
                    row.id.as_str(),
                    row.prompt.len(),
                    row.completion[0].content.as_str(),
                )
            })
            .collect();
        assert_eq!(shown, [("r#1", 2, "b"), ("r#2", 4, "d")]);
        assert_eq!(rows(&row(&[(User, "a"), (Assistant, "b")])).unwrap()[0].id, "r");
    }

    #[test]
    fn a_pair_ends_with_its_better_answer() {
        let mut preference = row(&[(Speaker::User, "a"), (Speaker::Assistant, "good")]);
        assert_eq!(pair(&preference), None);
        preference.rejected = Some(RejectedAnswer {
            content: "bad".to_owned(),
            margin: None,
        });
        let pair = pair(&preference).unwrap();
        let texts = |messages: &[Message]| {
            messages
                .iter()
                .map(|message| message.content.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (texts(&pair.prompt), texts(&pair.chosen), texts(&pair.rejected)),
            (vec!["a".into()], vec!["good".into()], vec!["bad".into()])
        );
    }

    #[test]
    fn texts_alone_and_tools_are_not_answers() {
        assert_eq!(rows(&row(&[(Speaker::Assistant, "a text")])).unwrap(), []);
        assert_eq!(rows(&row(&[(Speaker::User, "a"), (Speaker::Tool, "b")])), None);
    }
}
