//! Who is let in to a coordinator, what they may call, and what is written down of it. Real RabbitMQ and Redis, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gristmill_proto::DESCRIPTORS;
use gristmill_tests::cluster::{Cluster, Server};
use gristmill_tests::harness::{numbers, program};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

const VIEWER: &str = "may-look-token-000001";
const OPERATOR: &str = "may-do-all-token-0001";
const LATER: &str = "comes-later-token-001";

/// Methods that change nothing.
const LOOKING: [&str; 9] = [
    "ExplainTask",
    "GetRun",
    "GetServer",
    "ListDead",
    "ListRuns",
    "ListWorkers",
    "ReadRows",
    "TraceRow",
    "WatchRun",
];

/// Longest wait for a change of the tokens to be noticed.
const NOTICED: Duration = Duration::from_secs(60);

fn start(tokens: &str) -> Cluster {
    let mut cluster = Cluster::start().unwrap();
    let file = cluster.folder.path().join("tokens");
    std::fs::write(&file, tokens).unwrap();
    cluster
        .coordinator(&["--tokens", &file.display().to_string()])
        .unwrap();
    cluster
}

/// The service's methods: all of them, by its description.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let services = set.file.into_iter().flat_map(|file| file.service);
    let coordinator = services
        .into_iter()
        .find(|service| service.name() == "Coordinator");
    let methods = coordinator.unwrap().method.into_iter();
    methods.map(|method| method.name().to_owned()).collect()
}

/// Calls a method with an empty message.
async fn call(channel: &Channel, method: &str, token: Option<&str>) -> Code {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let path: PathAndQuery = format!("/gristmill.v1.Coordinator/{method}").parse().unwrap();
    // An answer that is not empty has fields that the empty message leaves out.
    let answer = client.server_streaming(request, path, ProstCodec::<(), ()>::default());
    match answer.await {
        Ok(mut answer) => answer
            .get_mut()
            .message()
            .await
            .err()
            .map_or(Code::Ok, |e| e.code()),
        Err(status) => status.code(),
    }
}

/// What the coordinator wrote down of calls.
fn audit(server: &Server) -> Vec<String> {
    let log = std::fs::read_to_string(&server.log).unwrap();
    let lines = log.lines().filter(|line| line.contains("gristmill_audit"));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_method_is_for_its_role_and_changes_are_written_down() {
    let cluster = start(&format!("viewer {VIEWER} vera\noperator {OPERATOR} otto\n"));
    let channel = Channel::from_shared(cluster.api().unwrap().to_owned()).unwrap();
    let channel = channel.connect().await.unwrap();
    let methods = methods();
    assert!(LOOKING.iter().all(|looking| methods.iter().any(|m| m == looking)));
    println!(
        "{:<14} {:<16} {:<16} {:<16} operator",
        "", "no token", "unknown token", "viewer"
    );
    for method in &methods {
        let none = call(&channel, method, None).await;
        let unknown = call(&channel, method, Some(LATER)).await;
        let viewer = call(&channel, method, Some(VIEWER)).await;
        let operator = call(&channel, method, Some(OPERATOR)).await;
        println!("{method:<14} {none:<16?} {unknown:<16?} {viewer:<16?} {operator:?}");
        assert_eq!(
            (none, unknown),
            (Code::Unauthenticated, Code::Unauthenticated),
            "{method}"
        );
        let looks = LOOKING.contains(&method.as_str());
        assert_eq!(viewer == Code::PermissionDenied, !looks, "{method}: {viewer:?}");
        assert!(
            ![Code::PermissionDenied, Code::Unauthenticated].contains(&operator),
            "{method}: {operator:?}"
        );
    }
    let written = audit(&cluster.coordinators[0]);
    let text = written.join("\n");
    for method in &methods {
        let did =
            |line: &&String| line.contains("otto") && line.contains(&format!("\"method\":\"{method}\""));
        let lines = written.iter().filter(did).count();
        assert_eq!(
            lines,
            usize::from(!LOOKING.contains(&method.as_str())),
            "{method}:\n{text}"
        );
    }
    assert!(text.contains("refused"), "{text}");
    for token in [VIEWER, OPERATOR, LATER] {
        assert!(!text.contains(token), "no token in it:\n{text}");
    }
}

fn gristmill(args: &[&str], server: &str, token: &str) -> (Option<i32>, String) {
    let mut command = Command::new(program().unwrap());
    let output = command
        .args(args)
        .args(["--server", server])
        .env("GRISTMILL_TOKEN", token)
        .env_remove("GRISTMILL_PLAINTEXT")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), error)
}

/// Waits until a token is let in, or is not.
fn until(server: &str, token: &str, let_in: bool) {
    let give_up = Instant::now() + NOTICED;
    while (gristmill(&["runs"], server, token).0 == Some(0)) != let_in {
        assert!(Instant::now() < give_up, "let in: {let_in}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Replaces a file as Kubernetes replaces that of a secret: at once.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn tokens_change_while_the_coordinator_runs() {
    let (_bench, job) = numbers(40).unwrap();
    let cluster = start(&format!("operator {OPERATOR} otto\n"));
    let server = cluster.api().unwrap().to_owned();
    let file = cluster.folder.path().join("tokens");
    let submitted = gristmill(&["submit", job.to_str().unwrap()], &server, OPERATOR);
    assert_eq!(submitted.0, Some(0), "{}", submitted.1);
    let run = gristmill_run(&server);
    let mut watcher = Command::new(program().unwrap())
        .args(["watch", &run, "--server", &server])
        .env("GRISTMILL_TOKEN", OPERATOR)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();

    // What cannot be used changes nothing.
    replace(&file, "operator short\n");
    let give_up = Instant::now() + NOTICED;
    while !std::fs::read_to_string(&cluster.coordinators[0].log)
        .unwrap()
        .contains("the token is too short")
    {
        assert!(Instant::now() < give_up, "{}", cluster.coordinators[0].log_tail());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(gristmill(&["runs"], &server, OPERATOR).0, Some(0));

    replace(&file, &format!("viewer {LATER}\n"));
    until(&server, LATER, true);
    until(&server, OPERATOR, false);
    // Who watched with a token that is withdrawn is sent away.
    let code = watcher.wait().unwrap().code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
}

/// The only run there is.
fn gristmill_run(server: &str) -> String {
    let output = Command::new(program().unwrap())
        .args(["runs", "--server", server, "--output", "json"])
        .env("GRISTMILL_TOKEN", OPERATOR)
        .output()
        .unwrap();
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    run["run"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_leaves_this_machine_without_tls_unless_a_person_says_so() {
    let refused = |(code, error): (Option<i32>, String), what: &str| {
        assert_eq!(code, Some(3), "{error}");
        assert!(error.contains(what) && error.contains("--plaintext"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    };
    refused(
        gristmill(&["runs"], "http://192.0.2.1:7071", "s3cret-s3cret-s3cret"),
        "the coordinator",
    );
    let serve = |kind: &str, more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(program().unwrap())
            .args([kind, "--store"])
            .arg(folder.path())
            .args(more)
            .env_remove("GRISTMILL_PLAINTEXT")
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let here = ["--redis", "redis://127.0.0.1:1", "--broker", "amqp://127.0.0.1:1"];
    refused(
        serve(
            "worker",
            &["--redis", "redis://:s3cret@192.0.2.1:6379", here[2], here[3]],
        ),
        "Redis",
    );
    let cluster = Cluster::start().unwrap();
    let redis = cluster.redis.url();
    refused(
        serve(
            "worker",
            &[
                "--redis",
                &redis,
                "--broker",
                "amqp://u:s3cret@192.0.2.1:5672/%2f",
            ],
        ),
        "RabbitMQ",
    );
    let everywhere = ["--listen", "0.0.0.0:0", "--tokens", "/dev/null"];
    refused(
        serve("coordinator", &[&here[..], &everywhere[..]].concat()),
        "the API",
    );
    let output = Command::new(program().unwrap())
        .args(["broker", "setup", "--broker", "amqp://127.0.0.1:1"])
        .args(["--management", "http://u:s3cret@192.0.2.1:15672"])
        .env_remove("GRISTMILL_PLAINTEXT")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    refused((output.status.code(), error), "management");
}

/// What a process listens on: TCP sockets of its own, as `/proc` knows them.
fn listens_on(server: &Server) -> Vec<String> {
    let process = format!("/proc/{}", server.id());
    let descriptors = std::fs::read_dir(format!("{process}/fd")).unwrap();
    let own: Vec<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|path| path.display().to_string())
        .collect();
    let mut listens = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("{process}/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (columns[1], columns[3], columns[9]);
            // 0A is LISTEN; 0100007F is 127.0.0.1, bytes in this machine's order.
            if state == "0A" && own.contains(&format!("socket:[{inode}]")) {
                let (host, port) = address.split_once(':').unwrap();
                assert_eq!(host, "0100007F", "it listens elsewhere: {line}");
                listens.push(format!("127.0.0.1:{}", u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    listens.sort();
    listens
}

#[test]
fn only_what_is_served_listens() {
    let mut cluster = start(&format!("operator {OPERATOR} otto\n"));
    cluster.worker(&[]).unwrap();
    let (coordinator, worker) = (&cluster.coordinators[0], &cluster.workers[0]);
    let api = coordinator.api.strip_prefix("http://").unwrap().to_owned();
    let mut served = vec![api, coordinator.http.clone()];
    served.sort();
    assert_eq!(listens_on(coordinator), served);
    assert_eq!(listens_on(worker), std::slice::from_ref(&worker.http));
}
