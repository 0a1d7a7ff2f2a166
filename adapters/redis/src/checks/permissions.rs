//! Whether the user may do what a coordinator or a worker does. `deploy/redis/users.acl` grants exactly this; a test holds the two together.

use std::sync::LazyLock;

use gristmill_ports::check::{Check, told};

use crate::connection::Redis;
use crate::script::{Call, Script};

static PERMISSIONS: LazyLock<Script> =
    LazyLock::new(|| Script::new("permissions", &[include_str!("permissions.lua")]));

/// What both roles do with the keys of runs, by Redis' names.
const BOTH: [&str; 33] = [
    "ping",
    "info server",
    "time",
    "wait 0 1",
    "evalsha SHA 0",
    "script load return",
    "get KEY",
    "set KEY v",
    "del KEY",
    "exists KEY",
    "pexpire KEY 1",
    "persist KEY",
    "incr KEY",
    "incrby KEY 1",
    "decrby KEY 1",
    "hset KEY f v",
    "hget KEY f",
    "hmget KEY f",
    "hdel KEY f",
    "hkeys KEY",
    "hexists KEY f",
    "hstrlen KEY f",
    "zadd KEY 1 m",
    "zrem KEY m",
    "zscore KEY m",
    "zcard KEY",
    "zrange KEY 0 1",
    "zrangebyscore KEY 0 1",
    "zrangebylex KEY - +",
    "zrevrangebyscore KEY 1 0",
    "zpopmin KEY",
    "xadd KEY * f v",
    "xdel KEY 1",
];
/// What coordinators do besides.
const COORDINATOR: [&str; 3] = ["unlink KEY", "xread streams KEY 0", "xrange KEY - +"];

/// What coordinators do with the register.
const ENTERS_RUNS: [&str; 3] = ["set REGISTER v", "hset REGISTER f v", "zadd REGISTER 1 m"];
/// What workers do with it.
const REPORTS: [&str; 2] = ["get REGISTER", "set WORKER v"];

/// What the user may do.
pub(super) async fn check(redis: &Redis) -> Check {
    let all = BOTH
        .iter()
        .chain(&COORDINATOR)
        .chain(&ENTERS_RUNS)
        .chain(&REPORTS);
    let mut call = Call::new(&PERMISSIONS);
    for command in all {
        call = call.arg(with_keys(redis, command));
    }
    let denied: Vec<String> = match redis.call(&call).await.map(redis::from_redis_value) {
        Ok(Ok(denied)) => denied,
        Ok(Err(error)) => return unseen(&error.to_string()),
        Err(error) => {
            return Check::failed(
                "permissions",
                format!("the user may not run scripts: {}", told(&error)),
                "give the user the rights of its role in deploy/redis/users.acl",
            );
        }
    };
    if denied == ["unknown"] {
        return unseen("a server before Redis 7 does not say what a user may do");
    }
    let lacks = |commands: &[&str]| -> Vec<String> {
        let named = commands.iter().map(|command| with_keys(redis, command));
        named.filter(|command| denied.contains(command)).collect()
    };
    let worker = [lacks(&BOTH), lacks(&REPORTS)].concat();
    let coordinator = [lacks(&COORDINATOR), lacks(&ENTERS_RUNS)].concat();
    match (worker.is_empty(), coordinator.is_empty()) {
        (true, true) => Check::ok("permissions", "the user may do what coordinators and workers do"),
        (true, false) => Check::ok(
            "permissions",
            "the user may do what workers do; a coordinator needs a user of its own",
        ),
        (false, _) => Check::failed(
            "permissions",
            format!("the user may not `{}`", worker.join("`, `")),
            "give the user the rights of its role in deploy/redis/users.acl",
        ),
    }
}

fn with_keys(redis: &Redis, command: &str) -> String {
    command
        .replace("REGISTER", &redis.key("register", "spec:0123456789abcdef"))
        .replace("WORKER", &redis.key("register", "worker:doctor"))
        .replace("KEY", &redis.key("0123456789abcdef", "account"))
        .replace("SHA", "0123456789012345678901234567890123456789")
}

fn unseen(why: &str) -> Check {
    Check::not_checked(
        "permissions",
        why,
        "compare `redis-cli ACL GETUSER` with deploy/redis/users.acl",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names of commands as rules of an ACL write them.
    fn names<'c>(commands: impl IntoIterator<Item = &'c &'static str>) -> BTreeSet<String> {
        let name = |command: &&str| match command.strip_prefix("script ") {
            Some(rest) => format!("script|{}", rest.split(' ').next().unwrap_or_default()),
            None => command.split(' ').next().unwrap_or_default().to_owned(),
        };
        commands.into_iter().map(name).collect()
    }

    #[test]
    fn the_shipped_users_may_do_just_what_is_checked() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/redis/users.acl");
        let text = std::fs::read_to_string(file).unwrap();
        for (user, expected) in [
            ("gristmill-worker", names(&BOTH)),
            ("gristmill-coordinator", names(BOTH.iter().chain(&COORDINATOR))),
        ] {
            let line = text.lines().find(|line| line.contains(user)).unwrap();
            let granted = line.split(' ').filter_map(|word| word.strip_prefix('+'));
            let granted: BTreeSet<String> = granted.map(str::to_owned).collect();
            assert_eq!(granted, expected, "{user}");
        }
    }
}
