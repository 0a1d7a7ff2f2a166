//! What a child may do, read from the kernel. Alone in its file, since it looks for the only child of its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod support;

use gristmill_sandbox::Limits;
use support::Bed;

#[tokio::test]
async fn children_are_bare_confined_and_replaced_when_killed() {
    let bed = Bed::new(1, Limits::default()).await;
    bed.assert_alive().await;
    let child = only_child();
    let read = |what: &str| std::fs::read_to_string(format!("/proc/{child}/{what}")).unwrap();
    assert_eq!(read("environ"), "", "no environment, and so no keys");
    let limits = read("limits");
    let line = |name: &str| {
        limits
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    for name in ["Max file size", "Max core file size", "Max processes"] {
        let fields: Vec<String> = line(name)[name.len()..]
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert_eq!(fields[..2], ["0", "0"], "{name}");
    }
    assert!(!line("Max address space").contains("unlimited"));
    assert!(read("status").contains("NoNewPrivs:\t1"));
    // Killed from outside while idle: the next query gets another child and an answer.
    let pid = rustix::process::Pid::from_raw(child).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    bed.assert_alive().await;
    assert_ne!(only_child(), child);
    drop(bed);
}

/// The live child of this process.
fn only_child() -> i32 {
    let me = std::process::id().to_string();
    let status = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let mine = |pid: &i32| {
        let Some(stat) = status(*pid) else { return false };
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        fields[0] != "Z" && fields[1] == me
    };
    let pids = std::fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(mine).max().unwrap()
}
