//! Students of a world of facts, made as a user makes them: jobs are run, generations added, students trained and evaluated by the real
//! program. For studies that take minutes.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::facts::write_model;
use crate::harness::Bench;

/// A recipe of new questions: the judge's model asks one, and the teacher answers it, once. Nothing checks the answer.
const ASKED: &str = "recipe: asked\nversion: 1\nabout: A question that somebody asks, and the teacher's answer.\nsteps:\n  - ask: question\n    model: judge\n    prompt: ask.txt\n    reply:\n      - question: question\n  - distinct: question\n  - ask: answer\n    prompt: answer\n    reply:\n      - answer: answer\nrow: {form: instruction, question: question, answer: answer}\n";
/// A question is asked for by an example. Without a concept, it may be about anything that the model thinks of.
const ASK: &str = "version: 1\n=== user\nWrite a new question like the example.\n<example>\n{{ seed_question }}\n</example>\nReply with a JSON object with the member \"question\" (text: the new question alone).\n";
/// A question as the model of [`write_model`] is asked without its template.
const BARE: &str = "version: 1\n=== raw\nQ: {{ question }}\nA:";

/// Rows of a step, and times that each row is seen at least.
const BATCH: u64 = 32;
const EPOCHS: u64 = 8;

/// A folder in which students are made.
pub struct Study {
    /// The folder, and a simulated service.
    pub bench: Bench,
}

impl Study {
    /// Writes a base that knows nothing, the recipe `asked.yaml` with its prompt, and the prompt `bare.txt` for students that answer.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn new(bench: Bench, seed: u64) -> anyhow::Result<Self> {
        write_model(&bench.folder.path().join("base"), seed)?;
        bench.write("asked.yaml", ASKED)?;
        bench.write("ask.txt", ASK)?;
        bench.write("bare.txt", BARE)?;
        Ok(Self { bench })
    }

    /// A file or folder of the study.
    pub fn path(&self, name: &str) -> PathBuf {
        self.bench.folder.path().join(name)
    }

    /// Runs a job whose runs go to a folder of its name, `NAME/`; returns the run's folder, relative to the study. A run that ends short of
    /// its target is a run.
    ///
    /// # Errors
    /// A run that fails.
    pub fn run(&self, name: &str, job: &str) -> anyhow::Result<String> {
        let file = format!("{name}.yaml");
        self.bench.write(&file, job)?;
        self.run_file(name, &file)
    }

    /// The same of a job file that is there.
    ///
    /// # Errors
    /// A run that fails.
    pub fn run_file(&self, name: &str, file: &str) -> anyhow::Result<String> {
        let dir = format!("output.dir={}", self.path(name).display());
        let output = self
            .bench
            .gristmill(&["run", file, "--progress", "none", "--set", &dir])?;
        if !matches!(output.status.code(), Some(0 | 4)) {
            bail!("{file}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let runs: Vec<PathBuf> = std::fs::read_dir(self.path(name))
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        match runs.as_slice() {
            [run] => Ok(run.display().to_string()),
            _ => bail!("{name} holds {} runs", runs.len()),
        }
    }

    /// Trains a student of the base from scratch: so many steps at least, and as many as it takes to see each row eight times.
    ///
    /// # Errors
    /// A training that fails.
    pub fn train(&self, dataset: &str, out: &str, steps: u64, seed: u64) -> anyhow::Result<Value> {
        let rows = format!("batch_rows={BATCH}");
        let micro = format!("micro_batch_rows={BATCH}");
        let all = self.lines(&self.path(dataset).join("jsonl/train.jsonl"))?.len() as u64;
        let steps = format!("max_steps={}", steps.max((EPOCHS * all).div_ceil(BATCH)));
        let seed = format!("seed={seed}");
        let settings = [
            "method=full",
            "learning_rate=0.003",
            "epochs=1000",
            "validation.patience=0",
            "checkpoints.keep=1",
            &rows,
            &micro,
            &steps,
            &seed,
        ];
        let mut args = vec!["train", dataset, "--base", "./base", "--out", out];
        for setting in settings {
            args.extend(["--set", setting]);
        }
        self.bench.json(&args)
    }

    /// Asks a student the held-out questions of a run or of a dataset in three formats; returns the folder of the result.
    ///
    /// # Errors
    /// An evaluation that fails.
    pub fn evaluate(&self, dataset: &str, student: &str, more: &[&str]) -> anyhow::Result<String> {
        let args = [
            "eval",
            dataset,
            "--student",
            student,
            "--no-base",
            "--max-tokens",
            "12",
        ];
        let told = self.bench.json(&[&args, more].concat())?;
        let result = told["result"]
            .as_str()
            .context("the evaluation names no result")?;
        Ok(result.to_owned())
    }

    /// The lines of a JSON file of rows.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn lines(&self, file: &Path) -> anyhow::Result<Vec<Value>> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}
