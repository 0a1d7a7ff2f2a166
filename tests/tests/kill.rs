//! kill -9 at random moments: nothing paid is paid again, nothing accepted is lost, and the run ends.
//!
//! The oracle is the service's own bill. B: billed ≤ started + spent + burned ≤ limit, the bill read first; R: one accepted result a
//! task; L: planned = done + failed + open, open reaches 0; S: totals equal their parts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::time::Duration;

use gristmill_tests::harness::Bench;
use gristmill_tests::questions::{self, first_lines};
use gristmill_tests::sim::{Config, Faults, KeyFiles};
use serde_json::Value;

/// Kills in the everyday suite; `GRISTMILL_KILLS` asks for more.
const KILLS: u64 = 8;
const BUDGET: u64 = 700;

/// A service slow enough for the run to outlast so many kills, and so few calls in flight that what they burn leaves a budget.
fn bench(seeds: &Path, kills: u64) -> Bench {
    let key = KeyFiles {
        gsm8k: vec![seeds.to_owned()],
        ..KeyFiles::default()
    };
    let faults = Faults {
        latency_ms_mean: 2.5 * kills as f64,
        latency_ms_spread: 0.5,
        ..Faults::default()
    };
    let bench = Bench::new(Config {
        key,
        faults,
        seed: 3,
        ..Config::default()
    })
    .unwrap();
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim, concurrency: 4}}\nembed: {{model: off}}\n\
         generate: {{pilot: 0.05, rounds: 3}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {BUDGET}}}\n",
        seeds.display(),
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

/// A number from a seed, without a clock: the moments are the same in every run of the test.
fn draw(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn calls(amounts: &Value) -> u64 {
    amounts["calls"].as_u64().unwrap_or(0)
}

/// B, L and S on a budget as the program prints it.
fn balanced(budget: &Value, billed_before: u64) {
    let total = &budget["total"];
    if total.is_null() {
        assert_eq!(billed_before, 0, "billed before there was a ledger");
        return;
    }
    let used = calls(&total["started"]) + calls(&total["spent"]) + calls(&total["burned"]);
    assert!(
        billed_before <= used,
        "B: {billed_before} billed, {used} in the books"
    );
    assert!(used <= BUDGET, "B: {used} used of {BUDGET}");
    for (stage, counts) in budget["counts"].as_object().unwrap() {
        let of = |name: &str| counts[name].as_u64().unwrap();
        assert_eq!(
            of("planned"),
            of("done") + of("failed") + of("open"),
            "L in {stage}: {counts}"
        );
    }
    let parts: u64 = budget["books"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|models| models.as_object().unwrap().values())
        .map(|books| calls(&books["started"]) + calls(&books["spent"]) + calls(&books["burned"]))
        .sum();
    assert_eq!(used, parts, "S: the total is the sum of its parts");
}

fn budget(bench: &Bench) -> Value {
    let Ok(run) = bench.run_folder() else {
        return Value::Null;
    };
    let output = bench
        .gristmill(&["budget", run.to_str().unwrap(), "--output", "json"])
        .unwrap();
    if output.status.success() {
        serde_json::from_slice(&output.stdout).unwrap()
    } else {
        Value::Null
    }
}

#[test]
fn killed_at_random_moments_a_run_still_keeps_its_promises() {
    let data = questions::folder().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let seeds = folder.path().join("seeds.jsonl");
    let text = first_lines(&data.join("gsm8k/train.jsonl"), 120).unwrap();
    std::fs::write(&seeds, text).unwrap();
    let kills = std::env::var("GRISTMILL_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(KILLS);
    let bench = bench(&seeds, kills);
    let mut landed = 0;
    for kill in 0..kills {
        let mut child = bench.start_job("job.yaml").unwrap();
        // The moment is part of the fault, not a wait for something to happen.
        std::thread::sleep(Duration::from_millis(40 + draw(kill) % 900));
        let alive = child.try_wait().unwrap().is_none();
        landed += u64::from(alive);
        child.kill().unwrap();
        child.wait().unwrap();
        let billed = bench.sim.bill().total.calls;
        let budget = budget(&bench);
        if !budget.is_null() {
            balanced(&budget, billed);
        }
    }
    println!(
        "{landed} of {kills} kills met a live run; {} calls billed so far",
        bench.sim.bill().total.calls
    );
    let summary = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    let budget = budget(&bench);
    let bill = bench.sim.bill();
    balanced(&budget, bill.total.calls);
    let total = &budget["total"];
    assert_eq!(calls(&total["started"]), 0, "nothing is held at the end");
    for (stage, counts) in budget["counts"].as_object().unwrap() {
        assert_eq!(
            counts["open"].as_u64(),
            Some(0),
            "L: no task is open at the end in {stage}"
        );
    }
    // A call that was billed and not settled before the kill is burned; its task is asked again with the very same request.
    let burned = calls(&total["burned"]);
    assert!(
        bill.repeated_calls <= burned,
        "{} calls were paid twice, {burned} burned",
        bill.repeated_calls
    );
    let ids: Vec<String> = bench
        .rows("train")
        .unwrap()
        .iter()
        .map(|row| row["id"].to_string())
        .collect();
    let distinct: std::collections::HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "R: no row twice");
    assert!(
        summary["rows"]["train_synthetic"].as_u64().unwrap() > 50,
        "{summary}"
    );
    assert!(
        landed >= kills / 2,
        "the moments must fall into the run: {landed} of {kills}"
    );

    let again = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    assert_eq!(
        again["finished_before"], true,
        "a finished run says so and does nothing"
    );
    assert_eq!(bench.sim.bill().total.calls, bill.total.calls);
}

#[test]
fn the_same_answers_give_the_same_dataset_whatever_the_speed() {
    let data = questions::folder().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let seeds = folder.path().join("seeds.jsonl");
    let text = first_lines(&data.join("gsm8k/train.jsonl"), 60).unwrap();
    std::fs::write(&seeds, text).unwrap();
    let ids = |concurrency: u32, latency: f64| {
        let key = KeyFiles {
            gsm8k: vec![seeds.clone()],
            ..KeyFiles::default()
        };
        let faults = Faults {
            latency_ms_mean: latency,
            latency_ms_spread: 0.8,
            ..Faults::default()
        };
        let bench = Bench::new(Config {
            key,
            faults,
            seed: 9,
            ..Config::default()
        })
        .unwrap();
        let job = format!(
            "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
             generate: {{rows: 90, pilot: 0.05}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 4000}}\n",
            seeds.display(),
            bench.url()
        );
        bench.write("job.yaml", &job).unwrap();
        bench
            .run_job(
                "job.yaml",
                &[
                    "--progress",
                    "none",
                    "--set",
                    &format!("teacher.concurrency={concurrency}"),
                ],
            )
            .unwrap();
        let rows = bench.rows("train").unwrap();
        rows.iter()
            .map(|row| row["messages"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(1, 0.0),
        ids(24, 15.0),
        "rows and their order depend on the answers alone"
    );
}
