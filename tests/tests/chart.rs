//! The Helm chart: what `scripts/chart.sh check` says of it, and `helm test`'s job on real processes that are started as the chart starts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_servers::{ports, rabbitmq};
use gristmill_tests::cluster::{Cluster, get};
use gristmill_tests::harness::program;
use serde_json::Value;

/// Time in which the simulated model must listen.
const READY: Duration = Duration::from_secs(30);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs `scripts/chart.sh`, which fetches helm and the schemas the first time, and returns what it printed.
fn chart(args: &[&str]) -> String {
    let output = Command::new(repository().join("scripts/chart.sh"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "chart.sh {args:?}\n{said}\n{errors}");
    said
}

#[test]
fn the_chart_its_alerts_and_its_dashboards_are_right() {
    let program = program().unwrap().display().to_string();
    println!("{}", chart(&["check", "--program", &program]));
}

/// Names of RabbitMQ's own metrics in a text.
fn of_rabbitmq(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("rabbitmq_"));
    names.map(str::to_owned).collect()
}

#[test]
fn the_metrics_of_rabbitmq_in_alerts_and_dashboards_are_ones_that_its_plugin_exports() {
    let folder = repository().join("deploy/chart/observability");
    let dashboards = std::fs::read_dir(folder.join("dashboards")).unwrap();
    let files = dashboards
        .map(|entry| entry.unwrap().path())
        .chain([folder.join("rules.yaml")]);
    let used: BTreeSet<String> = files
        .flat_map(|file| of_rabbitmq(&std::fs::read_to_string(file).unwrap()))
        .collect();
    let server = rabbitmq::Server::start(&rabbitmq::Options {
        metrics: true,
        ..rabbitmq::Options::default()
    })
    .unwrap();
    // One queue, so that what is counted by queue is there.
    let declared = Command::new(program().unwrap())
        .args(["broker", "setup", "--broker", &server.url("%2f")])
        .output()
        .unwrap();
    assert!(declared.status.success(), "{declared:?}");
    let (code, page) = get(&server.metrics_address().unwrap(), "/metrics").unwrap();
    assert_eq!(code, 200, "{page}");
    let exported = of_rabbitmq(&page);
    let unknown: Vec<&String> = used.difference(&exported).collect();
    assert!(unknown.is_empty() && used.len() >= 6, "{unknown:?} of {used:?}");
}

/// The manifests of a set of values in `deploy/chart/ci`.
fn rendered(values: &str, set: &[&str]) -> Vec<Value> {
    let folder = repository().join("deploy/chart");
    let file = folder.join(format!("ci/{values}.yaml"));
    let (folder, file) = (folder.display().to_string(), file.display().to_string());
    let mut args = vec!["helm", "template", "g", &folder, "--values", &file];
    for value in set {
        args.extend(["--set", value]);
    }
    let yaml = chart(&args);
    // JSON is what the rest of this file reads.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifests.yaml");
    std::fs::write(&path, yaml).unwrap();
    let json =
        "import json, sys, yaml; print(json.dumps([m for m in yaml.safe_load_all(open(sys.argv[1])) if m]))";
    serde_json::from_str(&chart(&["python", "-c", json, &path.display().to_string()])).unwrap()
}

/// The arguments of a container, less those of which a test has its own.
fn arguments(manifests: &[Value], pod: &str, container: &str, without: &[&str]) -> Vec<String> {
    let manifest = manifests
        .iter()
        .find(|manifest| {
            let has_pods = manifest["kind"] == "Pod" || manifest["kind"] == "Deployment";
            has_pods && manifest["metadata"]["name"] == pod
        })
        .unwrap_or_else(|| panic!("{pod} is not rendered"));
    let spec = match manifest["kind"].as_str() {
        Some("Pod") => &manifest["spec"],
        _ => &manifest["spec"]["template"]["spec"],
    };
    let containers = ["initContainers", "containers"]
        .iter()
        .filter_map(|kind| spec[*kind].as_array());
    let found = containers
        .flatten()
        .find(|one| one["name"] == container)
        .unwrap_or_else(|| panic!("{pod} has no container {container}"));
    let args = found["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap());
    let others = args.filter(|arg| !without.iter().any(|flag| arg.starts_with(flag)));
    others.map(str::to_owned).collect()
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// A process that ends with its owner.
struct Model(Child);

impl Drop for Model {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// The simulated model, with the arguments of the test's pod.
fn model(args: &[String], address: &str) -> Model {
    let program = program().unwrap().with_file_name("gristmill-sim");
    let child = Command::new(program)
        .args(args)
        .args(["--listen", address])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let model = Model(child);
    let end = Instant::now() + READY;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < end, "the model does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    model
}

#[test]
fn the_job_of_helm_test_makes_rows_on_processes_with_the_charts_arguments() {
    let manifests = rendered(
        "trial",
        &[
            "test.simImage=gristmill-sim:1",
            "test.tokenSecret=gristmill-operator",
        ],
    );
    let config = manifests
        .iter()
        .find(|manifest| {
            manifest["kind"] == "ConfigMap" && manifest["metadata"]["name"] == "g-gristmill-test"
        })
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in config["data"].as_object().unwrap() {
        std::fs::write(folder.path().join(name), text.as_str().unwrap()).unwrap();
    }
    let here = |args: Vec<String>, model: &str| -> Vec<String> {
        let folder = folder.path().display().to_string();
        args.iter()
            .map(|arg| {
                arg.replace("/etc/gristmill/test", &folder)
                    .replace("$(POD_IP):8000", model)
            })
            .collect()
    };

    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let args = arguments(&manifests, "g-gristmill-test", "model", &["--listen"]);
    let _model = model(&here(args, &address), &address);

    let mut cluster = Cluster::start().unwrap();
    let own = [
        "coordinator",
        "worker",
        "--listen",
        "--http",
        "--lease",
        "--tokens",
    ];
    let coordinator = arguments(&manifests, "g-gristmill-coordinator", "coordinator", &own);
    let worker = arguments(&manifests, "g-gristmill-worker-default", "worker", &own);
    cluster.coordinator(&words(&coordinator)).unwrap();
    cluster.worker(&words(&worker)).unwrap();

    for container in ["runs", "workers", "job"] {
        let args = here(
            arguments(&manifests, "g-gristmill-test", container, &[]),
            &address,
        );
        let answers = cluster.ask(&words(&args)).unwrap();
        println!("{args:?}: {answers:?}");
        if container == "job" {
            let run = answers[0]["run"].as_str().unwrap();
            let train = cluster.dataset(run).join("jsonl/train.jsonl");
            let rows = std::fs::read_to_string(train).unwrap().lines().count();
            let seeds = config["data"]["questions.jsonl"]
                .as_str()
                .unwrap()
                .lines()
                .count();
            println!("{rows} rows of {seeds} seeds");
            assert!(rows > seeds, "{rows} rows, of {seeds} seeds");
        }
    }
}
