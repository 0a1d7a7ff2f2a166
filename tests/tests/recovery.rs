//! A run's books and its dataset when Redis is lost as a whole, when a second ledger is opened, when a submission breaks off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gristmill_tests::cluster::{Cluster, LONG, balanced, calls, get, rows, tasks};
use gristmill_tests::harness::{Bench, numbers};
use gristmill_tests::sim::Faults;
use serde_json::Value;

fn train(dataset: &Path) -> usize {
    let rows = rows(dataset, "train").unwrap();
    rows.values()
        .filter(|row| row["provenance"]["origin"] == "synthetic")
        .count()
}

fn manifest(dataset: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dataset.join("manifest.json")).unwrap()).unwrap()
}

/// A folder's files, by their names, with what they hold.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn billed(bench: &Bench) -> u64 {
    bench.sim.bill().total.calls
}

/// What a command that must fail says.
fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = bench.gristmill(args).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "`{args:?}` went through: {said}");
    said
}

#[test]
fn one_run_has_one_ledger_whoever_asks() {
    let (bench, job) = numbers(200).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let store = format!("output.dir={}", cluster.store().display());
    let run = cluster.submit(&job).unwrap();
    // Before the first call, beside the running run, and after its end.
    let asked = ["run", "job.yaml", "--set", &store];
    assert!(refused(&bench, &asked).contains("gristmill submit job.yaml"));
    cluster.worker(&["--slots", "8"]).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 20)
        .unwrap();
    assert!(refused(&bench, &asked).contains("a cluster's run"));
    let status = cluster.finished(&run, LONG).unwrap();
    assert!(refused(&bench, &asked).contains("a cluster's run"));
    balanced(&status, billed(&bench), 200).unwrap();
    println!("{} billed of 200", billed(&bench));
    // A copy of the folder is the cluster's as well, and raising its limit opens no ledger either.
    let folder = cluster.store().join(&run);
    let copy = bench.folder.path().join("out").join(&run);
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([&folder, &copy])
        .status();
    assert!(copied.unwrap().success());
    assert!(refused(&bench, &["run", "job.yaml"]).contains("a cluster's run"));
    let raised = refused(&bench, &["budget", copy.to_str().unwrap(), "--raise", "400calls"]);
    assert!(raised.contains("--server"), "{raised}");
    for place in [&folder, &copy] {
        assert!(
            !place.join("state/ledger.sqlite").exists(),
            "no second ledger was opened"
        );
    }
    assert!(billed(&bench) <= 200);

    // The other way round: a run of one machine in the store of a cluster.
    let (other, job) = numbers(120).unwrap();
    let alone = other.run_job("job.yaml", &["--set", &store]).unwrap();
    let refused = cluster.submit(&job).unwrap_err().to_string();
    assert!(refused.contains("one machine keeps the books"), "{refused}");
    let unknown = cluster.status(alone["run"].as_str().unwrap());
    assert!(unknown.is_err(), "it was not entered: {unknown:?}");
    assert!(billed(&other) <= 120);
}

#[test]
fn a_run_that_ended_stays_ended_when_redis_is_lost() {
    let (bench, job) = numbers(300).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let before = cluster.finished(&run, LONG).unwrap();
    let (bill, made) = (billed(&bench), train(&cluster.dataset(&run)));

    cluster.redis.command(&["FLUSHALL"]).unwrap();
    assert_eq!(cluster.submit(&job).unwrap(), run, "the same job again, at once");
    let after = cluster.finished(&run, LONG).unwrap();
    let of = |status: &Value| calls(status, "spent") + calls(status, "burned");
    println!(
        "before: {bill} billed, {} in the books, {made} rows; after: {} billed, {} in the books, {} rows",
        of(&before),
        billed(&bench),
        of(&after),
        train(&cluster.dataset(&run))
    );
    assert_eq!(billed(&bench), bill, "nothing was asked");
    assert_eq!(of(&after), of(&before));
    balanced(&after, bill, 300).unwrap();
    assert_eq!(train(&cluster.dataset(&run)), made);
    assert_eq!(after["end"], before["end"]);
}

#[test]
fn runs_come_back_when_redis_is_lost_in_the_middle_of_them() {
    let (ended, ended_job) = numbers(120).unwrap();
    let (bench, job) = numbers(1_200).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&["--window", "128"]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let first = cluster.submit(&ended_job).unwrap();
    cluster.finished(&first, LONG).unwrap();
    let named = ["submit", &job.display().to_string(), "--name", "nightly maths"];
    let run = cluster.ask(&named).unwrap()[0]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 200)
        .unwrap();

    // Nothing is left, of neither run, and nobody submits anything.
    cluster.redis.command(&["FLUSHALL"]).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while cluster.status(&run).is_err() || cluster.status(&first).is_err() {
        assert!(std::time::Instant::now() < until, "the runs did not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
    let status = cluster.finished(&run, LONG).unwrap();
    println!(
        "{} billed, {} spent, {} burned",
        billed(&bench),
        calls(&status, "spent"),
        calls(&status, "burned")
    );
    balanced(&status, billed(&bench), 1_200).unwrap();
    assert!(
        calls(&status, "burned") <= 120,
        "no more than the tenth of the budget that may be at risk: {status}"
    );
    assert!(tasks(&status, "done") > 400, "it went on: {status}");
    assert_eq!(status["job"], "nightly maths", "it has its name");
    let status = cluster.finished(&first, LONG).unwrap();
    balanced(&status, billed(&ended), 120).unwrap();
    let (_, metrics) = get(&cluster.coordinators[0].http, "/metrics").unwrap();
    assert!(metrics.contains("gristmill_adopted_runs_total 2"), "{metrics}");

    // By hand, where only a part is lost: the register still knows other runs.
    let key = format!("gm:{{register}}:run:{first}");
    cluster.redis.command(&["DEL", &key]).unwrap();
    assert!(cluster.status(&first).is_err());
    let adopted = cluster.ask(&["adopt", "--all"]).unwrap();
    let outcome = |run: &str| {
        let found = adopted.iter().find(|line| line["run"] == *run).unwrap();
        found["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (outcome(&run), outcome(&first)),
        ("known".to_owned(), "adopted as finished".to_owned())
    );
    assert_eq!(cluster.status(&first).unwrap()["state"], "finished");
}

/// Waits until the store says that a run stands still with nothing in flight, so often.
fn settled(cluster: &Cluster, run: &str, times: usize) {
    let events = cluster.store().join(run).join("state/events");
    let until = std::time::Instant::now() + LONG;
    let says =
        |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(r#""event":"settled""#));
    loop {
        let all = std::fs::read_dir(&events).into_iter().flatten();
        let told = all.filter(|entry| says(&entry.as_ref().unwrap().path()));
        if told.count() >= times {
            return;
        }
        let status = cluster.status(run);
        assert!(std::time::Instant::now() < until, "it is not settled: {status:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Loses all of Redis, and waits until a run is known again.
fn lose_redis(cluster: &Cluster, run: &str, met: impl Fn(&Value) -> bool) -> Value {
    cluster.redis.command(&["FLUSHALL"]).unwrap();
    let until = std::time::Instant::now() + LONG;
    loop {
        match cluster.status(run) {
            Ok(status) if met(&status) => return status,
            other => assert!(
                std::time::Instant::now() < until,
                "it did not come back: {other:?}"
            ),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Calls that last, so that many are in flight at once.
fn slow() -> Faults {
    Faults {
        latency_ms_mean: 1_500.0,
        ..Faults::default()
    }
}

#[test]
fn a_paused_run_loses_nothing_when_redis_is_lost() {
    let (bench, job) = numbers(1_200).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&["--window", "128"]).unwrap();
    cluster.worker(&["--slots", "32"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let paused = |status: &Value| status["state"] == "paused" && calls(status, "spent") > 0;
    let alerts = |status: &Value| status["alerts"].to_string();
    for round in 1..=2 {
        bench.sim.set_faults(Faults::default()).unwrap();
        let done = 100 * round as u64;
        cluster
            .wait(&run, LONG, |status| tasks(status, "done") > done)
            .unwrap();
        bench.sim.set_faults(slow()).unwrap();
        cluster
            .wait(&run, LONG, |status| calls(status, "started") >= 8)
            .unwrap();
        cluster.ask(&["pause", &run, "--reason", "lunch"]).unwrap();
        if round == 2 {
            // Nobody drives it while its last calls end: the next coordinator finds what they brought.
            cluster.coordinators[0].kill().unwrap();
            cluster.coordinator(&["--window", "128"]).unwrap();
        }
        settled(&cluster, &run, round);
        let before = cluster.status(&run).unwrap();
        let bill = billed(&bench);
        let after = lose_redis(&cluster, &run, paused);
        println!(
            "paused: {bill} billed, {} spent, {} burned, {} done; after the loss: {} spent, {} burned, {} done",
            calls(&before, "spent"),
            calls(&before, "burned"),
            tasks(&before, "done"),
            calls(&after, "spent"),
            calls(&after, "burned"),
            tasks(&after, "done")
        );
        assert_eq!(
            (calls(&before, "started"), calls(&before, "burned")),
            (0, 0),
            "{before}"
        );
        assert!(bill <= calls(&before, "spent"), "{bill} billed: {before}");
        for of in ["spent", "burned", "started"] {
            assert_eq!(calls(&after, of), calls(&before, of), "{of}: {after}");
        }
        assert_eq!(
            tasks(&after, "done"),
            tasks(&before, "done"),
            "no result is lost: {after}"
        );
        assert_eq!(
            (&after["state"], &after["reason"]),
            (&"paused".into(), &"lunch".into())
        );
        assert!(alerts(&after).contains("no call was in flight"), "{after}");
        cluster.ask(&["resume", &run]).unwrap();
    }
    // Once it goes on, calls may be in flight again, and a loss counts them.
    bench.sim.set_faults(slow()).unwrap();
    cluster
        .wait(&run, LONG, |status| calls(status, "started") >= 8)
        .unwrap();
    let rebuilt = lose_redis(&cluster, &run, |status| calls(status, "burned") >= 8);
    let way_out = format!("`gristmill budget {run} --raise LIMIT`");
    assert!(rebuilt["notices"].to_string().contains(&way_out), "{rebuilt}");
    bench.sim.set_faults(Faults::default()).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, billed(&bench), 1_200).unwrap();
}

#[test]
fn a_frozen_run_stays_frozen_when_redis_is_lost_and_says_how_it_goes_on() {
    let (bench, job) = numbers(1_200).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 50)
        .unwrap();
    let dear = Faults {
        over_report: 1.0,
        over_report_factor: 1_000.0,
        ..Faults::default()
    };
    bench.sim.set_faults(dear).unwrap();
    let frozen = |status: &Value| status["state"] == "frozen";
    cluster.wait(&run, LONG, frozen).unwrap();
    settled(&cluster, &run, 1);
    bench.sim.set_faults(Faults::default()).unwrap();
    let before = cluster.status(&run).unwrap();
    let after = lose_redis(&cluster, &run, |status| {
        frozen(status) && calls(status, "spent") > 0
    });
    for of in ["spent", "burned"] {
        assert_eq!(calls(&after, of), calls(&before, of), "{of}: {after}");
    }
    assert_eq!(after["reason"], before["reason"]);
    let server = cluster.api().unwrap();
    let told = bench.gristmill(&["status", &run, "--server", server]).unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    println!("{told}");
    let way_out = format!("`gristmill budget {run} --raise 1200calls`");
    assert!(told.contains(&way_out), "{told}");
    // The command that it names is one that works, with the limit as it is.
    cluster.ask(&["budget", &run, "--raise", "1200calls"]).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, billed(&bench), 1_200).unwrap();
    let again = bench.gristmill(&["budget", &run, "--raise", "1200calls", "--server", server]);
    let again = String::from_utf8_lossy(&again.unwrap().stderr).into_owned();
    assert!(
        again.contains("nothing was changed"),
        "of a run that is not frozen: {again}"
    );
}

#[test]
fn a_lost_dataset_is_assembled_from_what_is_stored_and_damage_replaces_nothing() {
    let (bench, _) = numbers(160).unwrap();
    bench.run_job("job.yaml", &[]).unwrap();
    let folder = bench.run_folder().unwrap();
    let (root, dataset) = (folder.to_str().unwrap(), folder.join("dataset"));
    let (made, bill) = (rows(&dataset, "train").unwrap(), billed(&bench));

    std::fs::remove_dir_all(&dataset).unwrap();
    let said = refused(&bench, &["export", root, "elsewhere"]);
    assert!(
        said.contains("has ended") && said.contains("gristmill assemble"),
        "{said}"
    );
    let status = bench.gristmill(&["status", root]).unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("ended without a dataset"), "{status}");
    // Neither the job nor the ledger is needed.
    std::fs::rename(folder.join("state/ledger.sqlite"), folder.join("ledger.away")).unwrap();
    assert!(
        refused(&bench, &["run", "job.yaml"]).contains("gristmill assemble"),
        "no new ledger is opened"
    );
    let assembled = bench.gristmill(&["assemble", root]).unwrap();
    assert!(assembled.status.success(), "{assembled:?}");
    assert_eq!(rows(&dataset, "train").unwrap(), made, "the same rows");
    assert_eq!(manifest(&dataset)["rows"]["train_synthetic"], train(&dataset));
    assert_eq!(billed(&bench), bill);

    // A damaged segment of results is named, and what is there stays.
    let results = folder.join("state/results");
    let name = contents(&results).keys().next().unwrap().clone();
    let whole = std::fs::read(results.join(&name)).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(results.join(&name), &damaged).unwrap();
    let before = std::fs::read(dataset.join("manifest.json")).unwrap();
    let said = refused(&bench, &["assemble", root]);
    assert!(
        said.contains(&format!("results/{name}")) && said.contains("restore it from a copy"),
        "{said}"
    );
    assert_eq!(std::fs::read(dataset.join("manifest.json")).unwrap(), before);
    std::fs::write(results.join(&name), &whole).unwrap();

    // Rows that are missing make no smaller dataset.
    let lost = contents(&folder.join("state/rows"))
        .into_keys()
        .next_back()
        .unwrap();
    std::fs::remove_file(folder.join("state/rows").join(&lost)).unwrap();
    let said = refused(&bench, &["assemble", root]);
    assert!(said.contains("rows"), "{said}");
    assert_eq!(rows(&dataset, "train").unwrap(), made);
}

#[test]
fn a_submission_finds_what_an_aborted_one_left_and_writes_a_lost_dataset_again() {
    let (bench, job) = numbers(120).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    let expected = bench
        .gristmill(&["plan", "job.yaml", "--output", "json"])
        .unwrap();
    let expected: Value = serde_json::from_slice(&expected.stdout).unwrap();
    let run = expected["run"].as_str().unwrap().to_owned();
    // What a coordinator leaves that is killed while it stores seeds, and one of an older version that stored another run's under this id.
    let seeds = cluster.store().join(&run).join("state/seeds");
    for complete in [false, true] {
        std::fs::create_dir_all(&seeds).unwrap();
        std::fs::write(seeds.join("00000000.seg"), b"half a segment").unwrap();
        std::fs::write(seeds.join("00000007.seg"), b"of a longer submission").unwrap();
        if complete {
            std::fs::write(seeds.join("complete.json"), b"{}").unwrap();
        }
        assert_eq!(cluster.submit(&job).unwrap(), run, "nothing blocks the id");
        let names: Vec<String> = contents(&seeds).into_keys().collect();
        assert_eq!(names, ["00000000.seg", "complete.json"]);
        if !complete {
            std::fs::remove_dir_all(cluster.store().join(&run)).unwrap();
            cluster.redis.command(&["FLUSHALL"]).unwrap();
        }
    }
    cluster.worker(&["--slots", "8"]).unwrap();
    cluster.finished(&run, LONG).unwrap();
    let dataset = cluster.dataset(&run);
    let (made, bill) = (rows(&dataset, "train").unwrap(), billed(&bench));

    std::fs::remove_dir_all(&dataset).unwrap();
    let answer = cluster.ask(&["submit", job.to_str().unwrap()]).unwrap();
    assert_eq!(answer[0]["assembling"], true, "{answer:?}");
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, bill, 120).unwrap();
    assert_eq!(rows(&dataset, "train").unwrap(), made);
    // By its folder alone, and with nothing but the store.
    for args in [
        vec![
            "assemble".to_owned(),
            cluster.store().join(&run).display().to_string(),
        ],
        vec![
            "assemble".to_owned(),
            run.clone(),
            "--store".to_owned(),
            cluster.store().display().to_string(),
        ],
    ] {
        std::fs::remove_dir_all(&dataset).unwrap();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let assembled = bench.gristmill(&args).unwrap();
        assert!(assembled.status.success(), "{assembled:?}");
        assert_eq!(rows(&dataset, "train").unwrap(), made, "{args:?}");
    }
    assert_eq!(billed(&bench), bill, "nothing was asked");
}

#[test]
fn an_ended_run_is_resumed_with_a_larger_budget() {
    let (bench, _) = numbers(120).unwrap();
    let spent = |done: &Value| {
        let of = |spend: &Value| spend["calls"].as_u64().unwrap();
        done["spend"].as_array().unwrap().iter().map(of).sum::<u64>()
    };
    let first = bench.run_job("job.yaml", &[]).unwrap();
    let folder = bench.run_folder().unwrap();
    let (dataset, root) = (folder.join("dataset"), folder.to_str().unwrap());
    let before = rows(&dataset, "train").unwrap();
    println!("120 calls: {} billed, {} rows", billed(&bench), train(&dataset));
    // The same budget, and a smaller one, change nothing.
    for calls in ["budget.calls=120", "budget.calls=60"] {
        let again = bench.run_job("job.yaml", &["--set", calls]).unwrap();
        assert_eq!(
            (&again["finished_before"], spent(&again)),
            (&true.into(), spent(&first))
        );
    }
    let more = bench.run_job("job.yaml", &["--set", "budget.calls=240"]).unwrap();
    println!("240 calls: {} billed, {} rows", billed(&bench), train(&dataset));
    assert_eq!(more["run"], first["run"], "the same run");
    assert!(billed(&bench) > 120 && billed(&bench) <= spent(&more) && spent(&more) <= 240);
    let after = rows(&dataset, "train").unwrap();
    assert!(after.len() > before.len());
    assert!(
        before.keys().all(|id| after.contains_key(id)),
        "every row is still there"
    );
    assert_eq!(manifest(&dataset)["resumed"][0]["limit"]["calls"], 240);
    // By hand; then the same command resumes it, although its job names less.
    let raised = bench.gristmill(&["budget", root, "--raise", "300calls"]).unwrap();
    assert!(raised.status.success(), "{raised:?}");
    let status = bench.gristmill(&["--output", "json", "status", root]).unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["state"], &status["end"], &status["dataset"]),
        (&"stopped".into(), &"".into(), &Value::Null),
        "the dataset is that of the smaller limit: {status}"
    );
    assert_eq!(status["rows"]["accepted"], train(&dataset));
    assert!(status["earlier_dataset"].is_string(), "{status}");
    let last = bench.run_job("job.yaml", &[]).unwrap();
    println!("300 calls: {} billed, {} rows", billed(&bench), train(&dataset));
    assert!(billed(&bench) > 240 && billed(&bench) <= spent(&last) && spent(&last) <= 300);
    assert_eq!(manifest(&dataset)["limit"]["calls"], 300);
}

/// A run of one machine that had ended, is given more, and is interrupted: its dataset is of an earlier end until it ends again.
#[test]
fn a_resumed_run_that_is_interrupted_shows_no_dataset_until_it_ends_again() {
    let (bench, _) = numbers(120).unwrap();
    bench.run_job("job.yaml", &[]).unwrap();
    let folder = bench.run_folder().unwrap();
    let (dataset, root) = (folder.join("dataset"), folder.to_str().unwrap());
    let (first, bill) = (train(&dataset), billed(&bench));
    bench.sim.set_faults(slow()).unwrap();
    let more = [
        "run",
        "job.yaml",
        "--set",
        "budget.calls=400",
        "--progress",
        "none",
    ];
    let mut going = bench.command(&more).unwrap().spawn().unwrap();
    let until = std::time::Instant::now() + LONG;
    while billed(&bench) < bill + 10 {
        assert!(std::time::Instant::now() < until, "it does not go on");
        std::thread::sleep(Duration::from_millis(50));
    }
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &going.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert!(!going.wait().unwrap().success(), "it was interrupted");
    let status = bench.json(&["status", root]).unwrap();
    assert_eq!(
        (&status["state"], &status["dataset"], &status["end"]),
        (&"stopped".into(), &Value::Null, &"".into()),
        "{status}"
    );
    assert!(status["earlier_dataset"].is_string(), "{status}");
    assert!(refused(&bench, &["assemble", root]).contains("has not ended"));
    assert_eq!(train(&dataset), first, "nothing was replaced");
    bench.sim.set_faults(Faults::default()).unwrap();
    bench.run_job("job.yaml", &["--set", "budget.calls=400"]).unwrap();
    let all = train(&dataset);
    println!("{first} rows at the first end, {all} at the second");
    assert!(all > first);
    let status = bench.json(&["status", root]).unwrap();
    assert!(
        status["dataset"].is_string() && status["earlier_dataset"].is_null(),
        "{status}"
    );
    assert_eq!(status["rows"]["train_synthetic"], all);
    bench.gristmill(&["assemble", root]).unwrap();
    assert_eq!(train(&dataset), all, "written again, it is the same");
}

/// What a run has used by its books, in calls and micro-dollars.
fn used(bench: &Bench) -> (u64, u64) {
    let root = bench.run_folder().unwrap();
    let status = bench
        .gristmill(&["--output", "json", "status", root.to_str().unwrap()])
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let sum = |key: &str| {
        let of = |part: &str| status["books"][part][key].as_u64().unwrap();
        of("spent") + of("burned") + of("started")
    };
    (sum("calls"), sum("usd_micros"))
}

/// A job for so many calls, at a price.
fn priced(calls: u64) -> Bench {
    let (bench, job) = numbers(calls).unwrap();
    let text = std::fs::read_to_string(&job).unwrap();
    let text = text.replace("model: sim}", "model: sim, price: {input: 0.5, output: 1.5}}");
    std::fs::write(&job, text).unwrap();
    bench
}

/// Runs a job with another budget; its exit code and what it said.
fn with_budget(bench: &Bench, calls: u64, micro_usd: u64) -> (Option<i32>, String) {
    let (calls, usd) = (
        format!("budget.calls={calls}"),
        format!("budget.usd={}", micro_usd as f64 / 1e6),
    );
    let args = [
        "run",
        "job.yaml",
        "--progress",
        "plain",
        "--set",
        &calls,
        "--set",
        &usd,
    ];
    let output = bench.gristmill(&args).unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn money_that_the_job_limits_later_is_limited_from_then_on() {
    let bench = priced(40);
    bench.run_job("job.yaml", &[]).unwrap();
    let (_, first) = used(&bench);
    // Less than it has spent is refused, and the run can still be given more.
    let (code, said) = with_budget(&bench, 400, 100);
    assert_eq!((code, used(&bench)), (Some(3), (40, first)), "{said}");
    assert!(said.contains("are used already"), "{said}");
    // Ten times the calls, and a little more money than it has spent.
    let (_, said) = with_budget(&bench, 400, first + 8_000);
    let (calls, spent) = used(&bench);
    println!("{first} micro-dollars for 40 calls, then {spent} for {calls}");
    assert!(spent <= first + 8_000 && calls > 40, "{calls} {spent}: {said}");
}

#[test]
fn an_interrupted_run_follows_what_its_job_limits_by_now() {
    let bench = priced(400);
    let mut begun = bench.start_job("job.yaml").unwrap();
    while billed(&bench) < 40 {
        assert!(begun.try_wait().unwrap().is_none(), "it has ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.kill().unwrap();
    begun.wait().unwrap();
    // A crash burns what was in flight at its worst case: the limit leaves room for that.
    let limit = used(&bench).1 + 4_000;
    let (_, said) = with_budget(&bench, 400, limit);
    let (calls, spent) = used(&bench);
    println!("{calls} calls, {spent} of {limit} micro-dollars: {said}");
    assert!(said.contains("goes on with the limit"), "{said}");
    assert!(spent <= limit && calls < 400, "{said}");
}

#[test]
fn an_ended_run_of_a_cluster_is_resumed_also_when_redis_has_forgotten_it() {
    let (bench, job) = numbers(120).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    cluster.finished(&run, LONG).unwrap();
    let mut made = train(&cluster.dataset(&run));
    let submit = |calls: &str| {
        let set = format!("budget.calls={calls}");
        let answer = cluster
            .ask(&["submit", job.to_str().unwrap(), "--set", &set])
            .unwrap();
        answer[0]["resumed"].as_bool().unwrap()
    };
    let mut ended = |limit: u64| {
        let within = |status: &Value| {
            status["state"] == "finished"
                && status["limit"]["calls"] == limit
                && calls(status, "spent") > limit - 120
        };
        let status = cluster.wait(&run, LONG, within).unwrap();
        let rows = train(&cluster.dataset(&run));
        println!(
            "{limit} calls: {} billed, {} in the books, {rows} rows",
            billed(&bench),
            calls(&status, "spent")
        );
        balanced(&status, billed(&bench), limit).unwrap();
        assert!(rows > made, "{rows} rows, {made} before");
        made = rows;
    };
    assert!(!submit("120"), "the same budget changes nothing");
    assert!(submit("240"));
    ended(240);
    cluster.ask(&["budget", &run, "--raise", "360calls"]).unwrap();
    ended(360);
    // Its books are rebuilt from what is stored, under the new limit.
    cluster.redis.command(&["FLUSHALL"]).unwrap();
    assert!(submit("480"));
    ended(480);
}
