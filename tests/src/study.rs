//! Students of a world of facts, made as a user makes them: jobs are run, generations added, students trained and evaluated by the real
//! program. For studies that take minutes.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::facts::{Asked, key, seeds, write_model};
use crate::harness::Bench;
use crate::sim::{Config, KeyFiles, Quality, Sim};

/// A question is asked for by an example, and may be about anything that the model thinks of.
const ASK: &str = "version: 1\n=== user\nWrite a new question like the example.\n<example>\n{{ seed_question }}\n</example>\nReply with a JSON object with the member \"question\" (text: the new question alone).\n";
/// A question as the model of [`write_model`] is asked without its template.
const BARE: &str = "version: 1\n=== raw\nQ: {{ question }}\nA:";

/// Rows of a step, and times that each row is seen at least.
const BATCH: u64 = 32;
const EPOCHS: u64 = 8;

/// The seeds that a benchmark is run with, and the steps of a training, from its command line: `[FIRST_SEED LAST_SEED [STEPS]]`.
///
/// # Errors
/// What is no number.
pub fn asked_for() -> anyhow::Result<(RangeInclusive<u64>, u64)> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut number = |default: u64| match args.next() {
        None => Ok(default),
        Some(text) => text.parse().with_context(|| format!("`{text}` is no number")),
    };
    let (first, last, steps) = (number(1)?, number(1)?, number(400)?);
    Ok((first..=last, steps))
}

/// A recipe of new questions: a model (`judge` or `teacher`) asks one as a prompt tells it, and the teacher answers it, once. Nothing checks
/// the answer. Further steps are lines of YAML.
pub fn recipe(name: &str, model: &str, prompt: &str, further: &str) -> String {
    format!(
        "recipe: {name}\nversion: 1\nabout: A question that somebody asks, and the teacher's answer.\nsteps:\n  - ask: question\n    model: {model}\n    prompt: {prompt}\n    reply:\n      - question: question\n  - distinct: question\n  - ask: answer\n    prompt: answer\n    reply:\n      - answer: answer\n{further}row: {{form: instruction, question: question, answer: answer}}\n"
    )
}

/// Settings of a training from scratch.
pub fn training(steps: u64) -> [String; 8] {
    [
        "method=full".to_owned(),
        "learning_rate=0.003".to_owned(),
        "epochs=1000".to_owned(),
        "validation.patience=0".to_owned(),
        "checkpoints.keep=1".to_owned(),
        format!("batch_rows={BATCH}"),
        format!("micro_batch_rows={BATCH}"),
        format!("max_steps={steps}"),
    ]
}

/// Starts a teacher that asks what is in its pool and answers that and what else it knows: as well as its configuration says, and wrongly about a
/// place in `wrong_about`.
///
/// # Errors
/// A folder that cannot be written, or a service that does not start.
pub fn teacher(known: &[Asked], pool: &[Asked], wrong_about: &[&str], config: Config) -> anyhow::Result<Sim> {
    // The service reads them once, as it starts.
    let keys = tempfile::tempdir()?;
    let file = |name: &str, asked: &[Asked]| -> anyhow::Result<PathBuf> {
        let path = keys.path().join(name);
        std::fs::write(&path, key(asked, wrong_about))?;
        Ok(path)
    };
    Ok(Sim::start(Config {
        key: KeyFiles {
            pubmedqa: vec![file("known.jsonl", known)?],
            new_from: vec![file("pool.jsonl", pool)?],
            ..KeyFiles::default()
        },
        quality: Quality {
            held_back: 1.0,
            ..config.quality
        },
        ..config
    })?)
}

/// A folder in which students are made.
pub struct Study {
    /// The folder, and a simulated teacher.
    pub bench: Bench,
}

impl Study {
    /// A study with real questions as `seeds.jsonl`, and a teacher that asks what is in its pool and is always right.
    ///
    /// # Errors
    /// As those of [`teacher`] and [`Study::of`].
    pub fn new(real: &[Asked], pool: &[Asked], seed: u64) -> anyhow::Result<Self> {
        let config = Config {
            seed,
            quality: Quality::perfect(),
            ..Config::default()
        };
        let study = Self::of(teacher(real, pool, &[], config)?, seed)?;
        study.bench.write("seeds.jsonl", &seeds(real))?;
        Ok(study)
    }

    /// A study with this teacher. Writes a base that knows nothing, the recipe `asked.yaml` with its prompt, and the prompt `bare.txt` for
    /// students that answer.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn of(teacher: Sim, seed: u64) -> anyhow::Result<Self> {
        let bench = Bench {
            folder: tempfile::tempdir()?,
            sim: teacher,
        };
        write_model(&bench.folder.path().join("base"), seed)?;
        bench.write("asked.yaml", &recipe("asked", "judge", "ask.txt", ""))?;
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
    pub fn train(&self, dataset: &str, out: &str, steps: u64) -> anyhow::Result<Value> {
        let all = self.lines(&format!("{dataset}/jsonl/train.jsonl"))?.len() as u64;
        let settings = training(steps.max((EPOCHS * all).div_ceil(BATCH)));
        let mut args = vec!["train", dataset, "--base", "./base", "--out", out];
        for setting in &settings {
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

    /// The figures of a result.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn figures(&self, result: &str) -> anyhow::Result<Value> {
        let path = self.path(result).join("evaluation.json");
        let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The lines of one of the study's JSON files.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn lines(&self, file: &str) -> anyhow::Result<Vec<Value>> {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}
