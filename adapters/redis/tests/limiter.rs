//! The suite every limiter must pass, against a real server; and what only a server can show.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::LineId;
use gristmill_ports::contract::limiter::{Harness, Rig};
use gristmill_ports::limiter::{Demand, Limiter, Limits, ModelLine, Permit};
use gristmill_redis::{Options, RedisLimiter};
use gristmill_servers::redis::{self as servers, Server};

struct OverRedis;

#[async_trait]
impl Harness for OverRedis {
    async fn start(&self) -> Box<dyn Rig> {
        Box::new(RedisRig {
            namespace: stand::namespace(),
            now_us: Arc::new(AtomicU64::new(1_790_000_000_000_000)),
        })
    }
}

struct RedisRig {
    namespace: String,
    now_us: Arc<AtomicU64>,
}

#[async_trait]
impl Rig for RedisRig {
    async fn limiter(&self) -> Arc<dyn Limiter> {
        let server = Server::shared().expect("a Redis server");
        let now = Arc::clone(&self.now_us);
        let limiter = RedisLimiter::new(stand::redis(server, stand::named(&self.namespace)).await);
        Arc::new(limiter.with_clock(Arc::new(move || now.load(Ordering::SeqCst))))
    }

    async fn pass(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).expect("short");
        self.now_us.fetch_add(micros, Ordering::SeqCst);
    }
}

gristmill_ports::limiter_contract!(OverRedis);

fn line(requests: u32, input_tokens: Option<u64>) -> ModelLine {
    ModelLine {
        id: LineId::of(&[b"endpoint", b"key", b"model"]),
        limits: Limits {
            requests: Some(requests),
            input_tokens,
            output_tokens: None,
        },
    }
}

#[tokio::test]
async fn the_servers_clock_counts_and_nothing_stays() {
    let server = Server::shared().expect("a Redis server");
    let namespace = stand::namespace();
    let limiter = RedisLimiter::new(stand::redis(server, stand::named(&namespace)).await);
    let line = line(60, Some(10_000));
    let demand = Demand {
        input_tokens: 5_000,
        output_tokens: 0,
    };
    assert!(matches!(
        limiter.acquire(&line, demand).await.expect("acquire"),
        Permit::Granted(_)
    ));
    let Permit::Wait(wait) = limiter.acquire(&line, demand).await.expect("acquire") else {
        panic!("the burst is one");
    };
    assert!(wait <= Duration::from_millis(1_100), "{wait:?}");
    let key = format!("{namespace}:{{{}}}:limits", line.id);
    let left: i64 = server
        .command(&["PTTL", &key])
        .expect("PTTL")
        .trim()
        .parse()
        .expect("a number");
    assert!((60_000..65_000).contains(&left), "{left} ms");
}

#[tokio::test]
async fn a_clock_that_steps_back_stops_nobody() {
    let now = Arc::new(AtomicU64::new(1_790_000_000_000_000));
    let server = Server::shared().expect("a Redis server");
    let limiter = RedisLimiter::new(stand::redis(server, stand::named(&stand::namespace())).await);
    let limiter = limiter.with_clock({
        let now = Arc::clone(&now);
        Arc::new(move || now.load(Ordering::SeqCst))
    });
    let line = line(60, None);
    assert!(matches!(
        limiter.acquire(&line, Demand::NONE).await.expect("acquire"),
        Permit::Granted(_)
    ));
    now.fetch_sub(3_600_000_000, Ordering::SeqCst);
    let Permit::Wait(wait) = limiter.acquire(&line, Demand::NONE).await.expect("acquire") else {
        panic!("the pace holds");
    };
    assert!(wait < Duration::from_secs(2), "{wait:?}");
    now.fetch_add(1_100_000, Ordering::SeqCst);
    assert!(matches!(
        limiter.acquire(&line, Demand::NONE).await.expect("acquire"),
        Permit::Granted(_)
    ));
}

#[tokio::test]
async fn without_its_store_nobody_gets_a_permit() {
    let server = Server::start(&servers::Options::default()).expect("a Redis server");
    let limiter = RedisLimiter::new(stand::redis(&server, Options::default()).await);
    let line = line(6_000, None);
    assert!(matches!(
        limiter.acquire(&line, Demand::NONE).await.expect("acquire"),
        Permit::Granted(_)
    ));
    server.flush_scripts().expect("SCRIPT FLUSH");
    assert!(matches!(
        limiter.acquire(&line, Demand::NONE).await.expect("acquire"),
        Permit::Granted(_)
    ));
    server.kill().expect("kill -9");
    limiter
        .acquire(&line, Demand::NONE)
        .await
        .expect_err("no free pass");
    limiter
        .acquire(&line, Demand::NONE)
        .await
        .expect_err("no free pass");
}
