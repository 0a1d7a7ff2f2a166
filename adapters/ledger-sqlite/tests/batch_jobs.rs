//! The suite every store of batch jobs must pass, and what reopening means for them.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_ports::batch::{BatchJob, BatchJobs};
use gristmill_ports::contract::batch_jobs::{Harness, Rig};

struct Sqlite;

#[async_trait]
impl Harness for Sqlite {
    async fn start(&self) -> Rig {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Rig {
            batch_jobs: Arc::new(SqliteLedger::open(folder.path()).expect("opens")),
            keep: Box::new(folder),
        }
    }
}

gristmill_ports::batch_jobs_contract!(Sqlite);

#[tokio::test]
async fn the_next_process_has_at_once_what_the_last_one_had() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let batch_job = BatchJob {
        tag: "b".to_owned(),
        run: RunId::of(&[b"run"]),
        model: "m".to_owned(),
        tasks: 3,
        batch: None,
    };
    let long = Duration::from_secs(60 * 60);
    let ledger = SqliteLedger::open(folder.path()).expect("opens");
    ledger.enter(&batch_job, "first", long).await.expect("enters");
    ledger.shut_down().await;
    let ledger = SqliteLedger::open(folder.path()).expect("opens again");
    assert_eq!(ledger.claim("second", long).await.expect("claims"), [batch_job]);
}
