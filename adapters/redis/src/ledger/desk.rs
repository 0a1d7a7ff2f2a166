//! How an operation reaches its script: keys, the knowledge that travels with every call, and what the port calls a failure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Epoch;
use gristmill_ports::ledger::Error as PortError;

use super::account;
use super::reply::Reply;
use crate::connection::Redis;
use crate::error::Error;
use crate::script::{Call, Script};

/// Milliseconds since 1970, in place of the server's own.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The largest number that Lua counts to without a gap.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;
/// How long it is remembered which writes of a run were acknowledged, after the last.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// A run's keys, in the order in which scripts take them.
pub(super) const KEYS: [&str; 8] = [
    "account", "tasks", "payloads", "results", "ready", "leases", "stream", "remnants",
];

/// The newest write of a run's account that was acknowledged to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    incarnation: u64,
    write: u64,
}

pub(super) struct Desk {
    pub(super) redis: Redis,
    /// For `begin`, when replicas must confirm it.
    begins: Redis,
    replicas: u32,
    clock: Option<Clock>,
    seen: Mutex<HashMap<RunId, (Seen, Instant)>>,
}

impl Desk {
    pub(super) fn new(redis: Redis, replicas: u32, clock: Option<Clock>) -> Result<Self, Error> {
        let begins = if replicas > 0 {
            redis.another()?
        } else {
            redis.clone()
        };
        Ok(Self {
            redis,
            begins,
            replicas,
            clock,
            seen: Mutex::default(),
        })
    }

    /// Whether a repeated grant must write something, for replicas to confirm.
    pub(super) fn touches(&self) -> bool {
        self.replicas > 0
    }

    /// The beginning of every call; see `store.lua`.
    pub(super) fn request<'a>(&self, run: RunId, script: &'a Script) -> Call<'a> {
        let seen = self.remembered(run);
        let keys = KEYS.into_iter().map(|name| self.redis.key(run, name));
        let now = self
            .clock
            .as_ref()
            .map_or_else(String::new, |clock| clock().min(NUMBER_MAX).to_string());
        keys.fold(Call::new(script), Call::key)
            .server_id()
            .number(seen.map_or(0, |seen| seen.incarnation))
            .number(seen.map_or(0, |seen| seen.write))
            .arg(now)
    }

    /// The same for what only the run's coordinator may ask.
    pub(super) fn led_request<'a>(&self, run: RunId, epoch: &Epoch, script: &'a Script) -> Call<'a> {
        self.request(run, script)
            .number(epoch.number)
            .arg(epoch.holder.as_bytes())
    }

    /// Sends a call until it is answered, and reads the head of its answer.
    pub(super) async fn ask(
        &self,
        run: RunId,
        doing: &'static str,
        call: &Call<'_>,
    ) -> Result<Answer, PortError> {
        let reply = self.redis.call_again(call).await;
        self.read(run, doing, None, call, reply)
    }

    pub(super) async fn ask_led(
        &self,
        run: RunId,
        epoch: &Epoch,
        doing: &'static str,
        call: &Call<'_>,
    ) -> Result<Answer, PortError> {
        let reply = self.redis.call_again(call).await;
        self.read(run, doing, Some(epoch), call, reply)
    }

    /// The same, once enough replicas have it.
    pub(super) async fn ask_replicated(
        &self,
        run: RunId,
        doing: &'static str,
        call: &Call<'_>,
    ) -> Result<Answer, PortError> {
        let reply = if self.replicas > 0 {
            self.begins.call_replicated(call, self.replicas).await
        } else {
            self.redis.call_again(call).await
        };
        self.read(run, doing, None, call, reply)
    }

    fn read(
        &self,
        run: RunId,
        doing: &'static str,
        epoch: Option<&Epoch>,
        call: &Call<'_>,
        reply: Result<redis::Value, Error>,
    ) -> Result<Answer, PortError> {
        let store = |source: Error| PortError::Store {
            doing,
            source: Box::new(source),
        };
        let mut reply = Reply::new(call.script().name(), reply.map_err(store)?).map_err(store)?;
        let mut head = || Ok((reply.text()?, reply.number()?, reply.number()?));
        let (word, incarnation, write) = head().map_err(store)?;
        if word != "unknown" {
            self.remember(run, Seen { incarnation, write });
        }
        match (word.as_str(), epoch) {
            ("ok" | "prices", _) => Ok(Answer { word, doing, reply }),
            ("unknown", _) => Err(PortError::UnknownRun(run)),
            ("stale", Some(held)) => Err(PortError::StaleEpoch {
                run,
                held: held.clone(),
                current: account::epoch(&mut reply).map_err(store)?,
            }),
            _ => Err(store(
                reply.wrong(format!("`{word}` answers nothing that was asked")),
            )),
        }
    }

    pub(super) fn remembered(&self, run: RunId) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&run).map(|(seen, _)| *seen)
    }

    /// Runs of which a write was acknowledged to this process not long ago.
    pub(super) fn remembered_runs(&self) -> Vec<RunId> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (_, at)| at.elapsed() < MEMORY);
        seen.keys().copied().collect()
    }

    /// Forgets a run that has ended.
    pub(super) fn forget(&self, run: RunId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&run);
    }

    fn remember(&self, run: RunId, new: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let held = seen.entry(run).or_insert((new, now));
        *held = (held.0.max(new), now);
    }
}

/// What a script answers after its head.
pub(super) struct Answer {
    pub(super) word: String,
    doing: &'static str,
    reply: Reply,
}

impl Answer {
    /// Reads it whole.
    pub(super) fn read<T>(
        mut self,
        read: impl FnOnce(&mut Reply) -> Result<T, Error>,
    ) -> Result<T, PortError> {
        read(&mut self.reply).map_err(|source| PortError::Store {
            doing: self.doing,
            source: Box::new(source),
        })
    }
}

/// Numbers that scripts can count with.
pub(super) fn countable(what: &str, amount: Amount) -> Result<[u64; 4], PortError> {
    let parts = parts(amount);
    if parts.iter().all(|part| *part <= NUMBER_MAX) {
        return Ok(parts);
    }
    Err(PortError::Invalid(format!(
        "{what} is beyond what this ledger counts to, {NUMBER_MAX} of each unit"
    )))
}

pub(super) fn parts(amount: Amount) -> [u64; 4] {
    [
        amount.usd.0,
        amount.calls,
        amount.input_tokens,
        amount.output_tokens,
    ]
}

/// A limit as two arguments; empty where there is none.
pub(super) fn limit_args(limit: Limit) -> Result<[String; 2], PortError> {
    let axes = [limit.usd.map(|usd| usd.0), limit.calls];
    if axes.iter().flatten().any(|axis| *axis > NUMBER_MAX) {
        return Err(PortError::Invalid(format!(
            "a limit is beyond what this ledger counts to, {NUMBER_MAX}: leave it out to have none"
        )));
    }
    Ok(axes.map(|axis| axis.map_or_else(String::new, |axis| axis.to_string())))
}
