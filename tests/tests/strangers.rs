//! Clients without a token hold as many connections to a coordinator as they like, and it answers those who have one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_tests::cluster::{Cluster, get};
use gristmill_tests::harness::{numbers, program};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const TOKEN: &str = "may-do-all-token-0001";
/// More than the files that the coordinator may open.
const STRANGERS: usize = 1_100;
/// The longest that a stranger may hold a connection, and some time for a busy machine.
const HOLDS: Duration = Duration::from_secs(60);

/// What strangers send: nothing, and what is never whole.
const SENT: [&str; 3] = [
    "",
    "GET /readyz HTTP/1.1\r\nHost: here\r\nX-Never",
    "PRI * HTTP/2.0\r\n\r\nSM\r",
];

/// A coordinator that asks for a token.
fn coordinator(before: &'static str) -> Cluster {
    let mut cluster = Cluster::start().unwrap();
    let tokens = cluster.folder.path().join("tokens");
    std::fs::write(&tokens, format!("operator {TOKEN}\n")).unwrap();
    cluster.before = before;
    cluster
        .coordinator(&["--tokens", &tokens.display().to_string()])
        .unwrap();
    cluster
}

/// This process holds both ends.
fn open_many_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

fn strangers(address: &str, sent: &str) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may have been closed for others already.
        let _closed = stream.write_all(sent.as_bytes());
        stream
    };
    (0..STRANGERS).map(open).collect()
}

/// Waits for the other end to close a connection.
fn closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(HOLDS)).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
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

fn gristmill(args: &[&str], server: &str) -> Command {
    let mut command = Command::new(program().unwrap());
    command
        .args(args)
        .args(["--server", server, "--output", "json"])
        .env("GRISTMILL_TOKEN", TOKEN);
    command
}

#[test]
fn strangers_who_hold_connections_keep_nobody_out_and_lose_them() {
    open_many_files();
    let (_bench, job) = numbers(40).unwrap();
    let cluster = coordinator("ulimit -n 1024");
    let server = cluster.api().unwrap().to_owned();
    let api = server.strip_prefix("http://").unwrap();
    let http = cluster.coordinators[0].http.as_str();
    let submitted = gristmill(&["submit", job.to_str().unwrap()], &server)
        .output()
        .unwrap();
    let submitted: serde_json::Value = serde_json::from_slice(&submitted.stdout).unwrap();
    let run = submitted["run"].as_str().unwrap();
    let watcher = gristmill(&["watch", run], &server)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut watcher = Watcher(watcher.unwrap());
    let mut told = BufReader::new(watcher.0.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("there is no worker")));

    let mut last = Vec::new();
    for sent in SENT {
        let mut held = strangers(http, sent);
        held.extend(strangers(api, sent));
        let began = Instant::now();
        for path in ["/livez", "/readyz", "/metrics"] {
            let (code, body) = get(http, path).unwrap();
            assert_eq!(code, 200, "{path} after {sent:?}: {body}");
        }
        let status = gristmill(&["status", run], &server).output().unwrap();
        let error = String::from_utf8_lossy(&status.stderr);
        assert!(status.status.success(), "after {sent:?}: {error}");
        println!("{sent:?}: answered in {:?}", began.elapsed());
        last.push(held.pop().unwrap());
        last.push(held.swap_remove(STRANGERS - 1));
    }
    let began = Instant::now();
    last.into_iter().for_each(closed);
    println!("the last strangers were gone after {:?}", began.elapsed());

    // Who was let in keeps its connection.
    let cancelled = gristmill(&["cancel", run], &server).output().unwrap();
    assert!(cancelled.status.success());
    let rest: Vec<String> = told.map(Result::unwrap).collect();
    assert!(
        !rest.iter().any(|line| line.contains("does not answer")),
        "{rest:#?}"
    );
    assert_eq!(watcher.0.wait().unwrap().code(), Some(5), "{rest:#?}");
}

#[test]
fn a_server_may_open_as_many_files_as_the_system_lets_it() {
    let mut cluster = coordinator("ulimit -S -n 1024");
    cluster.worker(&[]).unwrap();
    for server in [&cluster.coordinators[0], &cluster.workers[0]] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files"));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert_eq!(words[3], words[4], "{limits}");
    }
}
