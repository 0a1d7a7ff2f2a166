//! Rows to take out of a dataset, each with its cause.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use gristmill_dataset::{Split, each_row};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::causes::ShownCause;
use crate::finding::{Cause, SpeakingRow};

/// A row to take out; a line of `quarantine.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedRow {
    /// Id of the row.
    pub id: String,
    /// Its cause, as `gristmill generation quarantine --where` takes it: `teacher=NAME@VERSION`.
    pub cause: String,
    /// What shows the cause.
    pub why: String,
    /// The row's concepts.
    pub concepts: Vec<String>,
}

/// The rows of shown causes that contradict right answers; `speaking` are the rows that the causes were found in.
pub fn quarantine(causes: &[ShownCause], speaking: &[SpeakingRow]) -> Vec<QuarantinedRow> {
    let concepts: HashMap<&str, &Vec<String>> = speaking
        .iter()
        .map(|row| (row.row.as_str(), &row.concepts))
        .collect();
    let of = |shown: &ShownCause| {
        let (cause, why) = (shown.cause.to_string(), shown.why());
        let row = |id: &String| QuarantinedRow {
            id: id.clone(),
            cause: cause.clone(),
            why: why.clone(),
            concepts: concepts
                .get(id.as_str())
                .map(|of| (*of).clone())
                .unwrap_or_default(),
        };
        shown.wrong.iter().map(row).collect::<Vec<_>>()
    };
    causes.iter().flat_map(of).collect()
}

/// All synthetic rows of shown causes in a dataset's folder, whatever they say.
///
/// # Errors
/// A dataset that cannot be read.
pub fn quarantine_whole(dataset: &Path, causes: &[ShownCause]) -> Result<Vec<QuarantinedRow>, Error> {
    let mut listed = Vec::new();
    if causes.is_empty() {
        return Ok(listed);
    }
    let mut seen = BTreeSet::new();
    for split in Split::TRAINED {
        each_row::<Error>(dataset, split, |row| {
            let of = Cause::of(&row.provenance);
            let Some(shown) = causes.iter().find(|shown| of.contains(&shown.cause)) else {
                return Ok(());
            };
            if seen.insert(row.id.clone()) {
                listed.push(QuarantinedRow {
                    id: row.id,
                    cause: shown.cause.to_string(),
                    why: shown.why(),
                    concepts: row.provenance.concepts,
                });
            }
            Ok(())
        })?;
    }
    Ok(listed)
}
