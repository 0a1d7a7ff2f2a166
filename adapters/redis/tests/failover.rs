//! Several servers: Sentinel, a failover that loses writes, TLS.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

mod stand;

use gristmill_domain::amount::Amount;
use gristmill_ports::ledger::{Begin, Ledger, Settle};
use gristmill_ports::upkeep::{Holdings, StoreHealth, Upkeep};
use gristmill_redis::ledger::Options as LedgerOptions;
use gristmill_redis::{Address, Redis, RedisLedger};
use gristmill_servers::redis::{Options, Server, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use stand::{account, begin, books, cost, done, granted, run, set_up, task, until};

fn server(options: Options) -> Server {
    Server::start(&options).expect("a Redis server")
}

async fn by_sentinel(sentinel: &Server) -> RedisLedger {
    let address = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port());
    let address = Address::parse(&address).expect("an address");
    let redis = Redis::connect(address, stand::named("gm"))
        .await
        .expect("connects");
    RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger")
}

// 17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_loses_writes_freezes_until_the_books_are_rebuilt() {
    let primary = server(Options::default());
    let replica = server(Options {
        replica_of: Some(primary.port()),
        ..Options::default()
    });
    let sentinel = server(Options {
        sentinel_of: Some(primary.port()),
        ..Options::default()
    });
    let (coordinator, worker) = (by_sentinel(&sentinel).await, by_sentinel(&sentinel).await);
    let epoch = set_up(&coordinator, 100, 2).await;
    let held = |server: &Server| server.command(&["DBSIZE"]).ok();
    // What came with the first synchronisation is in the replica's log once that is rewritten.
    let kept = [
        "aof_enabled:1",
        "aof_rewrite_in_progress:0",
        "aof_rewrite_scheduled:0",
    ];
    until("the replica holds all, and the sentinel knows it", async || {
        let disk = replica.command(&["INFO", "persistence"]).unwrap_or_default();
        let known = sentinel
            .command(&["SENTINEL", "replicas", "main"])
            .unwrap_or_default();
        held(&replica).is_some_and(|keys| keys != "0")
            && held(&replica) == held(&primary)
            && kept.iter().all(|state| disk.contains(state))
            && known.contains(&replica.port().to_string())
            && known.contains("master-link-status\nok")
    })
    .await;

    replica.kill().expect("kill");
    let lost = granted(&worker, 0, 1, 5).await;
    primary.kill().expect("kill");
    replica.run().expect("starts again");
    until("the replica is promoted and found", async || {
        worker.account(run()).await.is_ok()
    })
    .await;

    assert_eq!(begin(&worker, 1, 2, 5).await, Begin::Frozen, "no new call before");
    assert_eq!(worker.renew(run(), &[lost]).await.expect("renew"), []);
    let health = coordinator.health(run(), &epoch, 0).await.expect("health");
    assert_eq!(health, StoreHealth::Broken);
    let holdings = Holdings {
        account: account(100),
        stored: Vec::new(),
        stored_survivors: Vec::new(),
        open: vec![(task(0), cost(5)), (task(1), Amount::ZERO)],
        last_seq: 0,
    };
    coordinator
        .rebuild(run(), &epoch, holdings)
        .await
        .expect("rebuild");
    assert_eq!(
        books(&coordinator).await,
        (0, 0, 5),
        "B: what may have been billed"
    );
    let reply = worker
        .settle(run(), lost, cost(3), done("late"))
        .await
        .expect("settle");
    assert_eq!(reply, Settle::Corrected { decided: true });
    granted(&worker, 1, 2, 5).await;
    assert_eq!(books(&coordinator).await, (5, 3, 0));
}

#[tokio::test]
async fn sentinels_and_servers_may_ask_for_a_login_each() {
    let primary = server(Options {
        password: Some("server-word".to_owned()),
        ..Options::default()
    });
    let sentinel = server(Options {
        sentinel_of: Some(primary.port()),
        password: Some("sentinel@word".to_owned()),
        config: vec!["sentinel auth-pass main server-word".to_owned()],
        ..Options::default()
    });
    let connected = async |login: &str| {
        let address = format!(
            "redis+sentinel://:server-word@127.0.0.1:{}/main{login}",
            sentinel.port()
        );
        let address = Address::parse(&address).expect("an address");
        Redis::connect(address, stand::named("gm")).await
    };
    let refused = connected("")
        .await
        .map(drop)
        .expect_err("the sentinel asks for a login");
    let text = format!("{refused:?}");
    assert!(
        text.contains("Sentinel") || text.contains("NoAuth") || text.contains("Auth"),
        "{text}"
    );
    assert!(!text.contains("server-word"), "{text}");
    let redis = connected("?sentinel_password=sentinel%40word")
        .await
        .expect("connects");
    let ledger = RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger");
    set_up(&ledger, 100, 1).await;
    granted(&ledger, 0, 1, 5).await;
}

/// A certificate and its key, in PEM.
fn issued(names: &[&str], issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).expect("names");
    // The default name is the authority's too, and OpenSSL takes such a certificate for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, names.concat());
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_server_of_ones_own_authority_is_trusted_and_trusts_back() {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("an authority").pem();
    let issuer = Issuer::new(params, key);
    let (certificate, server_key) = issued(&["localhost"], &issuer);
    let server = server(Options {
        tls: Some(Tls {
            authority: authority.clone(),
            certificate,
            key: server_key,
        }),
        ..Options::default()
    });
    let address = Address::parse(&server.tls_url().expect("a port")).expect("an address");
    let stranger = Redis::connect(address.clone(), stand::named("gm")).await;
    assert!(stranger.is_err(), "{stranger:?}");
    let (certificate, key) = issued(&["worker"], &issuer);
    let address = address.with_certificates(
        Some(authority.into_bytes()),
        Some((certificate.into_bytes(), key.into_bytes())),
    );
    let redis = Redis::connect(address, stand::named("gm"))
        .await
        .expect("connects");
    let ledger = RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger");
    set_up(&ledger, 100, 1).await;
    granted(&ledger, 0, 1, 5).await;
}
