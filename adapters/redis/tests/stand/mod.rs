//! Ledgers over the servers of these tests, and a run in them.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::{Begin, Epoch, Fence, Ledger, NewAccount, NewTask, Nonce, Outcome};
use gristmill_redis::ledger::{Clock, Options as LedgerOptions};
use gristmill_redis::{Address, Options, Redis, RedisLedger};
use gristmill_servers::redis::Server;

/// Far longer than anything takes, far shorter than a person waits for a hung test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Lease of these tests' accounts, in milliseconds.
pub(crate) const LEASE_MS: u64 = 30_000;

/// Names that no other test uses.
pub(crate) fn namespace() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("test{}", NUMBER.fetch_add(1, Ordering::SeqCst))
}

pub(crate) async fn redis(server: &Server, options: Options) -> Redis {
    let address = Address::parse(&server.url()).expect("an address");
    Redis::connect(address, options).await.expect("connects")
}

pub(crate) fn named(namespace: &str) -> Options {
    // Generous: machines that run tests may be busy with others.
    Options {
        namespace: namespace.to_owned(),
        connect_timeout: PATIENCE,
        response_timeout: PATIENCE,
        patience: PATIENCE,
    }
}

/// A ledger as a process of its own would have it.
pub(crate) async fn ledger(server: &Server, namespace: &str) -> RedisLedger {
    let redis = redis(server, named(namespace)).await;
    RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger")
}

pub(crate) async fn ledger_with_clock(server: &Server, namespace: &str, clock: Clock) -> RedisLedger {
    let options = LedgerOptions {
        clock: Some(clock),
        ..LedgerOptions::default()
    };
    RedisLedger::new(redis(server, named(namespace)).await, options).expect("a ledger")
}

/// A clock that stands until it is set.
pub(crate) fn clock(now: &Arc<AtomicU64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || now.load(Ordering::SeqCst))
}

pub(crate) fn run() -> RunId {
    RunId::of(&[b"a run"])
}

pub(crate) fn task_id(number: u32) -> TaskId {
    TaskId::of(&[&number.to_le_bytes()])
}

pub(crate) fn task(number: u32) -> NewTask {
    NewTask {
        id: task_id(number),
        stage: Stage::Generate,
        model: "teacher".to_owned(),
        payload: format!("payload {number}").into_bytes(),
        max_attempts: 3,
        max_voids: 3,
    }
}

pub(crate) fn cost(usd: u64) -> Amount {
    Amount {
        usd: MicroUsd(usd),
        calls: 1,
        input_tokens: 10 * usd,
        output_tokens: usd,
    }
}

pub(crate) fn done(text: &str) -> Outcome {
    Outcome::Done(text.as_bytes().to_vec())
}

pub(crate) fn account(limit: u64) -> NewAccount {
    NewAccount {
        run: run(),
        limit: Limit {
            usd: Some(MicroUsd(limit)),
            calls: None,
        },
        price_hash: "prices".to_owned(),
        lease_ms: LEASE_MS,
        republish_ms: 60_000,
    }
}

/// Creates the run and opens tasks 0.. in it.
pub(crate) async fn set_up(ledger: &RedisLedger, limit: u64, tasks: u32) -> Epoch {
    ledger.create(account(limit)).await.expect("create");
    let epoch = ledger.take_over(run(), "first").await.expect("take over");
    let batch = (0..tasks).map(task).collect();
    ledger.open(run(), &epoch, batch).await.expect("open");
    epoch
}

pub(crate) async fn begin(ledger: &RedisLedger, task: u32, nonce: u64, worst: u64) -> Begin {
    ledger
        .begin(run(), task_id(task), Nonce(nonce), cost(worst))
        .await
        .expect("begin")
}

pub(crate) async fn granted(ledger: &RedisLedger, task: u32, nonce: u64, worst: u64) -> Fence {
    match begin(ledger, task, nonce, worst).await {
        Begin::Granted { fence, .. } => fence,
        other => panic!("task {task}: expected a grant, got {other:?}"),
    }
}

/// Started, spent and burned, in micro-dollars.
pub(crate) async fn books(ledger: &RedisLedger) -> (u64, u64, u64) {
    let total = ledger.account(run()).await.expect("account").total();
    (total.started.usd.0, total.spent.usd.0, total.burned.usd.0)
}

/// Looks until it is so.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
