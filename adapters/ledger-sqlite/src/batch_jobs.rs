//! The batch jobs of the run, in the ledger's file.
//!
//! Whoever opens the folder has it alone, so a batch job that a process before had in hand is in nobody's: holders are forgotten at reopening.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_ports::batch::{BatchId, BatchJob, BatchJobError, BatchJobs};
use rusqlite::{Connection, Row, params};

use crate::error::{Failure, Fault};
use crate::ledger::SqliteLedger;
use crate::rows::signed;

fn read(row: &Row<'_>) -> Result<BatchJob, rusqlite::Error> {
    let run: Vec<u8> = row.get(1)?;
    let run = RunId::from_bytes(&run).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(BatchJob {
        tag: row.get(0)?,
        run,
        model: row.get(2)?,
        tasks: row.get::<_, i64>(3)?.unsigned_abs(),
        batch: row.get::<_, Option<String>>(4)?.map(BatchId),
    })
}

fn claim(conn: &Connection, holder: &str, now_ms: u64, until_ms: u64) -> Result<Vec<BatchJob>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT tag, run, model, tasks, batch FROM docket WHERE holder = ?1 OR until <= ?2 ORDER BY tag",
    )?;
    let held = statement
        .query_map(params![holder, signed(now_ms)], read)?
        .collect::<Result<Vec<_>, _>>()?;
    if !held.is_empty() {
        conn.prepare_cached("UPDATE docket SET until = ?3, holder = ?1 WHERE holder = ?1 OR until <= ?2")?
            .execute(params![holder, signed(now_ms), signed(until_ms)])?;
    }
    Ok(held)
}

/// Tasks of a run that are in batches. A file that was written before there were any has no table for them.
pub(crate) fn out(conn: &Connection, run: RunId) -> Result<u64, Fault> {
    let known: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'docket')")?
        .query_row([], |row| row.get(0))?;
    if !known {
        return Ok(0);
    }
    let tasks: i64 = conn
        .prepare_cached("SELECT coalesce(sum(tasks), 0) FROM docket WHERE run = ?1")?
        .query_row([run.as_bytes()], |row| row.get(0))?;
    Ok(tasks.unsigned_abs())
}

impl SqliteLedger {
    async fn batch_job<T: Send + 'static>(
        &self,
        doing: &'static str,
        operation: impl FnOnce(&Connection, u64) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BatchJobError> {
        self.call(doing, move |store| store.look(operation).map_err(Failure::Fault))
            .await
            .map_err(|source| BatchJobError {
                doing,
                source: Box::new(source),
            })
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl BatchJobs for SqliteLedger {
    async fn enter(&self, batch_job: &BatchJob, holder: &str, lease: Duration) -> Result<(), BatchJobError> {
        let (batch_job, holder) = (batch_job.clone(), holder.to_owned());
        self.batch_job("was entered", move |conn, now_ms| {
            conn.prepare_cached(
                "INSERT INTO docket (tag, run, model, tasks, batch, holder, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                batch_job.tag,
                batch_job.run.as_bytes(),
                batch_job.model,
                signed(batch_job.tasks),
                batch_job.batch.map(|batch| batch.0),
                holder,
                signed(now_ms.saturating_add(millis(lease))),
            ])?;
            Ok(())
        })
        .await
    }

    async fn name(&self, tag: &str, batch: &BatchId) -> Result<(), BatchJobError> {
        let (tag, batch) = (tag.to_owned(), batch.0.clone());
        self.batch_job("was named", move |conn, _| {
            conn.prepare_cached("UPDATE docket SET batch = ?2 WHERE tag = ?1")?
                .execute(params![tag, batch])?;
            Ok(())
        })
        .await
    }

    async fn claim(&self, holder: &str, lease: Duration) -> Result<Vec<BatchJob>, BatchJobError> {
        let holder = holder.to_owned();
        self.batch_job("was claimed", move |conn, now_ms| {
            claim(conn, &holder, now_ms, now_ms.saturating_add(millis(lease)))
        })
        .await
    }

    async fn release(&self, holder: &str) -> Result<(), BatchJobError> {
        let holder = holder.to_owned();
        self.batch_job("was given back", move |conn, _| {
            conn.prepare_cached("UPDATE docket SET holder = '', until = 0 WHERE holder = ?1")?
                .execute([holder])?;
            Ok(())
        })
        .await
    }

    async fn strike(&self, tag: &str) -> Result<(), BatchJobError> {
        let tag = tag.to_owned();
        self.batch_job("was struck", move |conn, _| {
            conn.prepare_cached("DELETE FROM docket WHERE tag = ?1")?
                .execute([tag])?;
            Ok(())
        })
        .await
    }

    async fn out(&self, run: RunId) -> Result<u64, BatchJobError> {
        self.batch_job("was counted", move |conn, _| out(conn, run)).await
    }
}
