//! The Python package against real coordinators and workers: what `scripts/python.sh check` says of it, and its client at work.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use gristmill_tests::cluster::Cluster;
use gristmill_tests::harness::{numbers, program};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const VIEWER: &str = "may-look-token-000001";
const OPERATOR: &str = "may-do-all-token-0001";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `scripts/python.sh`, which fetches the package's tools the first time, with the program under test and nothing of this machine's settings.
fn python(args: &[&str]) -> Command {
    let mut command = Command::new(repository().join("scripts/python.sh"));
    command
        .args(args)
        .current_dir(repository().join("python"))
        .stdin(Stdio::null())
        .env("GRISTMILL_BIN", program().unwrap());
    for setting in ["SERVER", "TOKEN", "PLAINTEXT"] {
        command.env_remove(format!("GRISTMILL_{setting}"));
    }
    command
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    texts.join("\n")
}

/// A coordinator that asks for tokens.
fn start(more: &[&str]) -> Cluster {
    let mut cluster = Cluster::start().unwrap();
    let tokens = cluster.folder.path().join("tokens");
    std::fs::write(&tokens, format!("viewer {VIEWER}\noperator {OPERATOR}\n")).unwrap();
    let tokens = tokens.display().to_string();
    cluster
        .coordinator(&[&["--tokens", &tokens], more].concat())
        .unwrap();
    cluster
}

#[test]
fn the_package_passes_its_own_checks() {
    let output = python(&["check"]).output().unwrap();
    println!("{}", said(&output));
    assert!(output.status.success());
}

#[test]
fn the_client_submits_watches_and_reads_rows() {
    let (bench, job) = numbers(160).unwrap();
    let mut cluster = start(&[]);
    cluster.worker(&[]).unwrap();
    let pytest = [
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-s",
        "tests/test_cluster.py",
    ];
    let output = python(&[&["python"], &pytest[..]].concat())
        .env("TRY_SERVER", cluster.api().unwrap())
        .env("TRY_HTTP", &cluster.coordinators[0].http)
        .env("TRY_JOB", job)
        .env("TRY_MODEL", bench.url())
        .env("TRY_STORE", cluster.store())
        .env("TRY_OPERATOR", OPERATOR)
        .env("TRY_VIEWER", VIEWER)
        .output()
        .unwrap();
    println!("{}", said(&output));
    assert!(
        output.status.success(),
        "{}\n{}",
        cluster.coordinators[0].log_tail(),
        cluster.workers[0].log_tail()
    );
}

/// What the program says to an operator.
fn gristmill(server: &str, args: &[&str]) -> serde_json::Value {
    let output = Command::new(program().unwrap())
        .args(args)
        .args(["--output", "json", "--server", server])
        .env("GRISTMILL_TOKEN", OPERATOR)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Replaces a cluster's coordinator by another one at the same address.
fn replaced(cluster: &mut Cluster, api: &str) {
    let tokens = cluster.folder.path().join("tokens").display().to_string();
    let address = api.strip_prefix("http://").unwrap();
    cluster.coordinator_at(address, &["--tokens", &tokens]).unwrap();
}

/// Follows a run to its end, and says so line by line.
const WATCH: &str = "
import sys, gristmill
client = gristmill.Client(sys.argv[1], token=sys.argv[2])
for progress in client.run(sys.argv[3]).watch():
    print(progress.state, progress.decided, flush=True)
";

#[test]
fn a_watcher_outlives_the_coordinator_that_it_asks() {
    let (_bench, job) = numbers(80).unwrap();
    let mut cluster = start(&[]);
    let api = cluster.api().unwrap().to_owned();
    let run = gristmill(&api, &["submit", &job.display().to_string()]);
    let run = run["run"].as_str().unwrap();
    let mut watcher = python(&["python", "-c", WATCH, &api, VIEWER, run])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let running = lines.find(|line| line.as_ref().unwrap().starts_with("running"));
    assert!(running.is_some(), "the run was never seen to go on");
    // Without a worker it goes on for as long as it takes to replace the coordinator.
    cluster.coordinators[0].kill().unwrap();
    replaced(&mut cluster, &api);
    cluster.worker(&[]).unwrap();
    let last = lines.last().unwrap().unwrap();
    println!("{last}");
    assert!(
        watcher.wait().unwrap().success() && last.starts_with("finished"),
        "{last}"
    );
}

/// Reads a row, waits to be told to go on, and counts the rest. What it has not asked for waits at the coordinator, but for 64 KiB.
const READ: &str = "
import sys, grpc, gristmill
make, few = grpc.insecure_channel, [('grpc.http2.bdp_probe', 0), ('grpc.http2.lookahead_bytes', 65536)]
grpc.insecure_channel = lambda target, options: make(target, [*options, *few])
rows = gristmill.Client(sys.argv[1], token=sys.argv[2]).run(sys.argv[3]).iter_rows(rejected=True)
ids = {next(rows).id}
print('one', flush=True)
sys.stdin.readline()
ids.update(row.id for row in rows)
print(len(ids))
";
/// Time in which a coordinator ends although a client reads nothing.
const ENDS: Duration = Duration::from_secs(40);

#[test]
fn a_slow_reader_holds_up_no_coordinator_and_misses_nothing() {
    // More than the messages that are under way hold.
    let (_bench, job) = numbers(1_600).unwrap();
    let mut cluster = start(&[]);
    cluster.worker(&[]).unwrap();
    let api = cluster.api().unwrap().to_owned();
    let ended = gristmill(&api, &["submit", &job.display().to_string(), "--watch"]);
    let run = ended["run"].as_str().unwrap();
    let mut reader = python(&["python", "-c", READ, &api, VIEWER, run])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    cluster.coordinators[0].signal("TERM").unwrap();
    let since = Instant::now();
    let status = cluster.coordinators[0].ended(ENDS).unwrap();
    println!("{status} after {:?}", since.elapsed());
    replaced(&mut cluster, &api);
    reader.stdin.take().unwrap().write_all(b"on\n").unwrap();
    let read = lines.next().unwrap().unwrap();
    assert!(reader.wait().unwrap().success());
    assert_eq!(read, ended["rows"]["decided"].to_string(), "{ended}");
}

/// Asks for runs, and says what is wrong where that fails.
const LIST: &str = "
import sys, gristmill
server, ca = sys.argv[1:3]
try:
    print(len(gristmill.Client(server, ca=ca or None, token=sys.argv[3]).runs()), 'runs')
except gristmill.UnreachableError as error:
    print('refused:', error)
";

#[test]
fn a_server_is_known_by_its_certificate() {
    let authority = || {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // One of the server's name would be taken for a certificate that is signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(params, key))
    };
    let ((ours, issuer), (theirs, _)) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let papers = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = papers.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (file("cert", &certificate), file("key", &key.serialize_pem()));
    let (ours, theirs) = (file("ours", &ours), file("theirs", &theirs));
    let cluster = start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let server = cluster.api().unwrap();
    let by_name = server.replace("http://127.0.0.1", "https://localhost");
    let by_number = server.replace("http://", "https://");
    for (server, ca, word) in [
        (&by_name, ours.as_str(), "0 runs"),
        (&by_name, &theirs, "refused:"),
        (&by_name, "", "refused:"),
        (&by_number, &ours, "refused:"),
    ] {
        let output = python(&["python", "-c", LIST, server, ca, VIEWER])
            .output()
            .unwrap();
        println!("{server} {ca}: {}", said(&output).trim());
        assert!(
            output.status.success() && said(&output).contains(word),
            "{server} {ca}"
        );
    }
}
