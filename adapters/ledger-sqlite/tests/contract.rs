//! The suite every ledger must pass.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use gristmill_ledger_sqlite::{Clock, SqliteLedger};
use gristmill_ports::contract::ledger::{Harness, Rig, START_MS};
use gristmill_ports::ledger::Ledger;

struct Sqlite;

#[async_trait]
impl Harness for Sqlite {
    async fn start(&self) -> Box<dyn Rig> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = Arc::new(AtomicU64::new(START_MS));
        let ledger = open(&folder, &now);
        Box::new(SqliteRig { folder, now, ledger })
    }
}

struct SqliteRig {
    folder: tempfile::TempDir,
    now: Arc<AtomicU64>,
    ledger: Arc<SqliteLedger>,
}

fn open(folder: &tempfile::TempDir, now: &Arc<AtomicU64>) -> Arc<SqliteLedger> {
    let now = Arc::clone(now);
    let clock: Clock = Arc::new(move || now.load(Ordering::SeqCst));
    Arc::new(SqliteLedger::open_with_clock(folder.path(), clock).expect("opens"))
}

#[async_trait]
impl Rig for SqliteRig {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as Arc<dyn Ledger>
    }

    fn set_clock(&self, now_ms: u64) {
        self.now.store(now_ms, Ordering::SeqCst);
    }

    async fn restart(&mut self) {
        self.ledger.shut_down().await;
        self.ledger = open(&self.folder, &self.now);
    }

    fn restart_burns(&self) -> bool {
        true
    }
}

gristmill_ports::ledger_contract!(Sqlite);
