//! The suite every store of batch jobs must pass, against a real server.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_ports::contract::batch_jobs::{Harness, Rig};
use gristmill_redis::RedisBatchJobs;
use gristmill_servers::redis::Server;

struct OverRedis;

#[async_trait]
impl Harness for OverRedis {
    async fn start(&self) -> Rig {
        let server = Server::shared().expect("a Redis server");
        let redis = stand::redis(server, stand::named(&stand::namespace())).await;
        Rig {
            batch_jobs: Arc::new(RedisBatchJobs::new(redis)),
            keep: Box::new(()),
        }
    }
}

gristmill_ports::batch_jobs_contract!(OverRedis);
