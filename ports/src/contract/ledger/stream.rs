//! What passes between ledger and coordinator: results, absorbing, handing out, restarts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_domain::ledger::{Ending, Subtotal};
use gristmill_domain::stage::Stage;

use super::{Harness, LEASE_MS, REPUBLISH_MS, START_MS, Stand, cost, done, run, task_id};
use crate::ledger::{Absorbed, AttemptState, Begin, Settle};

/// Far longer than any reply takes, far shorter than a person waits for a hung test.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn results_come_in_order_and_wake_the_reader(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 3).await;
    let fences = [
        stand.granted(0, 5).await,
        stand.granted(1, 5).await,
        stand.granted(2, 5).await,
    ];
    let none = stand
        .ledger
        .results(run(), 0, 9, Duration::from_millis(20))
        .await
        .unwrap();
    assert_eq!(none, [], "nothing within the wait");
    let reader = Arc::clone(&stand.ledger);
    let waiting = tokio::spawn(async move { reader.results(run(), 0, 9, PATIENCE).await });
    let asked = Instant::now();
    stand
        .ledger
        .settle(run(), fences[2], cost(1), done("c"))
        .await
        .unwrap();
    let woken = waiting.await.unwrap().unwrap();
    assert!(
        asked.elapsed() < PATIENCE / 2,
        "woken by the settle, not by the clock"
    );
    assert_eq!(
        woken.iter().map(|settled| settled.task).collect::<Vec<_>>(),
        [task_id(2)]
    );
    for fence in [fences[0], fences[1]] {
        stand
            .ledger
            .settle(run(), fence, cost(1), done("x"))
            .await
            .unwrap();
    }
    let all = stand.ledger.results(run(), 0, 9, PATIENCE).await.unwrap();
    assert_eq!(
        all.iter().map(|settled| settled.task).collect::<Vec<_>>(),
        [task_id(2), task_id(0), task_id(1)],
        "in the order of their decisions"
    );
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    let page = stand
        .ledger
        .results(run(), all[0].seq, 1, PATIENCE)
        .await
        .unwrap();
    assert_eq!(page[..], all[1..2]);
    let ids = all.iter().map(|settled| settled.task).collect::<Vec<_>>();
    stand.ledger.absorb(run(), &stand.epoch, &ids).await.unwrap();
    let trimmed = stand
        .ledger
        .results(run(), 0, 9, Duration::from_millis(20))
        .await
        .unwrap();
    assert_eq!(
        trimmed,
        [],
        "absorbed entries are gone, and nothing newer is there"
    );
}

pub async fn absorbed_tasks_are_gone_when_nothing_of_them_runs(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 3).await;
    let slow = stand.granted(0, 5).await;
    stand.rig.set_clock(START_MS + LEASE_MS);
    stand.ledger.expire(run(), &stand.epoch).await.unwrap();
    let second = stand.granted(0, 6).await;
    stand.ledger.burn(run(), second, "reset", 0).await.unwrap();
    let third = stand.granted(0, 7).await;
    let reply = stand
        .ledger
        .settle(run(), slow, cost(2), done("a"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Corrected { decided: true });
    let tasks = [0, 1, 99].map(task_id);
    let absorbed = stand.ledger.absorb(run(), &stand.epoch, &tasks).await.unwrap();
    let expected = Absorbed {
        archived: 0,
        waiting: 1,
        absent: 1,
        unfinished: 1,
    };
    assert_eq!(absorbed, expected, "the third attempt still runs");
    assert_eq!(stand.begin(0, 5).await, Begin::AlreadySettled);
    let reply = stand
        .ledger
        .settle(run(), third, cost(7), done("c"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: false });
    assert_eq!(
        stand.begin(0, 5).await,
        Begin::Closed,
        "gone with its last attempt"
    );
    let reply = stand
        .ledger
        .settle(run(), third, cost(7), done("c"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Closed, "sent again");
    let again = stand.ledger.absorb(run(), &stand.epoch, &tasks).await.unwrap();
    assert_eq!((again.archived, again.absent), (0, 2));
    let subtotal =
        |account: &crate::ledger::Account| account.archived[&Stage::Generate]["teacher"][&Ending::Done];
    let account = stand.ledger.account(run()).await.unwrap();
    let expected = Subtotal {
        tasks: 1,
        attempts: 3,
        spent: cost(2) + cost(7),
        burned: cost(6),
    };
    assert_eq!(subtotal(&account), expected);
    assert_eq!(stand.books().await, (0, 9, 6));
    let left = stand.ledger.attempts(run(), task_id(0)).await.unwrap();
    assert_eq!(left.len(), 1, "the burned one may still be corrected");
    let reply = stand
        .ledger
        .settle(run(), second, cost(1), done("b"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Corrected { decided: false });
    let reply = stand
        .ledger
        .settle(run(), second, cost(1), done("b"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Already);
    assert_eq!(stand.books().await, (0, 10, 0));
    let account = stand.ledger.account(run()).await.unwrap();
    assert_eq!(subtotal(&account).spent, cost(2) + cost(7) + cost(1));
    assert_eq!(account.counts_total().held(), 2);
}

pub async fn due_tasks_are_handed_out_once_an_interval(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 4).await;
    let ledger = Arc::clone(&stand.ledger);
    let epoch = stand.epoch.clone();
    let due = async |limit| -> Vec<_> {
        let tasks = ledger.due(run(), &epoch, limit).await.unwrap();
        for task in &tasks {
            assert!(task.payload.starts_with(b"payload "), "{task:?}");
        }
        tasks.into_iter().map(|task| task.id).collect()
    };
    assert_eq!(due(2).await, [task_id(0), task_id(1)], "oldest first");
    stand.granted(3, 5).await;
    assert_eq!(due(9).await, [task_id(2)], "what runs is not handed out");
    assert_eq!(due(9).await, []);
    ledger.defer(run(), task_id(1), 500).await.unwrap();
    ledger.defer(run(), task_id(3), 500).await.unwrap();
    ledger.defer(run(), task_id(99), 500).await.unwrap();
    let until_ms = START_MS + 500;
    assert_eq!(stand.begin(1, 5).await, Begin::NotDue { until_ms });
    stand.rig.set_clock(until_ms);
    assert_eq!(
        due(9).await,
        [task_id(1)],
        "its delivery is gone, so it is handed out at once"
    );
    stand.rig.set_clock(START_MS + REPUBLISH_MS);
    assert_eq!(due(9).await, [task_id(0), task_id(2)], "no progress since");
    ledger.expire(run(), &stand.epoch).await.unwrap();
    assert_eq!(due(9).await, [task_id(3)], "its worker is gone");
}

pub async fn a_restart_loses_nothing(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 3).await;
    let settled = stand.granted(0, 5).await;
    stand
        .ledger
        .settle(run(), settled, cost(3), done("kept"))
        .await
        .unwrap();
    let running = stand.granted(1, 5).await;
    let account = stand.ledger.account(run()).await.unwrap();
    let results = stand.ledger.results(run(), 0, 9, PATIENCE).await.unwrap();
    stand.rig.restart().await;
    stand.ledger = stand.rig.ledger();
    let burns = stand.rig.restart_burns();
    assert_eq!(
        stand.ledger.results(run(), 0, 9, PATIENCE).await.unwrap(),
        results
    );
    let after = stand.ledger.account(run()).await.unwrap();
    assert_eq!(
        (after.epoch, after.limit, &after.archived),
        (account.epoch, account.limit, &account.archived)
    );
    let attempts = stand.ledger.attempts(run(), task_id(1)).await.unwrap();
    assert_eq!(attempts[0].state == AttemptState::Burned, burns);
    assert_eq!(stand.books().await, if burns { (0, 3, 5) } else { (5, 3, 0) });
    assert_eq!(stand.begin(0, 5).await, Begin::AlreadySettled);
    let reply = stand
        .ledger
        .settle(run(), running, cost(1), done("after"))
        .await
        .unwrap();
    let expected = if burns {
        Settle::Corrected { decided: true }
    } else {
        Settle::Booked { decided: true }
    };
    assert_eq!(reply, expected);
    stand.granted(2, 5).await;
}
