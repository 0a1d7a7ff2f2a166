//! A store without room and a Redis without memory: what a cluster says of them, and that it goes on by itself afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use gristmill_tests::cluster::{Cluster, LONG, Server, balanced, get, tasks};
use gristmill_tests::harness::{Bench, numbers};
use gristmill_tests::metrics::Page;
use serde_json::Value;

const CALLS: u64 = 1_200;

/// The value of a metric with a label at a server.
fn metric(server: &Server, name: &str, label: (&str, &str)) -> Option<f64> {
    Page::of(server).unwrap().sum(name, &[label])
}

/// Looks at readiness until it has this code, and returns what it says.
fn readiness(server: &Server, wanted: u16) -> String {
    let until = Instant::now() + LONG;
    loop {
        let (code, body) = get(&server.http, "/readyz").unwrap();
        if code == wanted {
            return body;
        }
        assert!(Instant::now() < until, "{code}: {body}\n{}", server.log_tail());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn says(words: &'static str) -> impl Fn(&Value) -> bool {
    move |status| {
        let reason = status["reason"].as_str();
        reason.is_some_and(|reason| reason.contains(words))
    }
}

/// Lets a process write files of at most so many bytes.
fn limit_files(server: &Server, bytes: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &server.id().to_string(), &format!("--fsize={bytes}:")])
        .status()
        .unwrap();
    assert!(set.success());
}

/// A cluster with a run under way, whose processes a shell has prepared by this command.
fn under_way(before: &'static str) -> (Bench, Cluster, String) {
    let (bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.before = before;
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 100)
        .unwrap();
    (bench, cluster, run)
}

/// Waits for the run's end, and holds its books against what the service billed.
fn finished(bench: &Bench, cluster: &Cluster, run: &str) {
    let status = cluster.finished(run, LONG).unwrap();
    assert_eq!(status["reason"], "");
    balanced(&status, bench.sim.bill().total.calls, CALLS).unwrap();
}

#[test]
fn a_full_redis_is_said_where_people_look_and_is_got_over() {
    let (bench, cluster, run) = under_way(":");
    let (coordinator, worker) = (&cluster.coordinators[0], &cluster.workers[0]);
    assert_eq!(
        metric(coordinator, "gristmill_unhealthy", ("dependency", "redis")),
        Some(0.0)
    );

    cluster
        .redis
        .command(&["CONFIG", "SET", "maxmemory", "1mb"])
        .unwrap();
    for server in [coordinator, worker] {
        let body = readiness(server, 503);
        assert!(
            body.contains("its memory is full") && body.contains("raise its `maxmemory`"),
            "{body}"
        );
        assert_eq!(
            metric(server, "gristmill_unhealthy", ("dependency", "redis")),
            Some(1.0)
        );
        assert!(metric(server, "gristmill_redis_errors_total", ("kind", "full")).unwrap() > 0.0);
    }
    let status = cluster.wait(&run, LONG, says("its memory is full")).unwrap();
    println!("{} because {}", status["state"], status["reason"]);
    // What needs no room is still written: the worker is there, though it was silent for longer than its beats hold.
    let workers = cluster.ask(&["workers"]).unwrap();
    assert_eq!(workers.len(), 1, "{workers:?}");

    cluster
        .redis
        .command(&["CONFIG", "SET", "maxmemory", "0"])
        .unwrap();
    for server in [coordinator, worker] {
        assert_eq!(readiness(server, 200), "ready\n");
        assert_eq!(
            metric(server, "gristmill_unhealthy", ("dependency", "redis")),
            Some(0.0)
        );
    }
    finished(&bench, &cluster, &run);
}

#[test]
fn a_full_store_is_said_where_people_look_and_is_got_over() {
    // A process at its limit on the size of files is told so, as one on a full disk is, where the signal does not end it.
    let (bench, cluster, run) = under_way("trap '' XFSZ");
    let coordinator = &cluster.coordinators[0];
    assert_eq!(
        metric(coordinator, "gristmill_unhealthy", ("dependency", "store")),
        Some(0.0)
    );

    limit_files(coordinator, "0");
    let status = cluster
        .wait(&run, LONG, says("the store cannot be written"))
        .unwrap();
    println!("{} because {}", status["state"], status["reason"]);
    let body = readiness(coordinator, 503);
    assert!(
        body.contains("the store cannot be written") && body.contains("give it more room"),
        "{body}"
    );
    assert_eq!(
        metric(coordinator, "gristmill_unhealthy", ("dependency", "store")),
        Some(1.0)
    );
    assert!(metric(coordinator, "gristmill_store_errors_total", ("kind", "full")).unwrap() > 0.0);

    limit_files(coordinator, "unlimited");
    assert_eq!(readiness(coordinator, 200), "ready\n");
    assert_eq!(
        metric(coordinator, "gristmill_unhealthy", ("dependency", "store")),
        Some(0.0)
    );
    finished(&bench, &cluster, &run);
}
