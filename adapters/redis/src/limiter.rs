//! The fleet's limits in Redis: one state a line, one script, the server's clock.
//!
//! The rules are those of [`gristmill_domain::rate`]; the contract suite holds the script against them to the microsecond. A line's key lives
//! only as long as something in it counts, about a minute after its last use.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::LineId;
use gristmill_domain::rate::{Gcra, PAUSE_MAX};
use gristmill_ports::limiter::{Demand, Error, Limiter, ModelLine, Permit, Ticket};
use redis::Value;
use tokio::time::Instant;

use crate::connection::Redis;
use crate::script::{Call, Script};

/// A clock in microseconds, for tests; the server's is used otherwise.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How long a line without limits is taken to have no pause: nothing else is to be learned about it, and asking costs a round trip.
const UNLIMITED_FOR: Duration = Duration::from_secs(1);
/// Numbers above this are not exact in a script's sums; no demand comes near it.
const NUMBER_MAX: u64 = 1 << 50;

static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::new("limiter", &[include_str!("limiter/limiter.lua")]));

/// The limiter of all who share a Redis.
#[derive(Clone)]
pub struct RedisLimiter {
    redis: Redis,
    clock: Option<Clock>,
    /// Lines without limits, and when they were last seen without a pause.
    free: Arc<Mutex<HashMap<LineId, Instant>>>,
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter")
            .field("redis", &self.redis)
            .finish_non_exhaustive()
    }
}

impl RedisLimiter {
    /// A limiter on the server's clock.
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            clock: None,
            free: Arc::default(),
        }
    }

    /// A limiter on a clock of the caller's, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }

    fn call(&self, line: &ModelLine, verb: &str) -> Call<'static> {
        let now = self.clock.as_ref().map(|clock| clock().to_string());
        Call::new(&SCRIPT)
            .key(self.redis.key(line.id, "limits"))
            .arg(verb)
            .arg(now.unwrap_or_default())
    }

    fn free(&self) -> std::sync::MutexGuard<'_, HashMap<LineId, Instant>> {
        // Each change is a single insert or remove: a panic elsewhere leaves nothing half-done.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit without asking, for a line without limits that had no pause a moment ago.
    fn unasked(&self, line: &ModelLine, demand: Demand) -> Option<Permit> {
        let seen = line
            .limits
            .is_none()
            .then(|| self.free().get(&line.id).copied())??;
        (seen.elapsed() < UNLIMITED_FOR).then_some(Permit::Granted(Ticket {
            at_us: 0,
            era: 0,
            charged: demand,
        }))
    }
}

fn optional(number: Option<u64>) -> Vec<u8> {
    number
        .map(|number| number.clamp(1, NUMBER_MAX).to_string())
        .unwrap_or_default()
        .into_bytes()
}

fn demand(call: Call<'_>, demand: Demand) -> Call<'_> {
    call.number(demand.input_tokens.min(NUMBER_MAX))
        .number(demand.output_tokens.min(NUMBER_MAX))
}

fn failed(doing: &'static str) -> impl Fn(crate::error::Error) -> Error {
    move |source| Error {
        doing,
        source: Box::new(source),
    }
}

fn numbers(reply: Value) -> Result<Vec<u64>, crate::error::Error> {
    redis::from_redis_value(reply).map_err(|error| crate::error::Error::Reply {
        what: "limiter",
        detail: error.to_string(),
    })
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn acquire(&self, line: &ModelLine, wanted: Demand) -> Result<Permit, Error> {
        if let Some(permit) = self.unasked(line, wanted) {
            return Ok(permit);
        }
        let failed = failed("gave out a permit");
        let pace = line.limits.requests.map(Gcra::per_minute);
        let call = self
            .call(line, "acquire")
            .arg(optional(pace.map(|pace| pace.interval_us)))
            .arg(optional(pace.map(|pace| pace.tolerance_us)))
            .arg(optional(line.limits.input_tokens))
            .arg(optional(line.limits.output_tokens));
        // Sent once: a permit that was taken without our knowing is lost, which costs a little time and lets nothing through.
        let reply = self.redis.call(&demand(call, wanted)).await.map_err(&failed)?;
        match numbers(reply).map_err(&failed)?.as_slice() {
            [0, wait] => Ok(Permit::Wait(Duration::from_micros(*wait))),
            [1, at_us, era] => {
                if line.limits.is_none() {
                    self.free().insert(line.id, Instant::now());
                }
                Ok(Permit::Granted(Ticket {
                    at_us: *at_us,
                    era: *era,
                    charged: wanted,
                }))
            }
            other => Err(failed(crate::error::Error::Reply {
                what: "limiter",
                detail: format!("{} numbers", other.len()),
            })),
        }
    }

    async fn refund(&self, line: &ModelLine, ticket: Ticket, used: Demand) -> Result<(), Error> {
        if !line.limits.counts_tokens() || ticket.charged == used {
            return Ok(());
        }
        let call = self.call(line, "refund").number(ticket.at_us).number(ticket.era);
        let call = demand(demand(call, ticket.charged), used);
        self.redis
            .call(&call)
            .await
            .map(drop)
            .map_err(failed("took back what was not used"))
    }

    async fn cool_down(&self, line: &ModelLine, pause: Duration) -> Result<(), Error> {
        self.free().remove(&line.id);
        let micros = u64::try_from(pause.min(PAUSE_MAX).as_micros()).unwrap_or(u64::MAX);
        let call = self.call(line, "cool_down").number(micros);
        self.redis
            .call_again(&call)
            .await
            .map(drop)
            .map_err(failed("noted a pause"))
    }
}
