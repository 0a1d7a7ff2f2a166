//! The suite every ledger must pass, against a real server.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use gristmill_ports::contract::ledger::{Harness, Rig, START_MS};
use gristmill_ports::ledger::Ledger;
use gristmill_redis::RedisLedger;
use gristmill_servers::redis::Server;

struct OverRedis;

#[async_trait]
impl Harness for OverRedis {
    async fn start(&self) -> Box<dyn Rig> {
        let now = Arc::new(AtomicU64::new(START_MS));
        let namespace = stand::namespace();
        let ledger = open(&namespace, &now).await;
        Box::new(RedisRig {
            namespace,
            now,
            ledger,
        })
    }
}

struct RedisRig {
    namespace: String,
    now: Arc<AtomicU64>,
    ledger: Arc<RedisLedger>,
}

async fn open(namespace: &str, now: &Arc<AtomicU64>) -> Arc<RedisLedger> {
    let server = Server::shared().expect("a Redis server");
    Arc::new(stand::ledger_with_clock(server, namespace, stand::clock(now)).await)
}

#[async_trait]
impl Rig for RedisRig {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as Arc<dyn Ledger>
    }

    fn set_clock(&self, now_ms: u64) {
        self.now.store(now_ms, Ordering::SeqCst);
    }

    async fn restart(&mut self) {
        self.ledger = open(&self.namespace, &self.now).await;
    }

    fn restart_burns(&self) -> bool {
        false
    }
}

gristmill_ports::ledger_contract!(OverRedis);
