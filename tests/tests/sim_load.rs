//! What the simulator itself costs: it must not be what a benchmark measures.
#![allow(clippy::unwrap_used, reason = "a test's own helper fails its test")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

/// User and system time of a process so far, in seconds.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 14 and 15 of the whole line, in ticks of a hundredth of a second.
    fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
        .sum()
}

async fn drive(url: String, calls: u64, open: u64) -> Duration {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(open as usize)
        .build()
        .unwrap();
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..open {
        let (client, next, url) = (
            client.clone(),
            Arc::clone(&next),
            format!("{url}/chat/completions"),
        );
        set.spawn(async move {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= calls {
                    return;
                }
                let prompt = format!(
                    "Answer the question. <question>A baker packs {i} rolls into bags of six, sells the bags for 4 dollars each and \
                     gives 3 bags away. How many dollars does the baker take in?</question>"
                );
                let body = json!({ "max_tokens": 300, "seed": i, "messages": [{ "role": "user", "content": prompt }] });
                let reply = client.post(&url).json(&body).send().await.unwrap();
                assert_eq!(reply.status().as_u16(), 200);
                reply.bytes().await.unwrap();
            }
        });
    }
    set.join_all().await;
    start.elapsed()
}

#[tokio::test]
#[ignore = "a benchmark: seconds long, and only a build with optimizations says anything"]
async fn five_thousand_calls_cost_the_simulator_under_a_second() {
    for (calls, open) in [(5000, 256), (5000, 1000)] {
        let mut sim = Command::new(env!("CARGO_BIN_EXE_gristmill-sim"))
            .args(["--latency-ms-mean", "200"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(sim.stdout.as_mut().unwrap())
            .read_line(&mut url)
            .unwrap();
        let before = cpu_seconds(sim.id());
        let wall = drive(url.trim().to_owned(), calls, open).await;
        let cpu = cpu_seconds(sim.id()) - before;
        sim.kill().unwrap();
        sim.wait().unwrap();
        let ideal = 0.2 * (calls as f64 / open as f64).ceil();
        println!(
            "{calls} calls, {open} open: wall {wall:?}, ideal {ideal:.1} s, simulator {cpu:.2} CPU seconds"
        );
        assert!(cpu < 1.0, "{cpu} CPU seconds");
    }
}
