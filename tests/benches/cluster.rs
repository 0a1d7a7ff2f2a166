//! How fast the whole path of a cluster is without a model's latency, beside the broker alone and beside Celery on the same servers; and
//! what Redis holds meanwhile.
//!
//!     cargo bench -p gristmill-tests --bench cluster -- [TASKS]
//!
//! - **gristmill**: plan → ledger → RabbitMQ → two workers → one request each to a simulated service → ledger → absorbed, one coordinator.
//! - **broker alone**: the same number of messages of the same size, published with confirms in batches of 128, consumed and acknowledged.
//! - **Celery**: the same number of no-op tasks, results in Redis, two processes (`tests/peers/celery_noop.py`; fetched into a virtual
//!   environment on first use).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gristmill_tests::cluster::Cluster;
use gristmill_tests::harness::{Bench, data};
use gristmill_tests::sim::{Config, KeyFiles};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio_stream::StreamExt;

/// Bytes of a task's envelope, roughly: a prompt of a few sentences.
const MESSAGE_BYTES: usize = 1_500;
const BATCH: usize = 128;

fn memory(cluster: &Cluster) -> f64 {
    let info = cluster.redis.command(&["INFO", "memory"]).unwrap();
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .unwrap();
    used.trim().parse::<f64>().unwrap() / f64::from(1 << 20)
}

fn gristmill(tasks: usize) -> (Cluster, f64) {
    let data = data().expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let seeds = data.join("gsm8k/train.jsonl");
    let bench = Bench::new(Config {
        key: KeyFiles {
            gsm8k: vec![seeds.clone()],
            ..KeyFiles::default()
        },
        seed: 1,
        ..Config::default()
    })
    .unwrap();
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, concurrency: 256}}\nembed: {{model: off}}\n\
         generate: {{strategy: answer_augmentation, pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\n\
         budget: {{calls: {tasks}}}\nanchor: {{max_synthetic_share: 0.99}}\n",
        seeds.display(),
        bench.url()
    );
    let job = bench.write("job.yaml", &job).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..2 {
        cluster
            .worker(&["--stages", "generate", "--slots", "256"])
            .unwrap();
    }
    let before = memory(&cluster);
    let run = cluster.submit(&job).unwrap();
    let (mut start, mut most, mut open_most) = (None, before, 0);
    let status = cluster
        .wait(&run, Duration::from_secs(1_800), |status| {
            let tasks = &status["tasks"];
            if tasks["done"].as_u64().unwrap() > 0 {
                start.get_or_insert_with(Instant::now);
            }
            open_most =
                open_most.max(tasks["planned"].as_u64().unwrap() - tasks["archived"].as_u64().unwrap());
            most = most.max(memory(&cluster));
            tasks["archived"].as_u64().unwrap() >= tasks["planned"].as_u64().unwrap().max(1)
                && status["state"] == "finished"
        })
        .unwrap();
    let seconds = start.unwrap().elapsed().as_secs_f64();
    println!(
        "Redis: {before:.1} MB before, {most:.1} MB at most ({open_most} tasks open at most of {tasks}), {:.1} MB after; {}",
        memory(&cluster),
        status["tasks"]
    );
    (cluster, seconds)
}

fn broker_alone(url: &str, tasks: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let connect = || Connection::connect(url, ConnectionProperties::default());
        let (publishing, consuming) = (connect().await.unwrap(), connect().await.unwrap());
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let channel = consuming.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare("bare".into(), options, arguments)
            .await
            .unwrap();
        channel.basic_qos(512, BasicQosOptions::default()).await.unwrap();
        let mut consumer = channel
            .basic_consume(
                "bare".into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        let outlet = publishing.create_channel().await.unwrap();
        outlet
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        let start = Instant::now();
        let publishing = tokio::spawn(async move {
            let body = vec![b'x'; MESSAGE_BYTES];
            for first in (0..tasks).step_by(BATCH) {
                let mut confirms = Vec::new();
                for _ in first..(first + BATCH).min(tasks) {
                    let confirm = outlet
                        .basic_publish(
                            "".into(),
                            "bare".into(),
                            BasicPublishOptions::default(),
                            &body,
                            BasicProperties::default().with_delivery_mode(2),
                        )
                        .await
                        .unwrap();
                    confirms.push(confirm);
                }
                for confirm in confirms {
                    confirm.await.unwrap();
                }
            }
        });
        for _ in 0..tasks {
            let delivery = consumer.next().await.unwrap().unwrap();
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
        publishing.await.unwrap();
        start.elapsed().as_secs_f64()
    })
}

/// A virtual environment with Celery, made on first use.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .status()
            .unwrap();
        assert!(made.success(), "python3 -m venv failed");
    }
    let fetched = Command::new(&python)
        .args(["-m", "pip", "install", "-q", "celery[redis]"])
        .status()
        .unwrap();
    assert!(fetched.success(), "Celery could not be fetched");
    python
}

fn celery(cluster: &Cluster, tasks: usize) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/celery_noop.py");
    let output = Command::new(python())
        .arg(script)
        .args([
            &cluster.rabbit.url(&cluster.vhost),
            &cluster.redis.url(),
            &tasks.to_string(),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().expect("the script prints seconds")
}

fn main() {
    let tasks: usize = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(20_000);
    let (cluster, ours) = gristmill(tasks);
    let url = cluster.rabbit.url(&cluster.vhost);
    let bare = broker_alone(&url, tasks);
    let peer = celery(&cluster, tasks);
    println!("{:<14} {:>8} {:>9} {:>9}", "", "tasks", "seconds", "tasks/s");
    for (name, seconds) in [("gristmill", ours), ("broker alone", bare), ("Celery", peer)] {
        println!(
            "{name:<14} {tasks:>8} {seconds:>9.1} {:>9.0}",
            tasks as f64 / seconds
        );
    }
}
