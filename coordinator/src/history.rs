//! A row's whole history, from the journal.

use gristmill_domain::row::Row;
use gristmill_domain::seed::{Seed, Split};
use gristmill_proto::SegmentKind;
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, TaskResult};
use crate::{Error, SeedStore};

/// A made row with all that led to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History {
    /// The row, accepted or not.
    pub row: Row,
    /// The real row that it was made from.
    pub seed: Seed,
    /// Its tasks with what they brought and cost, in the order of its steps.
    pub tasks: Vec<TaskResult>,
}

/// A real row: what it serves, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RealRow {
    /// The row.
    pub seed: Seed,
    /// What it serves.
    pub split: Split,
    /// Accepted rows that were made from it so far.
    pub accepted: u64,
    /// Rejected candidates that were made from it so far.
    pub rejected: u64,
}

/// What there is to tell of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// It was made.
    Made(Box<History>),
    /// It is real.
    Real(Box<RealRow>),
}

/// Why there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTrace {
    /// No id begins so.
    #[error("no real or decided row has an id that begins with `{0}`")]
    Unknown(String),
    /// Several do.
    #[error("several rows have ids that begin with `{0}`: give more digits")]
    Several(String),
}

impl Journal<'_> {
    /// Finds a row, real or decided, by its id or the first digits of it, and tells its history.
    ///
    /// # Errors
    /// Segments that cannot be read.
    pub async fn trace(&self, id: &str, seeds: &SeedStore) -> Result<Result<Trace, NoTrace>, Error> {
        let mut like = seeds.beginning(id);
        let real = like.next();
        if like.next().is_some() {
            return Ok(Err(NoTrace::Several(id.to_owned())));
        }
        let (mut made, mut accepted, mut rejected): (Option<Row>, _, _) = (None, 0, 0);
        for name in self.all_segments(SegmentKind::Rows).await? {
            for record in self.rows(&name).await? {
                let row = record.value;
                if real == Some(row.seed) {
                    accepted += u64::from(row.accepted());
                    rejected += u64::from(!row.accepted());
                }
                if row.id.to_string().starts_with(id) && (real.is_some() || made.replace(row).is_some()) {
                    return Ok(Err(NoTrace::Several(id.to_owned())));
                }
            }
        }
        Ok(match (made, real) {
            (Some(row), _) => Ok(Trace::Made(Box::new(self.history(row, seeds).await?))),
            (None, Some(ordinal)) => Ok(Trace::Real(Box::new(RealRow {
                seed: seeds.read(ordinal)?,
                split: seeds.split(ordinal),
                accepted,
                rejected,
            }))),
            (None, None) => Err(NoTrace::Unknown(id.to_owned())),
        })
    }

    async fn history(&self, row: Row, seeds: &SeedStore) -> Result<History, Error> {
        let mut tasks = Vec::new();
        for name in self.segments(SegmentKind::Results, row.position.round).await? {
            let results = self.results(&name).await?.into_iter();
            tasks.extend(results.filter(|result| row.tasks.contains(&result.task)));
        }
        tasks.sort_by_key(|result| result.address);
        let seed = seeds.read(row.seed)?;
        Ok(History { row, seed, tasks })
    }
}
