//! Runs the real program against the simulated service, as a user would: a job file in a folder, a process, its output.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::questions;
use crate::sim::{Config, Faults, KeyFiles, Sim};

/// The program under test: `GRISTMILL_BIN`, or the one that was built beside the tests.
pub fn program() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("GRISTMILL_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test
        .parent()
        .and_then(Path::parent)
        .context("a test runs in target/PROFILE/deps")?;
    let program = folder.join("gristmill");
    if !program.is_file() {
        bail!(
            "{} is not built: run `cargo build --workspace` first, as scripts/test.sh does",
            program.display()
        );
    }
    Ok(program)
}

/// The real data, for benchmarks; tests take [`questions::folder`].
pub fn data() -> Option<PathBuf> {
    questions::real()
}

/// A folder with a job, and a simulated service for it.
pub struct Bench {
    /// Where the job lies and the runs go.
    pub folder: tempfile::TempDir,
    /// The service.
    pub sim: Sim,
}

impl Bench {
    /// Starts a service and makes an empty folder.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            sim: Sim::start(config)?,
        })
    }

    /// A service that knows these questions, whose answers are numbers, and a folder with them in `seeds.jsonl`.
    ///
    /// # Errors
    /// A line that is no such question, or a folder that cannot be written.
    pub fn with_numbers(seeds: &str, config: Config) -> anyhow::Result<Self> {
        let known = tempfile::NamedTempFile::new()?;
        std::fs::write(&known, seeds)?;
        let bench = Self::new(Config {
            key: KeyFiles {
                gsm8k: vec![known.path().to_owned()],
                ..KeyFiles::default()
            },
            ..config
        })?;
        bench.write("seeds.jsonl", seeds)?;
        Ok(bench)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The base URL for a job.
    pub fn url(&self) -> String {
        self.sim.url()
    }

    /// The program, in the folder, with nothing of this machine's settings that could change what it does.
    pub fn command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(program()?);
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("CI", "1")
            .env_remove("GRISTMILL_LOG");
        Ok(command)
    }

    /// Starts a job, whose end nobody waits for.
    pub fn start_job(&self, job: &str) -> anyhow::Result<Child> {
        Ok(self
            .command(&["run", job, "--progress", "none"])?
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?)
    }

    /// Runs the program to its end.
    pub fn gristmill(&self, args: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(args)?.output()?)
    }

    /// Runs a job that must succeed and returns its summary.
    pub fn run_job(&self, job: &str, more: &[&str]) -> anyhow::Result<Value> {
        self.json(&[&["run", job], more].concat())
    }

    /// Runs a command that must succeed and returns what it printed as JSON.
    pub fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let args = [args, &["--output", "json"]].concat();
        let output = self.gristmill(&args)?;
        if !output.status.success() {
            bail!(
                "`gristmill {}` ended with {}:\n{}",
                args.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The folder of the one run that there is.
    pub fn run_folder(&self) -> anyhow::Result<PathBuf> {
        let mut runs: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join("out"))?
            .map(|e| Ok(e?.path()))
            .collect::<std::io::Result<_>>()?;
        match (runs.pop(), runs.is_empty()) {
            (Some(run), true) => Ok(run),
            _ => bail!("expected exactly one run"),
        }
    }

    /// Rows of a split, from the JSON lines.
    pub fn rows(&self, split: &str) -> anyhow::Result<Vec<Value>> {
        let path = self.run_folder()?.join(format!("dataset/jsonl/{split}.jsonl"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// A service of word problems with answers that take some time, and a job on it that uses its whole budget of calls.
///
/// # Errors
/// There are no questions, or the folder cannot be written.
pub fn numbers(calls: u64) -> anyhow::Result<(Bench, PathBuf)> {
    let path = questions::folder()?.join("gsm8k/train.jsonl");
    let bench = Bench::new(Config {
        key: KeyFiles {
            gsm8k: vec![path.clone()],
            ..KeyFiles::default()
        },
        faults: Faults {
            latency_ms_mean: 40.0,
            latency_ms_spread: 0.5,
            ..Faults::default()
        },
        seed: 17,
        ..Config::default()
    })?;
    let seeds = questions::first_lines(&path, usize::try_from(calls / 4)?)?;
    let seeds = bench.write("seeds.jsonl", &seeds)?;
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
         generate: {{pilot: 0, rounds: 2}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {calls}}}\n",
        seeds.display(),
        bench.url()
    );
    let job = bench.write("job.yaml", &job)?;
    Ok((bench, job))
}

/// A synthetic row's strategy, question and final answer; `None` for a real row.
pub fn synthetic(row: &Value) -> Option<(String, String, String)> {
    let provenance = row.get("provenance")?;
    if provenance.get("origin")?.as_str()? != "synthetic" {
        return None;
    }
    let messages = row.get("messages")?.as_array()?;
    let content = |role: &str| {
        messages
            .iter()
            .find(|m| m.get("role").and_then(Value::as_str) == Some(role))?
            .get("content")?
            .as_str()
            .map(str::to_owned)
    };
    let answer = content("assistant")?;
    let last = answer.rsplit("\n\n").next().unwrap_or(&answer).to_owned();
    Some((
        provenance.get("strategy")?.as_str()?.to_owned(),
        content("user")?,
        last,
    ))
}
