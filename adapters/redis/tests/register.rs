//! The suite every register must pass, against a real server, and what only a server can do to it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_domain::stage::Stage;
use gristmill_ports::contract::register::{Harness, Rig};
use gristmill_ports::register::{Beat, Dead, Ending, NewRun, Register, Submitted};
use gristmill_redis::{Fault, RedisRegister};
use gristmill_servers::redis::{Options, Server};

/// A lease that does not run out while a test runs.
const LONG: Duration = Duration::from_secs(60 * 60);

struct OverRedis;

#[async_trait]
impl Harness for OverRedis {
    async fn start(&self) -> Rig {
        let server = Server::shared().expect("a Redis server");
        Rig {
            register: Arc::new(register(server, &stand::namespace()).await),
            keep: Box::new(()),
        }
    }
}

async fn register(server: &Server, namespace: &str) -> RedisRegister {
    RedisRegister::new(stand::redis(server, stand::named(namespace)).await)
}

fn new_run(number: u32) -> NewRun {
    NewRun {
        run: RunId::of(&[&number.to_le_bytes()]),
        name: format!("job-{number}"),
        spec: b"spec".to_vec(),
        request_id: format!("request {number}"),
        submitted_ms: None,
    }
}

gristmill_ports::register_contract!(OverRedis);

#[tokio::test]
async fn what_was_said_survives_a_killed_server() {
    let server = Server::start(&Options::default()).expect("a Redis server");
    let register = register(&server, "gm").await;
    let NewRun { run, .. } = new_run(0);
    register.submit(new_run(0)).await.expect("submit");
    assert!(register.claim(run, "a", LONG).await.expect("claim"));
    register.report(run, "a", b"half".to_vec()).await.expect("report");
    let beat = Beat {
        worker: "w".to_owned(),
        report: b"busy".to_vec(),
    };
    register.beat(beat, LONG).await.expect("beat");
    let dead = Dead {
        stage: Stage::Judge,
        run: Some(run),
        reason: "why".to_owned(),
        envelope: vec![0, 255],
    };
    let number = register.bury(dead).await.expect("bury");
    let before = register.get(run).await.expect("get");
    for _ in 0..2 {
        server.restart().expect("a restart");
        assert_eq!(register.get(run).await.expect("get"), before);
        server.flush_scripts().expect("flushed");
        assert!(!register.claim(run, "b", LONG).await.expect("claim"));
        assert_eq!(register.renew("a", &[run], LONG).await.expect("renew"), [run]);
    }
    assert_eq!(register.workers().await.expect("workers").len(), 1);
    assert!(register.dead_letter(number).await.expect("dead_letter").is_some());
    assert!(register.end(run, "a", Ending::Finished).await.expect("end"));
}

#[tokio::test]
async fn a_run_whose_server_is_away_is_not_entered_twice() {
    let server = Server::start(&Options::default()).expect("a Redis server");
    let register = register(&server, "gm").await;
    server.kill().expect("killed");
    let sent = tokio::spawn({
        let register = register.clone();
        async move { register.submit(new_run(0)).await }
    });
    server.run().expect("it runs again");
    let reply = sent.await.expect("joins").expect("submit");
    assert!(
        matches!(reply, Submitted::Created | Submitted::Known),
        "{reply:?}"
    );
    assert_eq!(register.list(0, 9).await.expect("list").len(), 1);
}

#[tokio::test]
async fn in_a_full_server_runs_keep_their_holders_and_nothing_is_entered() {
    let server = Server::start(&Options::default()).expect("a Redis server");
    let redis = stand::redis(&server, stand::named("gm")).await;
    let register = RedisRegister::new(redis.clone());
    let NewRun { run, .. } = new_run(0);
    register.submit(new_run(0)).await.expect("submit");
    assert!(register.claim(run, "a", LONG).await.expect("claim"));
    redis.try_write().await.expect("it takes writes");
    let set = |limit| {
        server
            .command(&["CONFIG", "SET", "maxmemory", limit])
            .expect("a limit");
    };
    set("1mb");
    register.submit(new_run(1)).await.expect_err("there is no room");
    assert!(redis.is_full());
    let full = redis.try_write().await.expect_err("there is no room");
    assert_eq!(Fault::of(&full), Fault::Full, "{full:?}");

    assert_eq!(register.renew("a", &[run], LONG).await.expect("renew"), [run]);
    register.report(run, "a", b"full".to_vec()).await.expect("report");
    let beat = Beat {
        worker: "w".to_owned(),
        report: b"idle".to_vec(),
    };
    register.beat(beat, LONG).await.expect("beat");
    assert_eq!(register.workers().await.expect("workers").len(), 1);
    let known = register.get(run).await.expect("get").expect("a run");
    assert_eq!(
        (known.holder.as_deref(), known.report.as_slice()),
        (Some("a"), &b"full"[..])
    );
    assert!(register.end(run, "a", Ending::Cancelled).await.expect("end"));

    set("0");
    redis.try_write().await.expect("it takes writes");
    assert!(!redis.is_full());
    register.submit(new_run(1)).await.expect("submit");
}

/// A dead holder's lease ends after at most one more, though by the clock it has an hour left; a live one keeps its own.
#[tokio::test]
async fn a_clock_set_back_holds_nobody_up() {
    let options = Options {
        movable_clock: true,
        ..Options::default()
    };
    let server = Server::start(&options).expect("a Redis server");
    let register = register(&server, "gm").await;
    let (dead, alive) = (new_run(0).run, new_run(1).run);
    for (number, lease) in [(0, Duration::from_secs(1)), (1, LONG)] {
        register.submit(new_run(number)).await.expect("submit");
        assert!(
            register
                .claim(new_run(number).run, "a", lease)
                .await
                .expect("claim")
        );
    }
    server.shift_clock(-3_600).expect("moved");
    assert!(!register.claim(alive, "b", LONG).await.expect("claim"));
    assert_eq!(register.renew("a", &[alive], LONG).await.expect("renew"), [alive]);
    stand::until("the dead holder's lease runs out", async || {
        register.claim(dead, "b", LONG).await.expect("claim")
    })
    .await;
    let run = register.get(alive).await.expect("get").expect("a run");
    assert_eq!(run.holder.as_deref(), Some("a"));
}

#[tokio::test]
async fn nothing_but_the_names_of_the_register_is_used() {
    let server = Server::start(&Options::default()).expect("a Redis server");
    let register = register(&server, "gm").await;
    let NewRun { run, .. } = new_run(0);
    register.submit(new_run(0)).await.expect("submit");
    register.claim(run, "a", LONG).await.expect("claim");
    register.end(run, "a", Ending::Finished).await.expect("end");
    let beat = Beat {
        worker: "w".to_owned(),
        report: Vec::new(),
    };
    register.beat(beat, LONG).await.expect("beat");
    register.drain("w").await.expect("drain");
    let keys = server.command(&["KEYS", "*"]).expect("keys");
    for key in keys.lines() {
        assert!(key.starts_with("gm:{register}:"), "{key}");
    }
    let spec = format!("gm:{{register}}:spec:{run}");
    let left = server.command(&["PTTL", &spec]).expect("time to live");
    assert!(
        left.trim().parse::<i64>().expect("a number") > 0,
        "the spec of an ended run goes"
    );
}
