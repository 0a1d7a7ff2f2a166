//! The node that other tests rely on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_servers::rabbitmq::{Options, Server};

const CHILD: &str = "GRISTMILL_TEST_RABBITMQ_CHILD";

fn folders() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(std::env::temp_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("gristmill-rabbitmq-"))
        .collect();
    found.sort();
    found
}

/// Command lines of running processes with this text in them.
fn processes(text: &str) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(text))
        .count()
}

#[test]
fn a_node_starts_dies_comes_back_and_leaves_nothing() {
    let server = Server::start(&Options::default()).unwrap();
    let first = server.vhost().unwrap();
    assert_ne!(first, server.vhost().unwrap());
    server.kill().unwrap();
    server.run().unwrap();
    let listed = server.control(&["list_vhosts"]).unwrap();
    assert!(listed.lines().any(|line| line == first), "{listed}");
    let folder = server.folder().to_owned();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    assert!(processes(&name) > 0);
    drop(server);
    assert!(!folder.exists());
    assert_eq!(processes(&name), 0);
}

/// Run by the next test as a process of its own, which is killed.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    Server::shared().unwrap();
    // Until its parent kills it.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_test_leaves_nothing_either() {
    let before = folders();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let mut name = String::new();
    wait("the child's node runs", &mut || {
        let new = folders().into_iter().find(|folder| !before.contains(folder));
        name = new.map_or_else(String::new, |folder| {
            folder.file_name().unwrap().to_string_lossy().into_owned()
        });
        !name.is_empty() && processes(&name) > 1
    });
    child.kill().unwrap();
    child.wait().unwrap();
    wait("process and folder are gone", &mut || {
        processes(&name) == 0 && !std::env::temp_dir().join(&name).exists()
    });
}
