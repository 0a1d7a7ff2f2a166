//! The same job on a cluster: real RabbitMQ and Redis, coordinators and workers as processes of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use gristmill_tests::cluster::{Cluster, LONG, get, rows};
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::{self, first_lines};
use gristmill_tests::sim::{Config, Faults, KeyFiles};
use serde_json::Value;

/// Calls of the largest of several runs.
const MOST_CALLS: u32 = 2_400;

fn medicine(data: &Path) -> KeyFiles {
    KeyFiles {
        pubmedqa: vec![data.join("pubmedqa/train.jsonl")],
        ..KeyFiles::default()
    }
}

fn numbers(data: &Path) -> KeyFiles {
    KeyFiles {
        gsm8k: vec![data.join("gsm8k/train.jsonl")],
        ..KeyFiles::default()
    }
}

fn sim(key: KeyFiles, latency_ms: f64) -> Config {
    let faults = Faults {
        latency_ms_mean: latency_ms,
        latency_ms_spread: 0.5,
        ..Faults::default()
    };
    Config {
        key,
        faults,
        seed: 17,
        ..Config::default()
    }
}

/// A job on the medicine set that ends by its rows, so that a burned attempt changes no plan.
fn medicine_job(data: &Path, url: &str, rows: u32) -> String {
    format!(
        "seeds:\n  path: {}/pubmedqa/train.jsonl\n  fields: {{answer: long_answer, references: final_decision, context: contexts, concept: meshes, source: pmid}}\n\
         teacher: {{base_url: {url}, model: sim}}\njudge: {{base_url: {url}, model: sim-judge, when: always, samples: 1}}\nembed: {{model: off}}\n\
         generate: {{subject: medicine, rows: {rows}, strategy: rephrasing, pilot: 0}}\n\
         filter: {{validator: {{kind: label, labels: [yes, no, maybe]}}}}\n\
         concepts: {{list: [Pregnancy, Breast Neoplasms, Obesity], target: 400, assign: labels, steer: false, accept: narrow}}\n\
         budget: {{calls: 20000}}\noutput: {{context: false}}\n",
        data.display()
    )
}

/// Each number of calls has seeds of its own: a run is known by its seeds, whatever its budget.
fn numbers_job(data: &Path, url: &str, seeds: &Path, calls: u32) -> String {
    let path = data.join("gsm8k/train.jsonl");
    let there = std::fs::read_to_string(&path).unwrap().lines().count();
    let lines = calls as usize * there.min(MOST_CALLS as usize / 4) / MOST_CALLS as usize;
    let text = first_lines(&path, lines).unwrap();
    std::fs::write(seeds, text).unwrap();
    format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {url}, model: sim}}\nembed: {{model: off}}\n\
         generate: {{pilot: 0, rounds: 2}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {calls}}}\n",
        seeds.display()
    )
}

/// L and B on a run as the coordinator shows it.
fn balanced(status: &Value, billed_before: u64, limit: u64) {
    let tasks = &status["tasks"];
    let of = |name: &str| tasks[name].as_u64().unwrap();
    assert_eq!(
        of("planned"),
        of("done") + of("failed") + of("open"),
        "L: {status}"
    );
    let calls = |state: &str| status["books"][state]["calls"].as_u64().unwrap();
    let used = calls("started") + calls("spent") + calls("burned");
    assert!(
        billed_before <= used,
        "B: {billed_before} billed, {used} in the books"
    );
    assert!(used <= limit, "B: {used} used of {limit}");
}

#[test]
fn a_cluster_makes_the_dataset_that_one_machine_makes() {
    let data = questions::folder().unwrap();
    let bench = Bench::new(sim(medicine(&data), 15.0)).unwrap();
    let job = bench
        .write("job.yaml", &medicine_job(&data, &bench.url(), 250))
        .unwrap();
    let alone = bench.run_job("job.yaml", &[]).unwrap();
    let alone_folder = bench.run_folder().unwrap();

    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..4 {
        cluster.worker(&["--slots", "8"]).unwrap();
    }
    let run = cluster.submit(&job).unwrap();
    assert_eq!(
        Some(run.as_str()),
        alone["run"].as_str(),
        "the same job is the same run"
    );
    cluster
        .wait(&run, LONG, |status| status["tasks"]["done"].as_u64() > Some(150))
        .unwrap();
    cluster.workers[0].kill().unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, 0, 20_000);
    assert_eq!(status["tasks"]["open"], 0, "L: open reaches zero");
    assert_eq!(by_name(&status), by_name(&alone), "where concepts stand");
    assert_eq!((&status["concepts_all"], by_name(&status).len()), (&3.into(), 3));

    for split in ["train", "validation", "test"] {
        let expected = rows(&alone_folder.join("dataset"), split).unwrap();
        let found = rows(&cluster.dataset(&run), split).unwrap();
        assert!(!expected.is_empty());
        for (id, row) in &expected {
            assert_eq!(found.get(id), Some(row), "row {id} of {split}");
        }
        assert_eq!(found.len(), expected.len(), "{split}");
        println!("{split}: {} rows, the same to the letter", found.len());
    }
    let trace = cluster
        .ask(&["trace", &run, &synthetic_row(&cluster.dataset(&run))])
        .unwrap();
    assert!(!trace[0]["tasks"].as_array().unwrap().is_empty());
    let seed = trace[0]["seed"]["id"].as_str().unwrap();
    let trace = cluster.ask(&["trace", &run, seed]).unwrap();
    assert_eq!(
        (&trace[0]["seed"]["id"], &trace[0]["split"]),
        (&seed.into(), &"anchor".into())
    );
    assert!(trace[0]["made"]["accepted"].as_u64().unwrap() > 0, "{trace:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fields = |symbol: &str| runtime.block_on(described(&cluster.coordinators[0].api, symbol));
    assert!(fields("gristmill.v1.SubmitHead").contains(&("start".into(), ".gristmill.v1.Start".into())));
    assert!(fields("gristmill.v1.Start").contains(&("job".into(), ".gristmill.v1.Job".into())));
    assert!(fields("gristmill.v1.Job").contains(&("budget".into(), ".gristmill.v1.Job.Budget".into())));
    let trace = fields("gristmill.v1.TraceRowResponse");
    assert_eq!(trace, [("trace".into(), ".gristmill.v1.Trace".into())]);
    let services = runtime.block_on(listed_to_older_clients(&cluster.coordinators[0].api));
    assert!(
        services.contains(&"gristmill.v1.Coordinator".to_owned()),
        "{services:?}"
    );
    let (_, metrics) = get(&cluster.coordinators[0].http, "/metrics").unwrap();
    assert!(metrics.contains("gristmill_cluster_queue_ready{"), "{metrics}");
}

/// The services that a server lists to clients which know reflection by its older name only.
async fn listed_to_older_clients(api: &str) -> Vec<String> {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;

    let channel = tonic::transport::Endpoint::from_shared(api.to_owned()).unwrap();
    let mut client = ServerReflectionClient::new(channel.connect().await.unwrap());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    list.service.into_iter().map(|service| service.name).collect()
}

/// The fields of a message and their message types, as a server describes them to any client.
async fn described(api: &str, symbol: &str) -> Vec<(String, String)> {
    use prost::Message;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{FileDescriptorResponse, ServerReflectionRequest};

    let channel = tonic::transport::Endpoint::from_shared(api.to_owned()).unwrap();
    let mut client = ServerReflectionClient::new(channel.connect().await.unwrap());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(symbol.to_owned())),
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: files,
    })) = answer.message_response
    else {
        panic!("{answer:?}")
    };
    let name = symbol.rsplit('.').next().unwrap();
    files
        .iter()
        .map(|file| prost_types::FileDescriptorProto::decode(file.as_slice()).unwrap())
        .flat_map(|file| file.message_type)
        .filter(|message| message.name() == name)
        .flat_map(|message| message.field)
        .map(|field| (field.name().to_owned(), field.type_name().to_owned()))
        .collect()
}

/// Where each concept stands.
fn by_name(told: &Value) -> BTreeMap<String, Value> {
    let concepts = told["concepts"].as_array().unwrap().iter();
    concepts
        .map(|concept| (concept["concept"].as_str().unwrap().to_owned(), concept.clone()))
        .collect()
}

fn synthetic_row(dataset: &Path) -> String {
    let rows = rows(dataset, "train").unwrap();
    rows.into_iter()
        .find(|(_, row)| row["provenance"]["origin"] == "synthetic")
        .map(|(id, _)| id)
        .unwrap()
}

#[test]
fn coordinators_take_over_from_each_other_and_share_the_window() {
    let data = questions::folder().unwrap();
    let window = 192;
    let bench = Bench::new(sim(numbers(&data), 30.0)).unwrap();
    let mut cluster = Cluster::start().unwrap();
    let window_text = window.to_string();
    for _ in 0..2 {
        cluster.coordinator(&["--window", &window_text]).unwrap();
    }
    for _ in 0..3 {
        cluster
            .worker(&["--stages", "generate,judge", "--slots", "16"])
            .unwrap();
    }
    let sizes = [MOST_CALLS, 1_600, 400];
    let mut runs = Vec::new();
    for calls in sizes {
        let seeds = bench.folder.path().join(format!("seeds-{calls}.jsonl"));
        let job = bench
            .write(
                &format!("job-{calls}.yaml"),
                &numbers_job(&data, &bench.url(), &seeds, calls),
            )
            .unwrap();
        runs.push((cluster.submit(&job).unwrap(), u64::from(calls)));
    }
    let mut killed = 0;
    let mut ended = Vec::new();
    let until = Instant::now() + LONG;
    while ended.len() < runs.len() {
        for (run, limit) in &runs {
            let billed = bench.sim.bill().total.calls;
            let status = cluster.status(run).unwrap();
            assert!(Instant::now() < until, "{} runs ended; {status}", ended.len());
            balanced(&status, 0, *limit);
            let held =
                status["tasks"]["planned"].as_u64().unwrap() - status["tasks"]["archived"].as_u64().unwrap();
            // A few more may be opened while the window is full of results that nobody has asked for again yet.
            assert!(held <= window + 16, "{held} tasks of one run are open: {status}");
            let used: u64 = ["started", "spent", "burned"]
                .map(|state| status["books"][state]["calls"].as_u64().unwrap())
                .iter()
                .sum();
            assert!(used <= *limit && billed <= sizes.map(u64::from).iter().sum());
            if status["state"] == "finished" && !ended.contains(run) {
                ended.push(run.clone());
            }
        }
        let done = |i: usize| {
            cluster.status(&runs[i].0).unwrap()["tasks"]["done"]
                .as_u64()
                .unwrap()
        };
        // Each coordinator is killed once, in the middle of its work; another takes its place.
        if killed < 2 && done(0) > 300 * (killed + 1) {
            killed += 1;
            cluster.coordinators[0].kill().unwrap();
            drop(cluster.coordinators.remove(0));
            cluster.coordinator(&["--window", &window_text]).unwrap();
        }
    }
    assert_eq!(killed, 2, "both coordinators were killed while runs went on");
    assert_eq!(
        ended[0], runs[2].0,
        "the small run is not starved by the large ones"
    );
    let billed = bench.sim.bill().total.calls;
    let mut in_books = 0;
    for (run, limit) in &runs {
        let status = cluster.status(run).unwrap();
        balanced(&status, 0, *limit);
        assert_eq!(status["tasks"]["open"], 0);
        in_books += ["spent", "burned"]
            .map(|state| status["books"][state]["calls"].as_u64().unwrap())
            .iter()
            .sum::<u64>();
        let found = rows(&cluster.dataset(run), "train").unwrap();
        println!("run {run}: {} rows, {}", found.len(), status["tasks"]);
    }
    assert!(
        billed <= in_books,
        "B at close: {billed} billed, {in_books} in the books"
    );
}

#[test]
fn a_batch_outlives_the_worker_that_handed_it_in() {
    let data = questions::folder().unwrap();
    let faults = |batch_ms: u64| Faults {
        batch_ms,
        ..Faults::default()
    };
    let single = Bench::new(sim(medicine(&data), 0.0)).unwrap();
    single
        .write("job.yaml", &medicine_job(&data, &single.url(), 60))
        .unwrap();
    single.run_job("job.yaml", &[]).unwrap();

    let bench = Bench::new(Config {
        faults: faults(3_600_000),
        ..sim(medicine(&data), 0.0)
    })
    .unwrap();
    let job = medicine_job(&data, &bench.url(), 60)
        .replace("model: sim}", "model: sim, batch: {poll_s: 1}}")
        .replace("model: sim-judge,", "model: sim-judge, batch: {poll_s: 1},");
    let job = bench.write("job.yaml", &job).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..2 {
        cluster.worker(&["--slots", "64"]).unwrap();
    }
    let run = cluster.submit(&job).unwrap();
    let count = |status: &Value, path: &str| status.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let status = cluster
        .wait(&run, LONG, |status| {
            count(status, "/in_batches") > 0 && count(status, "/in_batches") == count(status, "/tasks/open")
        })
        .unwrap();
    let held = |worker: usize| {
        let (_, metrics) = get(&cluster.workers[worker].http, "/metrics").unwrap();
        metrics
            .lines()
            .filter(|line| line.starts_with("gristmill_batch_tasks"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
    };
    println!(
        "{} tasks in batches, held {} and {}",
        count(&status, "/in_batches"),
        held(0),
        held(1)
    );
    assert_eq!(
        held(0) + held(1),
        count(&status, "/in_batches") as f64,
        "each batch is looked after by one"
    );
    let taken = bench.sim.stats().count("batch.taken");
    cluster.workers[0].kill().unwrap();
    drop(cluster.workers.remove(0));
    bench.sim.set_faults(faults(0)).unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, bench.sim.bill().total.calls, 20_000);
    assert_eq!(status["tasks"]["open"], 0, "L: open reaches zero");
    assert_eq!(status["in_batches"], 0);
    assert_eq!(status["books"]["burned"]["calls"], 0, "{status}");
    assert_eq!(bench.sim.bill().repeated_calls, 0, "nothing is paid twice");
    assert!(taken >= 1);
    let folder = single.run_folder().unwrap();
    for split in ["train", "validation", "test"] {
        let expected = rows(&folder.join("dataset"), split).unwrap();
        assert_eq!(rows(&cluster.dataset(&run), split).unwrap(), expected, "{split}");
    }
}
