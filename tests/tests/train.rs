//! `gristmill train` on the dataset of a real run, with a model of two layers whose weights are drawn here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use gristmill_tests::harness::program;
use gristmill_tests::tiny_model;
use serde_json::{Value, json};

/// Longest wait for something that a training does.
const PATIENCE: Duration = Duration::from_secs(120);

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny_model::write(&folder.path().join("base")).unwrap();
        Self { folder }
    }

    fn command(&self, out: &str, more: &[&str]) -> Command {
        self.command_from("base", out, more)
    }

    fn command_from(&self, base: &str, out: &str, more: &[&str]) -> Command {
        let dataset = tiny_model::stored_run();
        let mut command = Command::new(program().unwrap());
        command.current_dir(self.folder.path()).arg("train").arg(dataset);
        command.args([
            "--base",
            base,
            "--out",
            out,
            "--output",
            "json",
            "--progress",
            "plain",
        ]);
        command.args([
            "--set",
            "max_tokens=4096",
            "--set",
            "batch_rows=4",
            "--set",
            "validation.every=3",
        ]);
        command
            .args(["--set", "validation.rows=4", "--set", "learning_rate=0.01"])
            .args(more);
        command
    }

    fn train(&self, out: &str, more: &[&str]) -> Output {
        self.command(out, more).output().unwrap()
    }

    fn start(&self, out: &str, more: &[&str]) -> Child {
        let mut command = self.command(out, more);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn events(&self, out: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(out).join("events.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.collect()
    }

    /// Waits until a checkpoint of so many steps or more is there.
    fn wait_for_checkpoint(&self, out: &str, step: u64) {
        let begun = Instant::now();
        let there = |event: &Value| event["event"] == "checkpoint" && event["step"].as_u64() >= Some(step);
        while !self.events(out).iter().any(there) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no checkpoint: {:?}",
                self.events(out)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn adapter(&self, out: &str) -> Vec<u8> {
        std::fs::read(self.path(out).join("adapter/adapter_model.safetensors")).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_student_is_trained_with_its_card_and_curves() {
    let desk = Desk::new();
    let output = desk.train("student", &["--set", "max_steps=9"]);
    assert!(output.status.success(), "{}", said(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["steps"], &summary["ended"]),
        (&json!(9), &json!("steps"))
    );
    let loss = |key: &str| summary[key].as_f64().unwrap();
    assert!(
        loss("validation_loss") < loss("validation_loss_before"),
        "{summary}"
    );
    assert!(summary["real_rows"].as_u64() > Some(0), "{summary}");
    let card = std::fs::read_to_string(desk.path("student/README.md")).unwrap();
    for named in [
        "base_model: \"base\"",
        "library_name: peft",
        "validation loss",
        "curve-loss.svg",
        "lineage depth",
    ] {
        assert!(card.contains(named), "{named}: {card}");
    }
    for file in [
        "adapter/adapter_config.json",
        "curve-loss.svg",
        "curve-validation.svg",
        "training.json",
    ] {
        assert!(desk.path("student").join(file).exists(), "{file}");
    }
    // The rows are the dataset's, and no held-out row is among them.
    let dataset = tiny_model::stored_run().join("dataset/jsonl");
    let text = std::fs::read_to_string(desk.path("student/rows.jsonl")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 36);
    for held_out in ["validation", "test"] {
        let Ok(held_out) = std::fs::read_to_string(dataset.join(format!("{held_out}.jsonl"))) else {
            continue;
        };
        assert!(
            rows.iter()
                .all(|row| !held_out.contains(row["id"].as_str().unwrap()))
        );
    }
    // Started again, it has nothing left to do, and says the same.
    let again = desk.train("student", &["--set", "max_steps=9"]);
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(
        desk.events("student")
            .iter()
            .filter(|event| event["event"] == "step")
            .count(),
        9
    );
}

#[test]
fn a_training_that_is_killed_comes_to_the_same_as_an_unbroken_one() {
    let desk = Desk::new();
    let settings = [
        "--set",
        "max_steps=60",
        "--set",
        "checkpoints.every=1",
        "--set",
        "validation.patience=0",
    ];
    let unbroken = desk.train("unbroken", &settings);
    assert!(unbroken.status.success(), "{}", said(&unbroken));
    let mut broken = desk.start("broken", &settings);
    desk.wait_for_checkpoint("broken", 2);
    // Nobody else may train there meanwhile.
    let second = desk.train("broken", &settings);
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    assert!(
        said(&second).contains("another process trains here"),
        "{}",
        said(&second)
    );
    broken.kill().unwrap();
    broken.wait().unwrap();
    let done = desk.events("broken").iter().any(|event| event["event"] == "done");
    assert!(!done, "it ended before it was killed: give it more steps");
    let resumed = desk.train("broken", &settings);
    assert!(resumed.status.success(), "{}", said(&resumed));
    assert!(
        said(&resumed).contains("resuming behind step"),
        "{}",
        said(&resumed)
    );
    assert!(
        desk.adapter("unbroken") == desk.adapter("broken"),
        "the adapters differ"
    );
}

#[test]
fn money_stops_a_training_and_more_of_it_resumes() {
    let desk = Desk::new();
    let limited = |usd: &str| {
        let usd = format!("max_usd={usd}");
        desk.train(
            "student",
            &[
                "--set",
                "max_steps=12",
                "--set",
                "usd_per_hour=1000000",
                "--set",
                &usd,
            ],
        )
    };
    let stopped = limited("0.000001");
    assert_eq!(stopped.status.code(), Some(4), "{}", said(&stopped));
    assert!(said(&stopped).contains("max_usd"), "{}", said(&stopped));
    let done = limited("100000000");
    assert!(done.status.success(), "{}", said(&done));
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(summary["steps"], json!(12));
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    let desk = Desk::new();
    let looked = desk.train("student", &["--set", "max_steps=2", "--dry-run"]);
    assert!(looked.status.success(), "{}", said(&looked));
    let would: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert!(!desk.path("student").exists());
    let settings = |output: &Output| {
        assert!(output.status.success(), "{}", said(output));
        let text = std::fs::read(desk.path("student/training.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()
    };
    let trained = settings(&desk.train("student", &["--set", "max_steps=2"]));
    assert_eq!(would["training"], trained, "what it says is what is trained");
    // A student that is there stays as it is, and another one is told to go elsewhere.
    let again = settings(&desk.train("student", &["--set", "max_steps=2", "--dry-run"]));
    assert_eq!(again, trained);
    let other = desk.train("student", &["--set", "max_steps=3", "--dry-run"]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    assert!(
        said(&other).contains("another student is trained here"),
        "{}",
        said(&other)
    );
}

#[test]
fn wrong_settings_and_folders_are_told_before_anything_is_trained() {
    let desk = Desk::new();
    let refused = |more: &[&str], words: &[&str]| {
        let output = desk.train("student", more);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        for word in words {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
    };
    refused(&["--set", "epoch=3"], &["epoch", "`epochs`"]);
    refused(&["--set", "max_usd=3"], &["usd_per_hour"]);
    let missing = desk
        .command_from("nowhere.gguf", "student", &[])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(3), "{}", said(&missing));
    assert!(
        said(&missing).contains("nowhere.gguf does not exist"),
        "{}",
        said(&missing)
    );
    refused(&["--set", "max_tokens=2"], &["no row to train on", "max_tokens"]);
    assert!(desk.train("student", &["--set", "max_steps=2"]).status.success());
    refused(
        &["--set", "max_steps=3"],
        &["another student is trained here", "--out"],
    );
}
