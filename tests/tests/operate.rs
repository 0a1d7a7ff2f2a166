//! What an operator does to a cluster, and what its neighbours do to it: real RabbitMQ and Redis, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_tests::cluster::{Cluster, LONG, balanced, calls, get, tasks};
use gristmill_tests::harness::{numbers, program};
use gristmill_tests::sim::Faults;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;

const CALLS: u64 = 1_200;

#[test]
fn an_operator_pauses_resumes_drains_and_cancels() {
    let (bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8", "--name", "first"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    assert_eq!(
        cluster.submit(&job).unwrap(),
        run,
        "sent again, it is the same run"
    );
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 50)
        .unwrap();

    let paused = cluster.ask(&["pause", &run, "--reason", "lunch"]).unwrap();
    assert_eq!(paused[0]["state"], "paused");
    assert_eq!(paused[0]["reason"], "lunch");
    cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    let billed = bench.sim.bill().total.calls;
    // The same job, sent again, leaves it paused, and says so.
    let server = cluster.api().unwrap();
    let again = ["submit", job.to_str().unwrap(), "--server", server];
    let told = bench.gristmill(&again).unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.contains("it stays paused: lunch; `gristmill resume"),
        "{told}"
    );
    assert!(told.contains(&format!("Next: gristmill resume {run}")), "{told}");
    // A paused run asks for nothing: a worker that comes finds nothing to do.
    cluster.worker(&["--slots", "8", "--name", "second"]).unwrap();
    assert_eq!(bench.sim.bill().total.calls, billed);
    cluster.ask(&["resume", &run]).unwrap();
    let before = tasks(&cluster.status(&run).unwrap(), "done");
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > before + 50)
        .unwrap();

    let workers = cluster.ask(&["workers"]).unwrap();
    let names: Vec<&str> = workers.iter().map(|w| w["worker"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second"]);
    cluster.ask(&["drain", "first"]).unwrap();
    let ended = cluster.workers[0].ended(LONG).unwrap();
    assert!(ended.success(), "a drained worker ends well: {ended}");
    // Left alone with SIGTERM, the other finishes what it has and gives back the rest.
    cluster.workers[1].signal("TERM").unwrap();
    assert!(cluster.workers[1].ended(LONG).unwrap().success());
    let status = cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    assert_eq!(calls(&status, "burned"), 0, "no call was cut off: {status}");

    cluster.ask(&["cancel", &run]).unwrap();
    let status = cluster
        .wait(&run, LONG, |status| {
            status["state"] == "cancelled" && tasks(status, "open") == 0 && tasks(status, "cancelled") > 0
        })
        .unwrap();
    balanced(&status, bench.sim.bill().total.calls, CALLS).unwrap();
    assert_eq!(tasks(&status, "failed"), 0, "no task failed: {status}");
    let refused = cluster.ask(&["resume", &run]).unwrap_err().to_string();
    assert!(refused.contains("it is cancelled"), "{refused}");
    let again = cluster.ask(&["submit", &job.display().to_string()]).unwrap();
    assert_eq!(again[0]["created"], false);
    assert_eq!(again[0]["state"], "cancelled", "it is not said to go on");
}

#[test]
fn a_cancelled_run_becomes_a_dataset_where_that_is_wanted() {
    let (bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let text = std::fs::read_to_string(&job).unwrap();
    let another = text.replace("{pilot: 0,", "{pilot: 0, recipes: [rephrasing],");
    let another = bench.write("another.yaml", &another).unwrap();
    let ended = |run: &str| {
        cluster
            .wait(run, LONG, |status| {
                // Until then its rows are being stored.
                status["end"] == "it was cancelled" && status["tasks"]["open"] == 0
            })
            .unwrap()
    };
    let accepted = |status: &Value| status["rows"]["accepted"].as_u64();
    for (job, at_once) in [(&job, true), (&another, false)] {
        let run = cluster.submit(job).unwrap();
        cluster
            .wait(&run, LONG, |status| accepted(status) > Some(40))
            .unwrap();
        if !at_once {
            // What a recipe brought is counted while the run goes on.
            let brought = |status: &Value| status["recipes"][0]["accepted"].as_u64();
            let status = cluster
                .wait(&run, LONG, |status| brought(status) > Some(20))
                .unwrap();
            let recipe = &status["recipes"][0];
            assert_eq!(
                (&status["state"], &recipe["recipe"]),
                (&"running".into(), &"rephrasing".into())
            );
            assert!(recipe["candidates"].as_u64() >= brought(&status), "{status}");
            assert!(recipe["calls"].as_u64() >= brought(&status), "{status}");
            cluster.ask(&["cancel", &run]).unwrap();
            let status = ended(&run);
            assert!(
                accepted(&status) > Some(40) && status["dataset"].is_null(),
                "{status}"
            );
            let server = cluster.api().unwrap();
            let told = bench.gristmill(&["status", &run, "--server", server]).unwrap();
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            let way_out = format!("`gristmill cancel {run} --keep` makes one");
            assert!(told.contains(&way_out), "{told}");
        }
        cluster.ask(&["cancel", &run, "--keep"]).unwrap();
        let status = cluster
            .wait(&run, LONG, |status| {
                status["state"] == "cancelled" && !status["dataset"].is_null()
            })
            .unwrap();
        balanced(&status, 0, CALLS).unwrap();
        let dataset = cluster.dataset(&run);
        let manifest = std::fs::read_to_string(dataset.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["end"], "it was cancelled");
        let kept = manifest["rows"]["train_synthetic"].as_u64();
        assert_eq!(kept, accepted(&status), "{status}");
        assert!(kept > Some(40), "{manifest}");
        // Asked for once more, nothing happens.
        let again = cluster.ask(&["cancel", &run, "--keep"]).unwrap();
        assert_eq!(
            (&again[0]["state"], &again[0]["dataset"]),
            (&"cancelled".into(), &status["dataset"])
        );
    }
}

/// What is shown of a run, and made of it, is of its last end: it ended for want of budget with a dataset, was given more, and was cancelled.
#[test]
fn a_resumed_run_that_is_cancelled_is_kept_with_all_its_rows() {
    let (bench, job) = numbers(160).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let text = std::fs::read_to_string(&job).unwrap();
    let another = text.replace("{pilot: 0,", "{pilot: 0, recipes: [rephrasing],");
    let another = bench.write("another.yaml", &another).unwrap();
    let accepted = |status: &Value| status["rows"]["accepted"].as_u64().unwrap_or(0);
    let made = |run: &str| {
        let manifest = std::fs::read(cluster.dataset(run).join("manifest.json")).unwrap();
        serde_json::from_slice::<Value>(&manifest).unwrap()
    };
    for (job, at_once) in [(&job, true), (&another, false)] {
        let run = cluster.submit(job).unwrap();
        let first = cluster.finished(&run, LONG).unwrap();
        let before = made(&run)["rows"]["train_synthetic"].as_u64().unwrap();
        cluster.ask(&["budget", &run, "--raise", "4000calls"]).unwrap();
        let going = cluster
            .wait(&run, LONG, |status| accepted(status) > before + 30)
            .unwrap();
        assert_eq!(going["dataset"], Value::Null, "{going}");
        let stored = cluster.store().join(&run);
        let folder = || bench.json(&["status", stored.to_str().unwrap()]).unwrap();
        if !at_once {
            cluster.ask(&["cancel", &run]).unwrap();
            let status = cluster
                .wait(&run, LONG, |status| status["end"] == "it was cancelled")
                .unwrap();
            assert_eq!(
                status["dataset"],
                Value::Null,
                "the old one is not of this end: {status}"
            );
            assert!(accepted(&status) > before, "{status}");
            let alone = folder();
            assert_eq!(
                (&alone["state"], &alone["dataset"]),
                (&"cancelled".into(), &Value::Null)
            );
            assert!(alone["earlier_dataset"].is_string(), "{alone}");
            assert_eq!(alone["rows"]["accepted"], status["rows"]["accepted"]);
            let target = bench.folder.path().join("exported");
            let export = ["export", stored.to_str().unwrap(), target.to_str().unwrap()];
            let refused = bench.gristmill(&export).unwrap();
            let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(
                refused.contains("of an earlier end") && !target.exists(),
                "{refused}"
            );
        }
        cluster.ask(&["cancel", &run, "--keep"]).unwrap();
        let status = cluster
            .wait(&run, LONG, |status| {
                status["state"] == "cancelled" && !status["dataset"].is_null()
            })
            .unwrap();
        let kept = made(&run);
        println!(
            "{before} rows at the first end, {} kept, {} calls then, {} in the end",
            kept["rows"]["train_synthetic"],
            calls(&first, "spent"),
            calls(&status, "spent")
        );
        assert_eq!(kept["end"], "it was cancelled");
        assert_eq!(kept["limit"]["calls"], 4000);
        assert_eq!(kept["rows"]["train_synthetic"], accepted(&status), "{status}");
        assert!(accepted(&status) > before + 30, "{status}");
        assert_eq!(status["end"], "it was cancelled");
        let alone = folder();
        assert_eq!(
            (&alone["end"], &alone["earlier_dataset"]),
            (&status["end"], &Value::Null)
        );
        assert!(alone["dataset"].is_string(), "{alone}");
        assert_eq!(alone["rows"]["train_synthetic"], accepted(&status));
    }
    // Each end is counted once, whatever followed on it.
    let (_, page) = get(&cluster.coordinators[0].http, "/metrics").unwrap();
    for (state, ends) in [("budget", 2), ("cancelled", 2), ("completed", 0), ("failed", 0)] {
        let line = format!("gristmill_runs_ended_total{{state=\"{state}\"}} {ends}");
        assert!(page.contains(&line), "{line} in {page}");
    }
}

/// What operate.md says of deleting a run: its folder goes, and its job is sent again by somebody who does not know of it.
#[test]
fn a_run_whose_folder_was_deleted_stays_as_it_ended_and_is_not_paid_for_again() {
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    for (budget, state) in [(CALLS, "cancelled"), (40, "finished")] {
        let (bench, job) = numbers(budget).unwrap();
        let run = cluster.submit(&job).unwrap();
        if state == "cancelled" {
            let some = |status: &Value| status["rows"]["accepted"].as_u64() > Some(5);
            cluster.wait(&run, LONG, some).unwrap();
            cluster.ask(&["cancel", &run]).unwrap();
            // Its driver writes down how it has ended, then tells the register.
            let log = cluster.coordinators[0].log.clone();
            let ended = |_: &Value| {
                let text = std::fs::read_to_string(&log).unwrap();
                text.contains(r#""message":"cancelled""#)
            };
            cluster.wait(&run, LONG, ended).unwrap();
        } else {
            cluster.finished(&run, LONG).unwrap();
        }
        let billed = bench.sim.bill().total.calls;
        let folder = cluster.store().join(&run);
        std::fs::remove_dir_all(&folder).unwrap();

        let unchanged = || {
            let status = cluster.status(&run).unwrap();
            let reason = status["reason"].as_str().unwrap();
            assert!(
                status["state"] == state && reason.contains("its folder was deleted from the store"),
                "{status}"
            );
            assert_eq!(status["dataset"], Value::Null);
            assert!(!folder.exists(), "nothing was written");
            status
        };
        let books = unchanged()["books"].clone();
        let server = cluster.api().unwrap();
        let told = bench.gristmill(&["status", &run, "--server", server]).unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("nothing can be kept") && !told.contains("--keep"),
            "{told}"
        );
        let again = cluster.ask(&["submit", &job.display().to_string()]).unwrap();
        assert_eq!(
            (&again[0]["created"], &again[0]["state"]),
            (&false.into(), &state.into())
        );
        let again = ["submit", job.to_str().unwrap(), "--server", server];
        let told = bench.gristmill(&again).unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("its folder was deleted") && !told.contains("a larger `budget`"),
            "{told}"
        );
        unchanged();
        let kept = cluster.ask(&["cancel", &run, "--keep"]).unwrap_err().to_string();
        let why = match state {
            "cancelled" => "its folder was deleted from the store",
            _ => "it is finished",
        };
        assert!(kept.contains(why), "{kept}");
        let raised = ["budget", &run, "--raise", "5000calls"];
        let raised = cluster.ask(&raised).unwrap_err().to_string();
        assert!(raised.contains(&format!("is {state}")), "{raised}");
        assert_eq!(unchanged()["books"], books);
        assert_eq!(bench.sim.bill().total.calls, billed, "nothing was called");
    }
}

/// `1,204`.
fn thousands(number: u64) -> String {
    match number {
        1_000.. => format!("{},{:03}", number / 1_000, number % 1_000),
        _ => number.to_string(),
    }
}

/// What a run is said to have come to is one number, wherever it is said, and its name is one name.
#[test]
fn a_run_that_is_cancelled_while_it_is_paused_says_one_thing_of_its_rows_and_keeps_its_name() {
    let (bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let named = ["submit", &job.display().to_string(), "--name", "nightly maths"];
    let run = cluster.ask(&named).unwrap()[0]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    let rows = |status: &Value, what: &str| status["rows"][what].as_u64().unwrap();
    cluster
        .wait(&run, LONG, |status| {
            status["rows"]["accepted"].as_u64() > Some(40)
        })
        .unwrap();
    // By its name nothing is done, and who tries is told the id.
    let by_name = cluster.ask(&["cancel", "nightly maths"]).unwrap_err().to_string();
    let told = format!("`nightly maths` is the name of run {run}");
    assert!(by_name.contains(&told), "{by_name}");
    // The same job again gives it no other name.
    assert_eq!(cluster.submit(&job).unwrap(), run);
    cluster.ask(&["pause", &run]).unwrap();
    let paused = cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    cluster.ask(&["cancel", &run]).unwrap();
    let is_closed = |status: &Value| status["end"] == "it was cancelled" && status["tasks"]["open"] == 0;
    let cancelled = cluster.wait(&run, LONG, is_closed).unwrap();
    assert!(
        rows(&cancelled, "accepted") >= rows(&paused, "accepted"),
        "what was paid for is kept: {paused} {cancelled}"
    );
    assert_eq!(cancelled["expected"], Value::Null, "nothing more is expected");

    cluster.ask(&["cancel", &run, "--keep"]).unwrap();
    let kept = cluster
        .wait(&run, LONG, |status| {
            status["state"] == "cancelled" && !status["dataset"].is_null()
        })
        .unwrap();
    assert_eq!(
        (&kept["rows"], &kept["job"]),
        (&cancelled["rows"], &"nightly maths".into())
    );
    let manifest = std::fs::read_to_string(cluster.dataset(&run).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let accepted = rows(&kept, "accepted");
    assert_eq!(manifest["candidates"], rows(&kept, "decided"));
    assert_eq!(manifest["rows"]["train_synthetic"], accepted);
    assert_eq!(
        (&kept["tasks"]["failed"], &manifest["failed_calls"]),
        (&0.into(), &Value::Null),
        "candidates that a cancel gave up are not lost to calls that failed"
    );
    assert_eq!(manifest["rows"]["rejected"], rows(&kept, "decided") - accepted);
    let stored = cluster.store().join(&run);
    let report = std::fs::read_to_string(stored.join("report.html")).unwrap();
    let of_all = format!("of {} candidates", thousands(rows(&kept, "decided")));
    assert!(report.contains(&of_all), "{of_all}");
    assert!(report.contains(&format!("Gristmill run {run} · nightly maths")));
    // The same folder, looked at without a coordinator.
    let folder = bench.gristmill(&["status", stored.to_str().unwrap()]).unwrap();
    let folder = String::from_utf8_lossy(&folder.stdout).into_owned();
    assert!(folder.contains("nightly maths · cancelled"), "{folder}");
    assert!(
        folder.contains(&format!("{} synthetic", thousands(accepted))),
        "{folder}"
    );
    let server = cluster.api().unwrap();
    let listed = bench.gristmill(&["runs", "--server", server]).unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.starts_with("RUN ") && listed.contains("nightly maths"),
        "{listed}"
    );
}

/// What a StatefulSet does with a pod that was drained: it starts the same name again and again.
#[test]
fn a_drained_worker_takes_no_task_when_it_is_started_again_until_it_is_undrained() {
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--name", "pod-0"]).unwrap();
    let unknown = cluster.ask(&["undrain", "pod-0"]).unwrap_err().to_string();
    assert!(unknown.contains("no worker `pod-0` was drained"), "{unknown}");
    cluster.ask(&["drain", "pod-0"]).unwrap();
    let ended = cluster.workers[0].ended(LONG).unwrap();
    assert!(ended.success(), "it has done what it was told: {ended}");
    let log = cluster.workers[0].log_tail();
    assert!(log.contains("until `gristmill undrain pod-0`"), "{log}");
    for _ in 0..2 {
        let refused = cluster.worker(&["--name", "pod-0"]).unwrap_err().to_string();
        assert!(refused.contains("exit status: 6"), "{refused}");
        assert!(
            refused.contains("worker `pod-0` was drained") && refused.contains("`gristmill undrain pod-0`"),
            "{refused}"
        );
        assert!(
            !refused.contains("\"working\""),
            "no queue was consumed: {refused}"
        );
        let listed = cluster.ask(&["workers"]).unwrap();
        assert_eq!(
            listed,
            [serde_json::json!({"worker": "pod-0", "present": false, "draining": true})]
        );
    }
    cluster.ask(&["undrain", "pod-0"]).unwrap();
    assert!(cluster.ask(&["workers"]).unwrap().is_empty());
    cluster.worker(&["--name", "pod-0"]).unwrap();
    let listed = cluster.ask(&["workers"]).unwrap();
    assert_eq!(
        (listed.len(), &listed[0]["present"], &listed[0]["draining"]),
        (1, &true.into(), &false.into())
    );
}

/// A service that lets nobody in.
fn busy() -> Faults {
    Faults {
        too_many: 1.0,
        ..Faults::default()
    }
}

/// The job with another address and key of its teacher.
fn reached_by(job: &Path, url: &str, more: &str) -> PathBuf {
    let text = std::fs::read_to_string(job).unwrap();
    let (before, after) = text.split_once("{base_url: ").unwrap();
    let (_, after) = after.split_once(',').unwrap();
    let changed = job.with_file_name("again.yaml");
    std::fs::write(&changed, format!("{before}{{base_url: {url}, {more}{after}")).unwrap();
    changed
}

#[test]
fn a_run_says_what_it_waits_for_and_goes_on_by_the_job_that_is_sent_again() {
    let (bench, job) = numbers(CALLS).unwrap();
    let (other, _) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let locked = reached_by(&job, &bench.url(), "key_env: NO_SUCH_KEY, ");
    let run = cluster.submit(&locked).unwrap();
    let waits = |words: &'static str| {
        move |status: &Value| {
            status["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains(words))
        }
    };
    cluster.wait(&run, LONG, waits("there is no worker")).unwrap();
    cluster.worker(&["--slots", "4"]).unwrap();
    let told = "1 of 1 workers: this worker gives no job the key `NO_SUCH_KEY`";
    let status = cluster.wait(&run, LONG, waits(told)).unwrap();
    assert_eq!(status["state"], "running");
    assert_eq!(bench.sim.bill().total.calls, 0);

    // Without the key it is the same run, and what was in its way is gone.
    assert_eq!(cluster.submit(&job).unwrap(), run);
    cluster
        .wait(&run, LONG, |status| {
            tasks(status, "done") > 20 && status["reason"] == ""
        })
        .unwrap();
    // A worker that has its tools already hears of another address as well.
    other.sim.set_faults(busy()).unwrap();
    let moved = reached_by(&job, &other.url(), "");
    assert_eq!(cluster.submit(&moved).unwrap(), run);
    cluster
        .wait(
            &run,
            LONG,
            waits("1 of 1 workers: no call is answered: `sim` at "),
        )
        .unwrap();
    other.sim.set_faults(Faults::default()).unwrap();
    cluster
        .wait(&run, LONG, |status| {
            other.sim.bill().total.calls > 0 && status["reason"] == ""
        })
        .unwrap();
    // The address may change under a run, its prices may not: half the price in batches is another one.
    let priced = reached_by(&job, &bench.url(), "price: {input: 1, output: 1}, ");
    let dearer = cluster.submit(&priced).unwrap();
    cluster
        .wait(&dearer, LONG, |status| tasks(status, "planned") > 0)
        .unwrap();
    let halved = reached_by(&job, &bench.url(), "price: {input: 1, output: 1}, batch: true, ");
    let refused = cluster.submit(&halved).unwrap_err().to_string();
    assert!(refused.contains("keeps the prices"), "{refused}");
    cluster.ask(&["cancel", &dearer]).unwrap();
    cluster.ask(&["cancel", &run]).unwrap();
}

#[test]
fn workers_without_a_key_leave_its_run_to_the_one_that_has_it() {
    let (bench, job) = numbers(400).unwrap();
    bench
        .sim
        .set_faults(Faults {
            latency_ms_mean: 100.0,
            ..Faults::default()
        })
        .unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let locked = reached_by(&job, &bench.url(), "key_env: TEACHER_KEY, ");
    // They are there first, and have room for all that is asked.
    for name in ["without-1", "without-2"] {
        cluster.worker(&["--name", name]).unwrap();
    }
    let run = cluster.submit(&locked).unwrap();
    let told = "2 of 2 workers: this worker gives no job the key `TEACHER_KEY`";
    let waits = |status: &Value| {
        status["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains(told))
    };
    cluster.wait(&run, LONG, waits).unwrap();
    assert_eq!(bench.sim.bill().total.calls, 0);
    cluster
        .worker_with(
            &["--name", "with", "--slots", "4", "--keys", "TEACHER_KEY"],
            &[("TEACHER_KEY", "sk-of-the-teacher")],
        )
        .unwrap();
    // Two of three deliveries go to workers that leave them: had each to wait for the coordinator, that would be minutes.
    let within = Duration::from_secs(90);
    let status = cluster.finished(&run, within).unwrap();
    balanced(&status, bench.sim.bill().total.calls, 400).unwrap();
    let dead = cluster.ask(&["dead", "list"]).unwrap();
    assert!(dead.is_empty(), "{dead:?}");
}

#[test]
fn a_run_that_nobody_has_the_key_for_holds_up_no_other() {
    // Other seeds: another run.
    let (locked_bench, locked) = numbers(404).unwrap();
    let (bench, job) = numbers(400).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--name", "one"]).unwrap();
    cluster.worker(&["--name", "two"]).unwrap();
    let alone = {
        let began = Instant::now();
        let run = cluster.submit(&job).unwrap();
        cluster.finished(&run, LONG).unwrap();
        began.elapsed()
    };
    let locked = reached_by(&locked, &locked_bench.url(), "key_env: TEACHER_KEY, ");
    let waiting = cluster.submit(&locked).unwrap();
    let told = "2 of 2 workers: this worker gives no job the key `TEACHER_KEY`";
    cluster
        .wait(&waiting, LONG, |status| {
            status["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains(told) && reason.contains("(one, two)"))
        })
        .unwrap();
    let (again_bench, again) = numbers(408).unwrap();
    let began = Instant::now();
    let run = cluster.submit(&again).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    let beside = began.elapsed();
    println!("alone {alone:?}, beside a run without a key {beside:?}");
    balanced(&status, again_bench.sim.bill().total.calls, 408).unwrap();
    assert!(
        beside < alone * 2 + Duration::from_secs(10),
        "{beside:?} beside a run that nobody can do, {alone:?} alone"
    );
    assert_eq!(locked_bench.sim.bill().total.calls, 0);
    drop(bench);
    cluster.ask(&["cancel", &waiting]).unwrap();
}

#[test]
fn rows_are_told_as_before_while_another_coordinator_takes_the_run_up() {
    let (bench, job) = numbers(CALLS).unwrap();
    bench
        .sim
        .set_faults(Faults {
            latency_ms_mean: 40.0,
            ..Faults::default()
        })
        .unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let rows = |status: &Value, what: &str| status["rows"][what].as_u64().unwrap_or(0);
    cluster
        .wait(&run, LONG, |status| rows(status, "accepted") > 60)
        .unwrap();
    cluster.coordinators[0].kill().unwrap();
    cluster.coordinator(&[]).unwrap();
    let mut most = (0, 0);
    let mut taken_up = false;
    let finished = cluster
        .wait(&run, LONG, |status| {
            let seen = (rows(status, "accepted"), rows(status, "decided"));
            assert!(seen >= most, "{seen:?} after {most:?}: {status}");
            most = seen;
            let reason = status["reason"].as_str().unwrap_or_default();
            taken_up |= reason.contains("reads what is stored");
            status["state"] == "finished"
        })
        .unwrap();
    println!("seen while it was taken up: {taken_up}; in the end {most:?}");
    assert_eq!(finished["reason"], "");
    assert!(most.0 > 60, "{most:?}");
    balanced(&finished, bench.sim.bill().total.calls, CALLS).unwrap();
}

#[test]
fn a_run_that_falls_short_ends_as_it_does_alone() {
    let (bench, job) = numbers(40).unwrap();
    let text = std::fs::read_to_string(&job).unwrap();
    bench
        .write("job.yaml", &text.replace("pilot: 0,", "pilot: 0, rows: 1000,"))
        .unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let run = cluster.submit(&job).unwrap();
    // While nobody works on it, its tasks are open, and its books are not beside its state.
    cluster
        .wait(&run, LONG, |status| tasks(status, "open") > 0)
        .unwrap();
    let open = cluster.ask(&["explain", &run]).unwrap().remove(0);
    assert!(open["open_tasks"].as_u64().unwrap() > 0, "{open}");
    let first = open["open"][0].as_str().unwrap();
    let explained = cluster.ask(&["explain", &run, &first[..12]]).unwrap();
    assert_eq!(
        (&explained[0]["task"], &explained[0]["attempts"]),
        (&first.into(), &serde_json::json!([]))
    );
    let folder = cluster.store().join(&run);
    let elsewhere = bench.gristmill(&["status", folder.to_str().unwrap()]).unwrap();
    let told = String::from_utf8_lossy(&elsewhere.stderr);
    assert!(
        elsewhere.status.code() == Some(3) && told.contains("is a cluster's and has not ended"),
        "{told}"
    );

    cluster.worker(&["--slots", "8"]).unwrap();
    let server = cluster.api().unwrap().to_owned();
    let of_cluster = bench
        .gristmill(&["watch", &run, "--server", server.as_str()])
        .unwrap();
    let alone = bench.gristmill(&["run", "job.yaml"]).unwrap();
    for output in [&of_cluster, &alone] {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("of 1000 rows: the budget is spent"), "{told}");
    }
    assert!(String::from_utf8_lossy(&of_cluster.stdout).contains("ended      the budget is spent"));
    // Its folder in the store has them now.
    let status = bench.gristmill(&["status", folder.to_str().unwrap()]).unwrap();
    assert!(String::from_utf8_lossy(&status.stdout).contains("ended      the budget is spent"));
    let open = cluster.ask(&["explain", &run]).unwrap();
    assert_eq!(open[0]["open_tasks"], 0);
    let none = cluster.ask(&["explain", &run, "00ff"]).unwrap_err().to_string();
    assert!(none.contains("no task whose id begins with `00ff`"), "{none}");
    // A worker that ends well is gone at once.
    cluster.workers[0].signal("TERM").unwrap();
    assert!(cluster.workers[0].ended(LONG).unwrap().success());
    assert_eq!(cluster.ask(&["workers"]).unwrap(), Vec::<Value>::new());
}

#[test]
fn a_coordinator_that_stops_does_not_wait_for_watchers_and_they_find_the_next_one() {
    let (_bench, job) = numbers(400).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let server = cluster.api().unwrap().to_owned();
    let watcher = Command::new(program().unwrap())
        .args(["watch", &run, "--server", &server, "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Without a worker the run goes on, and so does the watch: it is told why nothing happens.
    let mut watcher = Watcher(watcher);
    let mut lines = BufReader::new(watcher.0.stderr.take().unwrap()).lines();
    let told = lines.find(|line| line.as_ref().unwrap().contains("there is no worker"));
    assert!(told.is_some(), "the watcher is told what the run waits for");
    cluster.coordinators[0].signal("TERM").unwrap();
    let ended = cluster.coordinators[0].ended(Duration::from_secs(10)).unwrap();
    assert!(ended.success(), "{ended}");
    let api = server.strip_prefix("http://").unwrap();
    cluster.coordinator_at(api, &[]).unwrap();
    cluster.worker(&[]).unwrap();
    cluster.finished(&run, LONG).unwrap();
    let mut shown = String::new();
    watcher
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut shown)
        .unwrap();
    assert!(watcher.0.wait().unwrap().success());
    let last: Value = serde_json::from_str(shown.trim()).unwrap();
    assert_eq!(last["state"], "finished");
    let dataset = last["dataset"].as_str().unwrap();
    assert!(Path::new(dataset).join("manifest.json").is_file(), "{dataset}");
}

#[test]
fn an_address_that_is_not_a_coordinators_is_answered_with_what_to_write() {
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let coordinator = &cluster.coordinators[0];
    let metrics = format!("http://{}", coordinator.http);
    let bare = coordinator.api.strip_prefix("http://").unwrap();
    for (server, command, told) in [
        (bare, "runs", format!("write `http://{bare}`")),
        (
            &metrics,
            "runs",
            format!("what answers at {metrics} is not the API of a coordinator"),
        ),
        (
            &metrics,
            "watch",
            format!("what answers at {metrics} is not the API of a coordinator"),
        ),
    ] {
        let mut asked = Command::new(program().unwrap());
        asked.args([command, "--server", server]);
        if command == "watch" {
            asked.arg("0123456789ab");
        }
        let output = asked.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(&told), "{error}");
        assert_eq!(output.status.code(), Some(3), "{error}");
    }
}

/// Ends with the test.
struct Watcher(Child);

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[test]
fn what_nobody_can_work_on_is_kept_shown_put_back_and_dropped() {
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster
        .worker(&["--stages", "generate,judge", "--slots", "2"])
        .unwrap();
    let url = cluster.rabbit.url(&cluster.vhost);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let connection = Connection::connect(&url, ConnectionProperties::default())
                .await
                .unwrap();
            let channel = connection.create_channel().await.unwrap();
            for body in [&b"no envelope"[..], &[0x08, 0x63]] {
                channel
                    .basic_publish(
                        "".into(),
                        "generate".into(),
                        BasicPublishOptions {
                            mandatory: true,
                            ..BasicPublishOptions::default()
                        },
                        body,
                        BasicProperties::default(),
                    )
                    .await
                    .unwrap();
            }
            connection.close(200, "done".into()).await.unwrap();
        });
    let until = Instant::now() + LONG;
    let letters = loop {
        let letters = cluster.ask(&["dead", "list"]).unwrap();
        if letters.len() == 2 {
            break letters;
        }
        assert!(Instant::now() < until, "{letters:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    println!("{letters:#?}");
    // They were worked on at the same time: which came first is not said.
    let newer = letters
        .iter()
        .find(|letter| letter["reason"].as_str().unwrap().contains("version 99"))
        .expect("the newer one says what it is");
    let number = newer["number"].to_string();
    let shown = cluster.ask(&["dead", "show", &number]).unwrap();
    assert_eq!(shown[0]["reason"], newer["reason"]);
    cluster.ask(&["dead", "retry", &number]).unwrap();
    let until = Instant::now() + LONG;
    // Put back, it dies again, under the number that it had.
    loop {
        let again = cluster.ask(&["dead", "list"]).unwrap();
        assert_eq!(again.len(), 2, "{again:?}");
        let found = again.iter().find(|letter| letter["number"] == newer["number"]);
        if found.unwrap()["buried_ms"].as_u64() > newer["buried_ms"].as_u64() {
            break;
        }
        assert!(Instant::now() < until, "{again:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let [first, second] = [0, 1].map(|i: usize| letters[i]["number"].to_string());
    let mut drop = ["dead", "drop", &first, &second, "--count", "1"];
    assert!(cluster.ask(&drop).is_err(), "the count is a check");
    drop[5] = "2";
    cluster.ask(&drop).unwrap();
    assert!(cluster.ask(&["dead", "list"]).unwrap().is_empty());
}

/// A certificate and its key, in files.
fn issue(folder: &Path, name: &str, issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, issuer).unwrap();
    let path = |ending: &str| folder.join(format!("{name}.{ending}")).display().to_string();
    std::fs::write(path("pem"), certificate.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    (path("pem"), path("key"))
}

#[test]
fn only_those_who_may_are_let_in() {
    let mut cluster = Cluster::start().unwrap();
    let folder = cluster.folder.path().to_owned();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = folder.join("ca.pem").display().to_string();
    std::fs::write(&authority, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let (server_pem, server_key) = issue(&folder, "server", &issuer);
    let (client_pem, client_key) = issue(&folder, "client", &issuer);
    let tokens = folder.join("tokens");
    std::fs::write(
        &tokens,
        "viewer look-only-token-0001\noperator may-do-all-token-0001\n",
    )
    .unwrap();
    cluster
        .coordinator(&[
            "--tokens",
            &tokens.display().to_string(),
            "--tls-cert",
            &server_pem,
            "--tls-key",
            &server_key,
            "--client-ca",
            &authority,
        ])
        .unwrap();
    let server = cluster.coordinators[0]
        .api
        .replace("http://127.0.0.1", "https://localhost");
    let ask = |args: &[&str], token: &str, certificate: bool| {
        let mut command = Command::new(program().unwrap());
        command
            .args(args)
            .args(["--server", &server, "--output", "json", "--ca", &authority])
            .env("GRISTMILL_TOKEN", token);
        if certificate {
            command.args(["--client-cert", &client_pem, "--client-key", &client_key]);
        }
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let let_in = |(code, error): (Option<i32>, String)| assert_eq!(code, Some(0), "{error}");
    let_in(ask(&["runs"], "look-only-token-0001", true));
    let_in(ask(&["workers"], "may-do-all-token-0001", true));
    let refused = |(code, error): (Option<i32>, String), word: &str| {
        assert!(code.is_some_and(|code| code != 0), "let in");
        assert!(error.contains(word), "{error}");
        assert!(!error.contains("token-0001"), "no secret in it: {error}");
    };
    refused(ask(&["runs"], "made-up-token-000001", true), "token");
    refused(ask(&["runs"], "", true), "token");
    refused(
        ask(&["cancel", "0123456789ab"], "look-only-token-0001", true),
        "viewer",
    );
    // Without a certificate the connection ends, before the token is looked at.
    refused(ask(&["runs"], "may-do-all-token-0001", false), "coordinator");
}
