//! `gristmill ui`: the dashboard of runs in folders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::harness::Bench;

/// `gristmill ui` on a folder; it ends with the test.
pub struct Ui {
    child: Child,
    /// Where it listens, such as `127.0.0.1:7080`.
    pub address: String,
}

impl Ui {
    /// Starts it in the folder of a bench.
    pub fn start(bench: &Bench, folder: &Path) -> Self {
        let args = ["ui", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut child = bench
            .command(&args)
            .unwrap()
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim_start_matches("http://").split('/').next().unwrap();
        Self {
            child,
            address: address.to_owned(),
        }
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        // Where it has ended by itself, there is nothing to kill.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
