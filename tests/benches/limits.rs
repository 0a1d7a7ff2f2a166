//! Eight workers under a provider's limit of 600 requests a minute: what the service sees in every window of 60 seconds.
//!
//!     cargo bench -p gristmill-tests --bench limits -- [MINUTES]
//!
//! The windows slide over every arrival, from a cold start on. The service itself refuses nothing, so that what is seen is the fleet's own
//! restraint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::time::{Duration, Instant};

use gristmill_tests::cluster::Cluster;
use gristmill_tests::harness::{Bench, data};
use gristmill_tests::sim::{Config, Faults, KeyFiles};

const LIMIT: usize = 600;
const WINDOW: Duration = Duration::from_secs(60);

fn main() {
    let minutes: u64 = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(3);
    let data = data().expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let seeds = data.join("gsm8k/train.jsonl");
    let config = Config {
        key: KeyFiles {
            gsm8k: vec![seeds.clone()],
            ..KeyFiles::default()
        },
        faults: Faults {
            latency_ms_mean: 100.0,
            latency_ms_spread: 0.5,
            ..Faults::default()
        },
        seed: 1,
        ..Config::default()
    };
    let bench = Bench::new(config).unwrap();
    let calls = (minutes + 1) * LIMIT as u64;
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, requests_per_minute: {LIMIT}}}\nembed: {{model: off}}\n\
         generate: {{strategy: answer_augmentation, pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {calls}}}\n",
        seeds.display(),
        bench.url()
    );
    let job = bench.write("job.yaml", &job).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..8 {
        cluster
            .worker(&["--stages", "generate", "--slots", "32"])
            .unwrap();
    }
    let run = cluster.submit(&job).unwrap();
    let end = Instant::now() + WINDOW * u32::try_from(minutes).unwrap();
    cluster
        .wait(&run, WINDOW * (u32::try_from(minutes).unwrap() + 2), |_| {
            Instant::now() > end
        })
        .unwrap();
    let arrivals = bench.sim.arrivals();
    let (first, last) = (*arrivals.first().unwrap(), *arrivals.last().unwrap());
    let seen = |from: Instant| {
        let start = arrivals.partition_point(|at| *at < from);
        arrivals.partition_point(|at| *at < from + WINDOW) - start
    };
    // Windows that begin at an arrival hold the most; those that lie whole in the run tell how much is used.
    let most = arrivals.iter().map(|at| seen(*at)).max().unwrap();
    let whole: Vec<usize> = arrivals
        .iter()
        .filter(|at| **at + WINDOW <= last)
        .map(|at| seen(*at))
        .collect();
    let least = whole.iter().min().copied().unwrap_or_default();
    let mean = whole.iter().sum::<usize>() as f64 / whole.len().max(1) as f64;
    println!("8 workers, {LIMIT} requests a minute allowed, {minutes} minutes from a cold start");
    println!(
        "  requests {}, in {:.1} s; {} windows of 60 s",
        arrivals.len(),
        (last - first).as_secs_f64(),
        arrivals.len()
    );
    println!(
        "  most in any window {most} ({:.1} % of the limit)",
        100.0 * most as f64 / LIMIT as f64
    );
    println!(
        "  used in whole windows: mean {mean:.0} ({:.1} %), least {least} ({:.1} %)",
        100.0 * mean / LIMIT as f64,
        100.0 * least as f64 / LIMIT as f64
    );
    assert!(most <= LIMIT, "over the limit");
}
