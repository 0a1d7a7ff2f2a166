//! A RabbitMQ node of a test's own.
//!
//! Debian's `rabbitmq-server`, started apart from the system's: own node name, ports, data, log and plug-ins, in a temporary folder. As root it runs as
//! the user `rabbitmq`, otherwise as whoever runs the test. What all nodes of a host share is `epmd`, Erlang's port mapper.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::guardian::Guardian;
use crate::ports;

/// How long a node may take to start; half a minute on a busy machine is nothing unusual.
const START: Duration = Duration::from_secs(120);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);
/// Virtual hosts made at once: each call of the control program starts a virtual machine, which costs more than the host does.
const VHOSTS_AT_ONCE: usize = 8;
/// What an AMQP 0-9-1 client says first (specification, section 4.2.2).
const GREETING: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// How a node is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The acknowledgement timeout. The broker looks at it every second here, not every minute.
    pub consumer_timeout: Option<Duration>,
    /// Certificates for a port with TLS.
    pub tls: Option<Tls>,
    /// Whether the node has a management API.
    pub management: bool,
    /// Whether the node shows its metrics to Prometheus.
    pub metrics: bool,
    /// Lines for `rabbitmq.conf`.
    pub config: Vec<String>,
}

/// What a TLS port needs, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority that clients' certificates are checked against.
    pub authority: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Whether a client must show a certificate.
    pub clients_too: bool,
}

/// A running node. Dropping it ends the process and removes the folder.
#[derive(Debug)]
pub struct Server {
    // Before the guardian, which removes the folder.
    process: Mutex<Process>,
    folder: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    node: String,
    port: u16,
    tls_port: Option<u16>,
    management_port: Option<u16>,
    metrics_port: Option<u16>,
    distribution_port: u16,
    vhosts: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Process {
    child: Option<Child>,
    guardian: Guardian,
}

impl Server {
    /// Starts a node and returns once it takes connections.
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

    /// The node that all tests of this process share, each with a [`vhost`](Self::vhost) of its own. It ends with the process.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(&Options::default()).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn start_once(options: &Options) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::Builder::new()
            .prefix("gristmill-rabbitmq-")
            .tempdir()
            .context("a folder for RabbitMQ")?
            .keep();
        let guardian = Guardian::new(&folder)?;
        let server = Self {
            process: Mutex::new(Process {
                child: None,
                guardian,
            }),
            programs: programs()?,
            owner: owner()?,
            node: format!("gristmill-{}-{number}@localhost", std::process::id()),
            port: ports::free()?,
            tls_port: options.tls.is_some().then(ports::free).transpose()?,
            management_port: options.management.then(ports::free).transpose()?,
            metrics_port: options.metrics.then(ports::free).transpose()?,
            distribution_port: ports::free()?,
            vhosts: Mutex::default(),
            folder,
        };
        server.write_settings(options)?;
        server.run()?;
        Ok(server)
    }

    /// The address of a virtual host, for the user `guest`.
    pub fn url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.port)
    }

    /// The same through TLS, by the name `localhost`; `None` when the node has no such port.
    pub fn tls_url(&self, vhost: &str) -> Option<String> {
        let port = self.tls_port?;
        Some(format!("amqps://guest:guest@localhost:{port}/{vhost}"))
    }

    /// The address of the management API, for the user `guest`; `None` when the node has none.
    pub fn management_url(&self) -> Option<String> {
        let port = self.management_port?;
        Some(format!("http://guest:guest@127.0.0.1:{port}"))
    }

    /// Host and port of `/metrics`; `None` when the node shows none.
    pub fn metrics_address(&self) -> Option<String> {
        Some(format!("127.0.0.1:{}", self.metrics_port?))
    }

    /// Where the node keeps everything that is its own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of a virtual host that nobody has used.
    pub fn vhost(&self) -> anyhow::Result<String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut vhosts = self.vhosts.lock().unwrap_or_else(PoisonError::into_inner);
        if vhosts.is_empty() {
            let names: Vec<String> = (0..VHOSTS_AT_ONCE)
                .map(|_| format!("v{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
                .collect();
            let list = names
                .iter()
                .map(|name| format!("<<\"{name}\">>"))
                .collect::<Vec<_>>()
                .join(",");
            self.control(&[
                "eval",
                &format!(
                    "[begin rabbit_vhost:add(V, <<\"test\">>), \
                     rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, V, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>) \
                     end || V <- [{list}]]."
                ),
            ])?;
            vhosts.extend(names.into_iter().rev());
        }
        vhosts.pop().context("no virtual host was made")
    }

    /// Runs `rabbitmqctl` on this node and returns what it printed.
    pub fn control(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .command("rabbitmqctl")
            .arg("--quiet")
            .args(arguments)
            .output()
            .context("rabbitmqctl")?;
        ensure!(
            output.status.success(),
            "rabbitmqctl {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes this node, which must be new, one of another's cluster.
    pub fn join(&self, other: &Self) -> anyhow::Result<()> {
        self.control(&["stop_app"])?;
        self.control(&["join_cluster", &other.node])?;
        self.control(&["start_app"]).map(drop)
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Makes the disk look full, or, with `false`, not.
    pub fn fill_disk(&self, full: bool) -> anyhow::Result<()> {
        let bytes = if full { "1000000000000000" } else { "1000000" };
        self.control(&["set_disk_free_limit", bytes]).map(drop)
    }

    /// Closes every client's connection to a virtual host from the broker's side.
    pub fn close_connections(&self, vhost: &str) -> anyhow::Result<()> {
        self.control(&["close_all_connections", "--vhost", vhost, "a test"])
            .map(drop)
    }

    /// Deletes a queue with all that is in it.
    pub fn delete_queue(&self, vhost: &str, queue: &str) -> anyhow::Result<()> {
        self.control(&["delete_queue", "--vhost", vhost, queue]).map(drop)
    }

    /// Kills the process, as a crash would, and returns once it is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.end()
    }

    /// Starts the node again on its old data and ports, and returns once it takes connections.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(process.child.is_none(), "the node runs already");
        let log = fs::File::create(self.folder.join("output")).context("a file for the node's output")?;
        let child = self
            .command("rabbitmq-server")
            .stdout(log.try_clone().context("the node's output")?)
            .stderr(log)
            // A group of its own: the start script and the virtual machine end together, and not by a Ctrl-C meant for the tests.
            .process_group(0)
            .spawn()
            .context("rabbitmq-server")?;
        process.guardian.watch(Some(child.id()))?;
        process.child = Some(child);
        let deadline = Instant::now() + START;
        loop {
            if let Some(child) = &mut process.child
                && let Some(status) = child.try_wait().context("the node's process")?
            {
                bail!("RabbitMQ ended while it started, {status}:\n{}", self.output());
            }
            if self.greets() {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "RabbitMQ did not start in {START:?}:\n{}",
                self.output()
            );
            thread::sleep(LOOK);
        }
    }

    /// The last of what the node printed.
    pub fn output(&self) -> String {
        let text = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Whether the node answers a client's greeting with a frame: it listens, and its applications are up.
    fn greets(&self) -> bool {
        let ask = || -> std::io::Result<u8> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(&GREETING)?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok(first[0])
        };
        // A method frame starts with 1; a refusal, with the letter A.
        matches!(ask(), Ok(1))
    }

    fn command(&self, program: &str) -> Command {
        let inside = |name: &str| self.folder.join(name);
        let mut command = Command::new(self.programs.join(program));
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            // The cookie by which node and control program know each other lies here.
            .env("HOME", &self.folder)
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", inside("data"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_FEATURE_FLAGS_FILE", inside("feature_flags"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", inside("pid"))
            .env("RABBITMQ_CONF_ENV_FILE", inside("environment"))
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config"))
            .stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn write_settings(&self, options: &Options) -> anyhow::Result<()> {
        let mut config = vec![
            "loopback_users = none".to_owned(),
            "vm_memory_high_watermark.absolute = 1GB".to_owned(),
            "disk_free_limit.absolute = 1MB".to_owned(),
        ];
        if let (Some(tls), Some(port)) = (&options.tls, self.tls_port) {
            for (name, text) in [
                ("authority.pem", &tls.authority),
                ("server.pem", &tls.certificate),
                ("server.key", &tls.key),
            ] {
                self.write(name, text)?;
            }
            let file = |name: &str| self.folder.join(name).display().to_string();
            config.extend([
                format!("listeners.ssl.default = 127.0.0.1:{port}"),
                format!("ssl_options.cacertfile = {}", file("authority.pem")),
                format!("ssl_options.certfile = {}", file("server.pem")),
                format!("ssl_options.keyfile = {}", file("server.key")),
            ]);
            if tls.clients_too {
                config.push("ssl_options.verify = verify_peer".to_owned());
                config.push("ssl_options.fail_if_no_peer_cert = true".to_owned());
            }
        }
        if let Some(port) = self.management_port {
            config.push("management.tcp.ip = 127.0.0.1".to_owned());
            config.push(format!("management.tcp.port = {port}"));
        }
        if let Some(port) = self.metrics_port {
            config.push("prometheus.tcp.ip = 127.0.0.1".to_owned());
            config.push(format!("prometheus.tcp.port = {port}"));
        }
        config.extend(options.config.iter().cloned());
        let mut advanced = String::new();
        if let Some(timeout) = options.consumer_timeout {
            config.push(format!("consumer_timeout = {}", timeout.as_millis()));
            advanced.push_str("{channel_tick_interval, 1000}");
        }
        // One cookie for all nodes of a test program, so that they can form a cluster.
        self.write(".erlang.cookie", &format!("GRISTMILL{}", std::process::id()))?;
        let cookie = self.folder.join(".erlang.cookie");
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).context("the cookie's mode")?;
        self.write("rabbitmq.conf", &(config.join("\n") + "\n"))?;
        self.write("advanced.config", &format!("[{{rabbit, [{advanced}]}}].\n"))?;
        let management = self.management_port.map(|_| "rabbitmq_management");
        let metrics = self.metrics_port.map(|_| "rabbitmq_prometheus");
        let plugins: Vec<&str> = management.into_iter().chain(metrics).collect();
        self.write("enabled_plugins", &format!("[{}].\n", plugins.join(",")))?;
        self.write("environment", "")?;
        if let Some((user, group)) = self.owner {
            chown(&self.folder, Some(user), Some(group)).context("the folder's owner")?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

impl Process {
    fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        end_group(child.id())?;
        child.wait().context("the node's process")?;
        self.guardian.watch(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian, dropped next, ends what could not be ended here.
        let _ended = self.end();
    }
}

/// Kills a process group and waits until none of it is left.
fn end_group(leader: u32) -> anyhow::Result<()> {
    let group = i32::try_from(leader)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("a process has a number")?;
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).context("kill")?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while members(leader) > 0 {
        ensure!(Instant::now() < deadline, "process group {leader} does not end");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Processes of a group that still run; those that only wait to be collected do not.
fn members(group: u32) -> usize {
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| {
            // "pid (name) state parent group …", and the name may hold anything.
            let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let mut fields = rest.split_whitespace();
            let state = fields.next().unwrap_or_default();
            fields.nth(1) == Some(&group.to_string()) && !matches!(state, "Z" | "X")
        })
        .count()
}

/// Where the server's own start scripts are: those on the path insist on being root or `rabbitmq`.
fn programs() -> anyhow::Result<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from("/usr/lib/rabbitmq/bin"))
        .chain(std::env::split_paths(&paths))
        .find(|folder| folder.join("rabbitmq-server").is_file())
        .context("there is no rabbitmq-server here: run `scripts/need.sh rabbitmq-server`")
}

/// Whom the node runs as when the test is root, which Erlang's distribution is better not.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    let me = fs::metadata("/proc/self").context("who runs this test")?.uid();
    if me != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string(Path::new("/etc/passwd")).context("the users of this machine")?;
    let mut fields = users
        .lines()
        .find_map(|line| line.strip_prefix("rabbitmq:"))
        .context("there is no user `rabbitmq` here: run `scripts/need.sh rabbitmq-server`")?
        .split(':')
        .skip(1);
    let mut number = || fields.next().and_then(|field| field.parse::<u32>().ok());
    number()
        .zip(number())
        .map(Some)
        .context("the user `rabbitmq` has no number")
}
