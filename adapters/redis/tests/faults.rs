//! What Redis does to a ledger when it is killed, cut, filled, stalled or set back: numbers are those of the reliability table.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::ledger::Subtotal;
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::{
    AccountState, Begin, Close, Ending, Error, Fence, Ledger, NewTask, Nonce, Open, Purse, Reopen, Settle,
    VoidProof,
};
use gristmill_ports::upkeep::{Holdings, StoreHealth, StoredLine, Survivor, Upkeep};
use gristmill_redis::ledger::Options as LedgerOptions;
use gristmill_redis::{Address, Options, Redis, RedisLedger};
use gristmill_servers::redis::{Options as ServerOptions, Server};
use stand::{
    LEASE_MS, account, begin, books, clock, cost, done, granted, ledger, ledger_with_clock, run, set_up,
    task, task_id, until,
};

const START_MS: u64 = 1_000_000;

fn server(options: ServerOptions) -> Server {
    Server::start(&options).expect("a Redis server")
}

/// A coordinator and a worker over one server, each with a connection and a memory of its own, on one clock.
async fn pair(server: &Server) -> (RedisLedger, RedisLedger, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(START_MS));
    let coordinator = ledger_with_clock(server, "gm", clock(&now)).await;
    let worker = ledger_with_clock(server, "gm", clock(&now)).await;
    (coordinator, worker, now)
}

// 15
#[tokio::test]
async fn a_killed_server_loses_nothing_and_nothing_begins_before_the_coordinator_has_looked() {
    let server = server(ServerOptions::default());
    let (coordinator, worker, now) = pair(&server).await;
    let epoch = set_up(&coordinator, 100, 3).await;
    let settled = granted(&worker, 0, 1, 5).await;
    worker
        .settle(run(), settled, cost(3), done("kept"))
        .await
        .expect("settle");
    let running = granted(&worker, 1, 2, 5).await;

    server.kill().expect("kill");
    let impatient = Options {
        patience: Duration::from_millis(100),
        ..stand::named("gm")
    };
    let address = Address::parse(&server.url()).expect("an address");
    let lone = Redis::unconnected(address, impatient).expect("a handle");
    let lone = RedisLedger::new(lone, LedgerOptions::default()).expect("a ledger");
    let refused = lone.begin(run(), task_id(2), Nonce(9), cost(1)).await;
    assert!(
        matches!(refused, Err(Error::Store { .. })),
        "fails closed: {refused:?}"
    );
    server.run().expect("starts again");

    assert_eq!(
        books(&worker).await,
        (5, 3, 0),
        "S: all that was acknowledged is there"
    );
    assert_eq!(begin(&worker, 2, 3, 5).await, Begin::Frozen);
    let opened = coordinator
        .open(run(), &epoch, vec![task(7)])
        .await
        .expect("open");
    assert_eq!(opened, Open::Frozen);
    assert_eq!(coordinator.due(run(), &epoch, 9).await.expect("due"), []);
    let state = coordinator.account(run()).await.expect("account").state;
    assert!(
        matches!(state, AccountState::Frozen { shaken: true, .. }),
        "{state:?}"
    );
    coordinator.unfreeze(run()).await.expect("unfreeze");
    assert_eq!(begin(&worker, 2, 3, 5).await, Begin::Frozen, "no person lifts it");
    let reply = worker
        .settle(run(), running, cost(2), done("b"))
        .await
        .expect("settle");
    assert_eq!(reply, Settle::Booked { decided: true }, "what runs is settled");

    let health = async || coordinator.health(run(), &epoch, 0).await.expect("health");
    assert_eq!(health().await, StoreHealth::Waiting { wait_ms: LEASE_MS });
    now.fetch_add(LEASE_MS - 1, Ordering::SeqCst);
    assert_eq!(health().await, StoreHealth::Waiting { wait_ms: 1 });
    assert_eq!(begin(&worker, 2, 3, 5).await, Begin::Frozen);
    now.fetch_add(1, Ordering::SeqCst);
    assert_eq!(health().await, StoreHealth::Whole);
    granted(&worker, 2, 3, 5).await;
    assert_eq!(books(&worker).await, (5, 5, 0));
}

// 16
#[tokio::test]
async fn a_lost_end_of_the_log_freezes_until_the_books_are_rebuilt() {
    let server = server(ServerOptions::default());
    let (coordinator, worker, now) = pair(&server).await;
    let epoch = set_up(&coordinator, 100, 4).await;
    let stored = granted(&worker, 0, 1, 5).await;
    worker
        .settle(run(), stored, cost(3), done("stored"))
        .await
        .expect("settle");
    let waiting = granted(&worker, 1, 2, 5).await;
    worker
        .settle(run(), waiting, cost(4), done("waiting"))
        .await
        .expect("settle");
    let kept_bytes = server.log_bytes().expect("a log");
    // Lost: one attempt in flight, one that was paid and retried, a task that was opened.
    let in_flight = granted(&worker, 2, 3, 6).await;
    let paid = granted(&worker, 3, 4, 7).await;
    coordinator
        .open(run(), &epoch, vec![task(4)])
        .await
        .expect("open");
    server.kill().expect("kill");
    server.cut_log(kept_bytes).expect("cut");
    server.run().expect("starts again");

    assert_eq!(
        coordinator.account(run()).await.expect("account").total().started,
        Amount::ZERO
    );
    assert_eq!(begin(&worker, 2, 9, 1).await, Begin::Frozen);
    // The worker renews what it has in flight, and so says what it was told.
    let alive = worker.renew(run(), &[in_flight]).await.expect("renew");
    assert_eq!(alive, []);
    now.fetch_add(2 * LEASE_MS, Ordering::SeqCst);
    let health = coordinator.health(run(), &epoch, 1).await.expect("health");
    assert_eq!(health, StoreHealth::Broken, "waiting does not help");

    let mut survivors = coordinator.survivors(run(), &epoch).await.expect("survivors");
    survivors.sort_unstable_by_key(|survivor| (0..4).position(|number| task_id(number) == survivor.id));
    let expected = [(0, true), (1, true), (2, false), (3, false)].map(|(number, decided)| Survivor {
        id: task_id(number),
        decided,
    });
    assert_eq!(survivors, expected);
    let holdings = |open: Vec<(NewTask, Amount)>| Holdings {
        account: account(100),
        stored: vec![StoredLine {
            stage: Stage::Generate,
            model: "teacher".to_owned(),
            ending: Ending::Done,
            sum: Subtotal {
                tasks: 1,
                attempts: 1,
                spent: cost(3),
                burned: Amount::ZERO,
            },
        }],
        stored_survivors: vec![task_id(0)],
        open,
        last_seq: 9,
    };
    let forgotten = coordinator
        .rebuild(run(), &epoch, holdings(vec![(task(2), cost(6))]))
        .await;
    assert!(matches!(forgotten, Err(Error::Invalid(_))), "{forgotten:?}");
    let all = || holdings(vec![(task(2), cost(6)), (task(3), cost(7)), (task(4), cost(8))]);
    assert_eq!(
        coordinator.rebuild(run(), &epoch, all()).await.expect("rebuild"),
        3
    );
    assert_eq!(coordinator.rebuild(run(), &epoch, all()).await.expect("again"), 0);
    assert_eq!(
        books(&coordinator).await,
        (0, 3 + 4, 6 + 7 + 8),
        "B: all that may have been billed"
    );
    let health = coordinator.health(run(), &epoch, 1).await.expect("health");
    assert_eq!(health, StoreHealth::Whole);

    // A process that knows the old incarnation does not break the new one.
    let reply = worker
        .settle(run(), paid, cost(2), done("late"))
        .await
        .expect("settle");
    assert_eq!(
        reply,
        Settle::Corrected { decided: true },
        "late settles correct it"
    );
    let again = worker
        .settle(run(), paid, cost(2), done("late"))
        .await
        .expect("settle");
    assert_eq!(again, Settle::Already);
    let proof = VoidProof {
        reason: "429".to_owned(),
    };
    let reply = worker.void(run(), in_flight, proof, 0).await.expect("void");
    assert_eq!(reply, Settle::Corrected { decided: false });
    assert_eq!(books(&coordinator).await, (0, 3 + 4 + 2, 8));
    let due = coordinator.due(run(), &epoch, 9).await.expect("due");
    let due: Vec<_> = due.into_iter().map(|task| task.id).collect();
    assert_eq!(due, [task_id(2), task_id(4)]);
    granted(&worker, 2, 5, 5).await;
    let results = coordinator
        .results(run(), 0, 9, Duration::ZERO)
        .await
        .expect("results");
    let results: Vec<_> = results
        .into_iter()
        .map(|settled| (settled.seq, settled.task))
        .collect();
    assert_eq!(
        results,
        [(2, task_id(1)), (10, task_id(3))],
        "what survived, and after it what came"
    );
}

// 16, where nothing is left: a server without its disk.
#[tokio::test]
async fn an_account_made_again_in_the_place_of_a_lost_one_is_found_out() {
    let server = server(ServerOptions::default());
    let (coordinator, worker, _) = pair(&server).await;
    let epoch = set_up(&coordinator, 100, 2).await;
    let running = granted(&worker, 0, 1, 5).await;
    server.command(&["FLUSHALL"]).expect("flush");
    let unknown = worker.renew(run(), &[running]).await;
    assert!(matches!(unknown, Err(Error::UnknownRun(_))), "{unknown:?}");
    let fresh = ledger(&server, "gm").await;
    fresh.create(account(100)).await.expect("create");
    let epoch_again = fresh.take_over(run(), "second").await.expect("take over");
    assert_eq!(
        fresh.health(run(), &epoch_again, 1).await.expect("health"),
        StoreHealth::Broken,
        "one result is stored, and no task was ever opened"
    );
    assert_eq!(begin(&fresh, 0, 2, 5).await, Begin::Frozen);
    let holdings = Holdings {
        account: account(100),
        stored: Vec::new(),
        stored_survivors: Vec::new(),
        open: vec![(task(0), cost(5)), (task(1), cost(5))],
        last_seq: 0,
    };
    fresh
        .rebuild(run(), &epoch_again, holdings)
        .await
        .expect("rebuild");
    assert_eq!(books(&fresh).await, (0, 0, 10));
    let stale = coordinator.health(run(), &epoch, 0).await;
    assert!(matches!(stale, Err(Error::StaleEpoch { .. })), "{stale:?}");
}

// 16, near the end of a budget.
#[tokio::test]
async fn what_is_presumed_is_at_most_what_is_left_whatever_late_words_say() {
    let server = server(ServerOptions::default());
    let (coordinator, worker, _) = pair(&server).await;
    set_up(&coordinator, 20, 4).await;
    let last = granted(&worker, 3, 1, 7).await;
    server.command(&["FLUSHALL"]).expect("flush");
    let fresh = ledger(&server, "gm").await;
    fresh.create(account(20)).await.expect("create");
    let epoch = fresh.take_over(run(), "second").await.expect("take over");
    let health = fresh.health(run(), &epoch, 1).await.expect("health");
    assert_eq!(health, StoreHealth::Broken);
    let holdings = Holdings {
        account: account(20),
        stored: vec![stored(cost(12))],
        stored_survivors: Vec::new(),
        open: vec![
            (task(0), cost(6)),
            (task(1), cost(6)),
            (task(2), cost(7)),
            (task(3), cost(7)),
        ],
        last_seq: 0,
    };
    let presumed = fresh.rebuild(run(), &epoch, holdings).await.expect("rebuild");
    assert_eq!(presumed, 4);
    assert_eq!(
        books(&fresh).await,
        (0, 12, 8),
        "no more than the limit can have begun"
    );

    // The one that had begun was booked last, with nothing. What the others were presumed to cost makes room for it.
    let settle = || worker.settle(run(), last, cost(7), done("late"));
    assert_eq!(
        settle().await.expect("settle"),
        Settle::Corrected { decided: true }
    );
    assert_eq!(settle().await.expect("again"), Settle::Already);
    assert_eq!(books(&fresh).await, (0, 12 + 7, 1));
    let now = fresh.account(run()).await.expect("account");
    assert_eq!(now.state, AccountState::Active, "it cost no more than it could");
    assert!(now.limit.covers(now.total().used()), "B: {:?}", now.total());
    assert_eq!(begin(&fresh, 0, 9, 1).await, Begin::NoBudget(Purse::Run));
}

#[tokio::test]
async fn a_raise_that_is_lost_leaves_books_within_their_limit() {
    let server = server(ServerOptions::default());
    let fresh = ledger(&server, "gm").await;
    fresh.create(account(10)).await.expect("create");
    let epoch = fresh.take_over(run(), "second").await.expect("take over");
    fresh.health(run(), &epoch, 1).await.expect("health");
    let holdings = |limit| Holdings {
        account: account(limit),
        stored: vec![stored(cost(12))],
        stored_survivors: Vec::new(),
        open: vec![(task(0), cost(5))],
        last_seq: 0,
    };
    // The account was made again with the limit that the run was started with; 12 of it are spent.
    fresh.rebuild(run(), &epoch, holdings(10)).await.expect("rebuild");
    let now = fresh.account(run()).await.expect("account");
    assert_eq!((books(&fresh).await, now.limit), ((0, 12, 0), account(12).limit));
    assert!(
        now.alerts.iter().any(|alert| alert.text.contains("raise")),
        "{:?}",
        now.alerts
    );

    // Where the coordinator knows of the raise, what is left of it is there again.
    server.command(&["FLUSHALL"]).expect("flush");
    let other = ledger(&server, "gm").await;
    other.create(account(10)).await.expect("create");
    let epoch = other.take_over(run(), "third").await.expect("take over");
    other.health(run(), &epoch, 1).await.expect("health");
    other.rebuild(run(), &epoch, holdings(30)).await.expect("rebuild");
    let now = other.account(run()).await.expect("account");
    assert_eq!((books(&other).await, now.limit), ((0, 12, 5), account(30).limit));
}

fn stored(spent: Amount) -> StoredLine {
    StoredLine {
        stage: Stage::Generate,
        model: "teacher".to_owned(),
        ending: Ending::Done,
        sum: Subtotal {
            tasks: 1,
            attempts: 1,
            spent,
            burned: Amount::ZERO,
        },
    }
}

// A run that was released keeps its books when it is reopened.
#[tokio::test]
async fn a_released_run_that_is_reopened_does_not_expire() {
    let server = server(ServerOptions::default());
    let (coordinator, worker, _) = pair(&server).await;
    let epoch = set_up(&coordinator, 10, 1).await;
    let fence = granted(&worker, 0, 1, 5).await;
    worker
        .settle(run(), fence, cost(4), done("a"))
        .await
        .expect("settle");
    coordinator
        .absorb(run(), &epoch, &[task_id(0)])
        .await
        .expect("absorb");
    assert_eq!(
        coordinator.close(run(), &epoch).await.expect("close"),
        Close::Closed
    );
    assert!(
        coordinator
            .release(run(), Duration::from_secs(600))
            .await
            .expect("release")
    );
    let expiring = || {
        let keys = server.command(&["KEYS", "gm:*"]).expect("keys");
        let names: Vec<&str> = keys.lines().filter(|line| line.contains("gm:{")).collect();
        assert!(!names.is_empty(), "{keys}");
        let ttl = |name: &&str| server.command(&["TTL", name]).expect("ttl").contains("-1");
        names.iter().filter(|name| !ttl(name)).count()
    };
    assert!(expiring() > 0);
    let reopened = coordinator
        .reopen(run(), &epoch, "more", account(10).limit, account(20).limit)
        .await;
    assert_eq!(reopened.expect("reopen"), Reopen::Reopened);
    assert_eq!(expiring(), 0);
    assert_eq!(books(&coordinator).await, (0, 4, 0));
    coordinator
        .open(run(), &epoch, vec![task(1)])
        .await
        .expect("open");
    granted(&worker, 1, 2, 16).await;
}

// 18
#[tokio::test]
async fn an_operation_whose_reply_is_lost_is_sent_again_and_counts_once() {
    let server = server(ServerOptions::default());
    let hurried = Options {
        response_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_millis(400),
        ..stand::named("gm")
    };
    let redis = stand::redis(&server, hurried).await;
    let worker = RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger");
    set_up(&ledger(&server, "gm").await, 100, 8).await;
    for round in 0..4 {
        let before = books(&worker).await;
        server.pause_clients(Duration::from_millis(1_000)).expect("pause");
        let fence = granted(&worker, 2 * round, u64::from(round) + 1, 5).await;
        let reply = worker
            .settle(run(), fence, cost(3), done("a"))
            .await
            .expect("settle");
        assert_eq!(reply, Settle::Booked { decided: true });
        server.drop_clients().expect("drop");
        let fence = granted(&worker, 2 * round + 1, u64::from(round) + 1, 5).await;
        server.drop_clients().expect("drop");
        worker.burn(run(), fence, "reset", 0).await.expect("burn");
        let after = books(&worker).await;
        assert_eq!(after, (before.0, before.1 + 3, before.2 + 5), "round {round}");
    }
}

// 19
#[tokio::test]
async fn a_full_server_refuses_to_begin_and_takes_what_settles() {
    let server = server(ServerOptions::default());
    let ledger = ledger(&server, "gm").await;
    let epoch = set_up(&ledger, 1_000, 4).await;
    let fences = [
        granted(&ledger, 0, 1, 5).await,
        granted(&ledger, 1, 2, 5).await,
        granted(&ledger, 2, 3, 5).await,
    ];
    server
        .command(&["CONFIG", "SET", "maxmemory", "1mb"])
        .expect("limit");
    server.flush_scripts().expect("flush");
    let before = ledger.account(run()).await.expect("account");

    let refused = ledger.begin(run(), task_id(3), Nonce(4), cost(5)).await;
    let Err(Error::Store { source, .. }) = refused else {
        panic!("begun in a full server: {refused:?}");
    };
    let full = source
        .downcast_ref::<gristmill_redis::Error>()
        .expect("the adapter's error");
    assert!(full.is_out_of_memory(), "{full:?}");
    let refused = ledger.open(run(), &epoch, vec![task(5)]).await;
    assert!(refused.is_err(), "{refused:?}");
    let after = ledger.account(run()).await.expect("account");
    assert_eq!(
        (after.total(), after.counts),
        (before.total(), before.counts),
        "nothing half done"
    );

    let large = "x".repeat(100_000);
    let reply = ledger
        .settle(run(), fences[0], cost(3), done(&large))
        .await
        .expect("settle");
    assert_eq!(reply, Settle::Booked { decided: true });
    let proof = VoidProof {
        reason: "429".to_owned(),
    };
    ledger.void(run(), fences[1], proof, 0).await.expect("void");
    ledger.burn(run(), fences[2], "reset", 0).await.expect("burn");
    assert_eq!(ledger.renew(run(), &fences).await.expect("renew"), []);
    ledger.pause(run(), "full").await.expect("pause");
    ledger.resume(run()).await.expect("resume");
    ledger
        .fail(run(), &epoch, &[task_id(1), task_id(2), task_id(3)], "full")
        .await
        .expect("fail");
    assert_eq!(books(&ledger).await, (0, 3, 5));
    let results = ledger
        .results(run(), 0, 9, Duration::ZERO)
        .await
        .expect("results");
    assert_eq!(results.len(), 4, "nothing was evicted");
    let absorbed = ledger
        .absorb(run(), &epoch, &[0, 1, 2, 3].map(task_id))
        .await
        .expect("absorb");
    assert_eq!(absorbed.archived, 4);
    assert_eq!(ledger.close(run(), &epoch).await.expect("close"), Close::Closed);
}

// 17, as far as one replica goes
#[tokio::test]
async fn a_grant_waits_for_the_replica() {
    let primary = server(ServerOptions::default());
    let replica = server(ServerOptions {
        replica_of: Some(primary.port()),
        ..ServerOptions::default()
    });
    let options = LedgerOptions {
        replicas: 1,
        ..LedgerOptions::default()
    };
    let brief = Options {
        patience: Duration::from_millis(1_500),
        ..stand::named("gm")
    };
    let ledger = RedisLedger::new(stand::redis(&primary, brief).await, options).expect("a ledger");
    set_up(&ledger, 100, 3).await;
    until("the replica is there", async || {
        let info = primary.command(&["INFO", "replication"]).expect("info");
        info.contains("state=online")
    })
    .await;
    granted(&ledger, 0, 1, 5).await;
    let keys = replica.command(&["DBSIZE"]).expect("size");
    assert_ne!(keys, "0");

    replica.kill().expect("kill");
    let unsafe_grant = ledger.begin(run(), task_id(1), Nonce(2), cost(5)).await;
    assert!(
        matches!(unsafe_grant, Err(Error::Store { .. })),
        "{unsafe_grant:?}"
    );
    replica.run().expect("starts again");
    until("the same begin is granted", async || {
        let reply = ledger.begin(run(), task_id(1), Nonce(2), cost(5)).await;
        matches!(reply, Ok(Begin::Granted { .. }))
    })
    .await;
    assert_eq!(books(&ledger).await, (10, 0, 0), "counted once");
}

// 31
#[tokio::test]
async fn a_step_of_the_servers_clock_moves_no_lease_back() {
    let server = server(ServerOptions {
        movable_clock: true,
        ..ServerOptions::default()
    });
    let ledger = ledger(&server, "gm").await;
    let epoch = set_up(&ledger, 100, 2).await;
    let fence = granted(&ledger, 0, 1, 5).await;
    let clock_ms = async || ledger.account(run()).await.expect("account").clock_ms;
    let before = clock_ms().await;
    server.shift_clock(-3_600).expect("an hour back");
    let back = clock_ms().await;
    assert!((before..before + 60_000).contains(&back), "{before}, then {back}");
    assert_eq!(ledger.expire(run(), &epoch).await.expect("expire"), 0);
    assert_eq!(ledger.renew(run(), &[fence]).await.expect("renew"), [fence]);
    assert!(matches!(begin(&ledger, 0, 2, 5).await, Begin::Busy { .. }));
    // An hour ahead, leases have run out by the ledger's clock: the attempt burns, and its late settle corrects that.
    server.shift_clock(3_600).expect("an hour ahead");
    assert_eq!(ledger.expire(run(), &epoch).await.expect("expire"), 1);
    let reply = ledger
        .settle(run(), fence, cost(3), done("late"))
        .await
        .expect("settle");
    assert_eq!(reply, Settle::Corrected { decided: true });
    server.shift_clock(0).expect("back in time");
    let fence = granted(&ledger, 1, 3, 5).await;
    assert_eq!(
        ledger.expire(run(), &epoch).await.expect("expire"),
        0,
        "a new lease is a whole one"
    );
    assert_eq!(ledger.renew(run(), &[fence]).await.expect("renew"), [fence]);
}

#[tokio::test]
async fn a_run_has_few_keys_and_gives_them_back() {
    let server = server(ServerOptions::default());
    let ledger = ledger(&server, "gm").await;
    let epoch = set_up(&ledger, 10_000, 500).await;
    for number in 0..500 {
        let fence = granted(&ledger, number, 1, 5).await;
        if number % 5 == 0 {
            ledger.burn(run(), fence, "reset", 0).await.expect("burn");
        } else {
            ledger
                .settle(run(), fence, cost(3), done("a"))
                .await
                .expect("settle");
        }
    }
    let keys = server.command(&["KEYS", "*"]).expect("keys");
    assert!(keys.lines().count() <= 8, "{keys}");
    let tag = format!("{{{}}}", run());
    assert!(keys.lines().all(|key| key.contains(&tag)), "{keys}");
    let ids: Vec<_> = (0..500).map(task_id).collect();
    ledger.fail(run(), &epoch, &ids, "the end").await.expect("fail");
    assert!(
        !ledger.release(run(), Duration::ZERO).await.expect("release"),
        "not closed"
    );
    ledger.absorb(run(), &epoch, &ids).await.expect("absorb");
    assert_eq!(ledger.close(run(), &epoch).await.expect("close"), Close::Closed);
    assert!(
        ledger
            .release(run(), Duration::from_secs(3_600))
            .await
            .expect("release")
    );
    let remnant = Fence {
        task: task_id(0),
        attempt: 1,
        nonce: Nonce(1),
    };
    let reply = ledger
        .settle(run(), remnant, cost(1), done("late"))
        .await
        .expect("settle");
    assert_eq!(reply, Settle::Audited, "33: an audit record");
    assert!(ledger.release(run(), Duration::ZERO).await.expect("release"));
    assert_eq!(server.command(&["DBSIZE"]).expect("size"), "0");
    assert!(
        ledger.release(run(), Duration::ZERO).await.expect("release"),
        "gone is released"
    );
}

#[tokio::test]
async fn a_user_with_few_rights_is_enough() {
    let rights = "user gristmill on >secret ~gm:* resetchannels -@all +@read +@write +@scripting +@connection +info +time";
    let server = server(ServerOptions {
        password: Some("other".to_owned()),
        config: vec![rights.to_owned()],
        ..ServerOptions::default()
    });
    let connect = async |login: &str| {
        let url = format!("redis://{login}@127.0.0.1:{}/0", server.port());
        Redis::connect(Address::parse(&url).expect("an address"), stand::named("gm")).await
    };
    let wrong = connect("gristmill:wrong")
        .await
        .expect_err("wrong password")
        .to_string();
    assert!(!wrong.contains("wrong"), "{wrong}");
    let redis = connect("gristmill:secret").await.expect("connects");
    let ledger = RedisLedger::new(redis, LedgerOptions::default()).expect("a ledger");
    let epoch = set_up(&ledger, 100, 1).await;
    let fence = granted(&ledger, 0, 1, 5).await;
    ledger
        .settle(run(), fence, cost(3), done("a"))
        .await
        .expect("settle");
    let results = ledger
        .results(run(), 0, 9, stand::PATIENCE)
        .await
        .expect("results");
    assert_eq!(results.len(), 1);
    assert_eq!(
        ledger.health(run(), &epoch, 0).await.expect("health"),
        StoreHealth::Whole
    );
}

#[tokio::test]
async fn what_lua_cannot_count_is_refused() {
    let server = server(ServerOptions::default());
    let ledger = ledger(&server, "gm").await;
    let epoch = set_up(&ledger, 100, 1).await;
    let refused = ledger.begin(run(), task_id(0), Nonce(1), cost(1 << 53)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let endless = ledger
        .allocate(run(), &epoch, [(Stage::Judge, account(u64::MAX).limit)].into())
        .await;
    assert!(matches!(endless, Err(Error::Invalid(_))), "{endless:?}");
    let fence = granted(&ledger, 0, u64::MAX, 5).await;
    assert_eq!(fence.nonce, Nonce(u64::MAX), "nonces are no numbers there");
    let reply = ledger
        .settle(run(), fence, cost(1 << 60), done("a"))
        .await
        .expect("settles all the same");
    assert_eq!(reply, Settle::Booked { decided: true });
    assert_eq!(books(&ledger).await.1, (1 << 53) - 1);
}
