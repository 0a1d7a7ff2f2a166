//! A Redis server of a test's own.
//!
//! `redis-server` with its data in a temporary folder, writing every command to disk before it answers (`appendfsync always`) and evicting
//! nothing. It is broken from outside: killed, its log cut, its memory filled, its replies held back, its clock moved.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::guardian::Guardian;
use crate::ports;

/// How long a server may take to start or to end.
const START: Duration = Duration::from_secs(30);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes of memory it may use.
    pub maxmemory: Option<u64>,
    /// The default user's password.
    pub password: Option<String>,
    /// Port of the primary that it copies.
    pub replica_of: Option<u16>,
    /// Port of the primary that it watches as a Sentinel, under the name `main`.
    pub sentinel_of: Option<u16>,
    /// Certificates for a port with TLS.
    pub tls: Option<Tls>,
    /// Whether [`Server::shift_clock`] works; needs Debian's `faketime`.
    pub movable_clock: bool,
    /// Lines for `redis.conf`; `user …` lines for ACL users.
    pub config: Vec<String>,
}

/// What a TLS port needs, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority that clients' certificates are checked against: each must show one.
    pub authority: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A running server. Dropping it ends the process and removes the folder.
#[derive(Debug)]
pub struct Server {
    // Before the guardian, which removes the folder.
    process: Mutex<Process>,
    folder: PathBuf,
    port: u16,
    tls_port: Option<u16>,
    options: Options,
}

#[derive(Debug)]
struct Process {
    child: Option<Child>,
    guardian: Guardian,
}

impl Server {
    /// Starts a server and returns once it answers.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let mut last = None;
        // Another process may take a port between the look and the start.
        for _ in 0..3 {
            match Self::start_once(options) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no try was made")?)
    }

    /// The server that all tests of this process share, each under names of its own. It ends with the process.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(&Options::default()).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn start_once(options: &Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("gristmill-redis-")
            .tempdir()
            .context("a folder for Redis")?
            .keep();
        let guardian = Guardian::new(&folder)?;
        let server = Self {
            process: Mutex::new(Process {
                child: None,
                guardian,
            }),
            folder,
            port: ports::free()?,
            tls_port: options.tls.is_some().then(ports::free).transpose()?,
            options: options.clone(),
        };
        server.write_settings()?;
        if options.movable_clock {
            server.shift_clock(0)?;
        }
        server.run()?;
        Ok(server)
    }

    /// The address, with the default user's password when there is one.
    pub fn url(&self) -> String {
        match &self.options.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}/0", self.port),
            None => format!("redis://127.0.0.1:{}/0", self.port),
        }
    }

    /// The address through TLS, by the name `localhost`; `None` when the server has no such port.
    pub fn tls_url(&self) -> Option<String> {
        let port = self.tls_port?;
        Some(format!("rediss://localhost:{port}/0"))
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server keeps everything that is its own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the process, as a crash would, and returns once it is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.end()
    }

    /// Has the server end by itself, with all it has on disk, and returns once it is gone.
    pub fn stop(&self) -> anyhow::Result<()> {
        // The answer to a shutdown is the end of the connection.
        let _ended = self.command(&["SHUTDOWN"]);
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = &mut process.child {
            let deadline = Instant::now() + START;
            while child.try_wait().context("the server's process")?.is_none() {
                ensure!(Instant::now() < deadline, "Redis does not stop");
                thread::sleep(LOOK);
            }
        }
        process.end()
    }

    /// Starts the server again on its old data and port, and returns once it answers.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(process.child.is_none(), "the server runs already");
        let log = fs::File::create(self.folder.join("output")).context("a file for the server's output")?;
        let mut command = Command::new("redis-server");
        command
            .arg(self.folder.join("redis.conf"))
            .args(self.options.sentinel_of.map(|_| "--sentinel"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("the server's output")?)
            .stderr(log)
            // A group of its own: not ended by a Ctrl-C meant for the tests.
            .process_group(0);
        if self.options.movable_clock {
            command
                // The C library's own allocator goes first: Redis's (jemalloc) asks for the time before libfaketime is ready.
                .env(
                    "LD_PRELOAD",
                    format!("libc_malloc_debug.so.0:{}", faketime()?.display()),
                )
                .env("FAKETIME_TIMESTAMP_FILE", self.clock_file())
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let child = command
            .spawn()
            .context("there is no redis-server here: run `scripts/need.sh redis-server`")?;
        process.guardian.watch(Some(child.id()))?;
        process.child = Some(child);
        let deadline = Instant::now() + START;
        loop {
            if let Some(child) = &mut process.child
                && let Some(status) = child.try_wait().context("the server's process")?
            {
                bail!("Redis ended while it started, {status}:\n{}", self.output());
            }
            if self.command(&["PING"]).is_ok() {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "Redis did not start in {START:?}:\n{}",
                self.output()
            );
            thread::sleep(LOOK);
        }
    }

    /// Kills the server and starts it again.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.kill()?;
        self.run()
    }

    /// Bytes in the log of commands.
    pub fn log_bytes(&self) -> anyhow::Result<u64> {
        Ok(fs::metadata(self.log_file()?)
            .context("the log of commands")?
            .len())
    }

    /// Cuts the log of commands to so many bytes. The server must not run.
    pub fn cut_log(&self, bytes: u64) -> anyhow::Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(process.child.is_none(), "the server still runs");
        let file = OpenOptions::new()
            .write(true)
            .open(self.log_file()?)
            .context("the log of commands")?;
        file.set_len(bytes).context("cutting the log of commands")
    }

    /// Makes the server forget all scripts.
    pub fn flush_scripts(&self) -> anyhow::Result<()> {
        self.command(&["SCRIPT", "FLUSH"]).map(drop)
    }

    /// Holds back what clients ask for, for a time.
    pub fn pause_clients(&self, time: Duration) -> anyhow::Result<()> {
        self.command(&["CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"])
            .map(drop)
    }

    /// Closes the connections of all clients.
    pub fn drop_clients(&self) -> anyhow::Result<()> {
        self.command(&["CLIENT", "KILL", "TYPE", "normal"]).map(drop)
    }

    /// Moves the server's clock to so many seconds from the true time, at once.
    pub fn shift_clock(&self, seconds: i64) -> anyhow::Result<()> {
        ensure!(self.options.movable_clock, "this server's clock is the system's");
        // By renaming, so that no half-written file is read.
        let new = self.folder.join("clock.new");
        fs::write(&new, format!("{seconds:+}\n")).context("the server's clock")?;
        fs::rename(&new, self.clock_file()).context("the server's clock")
    }

    /// Sends one command and returns the answer as text: the parts of a list one a line, an error as one.
    pub fn command(&self, parts: &[&str]) -> anyhow::Result<String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).context("a connection to Redis")?;
        stream
            .set_read_timeout(Some(START))
            .context("a connection to Redis")?;
        let mut reader = BufReader::new(stream);
        if let Some(password) = &self.options.password {
            ask(&mut reader, &["AUTH", password])?;
        }
        ask(&mut reader, parts)
    }

    /// The last of what the server printed.
    pub fn output(&self) -> String {
        let text = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn clock_file(&self) -> PathBuf {
        self.folder.join("clock")
    }

    /// The part of the log that is being written (Redis 7 keeps several).
    fn log_file(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("appendonlydir");
        fs::read_dir(&folder)
            .with_context(|| folder.display().to_string())?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .max()
            .context("the server writes no log of commands")
    }

    fn write_settings(&self) -> anyhow::Result<()> {
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {}", self.port),
            format!("dir {}", self.folder.display()),
            "daemonize no".to_owned(),
        ];
        match self.options.sentinel_of {
            Some(primary) => lines.extend([
                format!("sentinel monitor main 127.0.0.1 {primary} 1"),
                // One sentinel, in a hurry.
                "sentinel down-after-milliseconds main 500".to_owned(),
                "sentinel failover-timeout main 1000".to_owned(),
            ]),
            None => lines.extend(
                [
                    "save \"\"",
                    "appendonly yes",
                    "appendfsync always",
                    // A rewrite would move what a test cuts.
                    "auto-aof-rewrite-percentage 0",
                    "maxmemory-policy noeviction",
                    "repl-diskless-sync-delay 0",
                ]
                .map(str::to_owned),
            ),
        }
        if let (Some(tls), Some(port)) = (&self.options.tls, self.tls_port) {
            lines.push(format!("tls-port {port}"));
            for (setting, name, text) in [
                ("tls-ca-cert-file", "authority.pem", &tls.authority),
                ("tls-cert-file", "server.pem", &tls.certificate),
                ("tls-key-file", "server.key", &tls.key),
            ] {
                let path = self.folder.join(name);
                fs::write(&path, text).context("the server's certificates")?;
                lines.push(format!("{setting} {}", path.display()));
            }
        }
        lines.extend(self.options.maxmemory.map(|bytes| format!("maxmemory {bytes}")));
        if let Some(password) = &self.options.password {
            lines.push(format!("requirepass {password}"));
        }
        lines.extend(
            self.options
                .replica_of
                .map(|port| format!("replicaof 127.0.0.1 {port}")),
        );
        lines.extend(self.options.config.iter().cloned());
        fs::write(self.folder.join("redis.conf"), lines.join("\n") + "\n").context("the server's settings")
    }
}

impl Process {
    fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        // It may have ended by itself.
        let _ended = child.kill();
        child.wait().context("the server's process")?;
        self.guardian.watch(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian, dropped next, ends what could not be ended here.
        let _ended = self.end();
    }
}

/// Sends a command in Redis's protocol (RESP2) and reads the answer.
fn ask(reader: &mut BufReader<TcpStream>, parts: &[&str]) -> anyhow::Result<String> {
    let mut request = format!("*{}\r\n", parts.len());
    for part in parts {
        request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    reader
        .get_mut()
        .write_all(request.as_bytes())
        .context("asking Redis")?;
    answer(reader)
}

fn answer(reader: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line).context("Redis's answer")?;
    let Some((kind, rest)) = line.trim_end().split_at_checked(1) else {
        bail!("Redis closed the connection");
    };
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => bail!("Redis refused: {rest}"),
        "$" if rest == "-1" => Ok(String::new()),
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>().context("a length")? + 2];
            reader.read_exact(&mut bytes).context("Redis's answer")?;
            bytes.truncate(bytes.len() - 2);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" => {
            let parts = rest.parse::<i64>().context("a length")?;
            let parts: Result<Vec<String>, _> = (0..parts).map(|_| answer(reader)).collect();
            Ok(parts?.join("\n"))
        }
        other => bail!("Redis answers with `{other}`"),
    }
}

fn faketime() -> anyhow::Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib").context("the system's libraries")?;
    folders
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .context("there is no libfaketime here: run `scripts/need.sh faketime`")
}
