//! A row's whole history, from the journal.

use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_proto::SegmentKind;
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, TaskResult};
use crate::{Error, SeedStore};

/// A row with all that led to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History {
    /// The row, accepted or not.
    pub row: Row,
    /// The real row that it was made from.
    pub seed: Seed,
    /// Its tasks with what they brought and cost, in the order of its steps.
    pub tasks: Vec<TaskResult>,
}

/// What looking for a row brought.
pub enum Found {
    /// Exactly one decided row has an id that begins so.
    One(Box<History>),
    /// None has.
    None,
    /// Several have.
    Several,
}

impl Journal<'_> {
    /// Finds a decided row by its id, or the first digits of it, and tells its history.
    ///
    /// # Errors
    /// Segments that cannot be read.
    pub async fn history(&self, row: &str, seeds: &SeedStore) -> Result<Found, Error> {
        let mut found: Option<Row> = None;
        for name in self.all_segments(SegmentKind::Rows).await? {
            for record in self.rows(&name).await? {
                if record.value.id.to_string().starts_with(row) && found.replace(record.value).is_some() {
                    return Ok(Found::Several);
                }
            }
        }
        let Some(row) = found else {
            return Ok(Found::None);
        };
        let mut tasks = Vec::new();
        for name in self.segments(SegmentKind::Results, row.position.round).await? {
            let results = self.results(&name).await?.into_iter();
            tasks.extend(results.filter(|result| row.tasks.contains(&result.task)));
        }
        tasks.sort_by_key(|result| result.address);
        let seed = seeds.read(row.seed)?;
        Ok(Found::One(Box::new(History { row, seed, tasks })))
    }
}
