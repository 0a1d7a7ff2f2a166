//! What coordinators and workers export: the table of `docs/metrics.md`, and sums over coordinators that are the truth. Real RabbitMQ and
//! Redis, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gristmill_tests::cluster::{Cluster, LONG, Server, calls, rows, tasks};
use gristmill_tests::harness::{Bench, numbers};
use gristmill_tests::metrics::{Page, Series};
use gristmill_tests::sim::Faults;
use serde_json::Value;

/// What a process exports.
fn scrape(server: &Server) -> Page {
    Page::of(server).unwrap()
}

/// A line of the table.
struct Listed {
    kind: String,
    labels: BTreeSet<String>,
    by: String,
}

/// The table of all metrics, as operators read it.
fn table() -> BTreeMap<String, Listed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once("## All metrics").unwrap();
    let (section, _) = after.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let listed = rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, by, meaning] = cells[..] else {
            panic!("five columns: {line}")
        };
        assert!(!meaning.is_empty(), "{line}");
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let entry = Listed {
            kind: kind.to_owned(),
            labels: labels.map(|label| label.trim_matches('`').to_owned()).collect(),
            by: by.to_owned(),
        };
        (name.trim_matches('`').to_owned(), entry)
    });
    let listed: Vec<_> = listed.collect();
    let count = listed.len();
    let table: BTreeMap<_, _> = listed.into_iter().collect();
    assert_eq!(table.len(), count, "a metric stands twice");
    table
}

/// Holds a page against the table, in both directions, and returns the names of metrics that have a value.
fn agrees(page: &Page, table: &BTreeMap<String, Listed>, role: &str) -> BTreeSet<String> {
    let listed: BTreeMap<&String, &String> = table
        .iter()
        .filter(|(_, listed)| listed.by == role || listed.by == "both")
        .map(|(name, listed)| (name, &listed.kind))
        .collect();
    let shown: BTreeMap<&String, &String> = page.types.iter().collect();
    assert_eq!(shown, listed, "the table and the {role}");
    let mut valued = BTreeSet::new();
    for (name, labels) in page.values.keys() {
        let mut labels: BTreeSet<String> = labels.keys().cloned().collect();
        let name = match ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|base| page.types.get(*base).is_some_and(|kind| kind == "histogram"))
        {
            Some(base) => {
                labels.remove("le");
                base
            }
            None => name.as_str(),
        };
        assert_eq!(labels, table[name].labels, "labels of {name} at the {role}");
        valued.insert(name.to_owned());
    }
    valued
}

const CALLS: u64 = 1_200;

/// The job with a price and a limit in money.
fn priced(bench: &Bench, job: &Path) -> PathBuf {
    let text = std::fs::read_to_string(job).unwrap();
    let text = text
        .replace("model: sim}", "model: sim, price: {input: 2.0, output: 6.0}}")
        .replace("budget: {calls", "budget: {usd: 40, calls");
    bench.write("priced.yaml", &text).unwrap()
}

#[test]
fn the_table_is_what_a_coordinator_and_a_worker_show() {
    let (bench, job) = numbers(CALLS).unwrap();
    let job = priced(&bench, &job);
    let mut cluster = Cluster::start().unwrap();
    // A window so small that messages do not wait for long.
    cluster.coordinator(&["--window", "64"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let table = table();
    // Before anything has happened, all names are there.
    agrees(&scrape(&cluster.coordinators[0]), &table, "coordinator");
    let stuck = |page: &Page| page.sum("gristmill_cluster_stuck_runs", &[("cause", "no_worker")]);
    let page = until(&cluster, 0, |page| stuck(page) == Some(1.0));
    assert_eq!(page.sum("gristmill_runs_driven", &[]), Some(1.0));
    assert_eq!(
        page.sum("gristmill_cluster_queue_consumers", &[("stage", "generate")]),
        Some(0.0)
    );
    assert!(page.sum("gristmill_run_open_tasks", &[("run", &run)]) > Some(0.0));

    cluster.worker(&["--slots", "8"]).unwrap();
    bench
        .sim
        .set_faults(Faults {
            too_many: 0.1,
            server_error: 0.05,
            bill_server_errors: false,
            retry_after_ms: 50,
            latency_ms_mean: 20.0,
            ..Faults::default()
        })
        .unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 200)
        .unwrap();
    let running = until(&cluster, 0, |page| {
        stuck(page) == Some(0.0)
            && page.sum("gristmill_cluster_workers", &[("state", "working")]) == Some(1.0)
            && page
                .sum("gristmill_run_oldest_task_timestamp_seconds", &[])
                .is_some()
    });
    let mut valued = agrees(&running, &table, "coordinator");
    let worker = scrape(&cluster.workers[0]);
    valued.extend(agrees(&worker, &table, "worker"));
    for code in ["429", "500"] {
        let errors = worker.sum("gristmill_call_errors_total", &[("model", "sim"), ("code", code)]);
        assert!(errors > Some(0.0), "{code}: {errors:?}");
    }
    // Waits of milliseconds are told from waits of a second.
    let waits = |le: &str| {
        worker
            .sum("gristmill_queue_wait_seconds_bucket", &[("le", le)])
            .unwrap()
    };
    println!(
        "{} of {} messages waited for less than 0.5 s",
        waits("0.5"),
        waits("+Inf")
    );
    assert!(
        waits("0.001") < waits("0.5"),
        "no wait is rounded down to nothing"
    );
    let beat = worker
        .sum("gristmill_worker_heartbeat_timestamp_seconds", &[])
        .unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - beat).abs() < 10.0, "{beat} at {now}");
    let started = worker.sum("process_start_time_seconds", &[]).unwrap();
    assert!((0.0..600.0).contains(&(now - started)), "{started} at {now}");

    cluster.ask(&["pause", &run]).unwrap();
    let paused = until(&cluster, 0, |page| {
        page.sum("gristmill_run_interruptions_total", &[("cause", "paused")]) == Some(1.0)
            && page.sum("gristmill_cluster_runs", &[("state", "paused")]) == Some(1.0)
    });
    let quiet = cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    // Calls that ended after the run was let go are shown.
    let used = |page: &Page, state| page.sum("gristmill_run_used_calls", &[("state", state)]);
    until(&cluster, 0, |page| {
        used(page, "held") == Some(0.0) && used(page, "spent") == Some(calls(&quiet, "spent") as f64)
    });
    assert_eq!(paused.sum("gristmill_run_limit_calls", &[]), Some(CALLS as f64));
    assert_eq!(
        paused.sum("gristmill_run_oldest_task_timestamp_seconds", &[]),
        None
    );
    cluster.ask(&["resume", &run]).unwrap();
    cluster.ask(&["cancel", &run]).unwrap();
    let status = cluster
        .wait(&run, LONG, |status| {
            status["state"] == "cancelled" && calls(status, "started") == 0
        })
        .unwrap();
    let ended = until(&cluster, 0, |page| {
        page.sum("gristmill_runs_ended_total", &[("state", "cancelled")]) == Some(1.0)
    });
    valued.extend(agrees(&ended, &table, "coordinator"));
    let counted = |booked| {
        ended
            .sum("gristmill_spend_calls_total", &[("booked", booked)])
            .unwrap() as u64
    };
    assert_eq!(
        (counted("spent"), counted("burned")),
        (calls(&status, "spent"), calls(&status, "burned")),
        "a cancelled run's calls are all counted"
    );
    assert_eq!(
        ended.sum("gristmill_runs_taken_up_total", &[("how", "new")]),
        Some(1.0)
    );
    assert!(ended.sum("gristmill_runs_taken_up_total", &[("how", "again")]) >= Some(1.0));

    let without: Vec<&String> = table.keys().filter(|name| !valued.contains(*name)).collect();
    println!("without a value in this test: {without:?}");
    // Each of them needs a job that is asked in batches, or an endpoint, a store or a Redis that fails (`faults.rs`).
    let expected = [
        "gristmill_batch_tasks",
        "gristmill_batches_total",
        "gristmill_breaker_open",
        "gristmill_redis_errors_total",
        "gristmill_store_errors_total",
    ];
    assert!(
        without.iter().all(|name| expected.contains(&name.as_str())),
        "{without:?}"
    );
}

/// Looks at a coordinator until its page meets the condition.
fn until(cluster: &Cluster, coordinator: usize, met: impl Fn(&Page) -> bool) -> Page {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let page = scrape(&cluster.coordinators[coordinator]);
        if met(&page) {
            return page;
        }
        assert!(Instant::now() < end, "not met: {:#?}", page.values);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Several coordinators as Prometheus sees them: of one that does not answer, the last page holds.
struct Scraped<'a> {
    cluster: &'a Cluster,
    pages: Vec<Page>,
    /// Sums of counters at the last look: none falls.
    counters: BTreeMap<Series, f64>,
}

impl<'a> Scraped<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            pages: cluster.coordinators.iter().map(scrape).collect(),
            counters: BTreeMap::new(),
        }
    }

    /// Looks at all that answer.
    fn look(&mut self, answering: &[usize]) {
        for number in answering {
            self.pages[*number] = scrape(&self.cluster.coordinators[*number]);
        }
        let mut sums: BTreeMap<Series, f64> = BTreeMap::new();
        for page in &self.pages {
            for (series, value) in &page.values {
                if series.0.starts_with("gristmill_") && series.0.ends_with("_total") {
                    *sums.entry(series.clone()).or_default() += value;
                }
            }
        }
        for (series, before) in &self.counters {
            assert!(
                sums.get(series) >= Some(before),
                "{series:?} fell from {before}: {:?}",
                sums.get(series)
            );
        }
        self.counters = sums;
    }

    /// The sum over all coordinators; 0 where none shows the series.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let sums = self.pages.iter().filter_map(|page| page.sum(name, labels));
        sums.sum()
    }

    /// Who shows the run.
    fn showing(&self) -> Vec<usize> {
        let shows = |page: &Page| page.sum("gristmill_run_limit_calls", &[]).is_some();
        (0..self.pages.len()).filter(|n| shows(&self.pages[*n])).collect()
    }

    /// Looks until the condition is met.
    fn until(&mut self, answering: &[usize], met: impl Fn(&Self) -> bool) {
        let end = Instant::now() + LONG;
        loop {
            self.look(answering);
            if met(self) {
                return;
            }
            assert!(Instant::now() < end, "not met: {:#?}", self.counters);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Holds the sums against what the cluster says of a run that has ended.
    fn is_the_truth(&self, status: &Value, accepted: usize) {
        let money = |state: &str| status["books"][state]["usd_micros"].as_u64().unwrap() as f64 / 1e6;
        for state in ["spent", "burned"] {
            let labels = [("state", state)];
            let (used, counted) = (
                self.sum("gristmill_run_used_calls", &labels),
                self.sum("gristmill_spend_calls_total", &[("booked", state)]),
            );
            let usd = (
                self.sum("gristmill_run_used_usd", &labels),
                self.sum("gristmill_spend_usd_total", &[("booked", state)]),
            );
            println!(
                "{state}: {used} and {counted} of {} calls, {usd:?} of {} dollars",
                calls(status, state),
                money(state)
            );
            assert_eq!((used, counted), (calls(status, state) as f64, used));
            for found in [usd.0, usd.1] {
                assert!((found - money(state)).abs() < 1e-9, "{found} {state}: {status}");
            }
        }
        assert!(money("spent") > 0.0, "{status}");
        assert_eq!(self.sum("gristmill_run_limit_calls", &[]), CALLS as f64);
        assert_eq!(self.sum("gristmill_run_limit_usd", &[]), 40.0);
        assert_eq!(
            self.sum("gristmill_rows_total", &[("verdict", "accepted")]),
            accepted as f64
        );
        assert_eq!(self.sum("gristmill_runs_ended_total", &[]), 1.0);
        assert_eq!(
            self.sum("gristmill_runs_ended_total", &[("state", "budget")]),
            1.0
        );
    }
}

/// Rows that a run made.
fn made(cluster: &Cluster, run: &str) -> usize {
    let rows = rows(&cluster.dataset(run), "train").unwrap();
    rows.values()
        .filter(|row| row["provenance"]["origin"] == "synthetic")
        .count()
}

#[test]
fn sums_over_two_coordinators_are_the_truth_wherever_the_run_is_driven() {
    let (bench, job) = numbers(CALLS).unwrap();
    let job = priced(&bench, &job);
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let mut scraped = Scraped::new(&cluster);
    let spent = |scraped: &Scraped<'_>| scraped.sum("gristmill_spend_calls_total", &[("booked", "spent")]);
    scraped.until(&[0, 1], |scraped| spent(scraped) > 150.0);
    let [first] = scraped.showing()[..] else {
        panic!("one coordinator shows the run, not {:?}", scraped.showing())
    };
    let other = 1 - first;
    assert_eq!(
        scraped.sum("gristmill_run_limit_usd", &[("run", &run)]),
        40.0,
        "not twice"
    );
    assert_eq!(scraped.sum("gristmill_runs_driven", &[]), 1.0);
    // The cluster, as each of them sees it.
    let consumers = |page: &Page| page.sum("gristmill_cluster_queue_consumers", &[("stage", "generate")]);
    scraped.until(&[0, 1], |scraped| {
        scraped.pages.iter().all(|page| consumers(page) == Some(1.0))
    });

    // It falls silent for longer than its lease, and comes back when the other has its run.
    cluster.coordinators[first].signal("STOP").unwrap();
    let before = spent(&scraped);
    scraped.until(&[other], |scraped| {
        scraped.showing().contains(&other) && spent(scraped) > before + 100.0
    });
    cluster.coordinators[first].signal("CONT").unwrap();
    scraped.until(&[0, 1], |scraped| scraped.showing() == [other]);
    println!(
        "taken over by {other} after {before} calls, counted {} now",
        spent(&scraped)
    );

    // The run ends, and its figures stay.
    let status = cluster.finished(&run, LONG).unwrap();
    let accepted = made(&cluster, &run);
    scraped.until(&[0, 1], |scraped| {
        scraped.sum("gristmill_runs_ended_total", &[]) > 0.0
    });
    scraped.is_the_truth(&status, accepted);
    scraped.until(&[0, 1], |scraped| {
        scraped.sum("gristmill_runs_driven", &[]) == 0.0
    });
    scraped.is_the_truth(&status, accepted);
    let taken_up = |how| scraped.sum("gristmill_runs_taken_up_total", &[("how", how)]);
    assert_eq!(taken_up("new"), 1.0);
    assert!(taken_up("again") >= 1.0);
    assert!(scraped.sum("gristmill_run_interruptions_total", &[("cause", "lease_lost")]) >= 1.0);
}

#[test]
fn a_coordinator_that_is_told_to_stop_loses_nothing_that_was_counted() {
    let (bench, job) = numbers(CALLS).unwrap();
    let job = priced(&bench, &job);
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 150)
        .unwrap();
    cluster.ask(&["pause", &run]).unwrap();
    let quiet = cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    let paused = until(&cluster, 0, |page| {
        page.sum("gristmill_run_interruptions_total", &[("cause", "paused")]) == Some(1.0)
    });
    cluster.coordinators[0].signal("TERM").unwrap();
    assert!(cluster.coordinators[0].ended(LONG).unwrap().success());
    cluster.coordinator(&[]).unwrap();
    cluster.ask(&["resume", &run]).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    let accepted = made(&cluster, &run);
    let last = until(&cluster, 1, |page| {
        page.sum("gristmill_runs_ended_total", &[]) == Some(1.0)
    });
    // What the first had stored when it let the run go, and no more, is its own.
    let first = paused
        .sum("gristmill_spend_calls_total", &[("booked", "spent")])
        .unwrap();
    assert!(
        first > 0.0 && first <= calls(&quiet, "spent") as f64,
        "{first}: {quiet}"
    );
    let mut scraped = Scraped {
        cluster: &cluster,
        pages: vec![paused, last],
        counters: BTreeMap::new(),
    };
    // Prometheus marks the series of a target that has gone as stale, and keeps what its counters came to.
    scraped.pages[0]
        .values
        .retain(|(name, _), _| name.ends_with("_total"));
    scraped.is_the_truth(&status, accepted);
    println!("{first} calls were counted by the first coordinator");
}
