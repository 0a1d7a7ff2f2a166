//! Runs of earlier versions: what was stored once stays readable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use gristmill_tests::harness::program;
use serde_json::Value;

/// A copy of a stored run, since opening one may write to it.
struct Stored {
    folder: tempfile::TempDir,
}

impl Stored {
    fn of(version: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("data/runs")
            .join(version);
        let folder = tempfile::tempdir().unwrap();
        copy(&from, folder.path());
        Self { folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// What the program prints; it must succeed.
    fn gristmill(&self, args: &[&str]) -> String {
        let mut command = Command::new(program().unwrap());
        command.args(["--progress", "none"]).args(args);
        let output = command.current_dir(self.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn rows(&self, dataset: &str) -> Vec<Value> {
        let file = self.folder.path().join(dataset).join("jsonl/train.jsonl");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_run_of_version_0_1_is_shown_as_it_was() {
    let stored = Stored::of("0.1");
    let status: Value =
        serde_json::from_str(&stored.gristmill(&["--output", "json", "status", "run"])).unwrap();
    assert_eq!(
        (&status["state"], &status["end"]),
        (&"finished".into(), &"the budget is spent".into())
    );
    let text = stored.gristmill(&["status", "run"]);
    assert!(
        text.contains("33 synthetic, 20 real to train on")
            && text.contains("39 rejected")
            && text.contains("299 spent + 0 burned + 0 held of 300 calls"),
        "{text}"
    );
    let budget = stored.gristmill(&["budget", "run"]);
    assert!(budget.contains("299") && budget.contains("300"), "{budget}");
}

#[test]
fn rows_of_version_0_1_are_traced_to_their_seeds_and_calls() {
    let stored = Stored::of("0.1");
    let rows = stored.rows("run/dataset");
    let synthetic: Vec<&Value> = rows
        .iter()
        .filter(|row| row["provenance"]["origin"] == "synthetic")
        .collect();
    assert_eq!((rows.len(), synthetic.len()), (53, 33));
    for row in synthetic {
        let id = row["id"].as_str().unwrap();
        let trace = stored.gristmill(&["trace", "run", id]);
        for task in row["provenance"]["task_ids"].as_array().unwrap() {
            let task = &task.as_str().unwrap()[..12];
            assert!(trace.contains(task), "{task} of {id}: {trace}");
        }
        let answer = row["messages"][1]["content"].as_str().unwrap();
        assert!(trace.contains(answer.lines().last().unwrap()), "{trace}");
    }
}

#[test]
fn the_dataset_of_version_0_1_is_made_again_from_its_state_with_the_same_rows() {
    let stored = Stored::of("0.1");
    let before = stored.rows("run/dataset");
    std::fs::remove_dir_all(stored.run().join("dataset")).unwrap();
    stored.gristmill(&["assemble", "run"]);
    assert_eq!(stored.rows("run/dataset"), before);
    stored.gristmill(&["export", "run", "alpaca", "--layout", "alpaca"]);
    let alpaca = stored.rows("alpaca");
    assert_eq!(alpaca.len(), before.len());
    assert_eq!(alpaca[0]["id"], before[0]["id"]);
}

#[test]
fn version_0_1_is_reported_with_its_rounds_and_strategies() {
    let stored = Stored::of("0.1");
    stored.gristmill(&["report", "run"]);
    let page = std::fs::read_to_string(stored.run().join("report.html")).unwrap();
    for said in [
        "new question",
        "rephrasing",
        "Waiting Lists",
        "<strong>33</strong>",
    ] {
        assert!(page.contains(said), "{said}");
    }
}
