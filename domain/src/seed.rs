//! Seeds: real examples with known answers, and the three splits made of them before anything is generated.

pub mod choices;
pub mod conversation;
pub mod row;

use std::collections::BTreeMap;
use std::fmt;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::id::ContentId;

/// A real example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Hash of question, context and answer.
    pub id: ContentId,
    /// The question or instruction.
    pub question: String,
    /// The answer as a person wrote it.
    pub answer: String,
    /// Reasoning that leads to the answer, when it stands apart.
    pub reasoning: Option<String>,
    /// Answers to check against; never empty.
    pub references: Vec<String>,
    /// The passage that the question rests on.
    pub context: Option<String>,
    /// Concept labels.
    pub concepts: Vec<String>,
    /// Source document.
    pub source: Option<String>,
    /// Database that a query runs on.
    pub database: Option<String>,
    /// Where the row stands: file and line.
    pub place: RowLocation,
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowLocation {
    /// File as named in the job.
    pub file: String,
    /// Line of the file, from 1; the row's number in Parquet.
    pub line: u64,
}

impl fmt::Display for RowLocation {
    /// `seeds.jsonl:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Seed {
    /// Identity by content: the same row in two files is one seed.
    pub fn content_id(
        question: &str,
        context: Option<&str>,
        answer: &str,
        database: Option<&str>,
    ) -> ContentId {
        ContentId::of(&[
            question.as_bytes(),
            context.unwrap_or_default().as_bytes(),
            answer.as_bytes(),
            database.unwrap_or_default().as_bytes(),
        ])
    }
}

/// What a real row serves. One purpose each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Generated from, and part of every training set.
    Anchor,
    /// Held out for choosing.
    Validation,
    /// Held out for judging.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchor => "anchor",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// Draws the splits: whole groups (source document, near-duplicate cluster) go to one split, and each concept is spread over
/// the splits by their shares.
///
/// `groups[i]` is row i's group, `concepts[i]` its stratum. The result has one split a row, depends on nothing but its
/// arguments, and leaves at least one row in the anchor.
pub fn split(groups: &[u64], concepts: &[&str], validation: f64, test: f64, seed: u64) -> Vec<Split> {
    let mut members: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    // A group's stratum is the concept of its first row: groups are small, and a row's concepts tend to agree within one.
    let mut strata: BTreeMap<&str, Vec<&Vec<usize>>> = BTreeMap::new();
    for rows in members.values() {
        strata.entry(concepts[rows[0]]).or_default().push(rows);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut splits = vec![Split::Anchor; groups.len()];
    // What a stratum is owed beyond whole rows is carried to the next, so that many small strata still add up to the shares.
    let (mut validation_owed, mut test_owed) = (0.0, 0.0);
    for groups in strata.values_mut() {
        groups.shuffle(&mut rng);
        let rows: usize = groups.iter().map(|rows| rows.len()).sum();
        validation_owed += rows as f64 * validation;
        test_owed += rows as f64 * test;
        for rows in groups.iter() {
            let size = rows.len() as f64;
            // A group joins a held-out split when at least half of it is owed there.
            let (split, owed) = if test_owed >= validation_owed {
                (Split::Test, &mut test_owed)
            } else {
                (Split::Validation, &mut validation_owed)
            };
            if *owed >= size / 2.0 && *owed > 0.0 {
                *owed -= size;
                rows.iter().for_each(|row| splits[*row] = split);
            }
        }
    }
    if !splits.is_empty() && !splits.contains(&Split::Anchor) {
        splits.fill(Split::Anchor);
    }
    splits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_met_within_every_concept() {
        let concepts: Vec<&str> = (0..1000).map(|i| ["a", "b", "c", "d"][i % 4]).collect();
        let groups: Vec<u64> = (0..1000).collect();
        let splits = split(&groups, &concepts, 0.1, 0.2, 7);
        for concept in ["a", "b", "c", "d"] {
            let count = |wanted| {
                (0..1000)
                    .filter(|i| concepts[*i] == concept && splits[*i] == wanted)
                    .count()
            };
            assert!(
                (24..=26).contains(&count(Split::Validation)),
                "{concept}: {}",
                count(Split::Validation)
            );
            assert!(
                (49..=51).contains(&count(Split::Test)),
                "{concept}: {}",
                count(Split::Test)
            );
        }
    }

    proptest! {
        #[test]
        fn a_group_stays_whole_and_the_draw_is_a_function(
            rows in prop::collection::vec((0u64..40, 0usize..5), 1..200), validation in 0.0..0.4f64, test in 0.0..0.4f64, seed: u64,
        ) {
            let groups: Vec<u64> = rows.iter().map(|(group, _)| *group).collect();
            let concepts: Vec<&str> = rows.iter().map(|(_, concept)| ["a", "b", "c", "d", "e"][*concept]).collect();
            let splits = split(&groups, &concepts, validation, test, seed);
            prop_assert_eq!(&splits, &split(&groups, &concepts, validation, test, seed));
            prop_assert!(splits.contains(&Split::Anchor));
            let mut of_group = BTreeMap::new();
            for (group, split) in groups.iter().zip(&splits) {
                prop_assert_eq!(*of_group.entry(group).or_insert(split), split);
            }
        }
    }
}
