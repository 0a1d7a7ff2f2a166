//! The simulated service as a process beside a benchmark, and what processes have used.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// A program that was built beside the benchmark.
pub(crate) fn beside(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().and_then(Path::parent).unwrap().join(name)
}

/// Processor seconds of this process, or of its children that have ended; and the largest resident set in MB.
pub(crate) fn usage(who: UsageWho) -> (f64, f64) {
    let usage = getrusage(who).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    (
        seconds(usage.user_time()) + seconds(usage.system_time()),
        usage.max_rss() as f64 / 1024.0,
    )
}

/// The simulated service, in a process of its own.
pub(crate) struct Service {
    child: Child,
    /// Its address.
    pub(crate) url: String,
}

impl Service {
    /// Starts it with the answers of a file and a time that each call takes.
    pub(crate) fn start(key: &Path, latency_ms: u64) -> Self {
        let mut child = Command::new(beside("gristmill-sim"))
            .args([
                "--gsm8k",
                key.to_str().unwrap(),
                "--latency-ms-mean",
                &latency_ms.to_string(),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("build the service first: cargo build --release -p gristmill-tests");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let at = line
            .find("http://")
            .unwrap_or_else(|| panic!("the service said {line:?}"));
        let url = line[at..]
            .split(|c: char| c.is_whitespace() || c == '"')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What a run took.
pub(crate) struct Ran {
    /// Seconds by the clock.
    pub(crate) wall: f64,
    /// Processor seconds.
    pub(crate) cpu: f64,
    /// What the program says of it.
    pub(crate) summary: serde_json::Value,
}

/// Runs a job with the whole program.
pub(crate) fn run(job: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job.yaml"), job).unwrap();
    let before = usage(UsageWho::RUSAGE_CHILDREN).0;
    let start = Instant::now();
    let output = Command::new(beside("gristmill"))
        .args(["run", "job.yaml", "--progress", "none", "--output", "json"])
        .current_dir(folder.path())
        .output()
        .expect("build the program first: cargo build --release -p gristmill");
    let wall = start.elapsed().as_secs_f64();
    let cpu = usage(UsageWho::RUSAGE_CHILDREN).0 - before;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ran {
        wall,
        cpu,
        summary: serde_json::from_slice(&output.stdout).unwrap(),
    }
}
