//! The questions of an evaluation, and the parts of the set that they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use gristmill_coordinator::{EvaluationPlan, SeedStore, Start};
use gristmill_domain::seed::Seed;
use serde::{Deserialize, Serialize};

/// The part of the set that an item belongs to by its right answer, where answers are labels.
pub(super) const ANSWER: &str = "answer";
/// The rarest concepts that together hold at most this share of the real rows are the tail.
const TAIL_SHARE: f64 = 0.2;

/// A held-out question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The row's id.
    pub item: String,
    /// The question.
    pub question: String,
    /// Right answers.
    pub references: Vec<String>,
    /// The answer as a person wrote it.
    pub answer: String,
    /// The passage that the question rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The document that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its concepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<String>,
    /// `concept` and `tier` (`head` or `tail`), as far as they are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, String>,
    /// Where the row stands: file and line.
    pub place: String,
}

/// The questions, in the order of the plan.
pub(super) fn items(
    start: &Start,
    plan: &EvaluationPlan,
    seeds: &SeedStore,
) -> anyhow::Result<Vec<StoredItem>> {
    let rows = plan.rows.iter().map(|row| seeds.read(*row));
    let rows: Vec<Seed> = rows.collect::<Result<_, _>>()?;
    let labels = &start.job.filter.validator;
    // Rows that are made from tell what a student sees often; of a set of questions alone, these do.
    let mut counts = seeds.summary().concepts.clone();
    if counts.is_empty() {
        for concept in rows.iter().filter_map(concept) {
            *counts.entry(concept.to_owned()).or_default() += 1;
        }
    }
    let tail = tail(&counts);
    let parted = counts.len() > 1 && !tail.is_empty();
    let item = |seed: Seed| {
        let mut slices = BTreeMap::new();
        if let Some(concept) = concept(&seed) {
            slices.insert("concept".to_owned(), concept.to_owned());
            if parted {
                let rare = tail.contains(concept) || !counts.contains_key(concept);
                let tier = if rare { "tail" } else { "head" };
                slices.insert("tier".to_owned(), tier.to_owned());
            }
        }
        if !labels.choices().is_empty() {
            slices.insert(
                ANSWER.to_owned(),
                seed.references.first().unwrap_or(&seed.answer).clone(),
            );
        }
        StoredItem {
            item: seed.id.to_string(),
            question: seed.question,
            references: seed.references,
            answer: seed.answer,
            context: seed.context,
            source: seed.source,
            concepts: seed.concepts,
            slices,
            place: seed.place.to_string(),
        }
    };
    Ok(rows.into_iter().map(item).collect())
}

fn concept(seed: &Seed) -> Option<&str> {
    seed.concepts
        .first()
        .or(seed.database.as_ref())
        .map(String::as_str)
}

/// The rarest concepts that together hold at most [`TAIL_SHARE`] of the rows. Concepts with as many rows as each other are all in it or none is,
/// so that no name decides: of concepts that are all equally frequent, none is.
fn tail(counts: &BTreeMap<String, u64>) -> BTreeSet<&str> {
    let all: u64 = counts.values().sum();
    let mut by_count: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (name, count) in counts {
        by_count.entry(*count).or_default().push(name);
    }
    let mut held = 0;
    by_count
        .into_iter()
        .take_while(|(count, names)| {
            held += count * names.len() as u64;
            held as f64 <= TAIL_SHARE * all as f64
        })
        .flat_map(|(_, names)| names)
        .collect()
}

/// Writes the questions, one a line.
pub(super) fn write(file: &Path, items: &[StoredItem]) -> anyhow::Result<()> {
    let told = || format!("{} cannot be written", file.display());
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).with_context(told)?);
    for item in items {
        serde_json::to_writer(&mut out, item).with_context(told)?;
        out.write_all(b"\n").with_context(told)?;
    }
    out.flush().with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_what_is_rare() {
        let counts = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect()
        };
        let of = |pairs: &[(&str, u64)]| -> Vec<String> {
            tail(&counts(pairs)).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(of(&[("a", 50), ("b", 35), ("c", 10), ("d", 5)]), ["c", "d"]);
        assert_eq!(of(&[("a", 50), ("b", 50)]), [""; 0]);
        // Together, the equally rare ones would hold more than a fifth: none of them is in the tail.
        assert_eq!(of(&[("a", 60), ("b", 15), ("c", 15), ("d", 10)]), ["d"]);
        assert_eq!(of(&[("a", 60), ("b", 15), ("c", 15)]), [""; 0]);
        assert_eq!(of(&[("a", 80), ("b", 10), ("c", 10)]), ["b", "c"]);
        assert_eq!(of(&[]), [""; 0]);
    }
}
