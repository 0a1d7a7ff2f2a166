//! A cluster of real processes: RabbitMQ, Redis, coordinators and workers of the real program, on free ports of this machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gristmill_servers::{ports, rabbitmq, redis};
use serde_json::Value;

use crate::harness::program;

/// Longest wait for something that a run comes to.
pub const LONG: Duration = Duration::from_secs(240);
/// Longest wait for a process to be ready.
const READY: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);

/// A running cluster. Dropping it ends all of its processes.
pub struct Cluster {
    /// Where logs and runs lie.
    pub folder: tempfile::TempDir,
    /// Redis, its own.
    pub redis: redis::Server,
    /// RabbitMQ, shared by the tests of a process.
    pub rabbit: &'static rabbitmq::Server,
    /// Its virtual host.
    pub vhost: String,
    /// Coordinators, by the order of their start.
    pub coordinators: Vec<Server>,
    /// Workers, by the order of their start.
    pub workers: Vec<Server>,
    /// What a shell does before it becomes a process of the cluster, such as `ulimit -n 1024`.
    pub before: &'static str,
    /// The password of the users `gristmill-coordinator` and `gristmill-worker` at both servers, where processes log in as their role.
    pub role_password: Option<&'static str>,
    started: usize,
}

/// A process of the cluster.
pub struct Server {
    child: Child,
    /// Address of `/readyz` and `/metrics`.
    pub http: String,
    /// Address of the API; empty for a worker.
    pub api: String,
    /// Where its log goes.
    pub log: PathBuf,
}

impl Server {
    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with -9.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()?;
        anyhow::ensure!(sent.success(), "kill -{name} failed");
        Ok(())
    }

    /// Waits for it to end by itself.
    pub fn ended(&mut self, within: Duration) -> anyhow::Result<std::process::ExitStatus> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(
                Instant::now() < until,
                "it did not end within {within:?}:\n{}",
                self.log_tail()
            );
            std::thread::sleep(LOOK);
        }
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Cluster {
    /// RabbitMQ and Redis, and nothing else yet.
    pub fn start() -> anyhow::Result<Self> {
        let rabbit = rabbitmq::Server::shared()?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            redis: redis::Server::start(&redis::Options::default())?,
            vhost: rabbit.vhost()?,
            rabbit,
            coordinators: Vec::new(),
            workers: Vec::new(),
            before: ":",
            role_password: None,
            started: 0,
        })
    }

    /// The address of Redis for a process of this kind.
    pub fn redis_url(&self, kind: &str) -> String {
        match self.role_password {
            Some(password) => format!(
                "redis://gristmill-{kind}:{password}@127.0.0.1:{}/0",
                self.redis.port()
            ),
            None => self.redis.url(),
        }
    }

    /// The address of RabbitMQ for a process of this kind.
    pub fn broker_url(&self, kind: &str) -> String {
        match self.role_password {
            Some(password) => format!(
                "amqp://gristmill-{kind}:{password}@127.0.0.1:{}/{}",
                self.rabbit.port(),
                self.vhost
            ),
            None => self.rabbit.url(&self.vhost),
        }
    }

    /// Where runs lie.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn server(&mut self, kind: &str, more: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Server> {
        self.started += 1;
        let log = self.folder.path().join(format!("{kind}-{}.log", self.started));
        let http = format!("127.0.0.1:{}", ports::free()?);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{}; exec \"$0\" \"$@\"", self.before)])
            .arg(program()?)
            .arg(kind)
            .args(["--redis", &self.redis_url(kind)])
            .args(["--broker", &self.broker_url(kind)])
            .arg("--store")
            .arg(self.store())
            .args(["--http", &http])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .env("GRISTMILL_LOG", "info")
            .envs(variables.iter().copied());
        let child = command.spawn()?;
        Ok(Server {
            child,
            http,
            api: String::new(),
            log,
        })
    }

    /// Starts a coordinator and waits until it is ready. Its lease is short, so that tests see a take-over soon.
    pub fn coordinator(&mut self, more: &[&str]) -> anyhow::Result<()> {
        let api = format!("127.0.0.1:{}", ports::free()?);
        self.coordinator_at(&api, more)
    }

    /// Starts a coordinator whose API has this address.
    pub fn coordinator_at(&mut self, api: &str, more: &[&str]) -> anyhow::Result<()> {
        let args: Vec<&str> = ["--listen", api, "--lease", "4"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let mut server = self.server("coordinator", &args, &[])?;
        server.api = format!("http://{api}");
        ready(&mut server)?;
        self.coordinators.push(server);
        Ok(())
    }

    /// Starts a worker and waits until it is ready.
    pub fn worker(&mut self, more: &[&str]) -> anyhow::Result<()> {
        self.worker_with(more, &[])
    }

    /// The same with variables of its own.
    pub fn worker_with(&mut self, more: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut server = self.server("worker", more, variables)?;
        ready(&mut server)?;
        self.workers.push(server);
        Ok(())
    }

    /// A coordinator that runs.
    pub fn api(&self) -> anyhow::Result<&str> {
        let last = self.coordinators.last().context("there is no coordinator")?;
        Ok(&last.api)
    }

    /// Asks a coordinator something, and returns its answer.
    pub fn ask(&self, args: &[&str]) -> anyhow::Result<Vec<Value>> {
        let output = Command::new(program()?)
            .args(args)
            .args(["--server", self.api()?, "--output", "json"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("CI", "1")
            .output()?;
        if !output.status.success() {
            bail!(
                "`gristmill {}` ended with {}:\n{}",
                args.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// Submits a job and returns the run's id.
    pub fn submit(&self, job: &Path) -> anyhow::Result<String> {
        let answers = self.ask(&["submit", &job.display().to_string()])?;
        let run = answers.first().and_then(|answer| answer["run"].as_str());
        Ok(run.context("a submission names its run")?.to_owned())
    }

    /// A run as a coordinator shows it.
    pub fn status(&self, run: &str) -> anyhow::Result<Value> {
        let mut answers = self.ask(&["status", run])?;
        answers.pop().context("a status is one line")
    }

    /// Looks at a run until it meets the condition.
    pub fn wait(
        &self,
        run: &str,
        within: Duration,
        mut met: impl FnMut(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let until = Instant::now() + within;
        loop {
            let status = self.status(run)?;
            if met(&status) {
                return Ok(status);
            }
            if Instant::now() > until {
                let logs: BTreeMap<String, String> = self
                    .coordinators
                    .iter()
                    .chain(&self.workers)
                    .map(|server| (server.log.display().to_string(), server.log_tail()))
                    .collect();
                bail!("not met within {within:?}: {status}\n{logs:#?}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until a run is finished.
    pub fn finished(&self, run: &str, within: Duration) -> anyhow::Result<Value> {
        self.wait(run, within, |status| status["state"] == "finished")
    }

    /// The dataset folder of a run.
    pub fn dataset(&self, run: &str) -> PathBuf {
        self.store().join(run).join("dataset")
    }
}

fn ready(server: &mut Server) -> anyhow::Result<()> {
    let until = Instant::now() + READY;
    loop {
        if let Some(status) = server.child.try_wait()? {
            bail!("it ended with {status}:\n{}", server.log_tail());
        }
        if get(&server.http, "/readyz").is_ok_and(|(code, _)| code == 200) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < until,
            "not ready within {READY:?}:\n{}",
            server.log_tail()
        );
        std::thread::sleep(LOOK);
    }
}

/// A plain HTTP GET: the status code and the body.
pub fn get(address: &str, path: &str) -> anyhow::Result<(u16, String)> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let code = answer
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .context("no HTTP answer")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((code, body.to_owned()))
}

/// Rows of a dataset's split by id, without what may differ from run to run: costs, and where the job was read.
pub fn rows(dataset: &Path, split: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let path = dataset.join(format!("jsonl/{split}.jsonl"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let mut row: Value = serde_json::from_str(line)?;
        if let Some(provenance) = row["provenance"].as_object_mut() {
            provenance.remove("cost_usd_micros");
        }
        let id = row["id"].as_str().context("a row without an id")?.to_owned();
        rows.insert(id, row);
    }
    Ok(rows)
}

/// Calls of a run that are `started`, `spent` or `burned`.
pub fn calls(status: &Value, state: &str) -> u64 {
    status["books"][state]["calls"].as_u64().unwrap_or(u64::MAX)
}

/// Tasks of a run that are `planned`, `done`, `failed`, `cancelled` or `open`.
pub fn tasks(status: &Value, state: &str) -> u64 {
    status["tasks"][state].as_u64().unwrap_or(u64::MAX)
}

/// L and B of RELIABILITY.md for a run that has ended, of whose calls the service has billed so many.
pub fn balanced(status: &Value, billed: u64, limit: u64) -> anyhow::Result<()> {
    anyhow::ensure!(tasks(status, "open") == 0, "L: {status}");
    let ended: u64 = ["done", "failed", "cancelled", "unfunded"]
        .iter()
        .map(|kind| tasks(status, kind))
        .sum();
    anyhow::ensure!(tasks(status, "planned") == ended, "L: {status}");
    anyhow::ensure!(calls(status, "started") == 0, "L: {status}");
    let used = calls(status, "spent") + calls(status, "burned");
    anyhow::ensure!(billed <= used, "B: {billed} billed, {used} in the books");
    anyhow::ensure!(used <= limit, "B: {used} used of {limit}");
    Ok(())
}
