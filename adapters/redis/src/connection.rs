//! One handle to Redis for everything in a process: shared, made again when it breaks, and sure of whom it talks to.
//!
//! A module brings its scripts as files, calls them through [`Redis::call`], and reads the [`redis::Value`] that comes back:
//!
//! ```no_run
//! use std::sync::LazyLock;
//! use gristmill_redis::{Call, Redis, Script};
//!
//! static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new("take", &["return redis.call('INCRBY', KEYS[1], ARGV[1])"]));
//!
//! async fn take(redis: &Redis) -> Result<(), gristmill_redis::Error> {
//!     let reply = redis.call(&Call::new(&TAKE).key("gm:{limit}:requests").number(3)).await?;
//!     # let _ = reply; Ok(())
//! }
//! ```
//!
//! - [`Redis::call`] sends once: after [`Error::Lost`] nobody knows whether the script ran. [`Redis::call_again`] is for scripts that are
//!   safe to send again, and does so until [`Options::patience`] is over.
//! - A script that Redis does not know (a restart, a failover, `SCRIPT FLUSH`) is loaded and called; the caller does not notice.
//! - One connection carries all calls at once, in order. What blocks (`XREAD BLOCK`, `WAIT`) takes [`Redis::dedicated`].
//! - A reply that does not come within [`Options::response_timeout`] breaks the connection, so that a half-open one is not kept. The
//!   client library's own limit of half a second, and its silent reconnecting, are not used.
//! - [`ServerId`] is read at every connect, on the connection it is for: a script that is handed it ([`Call::server_id`]) is
//!   told truly which server process it runs in.
//!
//! What an ACL user needs is in `deploy/redis/users.acl`, a user for each role.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use backoff::backoff::Backoff;
use gristmill_ports::metric;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::address::{Address, Source};
use crate::error::{Error, breaks_link};
use crate::fault::Fault;
use crate::script::Call;

/// How often a script is loaded for one call, should somebody keep flushing scripts.
const LOADS_MAX: usize = 3;
/// How long replicas have to confirm, in milliseconds.
const WAIT_MS: u64 = 1_000;
/// How long what [`Redis::try_write`] writes is kept, in milliseconds.
const PROBE_MS: u64 = 1_000;
/// The most that it writes, bytes.
const PROBE_BYTES_MAX: usize = 8 << 20;

/// Names and times.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the names of all keys start with. Two clusters that share a Redis have two.
    pub namespace: String,
    /// Time to find the server, connect, log in and learn its id.
    pub connect_timeout: Duration,
    /// Time for one reply.
    pub response_timeout: Duration,
    /// Time for which [`Redis::call_again`] goes on trying.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "gm".to_owned(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(5),
        }
    }
}

/// Names one process of one server (`run_id` of `INFO server`): another after a restart or a failover.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerId(Arc<str>);

impl ServerId {
    /// Its text: 40 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({})", self.0)
    }
}

/// A shared handle; clones are the same connection.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    address: Address,
    options: Options,
    source: Mutex<Source>,
    current: RwLock<Option<Link>>,
    /// One caller connects; those who waited for it share its outcome.
    connecting: Mutex<Option<Error>>,
    /// Connects tried so far.
    tries: AtomicU64,
    /// Bytes of the last call that was refused because memory was full; 0 when none was since as many were taken. Shared by all handles.
    refused_bytes: Arc<AtomicUsize>,
}

/// One connection to one server process.
#[derive(Clone)]
pub struct Link {
    connection: MultiplexedConnection,
    server: ServerId,
    number: u64,
}

impl Redis {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Connect`] or [`Error::ConnectTimeout`]; [`Error::is_passing`] tells whether to try again.
    pub async fn connect(address: Address, options: Options) -> Result<Self, Error> {
        let redis = Self::unconnected(address, options)?;
        redis.link().await?;
        Ok(redis)
    }

    /// A handle that connects when it is first used.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn unconnected(address: Address, options: Options) -> Result<Self, Error> {
        Self::with(address, options, Arc::default())
    }

    fn with(address: Address, options: Options, refused_bytes: Arc<AtomicUsize>) -> Result<Self, Error> {
        let source = address.source()?;
        Ok(Self(Arc::new(Inner {
            address,
            options,
            source: Mutex::new(source),
            current: RwLock::new(None),
            connecting: Mutex::new(None),
            tries: AtomicU64::new(0),
            refused_bytes,
        })))
    }

    /// The server that answers now, connecting when there is no connection.
    ///
    /// # Errors
    /// When there is none.
    pub async fn server_id(&self) -> Result<ServerId, Error> {
        Ok(self.link().await?.server)
    }

    /// Runs a script, once.
    ///
    /// # Errors
    /// [`Error::Lost`] when it is unknown whether it ran; see [`Error`] for the rest.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, Error> {
        let link = self.link().await?;
        let outcome = link.call(call).await;
        self.sort_out_call(&link, call, outcome)
    }

    /// Runs a script that is safe to run again, again until its reply has come or the patience is over.
    ///
    /// # Errors
    /// The last one, or the first that does not pass by itself.
    pub async fn call_again(&self, call: &Call<'_>) -> Result<Value, Error> {
        let mut pauses = self.pauses();
        loop {
            let outcome = self.call(call).await;
            if let Some(outcome) = pauses.after(call.script().name(), outcome).await {
                return outcome;
            }
        }
    }

    /// As [`Self::call_again`], until so many replicas have what the connection has written up to then: the script must have written something
    /// whenever its answer matters. Blocks the connection meanwhile, so take [`Self::another`] handle.
    ///
    /// # Errors
    /// [`Error::Replicas`] when they did not confirm in time, though the script has run.
    pub async fn call_replicated(&self, call: &Call<'_>, replicas: u32) -> Result<Value, Error> {
        let mut pauses = self.pauses();
        loop {
            let outcome = self.call_and_wait(call, replicas).await;
            if let Some(outcome) = pauses.after(call.script().name(), outcome).await {
                return outcome;
            }
        }
    }

    async fn call_and_wait(&self, call: &Call<'_>, replicas: u32) -> Result<Value, Error> {
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas).arg(WAIT_MS);
        // Over one connection: the replicas confirm what it has written.
        let link = self.link().await?;
        let reply = self.sort_out_call(&link, call, link.call(call).await)?;
        match self.sort_out(&link, "WAIT", link.send(&wait).await)? {
            Value::Int(confirmed) if confirmed >= i64::from(replicas) => Ok(reply),
            _ => Err(Error::Replicas { wanted: replicas }),
        }
    }

    fn pauses(&self) -> Pauses {
        Pauses(
            backoff::ExponentialBackoffBuilder::new()
                .with_initial_interval(Duration::from_millis(20))
                .with_max_interval(Duration::from_millis(500))
                .with_max_elapsed_time(Some(self.0.options.patience))
                .build(),
        )
    }

    /// Sends one command, once.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn command(&self, what: &'static str, command: &Cmd) -> Result<Value, Error> {
        let link = self.link().await?;
        let outcome = link.send(command).await;
        self.sort_out(&link, what, outcome)
    }

    /// Sees whether Redis takes writes: one as large as the last call that it refused because its memory was full, or a small one.
    ///
    /// # Errors
    /// As [`Self::call`]; what they tell an operator is [`Fault`]'s to say.
    pub async fn try_write(&self) -> Result<(), Error> {
        let bytes = self.0.refused_bytes.load(Ordering::Relaxed);
        let mut set = redis::cmd("SET");
        set.arg(self.key("probe", "write"))
            .arg(vec![0_u8; bytes.clamp(1, PROBE_BYTES_MAX)])
            .arg("PX")
            .arg(PROBE_MS);
        self.command("SET", &set).await?;
        self.0.refused_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a call was refused because memory was full, and [`Self::try_write`] has not succeeded since.
    pub fn is_full(&self) -> bool {
        self.0.refused_bytes.load(Ordering::Relaxed) > 0
    }

    /// A connection of its own, whose replies may take as long as they like. Dropping it closes it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn dedicated(&self) -> Result<Link, Error> {
        self.dial(None).await.inspect_err(count)
    }

    /// Names and times.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The key `namespace:{tag}:name`. Keys with one tag lie on one node of a Redis Cluster.
    pub fn key(&self, tag: impl fmt::Display, name: &str) -> String {
        format!("{}:{{{tag}}}:{name}", self.0.options.namespace)
    }

    /// Another handle to the same Redis, with a connection of its own.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn another(&self) -> Result<Self, Error> {
        let refused_bytes = Arc::clone(&self.0.refused_bytes);
        Self::with(self.0.address.clone(), self.0.options.clone(), refused_bytes)
    }

    /// The connection that is there, or a new one.
    pub(crate) async fn link(&self) -> Result<Link, Error> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let tries = self.0.tries.load(Ordering::SeqCst);
        let mut connecting = self.0.connecting.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        if self.0.tries.load(Ordering::SeqCst) > tries
            && let Some(error) = connecting.as_ref()
        {
            return Err(error.clone());
        }
        let outcome = self.dial(Some(self.0.options.response_timeout)).await;
        let outcome = outcome.inspect_err(count);
        self.0.tries.fetch_add(1, Ordering::SeqCst);
        *connecting = outcome.as_ref().err().cloned();
        let link = outcome?;
        tracing::debug!(place = %self.0.address, server = link.server.as_str(), "connected to Redis");
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        Ok(link)
    }

    fn current(&self) -> Option<Link> {
        self.0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn dial(&self, response_timeout: Option<Duration>) -> Result<Link, Error> {
        let limit = self.0.options.connect_timeout;
        let place = || self.0.address.to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(response_timeout);
        let connect = async {
            let client = self.0.source.lock().await.client().await?;
            let connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let info = redis::cmd("INFO")
                .arg("server")
                .query_async::<String>(&mut connection.clone())
                .await?;
            Ok((connection, info))
        };
        let (connection, info) = match timeout(limit, connect).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(source)) => {
                return Err(Error::Connect {
                    place: place(),
                    source,
                });
            }
            Err(_) => {
                return Err(Error::ConnectTimeout {
                    place: place(),
                    seconds: limit.as_secs(),
                });
            }
        };
        let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        let id = id
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .ok_or(Error::Reply {
                what: "INFO server",
                detail: "it names no run_id".to_owned(),
            })?;
        static LINKS: AtomicU64 = AtomicU64::new(0);
        Ok(Link {
            connection,
            server: ServerId(id.into()),
            number: LINKS.fetch_add(1, Ordering::SeqCst),
        })
    }

    /// Sorts an outcome, and forgets the connection when it is of no more use.
    fn sort_out(
        &self,
        link: &Link,
        what: &'static str,
        outcome: redis::RedisResult<Value>,
    ) -> Result<Value, Error> {
        let outcome = outcome.map_err(|error| {
            if breaks_link(&error) {
                let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
                if current.as_ref().is_some_and(|held| held.number == link.number) {
                    *current = None;
                }
            }
            Error::of(what, error)
        });
        outcome.inspect_err(count)
    }

    /// The same for a call, whose size is remembered when there was no room for it.
    fn sort_out_call(
        &self,
        link: &Link,
        call: &Call<'_>,
        outcome: redis::RedisResult<Value>,
    ) -> Result<Value, Error> {
        let outcome = self.sort_out(link, call.script().name(), outcome);
        outcome.inspect_err(|error| {
            if error.is_out_of_memory() {
                let bytes = call.bytes().max(1);
                self.0.refused_bytes.store(bytes, Ordering::Relaxed);
            }
        })
    }
}

fn count(error: &Error) {
    metrics::counter!(metric::REDIS_ERRORS, "kind" => Fault::of(error).name()).increment(1);
}

/// Pauses between tries.
struct Pauses(backoff::ExponentialBackoff);

impl Pauses {
    /// What is answered in the end; `None`, after a pause, to try again.
    async fn after(
        &mut self,
        what: &'static str,
        outcome: Result<Value, Error>,
    ) -> Option<Result<Value, Error>> {
        let pause = match &outcome {
            Err(error) if error.is_passing() => self.0.next_backoff(),
            Ok(_) | Err(_) => None,
        };
        let Some(pause) = pause else { return Some(outcome) };
        tracing::debug!(what, "Redis is asked again");
        tokio::time::sleep(pause).await;
        None
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.0.address)
    }
}

impl Link {
    /// The server process at its other end.
    pub fn server_id(&self) -> &ServerId {
        &self.server
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// What the client library says.
    pub async fn send(&self, command: &Cmd) -> redis::RedisResult<Value> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// Runs a script, loading it when the server does not know it.
    ///
    /// # Errors
    /// What the client library says.
    pub async fn call(&self, call: &Call<'_>) -> redis::RedisResult<Value> {
        let command = call.command(self.server.as_str());
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(call.script().code());
        for _ in 0..LOADS_MAX {
            match self.send(&command).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    self.send(&load).await?;
                }
                outcome => return outcome,
            }
        }
        self.send(&command).await
    }
}
