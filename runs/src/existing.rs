//! Reads the datasets whose rows there are already.

use std::path::Path;

use anyhow::{Context, bail};
use gristmill_coordinator::Intake;
use gristmill_dataset::{DatasetRow, Origin, RowList, Split, dataset_folder, each_row};
use gristmill_domain::dialogue::{Speaker, asked};
use gristmill_domain::existing::ExistingRow;
use gristmill_domain::job::Existing;
use gristmill_domain::strategy::Strategy;

/// Takes the training rows of datasets in. Relative paths start at `base`.
///
/// # Errors
/// A folder that holds no dataset, and files that cannot be read.
pub(crate) fn read_existing(named: &Existing, base: &Path, intake: &mut Intake) -> anyhow::Result<()> {
    let lists = named.without.iter().map(|file| RowList::read(&base.join(file)));
    let lists: Vec<RowList> = lists
        .collect::<Result<_, _>>()
        .context("the rows that `filter.existing.without` names cannot be read")?;
    for named in &named.datasets {
        let folder = dataset_folder(&base.join(named));
        if !folder.join("data").is_dir() {
            bail!(
                "`filter.existing.datasets`: {} is not a dataset, since it has no folder `data`\nhelp: name the folder of a run that has ended, of its \
                 dataset, or of a generation",
                folder.display()
            );
        }
        for split in Split::TRAINED {
            each_row::<anyhow::Error>(&folder, split, |row| {
                if lists.iter().any(|list| list.names(&row.id)) {
                    return Ok(());
                }
                Ok(intake.push_existing(&existing(split, row))?)
            })
            .with_context(|| {
                format!("the rows of {named}, a dataset of `filter.existing`, cannot be read")
            })?;
        }
    }
    Ok(())
}

fn existing(split: Split, row: DatasetRow) -> ExistingRow {
    let (question, answer) = row.exchange().unwrap_or_default();
    let mut texts = match split {
        Split::Dialogue | Split::ToolUse => vec![asked(&row.messages), opening(&row)],
        Split::Text => row.messages.iter().map(|turn| turn.content.clone()).collect(),
        Split::Train | Split::Preference | Split::Validation | Split::Test => vec![question],
    };
    texts.retain(|text| !text.is_empty());
    texts.dedup();
    let reasoning = row.reasoning.unwrap_or_default();
    let answer = match answer.strip_prefix(&reasoning).map(str::trim) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        Some(_) | None => answer,
    };
    let made = row.provenance;
    let strategy = made.strategy.as_deref();
    ExistingRow {
        texts,
        reasoning,
        answer,
        strategy: match made.origin {
            Origin::Human => None,
            // Rows of recipes that no longer exist are questions like others.
            Origin::Synthetic => Strategy::ALL
                .into_iter()
                .find(|known| strategy == Some(known.as_str()))
                .or(Some(Strategy::NewQuestion)),
        },
        seed: made.seed_id.and_then(|id| id.parse().ok()),
        concepts: made.concepts,
    }
}

/// What the user says first.
fn opening(row: &DatasetRow) -> String {
    let first = row.messages.iter().find(|turn| turn.role == Speaker::User);
    first.map(|turn| turn.content.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use gristmill_domain::dialogue::Turn;
    use serde_json::json;

    use super::*;

    fn row(messages: &[(Speaker, &str)], provenance: serde_json::Value) -> DatasetRow {
        DatasetRow {
            id: "r".into(),
            messages: messages
                .iter()
                .map(|(role, text)| Turn::new(*role, *text))
                .collect(),
            tools: Vec::new(),
            rejected: None,
            reasoning: Some("Two and two.".into()),
            provenance: serde_json::from_value(provenance).unwrap(),
        }
    }

    fn provenance(origin: &str, strategy: Option<&str>, passage_chars: u64) -> serde_json::Value {
        let mut value = serde_json::to_value(gristmill_dataset::Provenance::default()).unwrap();
        value["origin"] = json!(origin);
        value["strategy"] = json!(strategy);
        value["passage_chars"] = json!(passage_chars);
        value["seed_id"] = json!("000102030405060708090a0b0c0d0e0f");
        value
    }

    #[test]
    fn rows_are_compared_by_what_their_recipes_compare() {
        let exchange = [
            (Speaker::User, "Text.\n\nHow many?"),
            (Speaker::Assistant, "Two and two.\n\nFour."),
        ];
        let made = provenance("synthetic", Some("rephrasing"), 7);
        let read = existing(Split::Train, row(&exchange, made.clone()));
        assert_eq!(read.texts, ["How many?"]);
        assert_eq!(
            (read.reasoning.as_str(), read.answer.as_str()),
            ("Two and two.", "Four.")
        );
        assert_eq!(read.strategy, Some(Strategy::Rephrasing));
        assert!(read.seed.is_some());
        let real = existing(Split::Train, row(&exchange, provenance("human", None, 0)));
        assert_eq!(real.strategy, None);
        let dialogue = [
            (Speaker::User, "Hello?"),
            (Speaker::Assistant, "Yes?"),
            (Speaker::User, "Why?"),
            (Speaker::Assistant, "So."),
        ];
        let read = existing(Split::Dialogue, row(&dialogue, provenance("synthetic", None, 0)));
        assert_eq!(read.texts, ["Hello?\n\nWhy?", "Hello?"]);
        assert_eq!(read.strategy, Some(Strategy::NewQuestion));
        let read = existing(
            Split::Text,
            row(
                &[(Speaker::Assistant, "A text.")],
                provenance("synthetic", None, 0),
            ),
        );
        assert_eq!(read.texts, ["A text."]);
    }
}
