//! Attempts and their money.

use gristmill_domain::amount::Amount;
use gristmill_domain::stage::Stage;

use super::{Harness, LEASE_MS, REPUBLISH_MS, START_MS, Stand, cost, done, new_task, run, task_id, usd};
use crate::ledger::{
    AccountState, AttemptState, Begin, Decision, Fence, Nonce, Outcome, Purse, Settle, VoidProof,
};

fn refused(reason: &str) -> VoidProof {
    VoidProof {
        reason: reason.to_owned(),
    }
}

pub async fn a_grant_is_repeated_for_its_nonce_and_nobody_else(harness: &dyn Harness) {
    let stand = Stand::new(harness, 100, 2).await;
    let first = stand.begin_as(0, 7, 5).await;
    let until_ms = START_MS + LEASE_MS;
    let fence = Fence {
        task: task_id(0),
        attempt: 1,
        nonce: Nonce(7),
    };
    assert_eq!(
        first,
        Begin::Granted {
            fence,
            lease_until_ms: until_ms
        }
    );
    assert_eq!(stand.begin_as(0, 7, 5).await, first, "the reply was lost");
    assert_eq!(stand.begin_as(0, 8, 5).await, Begin::Busy { until_ms });
    assert_eq!(stand.books().await, (5, 0, 0), "reserved once");
    assert!(
        matches!(stand.begin_as(1, 7, 5).await, Begin::Granted { .. }),
        "a nonce belongs to its task"
    );
    assert_eq!(stand.begin_as(99, 1, 5).await, Begin::Closed, "never opened");
}

pub async fn a_worn_nonce_gets_no_second_attempt(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    stand.granted(0, 5).await;
    stand.rig.set_clock(START_MS + LEASE_MS);
    assert_eq!(
        stand.begin_as(0, 1, 5).await,
        Begin::NotDue {
            until_ms: START_MS + LEASE_MS
        }
    );
    assert_eq!(stand.books().await, (0, 0, 5), "its lease had run out");
    let next = stand.granted(0, 5).await;
    assert_eq!(next.attempt, 2);
}

pub async fn a_settle_counts_once(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    let fence = stand.granted(0, 5).await;
    let settle = |amount, text| stand.ledger.settle(run(), fence, cost(amount), done(text));
    assert_eq!(settle(3, "a").await.unwrap(), Settle::Booked { decided: true });
    assert_eq!(settle(3, "a").await.unwrap(), Settle::Already);
    assert_eq!(settle(4, "b").await.unwrap(), Settle::Already);
    let late = stand.ledger.void(run(), fence, refused("no"), 0).await.unwrap();
    assert_eq!(late, Settle::Already);
    let late = stand.ledger.burn(run(), fence, "reset", 0).await.unwrap();
    assert_eq!(late, Settle::Already);
    assert_eq!(stand.books().await, (0, 3, 0));
    assert_eq!(stand.begin(0, 5).await, Begin::AlreadySettled);
    let results = stand
        .ledger
        .results(run(), 0, 10, Default::default())
        .await
        .unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].decision, Decision::Done(b"a".to_vec()));
    assert_eq!(results[0].cost, cost(3));
}

pub async fn a_fence_is_checked_whole(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 2).await;
    let fence = stand.granted(0, 5).await;
    let forged = [
        Fence {
            nonce: Nonce(99),
            ..fence
        },
        Fence { attempt: 2, ..fence },
        Fence {
            task: task_id(1),
            ..fence
        },
    ];
    for forged in forged {
        let reply = stand
            .ledger
            .settle(run(), forged, cost(1), done("x"))
            .await
            .unwrap();
        assert_eq!(reply, Settle::Unknown);
        let reply = stand.ledger.void(run(), forged, refused("x"), 0).await.unwrap();
        assert_eq!(reply, Settle::Unknown);
        let reply = stand.ledger.burn(run(), forged, "x", 0).await.unwrap();
        assert_eq!(reply, Settle::Unknown);
    }
    assert_eq!(stand.ledger.renew(run(), &forged).await.unwrap(), []);
    assert_eq!(stand.books().await, (5, 0, 0));
}

pub async fn the_first_result_wins_and_all_money_is_booked(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    let slow = stand.granted(0, 5).await;
    stand.rig.set_clock(START_MS + LEASE_MS);
    assert_eq!(stand.ledger.expire(run(), &stand.epoch).await.unwrap(), 1);
    assert_eq!(stand.books().await, (0, 0, 5));
    let quick = stand.granted(0, 6).await;
    let reply = stand
        .ledger
        .settle(run(), slow, cost(2), done("slow"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Corrected { decided: true });
    assert_eq!(stand.books().await, (6, 2, 0));
    assert_eq!(stand.begin(0, 5).await, Begin::AlreadySettled);
    let reply = stand
        .ledger
        .settle(run(), quick, cost(4), done("quick"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: false });
    let reply = stand
        .ledger
        .settle(run(), slow, cost(3), done("again"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Already, "corrected once");
    assert_eq!(stand.books().await, (0, 6, 0));
    let results = stand
        .ledger
        .results(run(), 0, 10, Default::default())
        .await
        .unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].decision, Decision::Done(b"slow".to_vec()));
    assert_eq!(results[0].attempts.len(), 2, "the log names both");
}

pub async fn a_late_settle_gives_the_task_its_result(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    let fence = stand.granted(0, 5).await;
    let reply = stand.ledger.burn(run(), fence, "lost touch", 500).await.unwrap();
    assert_eq!(reply, Settle::Booked { decided: false });
    let not_yet = Begin::NotDue {
        until_ms: START_MS + 500,
    };
    assert_eq!(stand.begin(0, 5).await, not_yet);
    let reply = stand
        .ledger
        .settle(run(), fence, cost(1), done("late"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Corrected { decided: true });
    assert_eq!(stand.books().await, (0, 1, 0));
    assert_eq!(stand.begin(0, 5).await, Begin::AlreadySettled);
}

pub async fn voids_cost_nothing_and_run_out(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    for void in 1..=3 {
        let fence = stand.granted(0, 5).await;
        assert_eq!(fence.attempt, void);
        let reply = stand
            .ledger
            .void(run(), fence, refused("HTTP 429"), 0)
            .await
            .unwrap();
        assert_eq!(reply, Settle::Booked { decided: void == 3 });
        assert_eq!(stand.books().await, (0, 0, 0));
    }
    assert_eq!(stand.begin(0, 5).await, Begin::Failed);
    let results = stand
        .ledger
        .results(run(), 0, 10, Default::default())
        .await
        .unwrap();
    let [settled] = &results[..] else {
        panic!("one result, got {results:?}")
    };
    assert!(
        matches!(&settled.decision, Decision::Failed { reason } if reason.contains("HTTP 429")),
        "{settled:?}"
    );
    assert!(
        settled
            .attempts
            .iter()
            .all(|attempt| attempt.state == AttemptState::Voided)
    );
    assert_eq!(settled.cost, Amount::ZERO);
}

pub async fn attempts_run_out(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 2).await;
    let fence = stand.granted(0, 5).await;
    let unusable = Outcome::Retry {
        reason: "no JSON".to_owned(),
        wait_ms: 0,
    };
    let reply = stand
        .ledger
        .settle(run(), fence, cost(4), unusable)
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: false });
    let fence = stand.granted(0, 5).await;
    stand.ledger.void(run(), fence, refused("429"), 0).await.unwrap();
    let fence = stand.granted(0, 5).await;
    stand.ledger.burn(run(), fence, "reset", 0).await.unwrap();
    stand.granted(0, 5).await;
    stand.rig.set_clock(START_MS + LEASE_MS);
    assert_eq!(
        stand.begin(0, 5).await,
        Begin::Failed,
        "the lease of the third that counts has run out"
    );
    assert_eq!(stand.books().await, (0, 4, 10));
    let fence = stand.granted(1, 5).await;
    let pointless = Outcome::Failed {
        reason: "the context is too long".to_owned(),
    };
    let reply = stand
        .ledger
        .settle(run(), fence, Amount::ZERO, pointless)
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: true });
    assert_eq!(stand.begin(1, 5).await, Begin::Failed);
    let counts = stand.ledger.account(run()).await.unwrap().counts_total();
    assert_eq!((counts.open, counts.failed, counts.running), (0, 2, 0));
    let results = stand
        .ledger
        .results(run(), 0, 10, Default::default())
        .await
        .unwrap();
    assert_eq!(results.len(), 2, "failed tasks are results too");
    assert_eq!(results[0].cost, cost(4) + cost(5) + cost(5));
}

pub async fn a_retry_waits(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 1).await;
    stand.ledger.due(run(), &stand.epoch, 9).await.unwrap();
    let fence = stand.granted(0, 5).await;
    let later = Outcome::Retry {
        reason: "empty".to_owned(),
        wait_ms: 700,
    };
    stand.ledger.settle(run(), fence, cost(1), later).await.unwrap();
    let until_ms = START_MS + 700;
    assert_eq!(stand.begin(0, 5).await, Begin::NotDue { until_ms });
    assert_eq!(stand.ledger.due(run(), &stand.epoch, 9).await.unwrap(), []);
    stand.rig.set_clock(until_ms);
    let due = stand.ledger.due(run(), &stand.epoch, 9).await.unwrap();
    assert_eq!(due.len(), 1, "published before the republish interval is over");
    assert_eq!(due[0].attempts, 1);
    assert_eq!(stand.granted(0, 5).await.attempt, 2);
}

pub async fn usage_over_the_reservation_freezes(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 3).await;
    let (first, second) = (stand.granted(0, 5).await, stand.granted(1, 5).await);
    let reply = stand
        .ledger
        .settle(run(), first, cost(120), done("dear"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: true });
    let account = stand.ledger.account(run()).await.unwrap();
    assert!(
        matches!(&account.state, AccountState::Frozen { reason, .. } if reason.contains(&task_id(0).to_string()))
    );
    assert_eq!(account.alerts_total, 1);
    assert_eq!(stand.begin(2, 1).await, Begin::Frozen);
    let reply = stand
        .ledger
        .settle(run(), second, cost(5), done("fine"))
        .await
        .unwrap();
    assert_eq!(reply, Settle::Booked { decided: true }, "what runs may settle");
    assert_eq!(stand.books().await, (0, 125, 0), "booked in full");
    stand.ledger.unfreeze(run()).await.unwrap();
    assert_eq!(stand.begin(2, 1).await, Begin::NoBudget(Purse::Run));
}

pub async fn stages_keep_their_share(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 10, 3).await;
    let judge = new_task(50, Stage::Judge);
    stand.ledger.open(run(), &stand.epoch, vec![judge]).await.unwrap();
    let shares = [(Stage::Generate, usd(6)), (Stage::Judge, usd(4))];
    stand
        .ledger
        .allocate(run(), &stand.epoch, shares.into())
        .await
        .unwrap();
    let fence = stand.granted(0, 5).await;
    assert_eq!(
        stand.begin(1, 2).await,
        Begin::NoBudgetNow(Purse::Stage),
        "five of six are held"
    );
    stand
        .ledger
        .settle(run(), fence, cost(5), done("a"))
        .await
        .unwrap();
    assert_eq!(stand.begin(1, 2).await, Begin::NoBudget(Purse::Stage));
    stand.granted(50, 4).await;
    stand
        .ledger
        .allocate(run(), &stand.epoch, Default::default())
        .await
        .unwrap();
    assert_eq!(
        stand.begin(1, 2).await,
        Begin::NoBudgetNow(Purse::Run),
        "the judge may leave some"
    );
    stand.granted(1, 1).await;
}

pub async fn leases_are_renewed_and_the_clock_never_goes_back(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 2).await;
    let (kept, lost) = (stand.granted(0, 5).await, stand.granted(1, 5).await);
    stand.rig.set_clock(START_MS + LEASE_MS - 1);
    assert_eq!(stand.ledger.renew(run(), &[kept]).await.unwrap(), [kept]);
    stand.rig.set_clock(START_MS + LEASE_MS);
    assert_eq!(stand.ledger.expire(run(), &stand.epoch).await.unwrap(), 1);
    assert_eq!(stand.ledger.renew(run(), &[kept, lost]).await.unwrap(), [kept]);
    stand.rig.set_clock(0);
    let until_ms = START_MS + 2 * LEASE_MS;
    assert_eq!(
        stand.begin(0, 5).await,
        Begin::Busy { until_ms },
        "an hour back moves no lease"
    );
    let next = stand.begin(1, 5).await;
    assert!(
        matches!(next, Begin::Granted { lease_until_ms, .. } if lease_until_ms == until_ms),
        "{next:?}"
    );
    stand.rig.set_clock(until_ms);
    assert_eq!(stand.ledger.expire(run(), &stand.epoch).await.unwrap(), 2);
    assert_eq!(stand.books().await, (0, 0, 15));
    stand.rig.set_clock(until_ms + REPUBLISH_MS);
    assert_eq!(stand.ledger.expire(run(), &stand.epoch).await.unwrap(), 0, "once");
}

pub async fn a_lent_attempt_outlasts_its_lease(harness: &dyn Harness) {
    let mut stand = Stand::new(harness, 100, 2).await;
    let (lent, held) = (stand.granted(0, 5).await, stand.granted(1, 5).await);
    let long = 10 * LEASE_MS;
    let unknown = Fence { attempt: 7, ..lent };
    assert_eq!(
        stand.ledger.lend(run(), &[lent, unknown], long).await.unwrap(),
        [lent],
        "what does not run is not lent"
    );
    assert_eq!(
        stand.ledger.renew(run(), &[lent, held]).await.unwrap(),
        [lent, held],
        "a renewal takes nothing of it away"
    );
    stand.rig.restart().await;
    stand.ledger = stand.rig.ledger();
    let burned = if stand.rig.restart_burns() { 5 } else { 0 };
    assert_eq!(
        stand.books().await,
        (10 - burned, 0, burned),
        "whoever works on what was lent did not end with the process"
    );
    stand.rig.set_clock(START_MS + long - 1);
    stand.ledger.expire(run(), &stand.epoch).await.unwrap();
    assert_eq!(stand.books().await, (5, 0, 5));
    stand.rig.set_clock(START_MS + long);
    assert_eq!(stand.ledger.expire(run(), &stand.epoch).await.unwrap(), 1);
    assert_eq!(stand.books().await, (0, 0, 10), "nothing is lent for ever");
}
