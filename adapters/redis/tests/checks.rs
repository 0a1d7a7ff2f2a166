//! What the checks say of real servers, right and wrong.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::path::Path;

use gristmill_ports::check::{Check, State};
use gristmill_redis::{Address, checks};
use gristmill_servers::redis::{Options, Server};

const PASSWORD: &str = "s3cret-s3cret-s3cret";

fn server(config: &[&str]) -> Server {
    let options = Options {
        config: config.iter().map(|line| (*line).to_owned()).collect(),
        ..Options::default()
    };
    Server::start(&options).expect("a Redis server")
}

async fn found(url: &str) -> Vec<Check> {
    let found = checks(Address::parse(url).expect("an address")).await;
    assert!(!format!("{found:?}").contains(PASSWORD), "{found:#?}");
    found
}

fn named<'c>(checks: &'c [Check], name: &str) -> &'c Check {
    checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no {name} in {checks:#?}"))
}

#[tokio::test]
async fn a_server_that_is_as_it_has_to_be_passes_everything() {
    let server = server(&[]);
    let found = found(&server.url()).await;
    let names: Vec<&str> = found.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "connection",
            "role",
            "durability",
            "eviction",
            "memory",
            "replicas",
            "permissions",
            "writes",
            "clock"
        ]
    );
    // A busy disk may be slow.
    let not_ok = found.iter().filter(|check| check.name != "writes");
    assert!(not_ok.clone().all(|check| check.state == State::Ok), "{found:#?}");
    assert!(named(&found, "writes").state != State::Failed);
    assert_eq!(
        server.command(&["DBSIZE"]).expect("a size"),
        "1",
        "the probe alone, which expires"
    );
}

#[tokio::test]
async fn what_loses_writes_is_named_with_the_command_that_mends_it() {
    let server = server(&["maxmemory 100mb"]);
    for (setting, value, name, state, said, fix) in [
        (
            "appendfsync",
            "everysec",
            "durability",
            State::Failed,
            "`appendfsync everysec`",
            "CONFIG SET appendfsync always",
        ),
        (
            "appendonly",
            "no",
            "durability",
            State::Failed,
            "`appendonly no`",
            "CONFIG SET appendonly yes",
        ),
        (
            "maxmemory-policy",
            "allkeys-lru",
            "eviction",
            State::Failed,
            "`maxmemory-policy allkeys-lru`",
            "maxmemory-policy noeviction",
        ),
        (
            "maxmemory",
            "1mb",
            "memory",
            State::Failed,
            "of 1 MiB",
            "raise its `maxmemory`",
        ),
        ("maxmemory", "1gb", "memory", State::Ok, "of 1024 MiB", ""),
    ] {
        let before = server.command(&["CONFIG", "GET", setting]).expect("a setting");
        let before = before.lines().nth(1).unwrap_or_default().to_owned();
        server.command(&["CONFIG", "SET", setting, value]).expect("set");
        let found = found(&server.url()).await;
        let check = named(&found, name);
        assert!(
            check.state == state && check.found.contains(said) && check.fix.contains(fix),
            "{setting} {value}: {check:?}"
        );
        server.command(&["CONFIG", "SET", setting, &before]).expect("set");
    }
}

#[tokio::test]
async fn a_replica_is_not_what_is_written_to_and_a_primary_that_writes_alone_is_a_risk() {
    let primary = server(&[]);
    let replica = Server::start(&Options {
        replica_of: Some(primary.port()),
        ..Options::default()
    })
    .expect("a replica");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !replica
        .command(&["INFO", "replication"])
        .expect("info")
        .contains("master_link_status:up")
    {
        assert!(std::time::Instant::now() < until, "the replica follows");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let of_replica = found(&replica.url()).await;
    assert_eq!(named(&of_replica, "role").state, State::Failed);
    assert_eq!(named(&of_replica, "writes").state, State::Failed);
    assert!(named(&of_replica, "writes").fix.contains("name the primary"));
    let of_primary = found(&primary.url()).await;
    let replicas = named(&of_primary, "replicas");
    assert!(
        replicas.state == State::Warning && replicas.fix.contains("min-replicas-to-write 1"),
        "{replicas:?}"
    );
    primary
        .command(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .expect("set");
    assert_eq!(named(&found(&primary.url()).await, "replicas").state, State::Ok);
}

#[tokio::test]
async fn a_users_rights_are_those_of_its_role_or_named() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/redis/users.acl");
    let text = std::fs::read_to_string(file).expect("the shipped users");
    let mut users: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with("user default "))
        .map(|line| format!("{line} >{PASSWORD}"))
        .collect();
    let less = users[1]
        .replace("user gristmill-worker", "user less")
        .replace(" +zadd", "");
    users.push(less);
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let server = server(&users);
    for (user, state, said) in [
        (
            "gristmill-coordinator",
            State::Ok,
            "what coordinators and workers do",
        ),
        ("gristmill-worker", State::Ok, "what workers do"),
        ("less", State::Failed, "`zadd gm:{"),
    ] {
        let found = found(&format!(
            "redis://{user}:{PASSWORD}@127.0.0.1:{}/0",
            server.port()
        ))
        .await;
        let permissions = named(&found, "permissions");
        assert!(
            permissions.state == state && permissions.found.contains(said),
            "{permissions:?}"
        );
        // Settings hold passwords: no role may read them.
        let durability = named(&found, "durability");
        assert!(
            durability.state == State::NotChecked && durability.fix.contains("CONFIG GET appendfsync"),
            "{durability:?}"
        );
    }
    let stranger = found(&format!(
        "redis://gristmill-worker:wrong@127.0.0.1:{}/0",
        server.port()
    ))
    .await;
    assert!(others_unseen(&stranger), "{stranger:#?}");
    assert!(
        stranger[0].state == State::Failed && stranger[0].fix.contains("user and password"),
        "{stranger:?}"
    );
}

/// Without a connection, every other check is `not checked`.
fn others_unseen(found: &[Check]) -> bool {
    found.len() > 1 && found.iter().skip(1).all(|check| check.state == State::NotChecked)
}

#[tokio::test]
async fn a_clock_that_is_off_and_a_server_that_is_away_are_told() {
    let server = Server::start(&Options {
        movable_clock: true,
        ..Options::default()
    })
    .expect("a Redis server");
    server.shift_clock(-3_600).expect("shifts");
    let off = found(&server.url()).await;
    let clock = named(&off, "clock");
    assert!(
        clock.state == State::Failed && clock.found.contains("ahead of Redis'"),
        "{clock:?}"
    );
    server.kill().expect("killed");
    let away = found(&server.url()).await;
    assert!(others_unseen(&away), "{away:#?}");
    assert_eq!(away[0].state, State::Failed);
    assert!(away[0].fix.contains("see whether it runs"), "{away:?}");
}
