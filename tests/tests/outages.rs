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
use gristmill_tests::harness::{numbers, program};
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
fn a_watcher_hears_that_redis_is_away_and_not_the_coordinator_that_says_so() {
    let (_bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let mut watcher = std::process::Command::new(program().unwrap())
        .args(["watch", &run, "--server", cluster.api().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.contains("there is no worker")));
    cluster.redis.kill().unwrap();
    let told = lines.find(|line| line.contains("answer")).unwrap();
    assert!(
        told.contains("the coordinator answers") && told.contains("Redis cannot be reached"),
        "{told}"
    );
    cluster.coordinators[0].kill().unwrap();
    let gone = lines.find(|line| line.contains("the coordinator")).unwrap();
    assert!(gone.contains("the coordinator does not answer"), "{gone}");
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

#[test]
fn a_run_names_what_fails_now_and_costs_money_and_not_what_failed_first() {
    let (bench, job) = numbers(CALLS).unwrap();
    let fails = |too_many, server_error| Faults {
        too_many,
        server_error,
        ..Faults::default()
    };
    bench.sim.set_faults(fails(1.0, 0.0)).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "4"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let first = |status: &Value| status["failures"][0].clone();
    let turned_away = cluster
        .wait(&run, LONG, |status| first(status)["kind"] == "429")
        .unwrap();
    assert_eq!(first(&turned_away)["burned"], 0, "{turned_away}");
    bench.sim.set_faults(fails(0.0, 1.0)).unwrap();
    let burning = cluster
        .wait(&run, LONG, |status| first(status)["kind"] == "500")
        .unwrap();
    let told = first(&burning);
    let counted = |name: &str| told[name].as_u64().unwrap();
    assert!(
        counted("burned") > 0 && counted("burned") == counted("calls"),
        "{told}"
    );
    assert!(
        told["model"] == "sim" && told["reason"].as_str().unwrap().contains("answered 500"),
        "{told}"
    );
    cluster
        .wait(&run, LONG, |status| {
            status["reason"]
                .as_str()
                .is_some_and(|why| why.contains("answered 500"))
        })
        .unwrap();
    cluster.ask(&["cancel", &run]).unwrap();
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
