//! The users that ship in `deploy/redis/users.acl`, against a real server: what a worker's late news of its calls needs, and what a right that is
//! missing does.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gristmill_ports::ledger::{Ledger, Nonce, Settle};
use gristmill_redis::ledger::Options as LedgerOptions;
use gristmill_redis::{Address, Redis, RedisLedger};
use gristmill_servers::redis::{Options, Server};
use stand::{LEASE_MS, books, cost, done, granted, run, set_up, task_id};

const PASSWORD: &str = "s3cret-s3cret-s3cret";
/// The namespace that the file is written for.
const NAMESPACE: &str = "gm";

/// A server with the shipped users, less the default one being off, by which the test changes them.
fn server() -> Server {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/redis/users.acl");
    let users = std::fs::read_to_string(file).expect("the shipped users");
    let users = users.lines().filter(|line| !line.starts_with("user default "));
    let options = Options {
        config: users.map(|line| format!("{line} >{PASSWORD}")).collect(),
        ..Options::default()
    };
    Server::start(&options).expect("a Redis server")
}

async fn ledger_of(server: &Server, role: &str, now: &Arc<AtomicU64>) -> RedisLedger {
    let url = format!(
        "redis://gristmill-{role}:{PASSWORD}@127.0.0.1:{}/0",
        server.port()
    );
    let address = Address::parse(&url).expect("an address");
    let redis = Redis::connect(address, stand::named(NAMESPACE))
        .await
        .expect("connects");
    let options = LedgerOptions {
        clock: Some(stand::clock(now)),
        ..LedgerOptions::default()
    };
    RedisLedger::new(redis, options).expect("a ledger")
}

#[tokio::test]
async fn a_worker_may_book_what_its_calls_cost_however_late() {
    let server = server();
    let now = Arc::new(AtomicU64::new(1_000_000));
    let coordinator = ledger_of(&server, "coordinator", &now).await;
    let worker = ledger_of(&server, "worker", &now).await;
    let epoch = set_up(&coordinator, 1_000, 1).await;
    let first = granted(&worker, 0, 1, 100).await;
    now.fetch_add(LEASE_MS + 1, Ordering::SeqCst);
    coordinator.expire(run(), &epoch).await.expect("expires");
    let second = granted(&worker, 0, 2, 100).await;
    // The first attempt burned, and brings the result. The second is still out when that is absorbed.
    let late = worker.settle(run(), first, cost(40), done("late")).await;
    assert!(matches!(late, Ok(Settle::Corrected { .. })), "{late:?}");
    coordinator
        .absorb(run(), &epoch, &[task_id(0)])
        .await
        .expect("absorbs");
    let told = worker.settle(run(), second, cost(50), done("again")).await;
    assert!(matches!(told, Ok(Settle::Booked { .. })), "{told:?}");
    assert_eq!(books(&worker).await, (0, 90, 0));
}

#[tokio::test]
async fn a_missing_right_stops_an_operation_before_it_writes_anything() {
    let server = server();
    let rights = |change: &str| {
        server
            .command(&["ACL", "SETUSER", "gristmill-worker", change])
            .expect("changes the user");
    };
    rights("-xdel");
    let now = Arc::new(AtomicU64::new(1_000_000));
    let coordinator = ledger_of(&server, "coordinator", &now).await;
    let worker = ledger_of(&server, "worker", &now).await;
    set_up(&coordinator, 1_000, 1).await;
    let refused = worker
        .begin(run(), task_id(0), Nonce(1), cost(100))
        .await
        .expect_err("it may not write");
    let text = format!("{refused:?}");
    assert!(text.contains("XDEL") && text.contains("users.acl"), "{text}");
    assert_eq!(books(&coordinator).await, (0, 0, 0));
    rights("+xdel");
    let fence = granted(&worker, 0, 1, 100).await;
    let told = worker.settle(run(), fence, cost(40), done("right")).await;
    assert!(matches!(told, Ok(Settle::Booked { .. })), "{told:?}");
    assert_eq!(books(&coordinator).await, (0, 40, 0));
}
