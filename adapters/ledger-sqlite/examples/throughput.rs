//! Measures whole task cycles: open in batches, begin, settle, read the stream, absorb in batches.
//!
//! `cargo run --release -p gristmill-ledger-sqlite --example throughput -- [TASKS] [CLIENTS] [FOLDER]`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops at the first error"
)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::stage::Stage;
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_ports::ledger::{Begin, Ledger, NewAccount, NewTask, Nonce, Outcome};
use tokio::sync::{Mutex, mpsc};

const WINDOW: usize = 2_048;
const BATCH: usize = 256;

fn task(number: usize) -> NewTask {
    NewTask {
        id: TaskId::of(&[&number.to_le_bytes()]),
        stage: Stage::Generate,
        model: "teacher".to_owned(),
        payload: vec![b'p'; 1_500],
        max_attempts: 3,
        max_voids: 20,
    }
}

/// A line of /proc/self/status in KiB.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}

/// User and system time of this process, in hundredths of a second.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    stat.split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (tasks, clients): (usize, usize) = (number(50_000), number(256));
    let folder = arguments
        .next()
        .map_or_else(|| tempfile::tempdir().unwrap().keep(), PathBuf::from);
    let ledger = Arc::new(SqliteLedger::open(&folder).unwrap());
    let run = RunId::of(&[folder.to_string_lossy().as_bytes()]);
    let account = NewAccount {
        run,
        limit: Limit {
            usd: Some(MicroUsd(u64::MAX / 2)),
            calls: None,
        },
        price_hash: "p".to_owned(),
        lease_ms: 30_000,
        republish_ms: 60_000,
    };
    ledger.create(account).await.unwrap();
    let epoch = ledger.take_over(run, "bench").await.unwrap();

    let (queue, deliveries) = mpsc::channel::<TaskId>(WINDOW);
    let deliveries = Arc::new(Mutex::new(deliveries));
    for client in 0..clients {
        let (ledger, deliveries) = (Arc::clone(&ledger), Arc::clone(&deliveries));
        tokio::spawn(async move {
            let worst = Amount {
                usd: MicroUsd(100),
                calls: 1,
                input_tokens: 2_000,
                output_tokens: 512,
            };
            let actual = Amount {
                usd: MicroUsd(40),
                calls: 1,
                input_tokens: 700,
                output_tokens: 200,
            };
            loop {
                let Some(id) = deliveries.lock().await.recv().await else {
                    return;
                };
                let begun = ledger.begin(run, id, Nonce(client as u64), worst).await.unwrap();
                let Begin::Granted { fence, .. } = begun else {
                    panic!("{begun:?}")
                };
                let result = Outcome::Done(vec![b'r'; 2_000]);
                ledger.settle(run, fence, actual, result).await.unwrap();
            }
        });
    }

    let (start, cpu_before) = (Instant::now(), cpu());
    let (mut opened, mut absorbed, mut cursor) = (0, 0, 0);
    let mut pending = VecDeque::new();
    while absorbed < tasks {
        while opened < tasks && opened - absorbed + BATCH <= WINDOW {
            let batch: Vec<_> = (opened..(opened + BATCH).min(tasks)).map(task).collect();
            opened += batch.len();
            ledger.open(run, &epoch, batch).await.unwrap();
            let due = ledger.due(run, &epoch, BATCH).await.unwrap();
            pending.extend(due.into_iter().map(|task| task.id));
        }
        while let Some(id) = pending.pop_front() {
            queue.send(id).await.unwrap();
        }
        let results = ledger
            .results(run, cursor, BATCH, Duration::from_secs(10))
            .await
            .unwrap();
        let Some(last) = results.last() else {
            panic!("no result in 10 s")
        };
        cursor = last.seq;
        let ids: Vec<_> = results.iter().map(|settled| settled.task).collect();
        ledger.absorb(run, &epoch, &ids).await.unwrap();
        absorbed += ids.len();
        if absorbed / 10_000 > (absorbed - ids.len()) / 10_000 {
            println!("{absorbed:>7} tasks, {:>6} KiB resident", memory("VmRSS"));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let disk: u64 = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "{tasks} cycles with {clients} clients in {seconds:.2} s: {:.0} cycles/s; {:.2} CPU seconds; peak {} KiB; {} KiB on disk",
        tasks as f64 / seconds,
        (cpu() - cpu_before) as f64 / 100.0,
        memory("VmHWM"),
        disk >> 10,
    );
    ledger.shut_down().await;
}
