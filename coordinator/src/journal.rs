//! The journal: what a run must not forget, in numbered segments.
//!
//! | name | holds | in the order of |
//! |---|---|---|
//! | `plans/ROUND.seg` | the plan of a round | – |
//! | `results/ROUND-N.seg` | absorbed task results | absorption |
//! | `rows/ROUND-N.seg` | decided rows with their vectors | candidates |
//!
//! A segment is created conditionally and never changed. Only what stands here is absorbed from the ledger, so a crash at any
//! moment loses nothing: what was not stored is still in the ledger.

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::plan::Plan;
use gristmill_domain::row::Row;
use gristmill_domain::work::{Address, Output, Report};
use gristmill_ports::blob::{Blobs, Create};
use gristmill_proto::{Record, Segment, SegmentKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::failure::TaskFailure;

/// A task's result, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task.
    pub task: TaskId,
    /// Which step of which candidate it is.
    pub address: Address,
    /// Name of the model.
    pub model: String,
    /// What it brought, or why it failed; vectors stand beside.
    pub brought: Result<Report, TaskFailure>,
    /// What it cost, every attempt counted.
    pub cost: Amount,
    /// Attempts that were made.
    pub attempts: u32,
}

/// The journal of a run.
pub struct Journal<'a> {
    blobs: &'a dyn Blobs,
}

impl<'a> Journal<'a> {
    /// The journal in a blob store.
    pub fn new(blobs: &'a dyn Blobs) -> Self {
        Self { blobs }
    }

    /// Stores a round's plan; a stored one wins, so that a round is never planned in two ways.
    pub async fn store_plan(&self, plan: Plan) -> Result<Plan, Error> {
        let round = plan.round;
        let name = format!("plans/{round:08}.seg");
        let bytes = Segment::encode(SegmentKind::Plans, &[Record::plain(&plan)])?;
        match self.blobs.create(&name, bytes).await? {
            Create::Created => Ok(plan),
            Create::Exists => self.plan(round).await?.ok_or(Error::Torn { name }),
        }
    }

    /// A round's plan, if it is stored.
    pub async fn plan(&self, round: u32) -> Result<Option<Plan>, Error> {
        let name = format!("plans/{round:08}.seg");
        if !self.blobs.list("plans/").await?.contains(&name) {
            return Ok(None);
        }
        Ok(self
            .records::<Plan>(SegmentKind::Plans, &name)
            .await?
            .into_iter()
            .next()
            .map(|record| record.value))
    }

    /// A report that was too large for the ledger, as its worker has stored it.
    pub(crate) async fn blob(&self, name: &str) -> Result<Vec<u8>, Error> {
        Ok(self.blobs.read(name).await?)
    }

    /// Appends results of a round; `next` is the number of the next segment of its kind.
    pub(crate) async fn append_results(
        &self,
        round: u32,
        next: &mut u64,
        results: Vec<TaskResult>,
    ) -> Result<(), Error> {
        let records: Vec<Record<TaskResult>> = results.into_iter().map(apart).collect();
        self.append(SegmentKind::Results, round, next, &records).await
    }

    /// Appends decided rows of a round.
    pub(crate) async fn append_rows(
        &self,
        round: u32,
        next: &mut u64,
        rows: &[Record<Row>],
    ) -> Result<(), Error> {
        self.append(SegmentKind::Rows, round, next, rows).await
    }

    async fn append<T: Serialize>(
        &self,
        kind: SegmentKind,
        round: u32,
        next: &mut u64,
        records: &[Record<T>],
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let bytes = Segment::encode(kind, records)?;
        let name = format!("{}/{round:08}-{next:08}.seg", kind.name());
        match self.blobs.create(&name, bytes).await? {
            Create::Created => {
                *next += 1;
                Ok(())
            }
            // Only another coordinator of the same run can have made it: this one is stale.
            Create::Exists => Err(Error::Usurped { name }),
        }
    }

    /// Names of a round's segments of a kind, in order.
    pub async fn segments(&self, kind: SegmentKind, round: u32) -> Result<Vec<String>, Error> {
        Ok(self.blobs.list(&format!("{}/{round:08}-", kind.name())).await?)
    }

    /// Names of all segments of a kind, in order.
    pub async fn all_segments(&self, kind: SegmentKind) -> Result<Vec<String>, Error> {
        Ok(self.blobs.list(&format!("{}/", kind.name())).await?)
    }

    /// Names of the segments of a kind from a round on, in order.
    pub async fn segments_from(&self, kind: SegmentKind, round: u32) -> Result<Vec<String>, Error> {
        let first = format!("{}/{round:08}-", kind.name());
        let mut names = self.all_segments(kind).await?;
        names.retain(|name| *name >= first);
        Ok(names)
    }

    /// Checks a segment against its digest.
    pub(crate) async fn check(&self, name: &str) -> Result<(), Error> {
        let bytes = self.blobs.read(name).await?;
        Segment::check(&bytes).map_err(|source| Error::Segment {
            name: name.to_owned(),
            source,
        })
    }

    /// Results that are stored, of all rounds.
    pub(crate) async fn stored_results(&self) -> Result<u64, Error> {
        let mut stored = 0;
        for name in self.all_segments(SegmentKind::Results).await? {
            let bytes = self.blobs.read(&name).await?;
            stored += Segment::count(&bytes).map_err(|source| Error::Segment { name, source })?;
        }
        Ok(stored)
    }

    /// The rows of a segment, with the vector of each question where it was embedded.
    pub async fn rows(&self, name: &str) -> Result<Vec<Record<Row>>, Error> {
        self.records(SegmentKind::Rows, name).await
    }

    /// The results of a segment.
    pub async fn results(&self, name: &str) -> Result<Vec<TaskResult>, Error> {
        Ok(self
            .records(SegmentKind::Results, name)
            .await?
            .into_iter()
            .map(together)
            .collect())
    }

    async fn records<T: DeserializeOwned>(
        &self,
        kind: SegmentKind,
        name: &str,
    ) -> Result<Vec<Record<T>>, Error> {
        let bytes = self.blobs.read(name).await?;
        Segment::decode(kind, &bytes).map_err(|source| Error::Segment {
            name: name.to_owned(),
            source,
        })
    }
}

/// Vectors are packed beside the record, not spelled out in it.
fn apart(mut result: TaskResult) -> Record<TaskResult> {
    let vectors = match &mut result.brought {
        Ok(Report {
            output: Output::Vectors(vectors),
            ..
        }) => std::mem::take(vectors),
        Ok(_) | Err(_) => Vec::new(),
    };
    Record {
        value: result,
        vectors,
    }
}

fn together(record: Record<TaskResult>) -> TaskResult {
    let mut result = record.value;
    if let Ok(Report {
        output: Output::Vectors(vectors),
        ..
    }) = &mut result.brought
    {
        *vectors = record.vectors;
    }
    result
}
