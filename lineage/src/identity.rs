//! What a row is, whatever run it comes from: its content, and the text that it is compared by.

use std::path::Path;

use gristmill_dataset::{DatasetRow, Layout, Split};
use gristmill_domain::dialogue::{Speaker, asked};
use gristmill_domain::id::ContentId;

use crate::error::Error;

/// Hash of what a row teaches: its form, all that is said but the system message, the answer that is not preferred, and the tools.
///
/// Where it came from is not a part of it, so that one row in two runs is one row. Nor is the system message, which a job puts before
/// every row.
pub(crate) fn content(split: Split, row: &DatasetRow) -> ContentId {
    let form = match split {
        Split::Train | Split::Validation | Split::Test => "instruction",
        other => other.name(),
    };
    let mut parts: Vec<Vec<u8>> = vec![form.as_bytes().to_vec()];
    for turn in row.messages.iter().filter(|turn| turn.role != Speaker::System) {
        parts.push(turn.role.name().as_bytes().to_vec());
        parts.push(turn.content.as_bytes().to_vec());
        for call in &turn.tool_calls {
            parts.push(call.name.as_bytes().to_vec());
            parts.push(call.arguments_text().into_bytes());
        }
    }
    if let Some(rejected) = &row.rejected {
        parts.push(b"rejected".to_vec());
        parts.push(rejected.content.as_bytes().to_vec());
    }
    for tool in &row.tools {
        parts.push(b"tool".to_vec());
        parts.push(tool.as_function().to_string().into_bytes());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    ContentId::of(&parts)
}

/// Refuses a row that would be another one once it is read again: some layouts write a system message as a part of the question.
///
/// # Errors
/// [`Error::Unusable`].
pub(crate) fn refuse_merged(
    layout: Layout,
    split: Split,
    row: &DatasetRow,
    dataset: &str,
) -> Result<(), Error> {
    let name = match layout {
        Layout::Alpaca => "alpaca",
        Layout::PromptCompletion => "prompt_completion",
        _ => return Ok(()),
    };
    let in_layout = matches!(split, Split::Train | Split::Validation | Split::Test);
    let has_system = row.messages.iter().any(|turn| turn.role == Speaker::System);
    if !in_layout || !has_system {
        return Ok(());
    }
    Err(Error::unusable(
        Path::new(dataset),
        format!(
            "row {} has a system message, and the lineage has the layout `{name}`, which writes it as a part of the question: it would be another \
             row from then on. Write the dataset in the layout of the lineage with `gristmill export RUN FOLDER --layout {name}`, and add FOLDER",
            row.id
        ),
    ))
}

/// The text that a row is compared by, as in a run: its question without the passage before it; of a dialogue, all that the user says; of a
/// text, the text.
pub(crate) fn compared(split: Split, row: &DatasetRow) -> String {
    match split {
        Split::Text => row
            .messages
            .iter()
            .map(|turn| turn.content.as_str())
            .collect::<Vec<_>>()
            .join("\n\n"),
        Split::Dialogue | Split::ToolUse => asked(&row.messages),
        Split::Train | Split::Validation | Split::Test | Split::Preference => {
            let text = asked(&row.messages);
            let start = text
                .char_indices()
                .nth(row.provenance.passage_chars as usize)
                .map(|(at, _)| at);
            match start {
                Some(start) => text[start..].to_owned(),
                None => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_dataset::Provenance;
    use gristmill_domain::dialogue::Turn;

    use super::*;

    fn row(turns: &[(Speaker, &str)], passage_chars: u64) -> DatasetRow {
        DatasetRow {
            id: "r".to_owned(),
            messages: turns.iter().map(|(role, text)| Turn::new(*role, *text)).collect(),
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance {
                passage_chars,
                ..Provenance::default()
            },
        }
    }

    #[test]
    fn a_row_is_the_same_in_another_split_and_behind_another_system_message() {
        let plain = [(Speaker::User, "Why?"), (Speaker::Assistant, "So.")];
        let framed = [(Speaker::System, "Be brief."), plain[0], plain[1]];
        let of = |split, turns: &[(Speaker, &str)]| content(split, &row(turns, 0));
        assert_eq!(of(Split::Train, &plain), of(Split::Test, &framed));
        assert_ne!(of(Split::Train, &plain), of(Split::Dialogue, &plain));
        let other = [plain[0], (Speaker::Assistant, "So")];
        assert_ne!(of(Split::Train, &plain), of(Split::Train, &other));
    }

    #[test]
    fn a_question_is_compared_without_its_passage() {
        let turns = [
            (Speaker::User, "Öl floats.\n\nDoes it?"),
            (Speaker::Assistant, "Yes"),
        ];
        assert_eq!(compared(Split::Train, &row(&turns, 12)), "Does it?");
        assert_eq!(compared(Split::Train, &row(&turns, 0)), "Öl floats.\n\nDoes it?");
        assert_eq!(
            compared(Split::Text, &row(&[(Speaker::Assistant, "A text.")], 0)),
            "A text."
        );
    }
}
