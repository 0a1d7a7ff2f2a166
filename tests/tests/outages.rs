//! Servers that go away and come back while a run is under way, and one that has forgotten what it was told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use gristmill_tests::cluster::{Cluster, LONG, balanced, calls, rows, tasks};
use gristmill_tests::harness::numbers;
use gristmill_tests::sim::Faults;
use serde_json::Value;

const CALLS: u64 = 1_200;

#[test]
fn servers_that_forget_or_go_away_cost_nothing_twice() {
    let (bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..2 {
        cluster.worker(&["--slots", "8"]).unwrap();
    }
    let run = cluster.submit(&job).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 100)
        .unwrap();

    cluster.rabbit.kill().unwrap();
    cluster.rabbit.run().unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 200)
        .unwrap();

    cluster.redis.restart().unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 400)
        .unwrap();

    // The last tenth of what Redis wrote is gone: calls were made that it no longer knows of.
    cluster.redis.kill().unwrap();
    let bytes = cluster.redis.log_bytes().unwrap();
    cluster.redis.cut_log(bytes - bytes / 10).unwrap();
    cluster.redis.run().unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    let billed = bench.sim.bill().total.calls;
    println!(
        "{billed} billed, {} spent, {} burned",
        calls(&status, "spent"),
        calls(&status, "burned")
    );
    balanced(&status, billed, CALLS).unwrap();
    let manifest = std::fs::read(cluster.dataset(&run).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let rows = rows(&cluster.dataset(&run), "train").unwrap();
    let synthetic = rows
        .values()
        .filter(|row| row["provenance"]["origin"] == "synthetic")
        .count();
    assert_eq!(manifest["rows"]["train_synthetic"], synthetic);
    assert!(synthetic > 100, "{synthetic} rows");
}

#[test]
fn without_redis_what_is_asked_says_so_and_the_way_out() {
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.redis.kill().unwrap();
    let run = "0".repeat(12);
    for asked in [&["runs"][..], &["workers"], &["status", &run]] {
        let told = cluster.ask(asked).unwrap_err().to_string();
        for words in [
            "Redis cannot be reached",
            "no run is lost",
            "help: ",
            "`gristmill doctor`",
        ] {
            assert!(told.contains(words), "{asked:?}: {told}");
        }
        assert!(!told.contains("service is currently unavailable"), "{told}");
    }
}

#[test]
fn a_run_says_that_its_teacher_answers_nothing_and_when_it_does_again() {
    let (bench, _) = numbers(CALLS).unwrap();
    let away = Faults {
        too_many: 1.0,
        ..Faults::default()
    };
    bench.sim.set_faults(away).unwrap();
    let mut run = bench
        .command(&["run", "job.yaml", "--progress", "plain"])
        .unwrap()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let told = lines.find(|line| line.contains("tasks wait")).unwrap();
    assert!(
        told.contains("`sim` at http") && told.contains("answered 429"),
        "{told}"
    );
    bench.sim.set_faults(Faults::default()).unwrap();
    assert!(lines.any(|line| line == "calls are answered again"));
    let rest: Vec<String> = lines.collect();
    assert!(run.wait().unwrap().success(), "{rest:#?}");
}
