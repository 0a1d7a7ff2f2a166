//! An evaluation at hand: a student and a teacher that answer the same questions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::Bench;
use crate::questions::sums;
use crate::sim::{Config, Faults, KeyFiles, Quality, Sim};

/// Questions of a desk.
pub const QUESTIONS: u64 = 60;
/// Formats that each is asked in, where a job names none.
pub const FORMATS: u64 = 3;

/// Two services that know the same questions: a student that is often wrong, and a teacher that seldom is.
pub struct Desk {
    /// The student's service, with a folder for jobs.
    pub student: Bench,
    /// The teacher's service.
    pub teacher: Sim,
    _key: tempfile::NamedTempFile,
}

impl Desk {
    /// A desk whose student is right in this share of the answers.
    pub fn new(student: f64, faults: Faults) -> Self {
        let questions = sums(0..QUESTIONS as u32);
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&key, &questions).unwrap();
        let config = |accuracy: f64, seed, model: &str, faults| Config {
            seed,
            model: model.to_owned(),
            key: KeyFiles {
                gsm8k: vec![key.path().to_owned()],
                ..KeyFiles::default()
            },
            quality: Quality {
                accuracy,
                refusal: 0.05,
                truncated: 0.0,
                ..Quality::default()
            },
            faults,
            ..Config::default()
        };
        let teacher = Sim::start(config(0.95, 3, "strong", Faults::default())).unwrap();
        let student = Bench::new(config(student, 5, "weak", faults)).unwrap();
        student.write("questions.jsonl", &questions).unwrap();
        Self {
            student,
            teacher,
            _key: key,
        }
    }

    /// Writes the job of an evaluation of both; `more` holds the sections that tests differ in.
    pub fn job(&self, name: &str, more: &str) {
        let model = |role: &str, url: &str, model: &str| {
            format!(
                "    - {{role: {role}, base_url: {url}, model: {model}, price: {{input: 0.5, output: 1.5}}, concurrency: 8}}\n"
            )
        };
        let job = format!(
            "seeds: {{path: questions.jsonl}}\nembed: {{model: off}}\ngenerate: {{reasoning: false}}\n{more}\nevaluate:\n  models:\n{}{}",
            model("student", &self.student.url(), "weak"),
            model("teacher", &self.teacher.url(), "strong")
        );
        self.student.write(name, &job).unwrap();
    }

    /// Runs the program: how it ended, and what it printed.
    pub fn said(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.student.gristmill(args).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Runs a job to its end, and returns what it printed.
    pub fn run(&self, job: &str) -> Value {
        let (code, told, why) = self.said(&["run", job, "--progress", "none", "--output", "json"]);
        assert_eq!(code, Some(0), "{why}");
        serde_json::from_str(&told).unwrap()
    }

    /// Calls by the services' own books.
    pub fn billed(&self) -> u64 {
        self.student.sim.bill().total.calls + self.teacher.bill().total.calls
    }

    /// The folder of a result that the program printed.
    pub fn result(&self, told: &Value) -> PathBuf {
        self.student.folder.path().join(told["result"].as_str().unwrap())
    }
}

/// Sections of a job whose answers are numbers.
pub const BY_NUMBER: &str = "filter: {validator: {kind: number}}\nbudget: {calls: 400}";
