//! What can be known of a Redis before a cluster depends on it. Nothing is changed but a key that expires within a second.
//!
//! The users of `deploy/redis/users.acl` may not read the server's settings, which hold its passwords. What `INFO` does not tell is then said
//! not to be checked.

mod permissions;

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gristmill_ports::check::{self, Check, told};

use crate::address::Address;
use crate::connection::{Options, Redis};
use crate::error::Error;
use crate::fault::Fault;

/// The first major version that the scripts and users are tested with.
const VERSION_MIN: u32 = 7;
/// The share of the memory's limit from which on it is worth a warning.
const MEMORY_WARN: f64 = 0.8;
/// How long a write may take before it is worth a warning: each call of a model makes several.
const WRITE_SLOW: Duration = Duration::from_millis(50);
/// Bytes in a mebibyte, as amounts of memory are shown.
const MIB: f64 = 1_048_576.0;

/// The checks of a server.
pub const CHECKS: [&str; 9] = [
    "connection",
    "role",
    "durability",
    "eviction",
    "memory",
    "replicas",
    "permissions",
    "writes",
    "clock",
];

/// Checks the server: all of [`CHECKS`].
pub async fn checks(address: Address) -> Vec<Check> {
    check::complete(carry_out(address).await, &CHECKS)
}

async fn carry_out(address: Address) -> Vec<Check> {
    let (place, tls) = (address.to_string(), address.is_tls());
    let redis = match Redis::connect(address, Options::default()).await {
        Ok(redis) => redis,
        Err(error) => return vec![unusable("connection", &error)],
    };
    let info = match info(&redis).await {
        Ok(info) => info,
        Err(error) => return vec![unusable("connection", &error)],
    };
    vec![
        connection(&info, &place, tls),
        role(&info),
        durability(&redis, &info).await,
        eviction(&info),
        memory(&info),
        replicas(&redis, &info).await,
        permissions::check(&redis).await,
        writes(&redis).await,
        clock(&redis).await,
    ]
}

/// `INFO`, by its members.
struct Info(HashMap<String, String>);

impl Info {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

async fn info(redis: &Redis) -> Result<Info, Error> {
    let reply = redis.command("INFO", &redis::cmd("INFO")).await?;
    let text: String = redis::from_redis_value(reply).map_err(|error| Error::Reply {
        what: "INFO",
        detail: error.to_string(),
    })?;
    let members = text.lines().filter_map(|line| line.trim().split_once(':'));
    Ok(Info(
        members
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    ))
}

fn unusable(name: &'static str, error: &Error) -> Check {
    let fault = Fault::of(error);
    Check::failed(
        name,
        format!("{}: {}", fault.in_words(), told(error)),
        fault.way_out(),
    )
}

fn connection(info: &Info, place: &str, tls: bool) -> Check {
    let version = info.text("redis_version");
    let with = if tls { "with TLS" } else { "without TLS" };
    let found = format!("Redis {version} at {place}, {with}");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major < VERSION_MIN => Check::warning(
            "connection",
            found,
            format!(
                "use Redis {VERSION_MIN} or later: clusters are tested with it, and deploy/redis/users.acl needs it"
            ),
        ),
        _ => Check::ok("connection", found),
    }
}

fn role(info: &Info) -> Check {
    match info.text("role") {
        "master" => Check::ok("role", "it is the primary"),
        other => Check::failed(
            "role",
            format!("it takes no writes: its role is `{other}`"),
            Fault::Replica.way_out(),
        ),
    }
}

/// A setting, where the user may read settings.
async fn setting(redis: &Redis, name: &str) -> Option<String> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg(name);
    let reply = redis.command("CONFIG GET", &get).await.ok()?;
    let found: Vec<String> = redis::from_redis_value(reply).ok()?;
    found.into_iter().nth(1)
}

/// Whether Redis has a write on its disk before it answers.
async fn durability(redis: &Redis, info: &Info) -> Check {
    if info.text("aof_enabled") != "1" {
        return Check::failed(
            "durability",
            "`appendonly no`: a restart loses the books of all runs, and what was begun counts at its worst case",
            "`redis-cli CONFIG SET appendonly yes`, and the same in redis.conf",
        );
    }
    let status = info.text("aof_last_write_status");
    if !status.is_empty() && status != "ok" {
        return Check::failed(
            "durability",
            format!("it cannot write its log of commands (aof_last_write_status is `{status}`)"),
            Fault::Disk.way_out(),
        );
    }
    match setting(redis, "appendfsync").await.as_deref() {
        Some("always") => Check::ok("durability", "`appendonly yes`, `appendfsync always`"),
        Some(other) => Check::failed(
            "durability",
            format!(
                "`appendfsync {other}`: a crash loses writes that were confirmed, and with them calls that were paid for"
            ),
            "`redis-cli CONFIG SET appendfsync always`, and the same in redis.conf",
        ),
        None => Check::not_checked(
            "durability",
            "`appendonly yes`; `appendfsync` is not shown to this user",
            "as an administrator, `redis-cli CONFIG GET appendfsync` must say `always`",
        ),
    }
}

fn eviction(info: &Info) -> Check {
    match info.text("maxmemory_policy") {
        "noeviction" => Check::ok("eviction", "`maxmemory-policy noeviction`"),
        "" => Check::not_checked(
            "eviction",
            "the server does not say what it does when its memory is full",
            "`maxmemory-policy` must be `noeviction`",
        ),
        other => Check::failed(
            "eviction",
            format!(
                "`maxmemory-policy {other}`: when its memory is full, it drops books and results without a word"
            ),
            "`redis-cli CONFIG SET maxmemory-policy noeviction`, and the same in redis.conf",
        ),
    }
}

fn memory(info: &Info) -> Check {
    let (used, most) = (info.number("used_memory"), info.number("maxmemory"));
    let used_mib = used as f64 / MIB;
    if most == 0 {
        return Check::ok(
            "memory",
            format!("{used_mib:.0} MiB used, without a limit of its own (`maxmemory 0`)"),
        );
    }
    let found = format!("{used_mib:.0} of {:.0} MiB used", most as f64 / MIB);
    match used as f64 / most as f64 {
        share if share < MEMORY_WARN => Check::ok("memory", found),
        share if share < 1.0 => Check::warning(
            "memory",
            format!("{found}; at the limit, no call begins"),
            format!(
                "{}; docs/sizing.md says how much a cluster needs",
                Fault::Full.way_out()
            ),
        ),
        _ => Check::failed("memory", found, Fault::Full.way_out()),
    }
}

async fn replicas(redis: &Redis, info: &Info) -> Check {
    let count = info.number("connected_slaves");
    if count == 0 {
        return Check::ok("replicas", "none: its own disk is what keeps the books");
    }
    match setting(redis, "min-replicas-to-write").await.as_deref() {
        Some("0") => Check::warning(
            "replicas",
            format!(
                "{count} connected, and it takes writes without any (`min-replicas-to-write 0`): a failover may lose confirmed writes"
            ),
            "`redis-cli CONFIG SET min-replicas-to-write 1`, and the same in redis.conf of each server",
        ),
        Some(least) => Check::ok(
            "replicas",
            format!("{count} connected, `min-replicas-to-write {least}`"),
        ),
        None => Check::not_checked(
            "replicas",
            format!("{count} connected; `min-replicas-to-write` is not shown to this user"),
            "as an administrator, `redis-cli CONFIG GET min-replicas-to-write` should not say 0",
        ),
    }
}

async fn writes(redis: &Redis) -> Check {
    let began = Instant::now();
    if let Err(error) = redis.try_write().await {
        return unusable("writes", &error);
    }
    let took = began.elapsed();
    let found = format!("a write took {:.1} ms", took.as_secs_f64() * 1e3);
    if took < WRITE_SLOW {
        return Check::ok("writes", found);
    }
    Check::warning(
        "writes",
        format!("{found}: each call of a model makes several, and waits for them"),
        "give Redis a faster disk, or a nearer network: an SSD writes within a few milliseconds",
    )
}

async fn clock(redis: &Redis) -> Check {
    let began = SystemTime::now();
    let reply = redis.command("TIME", &redis::cmd("TIME")).await;
    let ended = SystemTime::now();
    let told = reply.map(redis::from_redis_value::<(u64, u64)>);
    let Ok(Ok((seconds, micros))) = told else {
        return Check::not_checked(
            "clock",
            "the server does not tell this user the time",
            "`redis-cli TIME` shows it; `timedatectl` says whether this machine's clock is synchronized",
        );
    };
    let theirs = seconds as f64 + micros as f64 / 1e6;
    let since = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    };
    check::clock("Redis'", theirs - (since(began) + since(ended)) / 2.0)
}
