//! The batch jobs of a cluster in Redis.
//!
//! Each operation is one script. All keys carry the hash tag `{dockets}` (the word of version 0.1), and the only clock is the server's. Every operation is safe to send
//! again, so each is sent again while the connection is made anew ([`Redis::call_again`]).

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_ports::batch::{BatchId, BatchJob, BatchJobError, BatchJobs};
use redis::Value;

use crate::connection::Redis;
use crate::error::Error;
use crate::script::{Call, NAMESPACE, Script};

const KEYS: &str = include_str!("batch_jobs/keys.lua");

macro_rules! scripts {
    ($($name:ident $file:literal)*) => {$(
        static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("batch_jobs/", $file), &[NAMESPACE, KEYS, include_str!(concat!("batch_jobs/", $file, ".lua"))])
        });
    )*};
}

scripts! {
    ENTER "enter"
    NAME "name"
    CLAIM "claim"
    RELEASE "release"
    STRIKE "strike"
    OUT "out"
}

/// Batch jobs in Redis.
#[derive(Debug, Clone)]
pub struct RedisBatchJobs {
    redis: Redis,
    /// What each key begins with.
    prefix: String,
}

impl RedisBatchJobs {
    /// The batch jobs under the names of these connections ([`crate::Options::namespace`]).
    pub fn new(redis: Redis) -> Self {
        let prefix = format!("{}:{{dockets}}", redis.options().namespace);
        Self { redis, prefix }
    }

    fn script(&self, script: &'static Script) -> Call<'static> {
        Call::new(script).key(&self.prefix)
    }

    async fn call(&self, doing: &'static str, call: Call<'_>) -> Result<Value, BatchJobError> {
        self.redis.call_again(&call).await.map_err(failed(doing))
    }
}

fn failed(doing: &'static str) -> impl Fn(Error) -> BatchJobError {
    move |source| BatchJobError {
        doing,
        source: Box::new(source),
    }
}

fn unreadable(detail: impl std::fmt::Display) -> Error {
    Error::Reply {
        what: "a script of the batch jobs",
        detail: detail.to_string(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What `claim` returns: tag, run, model, tasks, batch; an empty batch is not known yet.
type BatchJobRow = (String, String, String, u64, String);

fn batch_job((tag, run, model, tasks, batch): BatchJobRow) -> Result<BatchJob, Error> {
    Ok(BatchJob {
        tag,
        run: run.parse().map_err(unreadable)?,
        model,
        tasks,
        batch: (!batch.is_empty()).then_some(BatchId(batch)),
    })
}

#[async_trait]
impl BatchJobs for RedisBatchJobs {
    async fn enter(&self, batch_job: &BatchJob, holder: &str, lease: Duration) -> Result<(), BatchJobError> {
        let batch = batch_job.batch.clone().map(|batch| batch.0);
        let call = self
            .script(&ENTER)
            .arg(batch_job.tag.as_str())
            .arg(batch_job.run.to_string())
            .arg(batch_job.model.as_str())
            .number(batch_job.tasks)
            .arg(batch.unwrap_or_default())
            .arg(holder)
            .number(millis(lease));
        self.call("was entered", call).await.map(drop)
    }

    async fn name(&self, tag: &str, batch: &BatchId) -> Result<(), BatchJobError> {
        let call = self.script(&NAME).arg(tag).arg(batch.0.as_str());
        self.call("was named", call).await.map(drop)
    }

    async fn claim(&self, holder: &str, lease: Duration) -> Result<Vec<BatchJob>, BatchJobError> {
        let doing = "was claimed";
        let call = self.script(&CLAIM).arg(holder).number(millis(lease));
        let rows: Vec<BatchJobRow> = redis::from_redis_value(self.call(doing, call).await?)
            .map_err(|error| failed(doing)(unreadable(error)))?;
        let mut held = rows
            .into_iter()
            .map(batch_job)
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed(doing))?;
        held.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(held)
    }

    async fn release(&self, holder: &str) -> Result<(), BatchJobError> {
        let call = self.script(&RELEASE).arg(holder);
        self.call("was given back", call).await.map(drop)
    }

    async fn strike(&self, tag: &str) -> Result<(), BatchJobError> {
        let call = self.script(&STRIKE).arg(tag);
        self.call("was struck", call).await.map(drop)
    }

    async fn out(&self, run: RunId) -> Result<u64, BatchJobError> {
        let doing = "was counted";
        let call = self.script(&OUT).arg(run.to_string());
        let reply = self.call(doing, call).await?;
        redis::from_redis_value(reply).map_err(|error| failed(doing)(unreadable(error)))
    }
}
