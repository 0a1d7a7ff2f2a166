//! The suite every store of dockets must pass, against a real server.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_ports::contract::dockets::{Harness, Rig};
use gristmill_redis::RedisDockets;
use gristmill_servers::redis::Server;

struct OverRedis;

#[async_trait]
impl Harness for OverRedis {
    async fn start(&self) -> Rig {
        let server = Server::shared().expect("a Redis server");
        let redis = stand::redis(server, stand::named(&stand::namespace())).await;
        Rig {
            dockets: Arc::new(RedisDockets::new(redis)),
            keep: Box::new(()),
        }
    }
}

gristmill_ports::dockets_contract!(OverRedis);
