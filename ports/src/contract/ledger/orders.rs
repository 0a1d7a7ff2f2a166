//! Accounts, epochs, and the orders that stop and end a run.

use std::sync::Arc;

use gristmill_domain::id::RunId;
use gristmill_domain::stage::Stage;

use super::{Harness, Stand, cost, done, new_account, new_task, run, task_id, usd};
use crate::ledger::{
    AccountState, Begin, Close, Decision, Epoch, Error, Ledger, NewTask, Open, Purse, Raise, Reopen, Settle,
};

pub async fn an_account_is_created_once(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    stand.granted(0, 5).await;
    stand.ledger.create(new_account(7)).await.unwrap();
    let account = stand.ledger.account(run()).await.unwrap();
    assert_eq!((account.limit, account.total().started), (usd(100), cost(5)));
    let other = crate::ledger::NewAccount {
        price_hash: "other prices".to_owned(),
        ..new_account(100)
    };
    let refused = stand.ledger.create(other).await;
    assert!(
        matches!(&refused, Err(Error::PricesChanged { frozen, given, .. }) if frozen == "prices" && given == "other prices"),
        "{refused:?}"
    );
    let nobody = RunId::of(&[b"nobody"]);
    assert!(matches!(stand.ledger.account(nobody).await, Err(Error::UnknownRun(run)) if run == nobody));
    let none = stand.ledger.results(nobody, 0, 1, Default::default()).await;
    assert!(matches!(none, Err(Error::UnknownRun(_))));
}

pub async fn tasks_open_once(harness: &dyn Harness) {
    let stand = Stand::new(harness, 100, 2).await;
    let batch = || (0..3).map(|number| new_task(number, Stage::Generate)).collect();
    let opened = stand.ledger.open(run(), &stand.epoch, batch()).await.unwrap();
    assert_eq!(opened, Open::Opened { fresh: 1 });
    let opened = stand.ledger.open(run(), &stand.epoch, batch()).await.unwrap();
    assert_eq!(opened, Open::Opened { fresh: 0 });
    let never = NewTask {
        max_attempts: 0,
        ..new_task(9, Stage::Generate)
    };
    let refused = stand
        .ledger
        .open(run(), &stand.epoch, vec![new_task(8, Stage::Judge), never])
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(
        stand.ledger.account(run()).await.unwrap().counts_total().planned,
        3,
        "all or none"
    );
}

/// Everything only a coordinator may ask, and whether it was refused.
async fn refusals(ledger: &Arc<dyn Ledger>, epoch: &Epoch) -> Vec<bool> {
    fn stale<T>(outcome: Result<T, Error>) -> bool {
        matches!(outcome, Err(Error::StaleEpoch { .. }))
    }
    vec![
        stale(
            ledger
                .open(run(), epoch, vec![new_task(77, Stage::Generate)])
                .await,
        ),
        stale(ledger.due(run(), epoch, 1).await),
        stale(ledger.expire(run(), epoch).await),
        stale(ledger.fail(run(), epoch, &[task_id(0)], "stale").await),
        stale(ledger.absorb(run(), epoch, &[task_id(0)]).await),
        stale(
            ledger
                .allocate(run(), epoch, [(Stage::Judge, usd(0))].into())
                .await,
        ),
        stale(ledger.close(run(), epoch).await),
    ]
}

pub async fn a_replaced_coordinator_is_refused(harness: &dyn Harness) {
    let stand = Stand::new(harness, 100, 1).await;
    let same = stand.ledger.take_over(run(), "first").await.unwrap();
    assert_eq!(same, stand.epoch, "its reply was lost");
    let second = stand.ledger.take_over(run(), "second").await.unwrap();
    assert_eq!(second.number, stand.epoch.number + 1);
    let before = stand.ledger.account(run()).await.unwrap();
    let impostor = Epoch {
        holder: "first".to_owned(),
        ..second.clone()
    };
    let earlier = Epoch {
        number: second.number - 1,
        ..second.clone()
    };
    for stale in [&stand.epoch, &impostor, &earlier] {
        assert_eq!(refusals(&stand.ledger, stale).await, [true; 7], "{stale}");
    }
    assert_eq!(
        stand.ledger.account(run()).await.unwrap(),
        before,
        "nothing changed"
    );
    assert_eq!(refusals(&stand.ledger, &second).await, [false; 7]);
}

pub async fn pause_freeze_and_cancel_stop_only_open_and_begin(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 6).await;
    let ledger = Arc::clone(&stand.ledger);
    let orders = [
        (Begin::Paused, Open::Paused),
        (Begin::Frozen, Open::Frozen),
        (Begin::Cancelled, Open::Cancelled),
    ];
    for (task, (begin, open)) in (0..).zip(orders) {
        let fence = stand.granted(task, 5).await;
        match begin {
            Begin::Paused => ledger.pause(run(), "lunch").await.unwrap(),
            Begin::Frozen => ledger.freeze(run(), "odd bill").await.unwrap(),
            _ => ledger.cancel(run()).await.unwrap(),
        }
        assert_eq!(stand.begin(5, 5).await, begin);
        let opened = ledger
            .open(run(), &stand.epoch, vec![new_task(9, Stage::Judge)])
            .await;
        assert_eq!(opened.unwrap(), open);
        assert_eq!(ledger.due(run(), &stand.epoch, 9).await.unwrap(), []);
        assert_eq!(ledger.renew(run(), &[fence]).await.unwrap(), [fence]);
        let settled = ledger.settle(run(), fence, cost(1), done("x")).await.unwrap();
        assert_eq!(settled, Settle::Booked { decided: true });
        assert_eq!(stand.begin(task, 5).await, Begin::AlreadySettled);
        ledger.resume(run()).await.unwrap();
        ledger.unfreeze(run()).await.unwrap();
    }
    assert_eq!(stand.begin(5, 5).await, Begin::Cancelled, "for good");
    assert_eq!(
        ledger.account(run()).await.unwrap().state,
        AccountState::Cancelled
    );
}

pub async fn a_raise_happens_once(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 5, 2).await;
    stand.granted(0, 5).await;
    assert_eq!(stand.begin(1, 5).await, Begin::NoBudgetNow(Purse::Run));
    let raise = |id, from, to| stand.ledger.raise(run(), id, usd(from), usd(to));
    assert_eq!(raise("a", 5, 10).await.unwrap(), Raise::Raised);
    assert_eq!(raise("a", 5, 10).await.unwrap(), Raise::Already);
    assert_eq!(
        raise("b", 5, 20).await.unwrap(),
        Raise::Mismatch { current: usd(10) }
    );
    assert_eq!(
        raise("b", 10, 4).await.unwrap(),
        Raise::BelowUsed { used: cost(5) }
    );
    stand.granted(1, 5).await;
    assert_eq!(stand.books().await, (10, 0, 0));
}

pub async fn a_run_closes_when_nothing_is_open_and_then_its_books_stay(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 2).await;
    let (late, never) = (stand.granted(0, 5).await, stand.granted(1, 5).await);
    let close = || stand.ledger.close(run(), &stand.epoch);
    assert_eq!(close().await.unwrap(), Close::NotYet { started: 2, open: 2 });
    stand.ledger.burn(run(), late, "reset", 0).await.unwrap();
    stand
        .ledger
        .settle(run(), never, cost(4), done("b"))
        .await
        .unwrap();
    assert_eq!(close().await.unwrap(), Close::NotYet { started: 0, open: 1 });
    let (second, first) = ([task_id(1)], [task_id(0)]);
    stand
        .ledger
        .fail(run(), &stand.epoch, &first, "no funds")
        .await
        .unwrap();
    stand.ledger.absorb(run(), &stand.epoch, &second).await.unwrap();
    assert_eq!(close().await.unwrap(), Close::Closed);
    assert_eq!(close().await.unwrap(), Close::Closed);
    let before = stand.ledger.account(run()).await.unwrap();
    let settle = |amount| stand.ledger.settle(run(), late, cost(amount), done("late"));
    assert_eq!(settle(3).await.unwrap(), Settle::Audited);
    assert_eq!(settle(3).await.unwrap(), Settle::Already);
    let after = stand.ledger.account(run()).await.unwrap();
    assert_eq!(
        (after.total(), after.counts_total()),
        (before.total(), before.counts_total())
    );
    assert_eq!(after.audited, 1);
    let attempts = stand.ledger.attempts(run(), task_id(0)).await.unwrap();
    assert_eq!(attempts[0].audited, Some(cost(3)), "the audit record");
    assert_eq!(stand.begin(0, 1).await, Begin::Closed);
    let opened = stand
        .ledger
        .open(run(), &stand.epoch, vec![new_task(9, Stage::Judge)])
        .await;
    assert_eq!(opened.unwrap(), Open::Closed);
    let raised = stand.ledger.raise(run(), "x", usd(100), usd(200)).await.unwrap();
    assert_eq!(raised, Raise::Closed);
}

pub async fn a_closed_run_is_reopened_with_a_limit_that_covers_what_is_gone(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 10, 2).await;
    let reopen = async |stand: &Stand, request: &str, expected: u64, new: u64| {
        let epoch = &stand.epoch;
        stand
            .ledger
            .reopen(run(), epoch, request, usd(expected), usd(new))
            .await
    };
    assert_eq!(reopen(&stand, "a", 10, 20).await.unwrap(), Reopen::NotClosed);
    let (late, paid) = (stand.granted(0, 5).await, stand.granted(1, 5).await);
    stand.ledger.burn(run(), late, "reset", 0).await.unwrap();
    stand
        .ledger
        .settle(run(), paid, cost(4), done("b"))
        .await
        .unwrap();
    let first = [task_id(0)];
    stand
        .ledger
        .fail(run(), &stand.epoch, &first, "no funds")
        .await
        .unwrap();
    stand
        .ledger
        .absorb(run(), &stand.epoch, &[task_id(0), task_id(1)])
        .await
        .unwrap();
    assert_eq!(
        stand.ledger.close(run(), &stand.epoch).await.unwrap(),
        Close::Closed
    );
    let audited = stand
        .ledger
        .settle(run(), late, cost(3), done("late"))
        .await
        .unwrap();
    assert_eq!(audited, Settle::Audited);

    assert_eq!(
        reopen(&stand, "a", 9, 20).await.unwrap(),
        Reopen::Mismatch { current: usd(10) }
    );
    let below = reopen(&stand, "a", 10, 8).await.unwrap();
    assert!(
        matches!(below, Reopen::BelowUsed { used } if used.usd.0 == 9),
        "{below:?}"
    );
    let stale = std::mem::replace(
        &mut stand.epoch,
        stand.ledger.take_over(run(), "second").await.unwrap(),
    );
    let refused = stand.ledger.reopen(run(), &stale, "a", usd(10), usd(20)).await;
    assert!(matches!(refused, Err(Error::StaleEpoch { .. })), "{refused:?}");
    assert_eq!(reopen(&stand, "a", 10, 20).await.unwrap(), Reopen::Reopened);
    assert_eq!(reopen(&stand, "a", 10, 20).await.unwrap(), Reopen::Already);
    stand.rig.restart().await;
    stand.ledger = stand.rig.ledger();
    assert_eq!(stand.books().await, (0, 4, 5), "what is gone stays gone");
    assert_eq!(stand.ledger.account(run()).await.unwrap().limit, usd(20));
    let again = stand
        .ledger
        .settle(run(), late, cost(3), done("late"))
        .await
        .unwrap();
    assert_eq!(
        again,
        Settle::Already,
        "it was audited, and stays at its worst case"
    );
    let tasks = vec![new_task(7, Stage::Generate), new_task(8, Stage::Generate)];
    let opened = stand.ledger.open(run(), &stand.epoch, tasks).await.unwrap();
    assert_eq!(opened, Open::Opened { fresh: 2 });
    stand.granted(7, 11).await;
    assert_eq!(
        stand.begin(8, 1).await,
        Begin::NoBudgetNow(Purse::Run),
        "9 gone + 11 held of 20"
    );
}

pub async fn the_coordinator_fails_what_cannot_be_done(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 3).await;
    let running = stand.granted(0, 5).await;
    let decided = stand.granted(2, 5).await;
    stand
        .ledger
        .settle(run(), decided, cost(1), done("kept"))
        .await
        .unwrap();
    let tasks = [0, 1, 2, 99].map(task_id);
    let fail = || stand.ledger.fail(run(), &stand.epoch, &tasks, "out of funds");
    assert_eq!(fail().await.unwrap(), 2);
    assert_eq!(fail().await.unwrap(), 0);
    assert_eq!(stand.begin(1, 5).await, Begin::Failed);
    let reply = stand
        .ledger
        .settle(run(), running, cost(2), done("too late"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: false });
    assert_eq!(stand.books().await, (0, 3, 0));
    let results = stand
        .ledger
        .results(run(), 0, 9, Default::default())
        .await
        .unwrap();
    let endings: Vec<_> = results
        .iter()
        .map(|settled| (settled.task, &settled.decision))
        .collect();
    let reason = "out of funds".to_owned();
    let failed = Decision::Failed { reason };
    let kept = Decision::Done(b"kept".to_vec());
    assert_eq!(
        endings,
        [(task_id(2), &kept), (task_id(0), &failed), (task_id(1), &failed)]
    );
}
