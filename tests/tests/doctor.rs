//! `gristmill doctor` on real parts: the simulated service, folders, Redis, RabbitMQ and a cluster of real processes, well and broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use gristmill_tests::cluster::Cluster;
use gristmill_tests::harness::{Bench, program};
use gristmill_tests::sim::{Config, Listing};
use serde_json::Value;

const SEEDS: &str = "{\"question\": \"What is 2 + 2?\", \"answer\": \"#### 4\"}\n{\"question\": \"How much is three times five?\", \"answer\": \"#### 15\"}\n";
const KEY: &str = "right-right-right-01";

/// A job that would run; `URL` stands for the service, `MORE` for what else is said of its model.
const GOOD: &str = "seeds: {path: seeds.jsonl}\nteacher: {base_url: URL, model: sim, key_env: DOCTOR_KEY, price: {input: 1, output: 2}}\n\
                    embed: {model: off}\nfilter: {validator: {kind: number}}\nbudget: {calls: 50}\n";

/// What was found, and how the program ended.
struct Found {
    checks: Vec<Value>,
    code: i32,
    everything: String,
}

impl Found {
    fn of(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let everything = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        let checks = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {everything}")))
            .collect();
        Self {
            checks,
            code: output.status.code().unwrap(),
            everything,
        }
    }

    /// The check of this name of a subject that begins so.
    fn check(&self, subject: &str, name: &str) -> &Value {
        let found = self
            .checks
            .iter()
            .find(|check| check["subject"].as_str().unwrap().starts_with(subject) && check["check"] == name);
        found.unwrap_or_else(|| panic!("no {subject} {name} in {}", self.everything))
    }

    #[track_caller]
    fn is(&self, subject: &str, name: &str, state: &str, said: &str, fix: &str) {
        let check = self.check(subject, name);
        let has = |member: &str, words: &str| check[member].as_str().unwrap().contains(words);
        assert!(
            check["state"] == state && has("found", said) && has("fix", fix),
            "{check:#}, expected {state}, `{said}`, `{fix}`"
        );
    }

    /// What is in this state, by subject and name.
    fn all(&self, state: &str) -> Vec<String> {
        let all = self.checks.iter().filter(|check| check["state"] == state);
        all.map(|check| {
            format!(
                "{} {}",
                check["subject"].as_str().unwrap(),
                check["check"].as_str().unwrap()
            )
        })
        .collect()
    }
}

fn bench(config: Config) -> Bench {
    let bench = Bench::new(config).unwrap();
    bench.write("seeds.jsonl", SEEDS).unwrap();
    bench
}

fn with_key() -> Config {
    Config {
        api_key: Some(KEY.into()),
        ..Config::default()
    }
}

/// Looks at a job, where the variable holds this key.
fn look(bench: &Bench, job: &str, key: Option<&str>) -> Found {
    bench
        .write("job.yaml", &job.replace("URL", &bench.url()))
        .unwrap();
    let mut command = bench
        .command(&["doctor", "job.yaml", "--output", "json"])
        .unwrap();
    command.env_remove("DOCTOR_KEY");
    if let Some(key) = key {
        command.env("DOCTOR_KEY", key);
    }
    let found = Found::of(&command.output().unwrap());
    for key in ["right-right", "wrong-wrong"] {
        assert!(
            !found.everything.contains(key),
            "no key is shown: {}",
            found.everything
        );
    }
    assert_eq!(bench.sim.bill().total.calls, 0, "nothing is spent");
    found
}

/// A day that is so many from today.
fn day(from_today: &str) -> String {
    let printed = Command::new("date")
        .args(["-u", "-d", from_today, "+%F"])
        .output()
        .unwrap();
    String::from_utf8(printed.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_job_that_would_run_passes() {
    let bench = bench(with_key());
    let found = look(&bench, GOOD, Some(KEY));
    assert_eq!(
        (found.code, found.all("failed")),
        (0, vec![]),
        "{}",
        found.everything
    );
    found.is("job (job.yaml)", "settings", "ok", "", "");
    found.is("job's files", "seeds", "ok", "2 seeds", "");
    found.is("job's files", "validator", "ok", "", "");
    found.is("model sim", "endpoint", "ok", "127.0.0.1 answers", "");
    found.is("model sim", "key", "ok", "refuses who shows none", "");
    found.is("model sim", "model", "ok", "`sim` is in the endpoint's list", "");
    found.is("model sim", "clock", "ok", "", "");
    found.is("model sim", "price", "ok", "$1 and $2", "");
    found.is("runs (./out)", "writable", "ok", "", "");
    assert!(!bench.folder.path().join("out").exists(), "nothing is made");
    // For people: a list by subjects, and a last line.
    let output = bench
        .command(&["doctor", "job.yaml"])
        .unwrap()
        .env("DOCTOR_KEY", KEY)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    assert!(
        text.contains("\n  ok          endpoint   ") || text.contains("\n  ok          endpoint  "),
        "{text}"
    );
    assert!(text.trim_end().lines().last().unwrap().ends_with(" ok"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a file");
}

#[test]
fn keys_and_models_are_judged_by_the_providers_own_list() {
    let keyless = GOOD.replace(", key_env: DOCTOR_KEY", "");
    let another = GOOD.replace("model: sim,", "model: simm,");
    let listing = |listing: Listing| Config {
        listing,
        ..with_key()
    };
    let until = |day: String| {
        listing(Listing {
            shutdown_date: Some(day),
            ..Listing::default()
        })
    };
    let closed = listing(Listing {
        there: false,
        ..Listing::default()
    });
    let open = listing(Listing {
        open: true,
        ..Listing::default()
    });
    let wrong = Some("wrong-wrong-wrong-1");
    for (config, job, key, name, state, said, fix) in [
        (
            with_key(),
            GOOD,
            wrong,
            "key",
            "failed",
            "Incorrect API key",
            "the variable `DOCTOR_KEY` holds",
        ),
        (
            with_key(),
            GOOD,
            None,
            "key",
            "failed",
            "`DOCTOR_KEY`",
            "export NAME",
        ),
        (
            with_key(),
            &keyless,
            None,
            "key",
            "failed",
            "Incorrect API key",
            "set `key_env`",
        ),
        (
            Config::default(),
            &keyless,
            None,
            "key",
            "ok",
            "none is asked for",
            "",
        ),
        (
            with_key(),
            &another,
            Some(KEY),
            "model",
            "failed",
            "no model `simm`",
            "did you mean `sim`?",
        ),
        (
            closed.clone(),
            GOOD,
            Some(KEY),
            "key",
            "not_checked",
            "no list of models",
            "a refusal of it is not billed",
        ),
        (
            closed,
            GOOD,
            Some(KEY),
            "model",
            "not_checked",
            "could not be seen",
            "",
        ),
        (
            open,
            GOOD,
            wrong,
            "key",
            "not_checked",
            "to anyone",
            "the first call shows it",
        ),
        (
            until("2020-01-01".into()),
            GOOD,
            Some(KEY),
            "shutdown",
            "failed",
            "2020-01-01, which has passed",
            "another model",
        ),
        (
            until(day("+10 days")),
            GOOD,
            Some(KEY),
            "shutdown",
            "warning",
            "in 10 days",
            "another model",
        ),
        (
            until("2999-01-01".into()),
            GOOD,
            Some(KEY),
            "shutdown",
            "ok",
            "2999-01-01",
            "",
        ),
    ] {
        let bench = bench(config);
        let found = look(&bench, job, key);
        found.is("model sim", name, state, said, fix);
        let expected = i32::from(state == "failed");
        assert_eq!(found.code, expected, "{name}: {}", found.everything);
    }
}

#[test]
fn every_check_of_a_model_is_in_every_report() {
    let wrong = Some("wrong-wrong-wrong-1");
    let closed = Config {
        listing: Listing {
            there: false,
            ..Listing::default()
        },
        ..with_key()
    };
    let open = Config {
        listing: Listing {
            open: true,
            ..Listing::default()
        },
        ..with_key()
    };
    let away = GOOD.replace("URL", "http://127.0.0.1:9/v1");
    let in_dollars = GOOD
        .replace(", price: {input: 1, output: 2}", "")
        .replace("{calls: 50}", "{usd: 1}");
    let in_batches = GOOD.replace("model: sim,", "model: sim, batch: true,");
    for (config, job, key, unseen) in [
        (with_key(), GOOD, Some(KEY), ""),
        (with_key(), GOOD, None, "model shutdown"),
        (with_key(), GOOD, wrong, "model shutdown"),
        (open, GOOD, None, ""),
        (closed, GOOD, Some(KEY), "key model shutdown"),
        (with_key(), &away, Some(KEY), "clock key model shutdown"),
        (with_key(), &away, None, "clock model shutdown"),
        (with_key(), &in_dollars, Some(KEY), "price"),
        (with_key(), &in_batches, None, "batches model shutdown"),
    ] {
        let bench = bench(config);
        let found = look(&bench, job, key);
        for name in ["price", "endpoint", "clock", "key", "model", "shutdown"] {
            found.check("model sim", name);
        }
        let mut not_checked: Vec<String> = found
            .all("not_checked")
            .iter()
            .filter_map(|check| Some(check.strip_prefix("model sim (")?.split_once(") ")?.1.to_owned()))
            .collect();
        not_checked.sort();
        assert_eq!(not_checked.join(" "), unseen, "{job}\n{}", found.everything);
    }
}

#[test]
fn a_job_that_cannot_be_used_says_what_its_models_and_files_wait_for() {
    let bench = bench(with_key());
    // Without its key, an endpoint is still looked at.
    let found = look(&bench, GOOD, None);
    found.is("model sim", "endpoint", "ok", "answers", "");
    found.is("model sim", "model", "not_checked", "only to who shows a key", "");
    let found = look(&bench, GOOD, Some("wrong-wrong-wrong-1"));
    found.is("model sim", "model", "not_checked", "`key` comes first", "");
    // Neither here nor there.
    let both = GOOD.replace("model: sim,", "model: sim, local: smollm2-135m-instruct,");
    let found = look(&bench, &both, Some(KEY));
    found.is(
        "job (job.yaml)",
        "config",
        "failed",
        "either local or at an endpoint, not both (line 2",
        "`base_url` and `model`, or `local`",
    );
    found.is("model sim", "model", "not_checked", "the job above", "");
    assert!(!found.everything.contains("unnamed"), "{}", found.everything);
    // A model that nobody knows is named with those that there are, whatever the program was built with.
    let unknown = "seeds: {path: seeds.jsonl}\nteacher: {local: smollm}\nembed: {model: off}\nfilter: {validator: {kind: number}}\nbudget: {calls: 5}\n";
    let found = look(&bench, unknown, None);
    found.is("model smollm", "files", "failed", "smollm2-135m-instruct", "");
    found.check("model smollm", "feature");
    found.is(
        "clock",
        "clock",
        "not_checked",
        "the job has no model at an endpoint",
        "timedatectl",
    );
    assert!(!found.everything.contains("name a job"), "{}", found.everything);
    // A job that cannot be read at all leaves nothing out.
    let found = look(&bench, "seeds: [", Some(KEY));
    for (subject, name) in [
        ("runs", "writable"),
        ("job's files", "seeds"),
        ("models", "endpoint"),
        ("clock", "clock"),
    ] {
        found.is(subject, name, "not_checked", "", "correct the job");
    }
}

#[test]
fn what_is_wrong_with_one_thing_hides_nothing_of_the_others() {
    let bench = bench(with_key());
    let several = GOOD
        .replace(", price: {input: 1, output: 2}", "")
        .replace("{calls: 50}", "{usd: 1}")
        .replace("seeds.jsonl", "seed.jsonl");
    let found = look(&bench, &several, Some(KEY));
    assert_eq!(found.code, 1);
    found.is("job (job.yaml)", "price", "failed", "line 2", "price: {input");
    found.is("job (job.yaml)", "file", "failed", "seed.jsonl", "");
    found.is("model sim", "key", "ok", "", "");
    found.is("model sim", "model", "ok", "", "");
    let unpriced = GOOD.replace(", price: {input: 1, output: 2}", "");
    let found = look(&bench, &unpriced, Some(KEY));
    found.is(
        "model sim",
        "price",
        "warning",
        "calls alone are limited",
        "price: {input",
    );
    assert_eq!(found.code, 0, "a warning is no failure: {}", found.everything);
    // A job that cannot even be read is one failed check.
    let found = look(&bench, "seeds: [", Some(KEY));
    assert_eq!(
        (found.code, found.all("failed").len()),
        (1, 1),
        "{}",
        found.everything
    );
    found.is("program", "version", "ok", "gristmill ", "");
}

#[test]
fn an_endpoint_that_is_away_and_an_address_without_a_version_are_told() {
    let bench = bench(with_key());
    let address = bench.sim.address();
    let port = address.port().to_string();
    let closed = gristmill_servers::ports::free().unwrap().to_string();
    let away = GOOD.replace("URL", &bench.url().replace(&port, &closed));
    let found = look(&bench, &away, Some(KEY));
    found.is(
        "model sim",
        "endpoint",
        "failed",
        "refused",
        "can be reached from here",
    );
    let short = GOOD.replace("URL", &format!("http://{address}"));
    let found = look(&bench, &short, Some(KEY));
    found.is(
        "model sim",
        "endpoint",
        "failed",
        "lacks a version",
        &format!("base_url: http://{address}/v1"),
    );
}

#[test]
fn folders_that_take_no_file_are_named() {
    let bench = bench(with_key());
    // A file where the folder would be, and a file system that takes none.
    for (folder, fix) in [("seeds.jsonl/out", "`output.dir`"), ("/proc/out", "")] {
        let job = format!("{GOOD}output: {{dir: {folder}}}\n");
        let found = look(&bench, &job, Some(KEY));
        assert_eq!(found.code, 1, "{}", found.everything);
        found.is("runs (", "writable", "failed", "", fix);
        found.is("model sim", "key", "ok", "", "");
    }
    let mut command = bench.command(&["doctor", "--output", "json"]).unwrap();
    let cache = bench.folder.path().join("seeds.jsonl/cache");
    let found = Found::of(&command.env("GRISTMILL_CACHE", cache).output().unwrap());
    found.is("model cache", "writable", "failed", "", "GRISTMILL_CACHE");
    found.is("runs (out)", "writable", "ok", "", "");
    found.is(
        "clock",
        "clock",
        "not_checked",
        "nothing to compare",
        "timedatectl",
    );
}

/// The checks of a cluster's servers, with the options of a process of this kind.
fn of_cluster(cluster: &Cluster, more: &[&str]) -> Found {
    let output = Command::new(program().unwrap())
        .args(["doctor", "--output", "json", "--redis", &cluster.redis.url()])
        .args(["--broker", &cluster.broker_url("coordinator")])
        .arg("--store")
        .arg(cluster.store())
        .args(more)
        .current_dir(cluster.folder.path())
        .env("CI", "1")
        .output()
        .unwrap();
    Found::of(&output)
}

#[test]
fn a_cluster_that_works_passes_and_one_that_does_not_says_why() {
    let mut cluster = Cluster::start().unwrap();
    let bare = of_cluster(&cluster, &[]);
    assert_eq!(bare.code, 1);
    bare.is(
        "rabbitmq",
        "queues",
        "failed",
        "there is no queue",
        "gristmill broker setup",
    );
    bare.is("redis", "durability", "ok", "appendfsync always", "");

    let tokens = cluster.folder.path().join("tokens");
    std::fs::write(&tokens, "viewer may-look-token-000001 vera\n").unwrap();
    let tokens = tokens.display().to_string();
    cluster.coordinator(&["--tokens", &tokens]).unwrap();
    cluster.worker(&[]).unwrap();
    let token = cluster.folder.path().join("token");
    std::fs::write(&token, "may-look-token-000001\n").unwrap();
    let token = token.display().to_string();
    let server = cluster.api().unwrap().to_owned();
    let well = of_cluster(&cluster, &["--server", &server, "--token-file", &token]);
    assert_eq!(
        (well.code, well.all("failed")),
        (0, vec![]),
        "{}",
        well.everything
    );
    well.is("coordinator", "token", "ok", "vera of the role viewer", "");
    well.is("coordinator", "version", "ok", "as this program", "");
    well.is("coordinator", "health", "ok", "", "");
    well.is("coordinator", "workers", "ok", "1 at work", "");
    well.is("rabbitmq", "consumers", "ok", "embed 1", "");
    well.is("rabbitmq", "publishing", "ok", "", "");
    well.is("store", "conditional create", "ok", "", "");

    std::fs::write(&token, "not-a-known-token-01\n").unwrap();
    cluster
        .redis
        .command(&["CONFIG", "SET", "appendfsync", "everysec"])
        .unwrap();
    let ill = of_cluster(&cluster, &["--server", &server, "--token-file", &token]);
    assert_eq!(ill.code, 1);
    ill.is("coordinator", "token", "failed", "not known here", "--token-file");
    ill.is(
        "redis",
        "durability",
        "failed",
        "appendfsync everysec",
        "CONFIG SET appendfsync always",
    );
    assert!(
        !ill.everything.contains("not-a-known-token"),
        "{}",
        ill.everything
    );
    // A coordinator that cannot use its Redis says so to whoever asks.
    std::fs::write(&token, "may-look-token-000001\n").unwrap();
    cluster.redis.kill().unwrap();
    let until = Instant::now() + gristmill_tests::cluster::LONG;
    loop {
        let found = of_cluster(&cluster, &["--server", &server, "--token-file", &token]);
        found.is("redis", "connection", "failed", "", "see whether it runs");
        if found.check("coordinator", "health")["state"] == "failed" {
            found.is("coordinator", "health", "failed", "Redis", "table of causes");
            break;
        }
        assert!(Instant::now() < until, "{}", found.everything);
    }
}

#[test]
fn servers_that_take_a_connection_and_never_answer_hold_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let began = Instant::now();
    let output = Command::new(program().unwrap())
        .args(["doctor", "--output", "json", "--timeout", "3"])
        .args(["--redis", &format!("redis://{address}/0")])
        .args(["--broker", &format!("amqp://guest:guest@{address}/%2f")])
        .args(["--server", &format!("http://{address}")])
        .env("CI", "1")
        .output()
        .unwrap();
    let took = began.elapsed();
    let found = Found::of(&output);
    assert_eq!(found.code, 1);
    assert!(took < Duration::from_secs(20), "{took:?}");
    for subject in ["redis", "rabbitmq", "coordinator"] {
        let all = found.all("failed");
        assert!(
            all.iter().any(|check| check.starts_with(subject)),
            "{subject}: {}",
            found.everything
        );
    }
    found.is("scratch", "writable", "ok", "", "");
}
