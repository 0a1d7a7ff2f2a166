//! Measures the ledger over a Redis server of its own: begin and settle by one client and by fifty, and what tasks take in memory.
//!
//! `cargo run --release -p gristmill-redis --example throughput -- [TASKS]`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops at the first error"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::Epoch;
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::{Begin, Ledger, NewAccount, NewTask, Nonce, Outcome};
use gristmill_ports::upkeep::Upkeep;
use gristmill_redis::ledger::Options as LedgerOptions;
use gristmill_redis::{Address, Options, Redis, RedisLedger};
use gristmill_servers::redis::{Options as ServerOptions, Server};

const PAYLOAD_BYTES: usize = 1_500;
const RESULT_BYTES: usize = 2_000;
const BATCH: usize = 250;

fn amount(usd: u64) -> Amount {
    Amount {
        usd: MicroUsd(usd),
        calls: 1,
        input_tokens: 20 * usd,
        output_tokens: 5 * usd,
    }
}

async fn ledger(server: &Server) -> RedisLedger {
    let address = Address::parse(&server.url()).unwrap();
    let redis = Redis::connect(address, Options::default()).await.unwrap();
    RedisLedger::new(redis, LedgerOptions::default()).unwrap()
}

/// Bytes that Redis holds for its keys.
fn memory(server: &Server) -> u64 {
    let keys = server.command(&["KEYS", "*"]).unwrap();
    keys.lines()
        .map(|key| {
            let bytes = server.command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).unwrap();
            bytes.parse::<u64>().unwrap()
        })
        .sum()
}

async fn open(ledger: &RedisLedger, run: RunId, tasks: usize) -> Epoch {
    let account = NewAccount {
        run,
        limit: Limit::default(),
        price_hash: "p".to_owned(),
        lease_ms: 600_000,
        republish_ms: 600_000,
    };
    ledger.create(account).await.unwrap();
    let epoch = ledger.take_over(run, "bench").await.unwrap();
    for first in (0..tasks).step_by(BATCH) {
        let batch = (first..(first + BATCH).min(tasks)).map(|number| NewTask {
            id: TaskId::of(&[&number.to_le_bytes()]),
            stage: Stage::Generate,
            model: "teacher".to_owned(),
            payload: vec![b'p'; PAYLOAD_BYTES],
            max_attempts: 3,
            max_voids: 20,
        });
        ledger.open(run, &epoch, batch.collect()).await.unwrap();
    }
    epoch
}

/// Has so many clients, each a process's own connection, begin and settle every task.
async fn cycles(server: &Server, run: RunId, tasks: usize, clients: usize) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let mut ledgers = Vec::new();
    for _ in 0..clients {
        ledgers.push(ledger(server).await);
    }
    let start = Instant::now();
    let workers: Vec<_> = ledgers
        .into_iter()
        .map(|ledger| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= tasks {
                        return;
                    }
                    let id = TaskId::of(&[&number.to_le_bytes()]);
                    let begun = ledger.begin(run, id, Nonce(1), amount(100)).await.unwrap();
                    let Begin::Granted { fence, .. } = begun else {
                        panic!("{begun:?}")
                    };
                    let result = Outcome::Done(vec![b'r'; RESULT_BYTES]);
                    ledger.settle(run, fence, amount(40), result).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    tasks as f64 / start.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let tasks: usize = std::env::args()
        .nth(1)
        .map_or(2_000, |text| text.parse().unwrap());
    let server = Server::start(&ServerOptions::default()).unwrap();
    let coordinator = ledger(&server).await;
    for clients in [1_usize, 50] {
        let run = RunId::of(&[&clients.to_le_bytes()]);
        let epoch = open(&coordinator, run, tasks).await;
        let opened = memory(&server);
        let rate = cycles(&server, run, tasks, clients).await;
        let settled = memory(&server);
        println!(
            "{clients:>2} clients: {rate:.0} cycles of begin and settle a second; {} bytes an open task ({PAYLOAD_BYTES} of payload), {} a settled one ({RESULT_BYTES} of result)",
            opened / tasks as u64,
            settled / tasks as u64,
        );
        loop {
            let results = coordinator.results(run, 0, BATCH, Duration::ZERO).await.unwrap();
            let ids: Vec<_> = results.iter().map(|settled| settled.task).collect();
            if ids.is_empty() {
                break;
            }
            coordinator.absorb(run, &epoch, &ids).await.unwrap();
        }
        coordinator.close(run, &epoch).await.unwrap();
        println!("   closed: {} bytes in all", memory(&server));
        assert!(coordinator.release(run, Duration::ZERO).await.unwrap());
    }
    println!("released: {} bytes", memory(&server));
}
