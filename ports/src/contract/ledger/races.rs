//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Harness, Stand, cost, done, run, task_id, usd};
use crate::ledger::{Begin, Fence, Ledger, Nonce, Purse, Raise};

/// Begins tasks `from..to`, one caller each, all at once.
async fn begin_all(ledger: &Arc<dyn Ledger>, tasks: std::ops::Range<u32>, worst: u64) -> Vec<Begin> {
    let callers: Vec<_> = tasks
        .map(|task| {
            let ledger = Arc::clone(ledger);
            let nonce = Nonce(u64::from(task) + 1_000);
            tokio::spawn(async move { ledger.begin(run(), task_id(task), nonce, cost(worst)).await })
        })
        .collect();
    let mut replies = Vec::new();
    for caller in callers {
        replies.push(caller.await.expect("joins").expect("begin"));
    }
    replies
}

fn fences(replies: &[Begin]) -> Vec<Fence> {
    let granted = |reply: &Begin| match reply {
        Begin::Granted { fence, .. } => Some(*fence),
        _ => None,
    };
    replies.iter().filter_map(granted).collect()
}

pub async fn the_last_cent(harness: &dyn Harness) {
    let stand = Stand::new(harness, 7 * 3 + 2, 500).await;
    let replies = begin_all(&stand.ledger, 0..500, 3).await;
    let granted = fences(&replies);
    assert_eq!(granted.len(), 7);
    let waiting = replies
        .iter()
        .filter(|reply| **reply == Begin::NoBudgetNow(Purse::Run));
    assert_eq!(waiting.count(), 493, "cost is held: the others wait");
    for fence in &granted {
        stand
            .ledger
            .settle(run(), *fence, cost(3), done("x"))
            .await
            .unwrap();
    }
    let replies = begin_all(&stand.ledger, 0..500, 3).await;
    let over = replies
        .iter()
        .filter(|reply| **reply == Begin::NoBudget(Purse::Run));
    assert_eq!(over.count(), 493, "they end cleanly");
    assert_eq!(stand.books().await, (0, 21, 0));
}

pub async fn nothing_is_granted_after_a_cancel(harness: &dyn Harness) {
    for _ in 0..8 {
        let stand = Stand::new(harness, 1_000, 200).await;
        let cancelled = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..200)
            .map(|task| {
                let (ledger, cancelled) = (Arc::clone(&stand.ledger), Arc::clone(&cancelled));
                tokio::spawn(async move {
                    let after = cancelled.load(Ordering::SeqCst);
                    let reply = ledger
                        .begin(run(), task_id(task), Nonce(1), cost(1))
                        .await
                        .unwrap();
                    (after, reply)
                })
            })
            .collect();
        stand.ledger.cancel(run()).await.unwrap();
        cancelled.store(true, Ordering::SeqCst);
        let mut granted = 0;
        for caller in callers {
            let (after, reply) = caller.await.expect("joins");
            granted += u64::from(matches!(reply, Begin::Granted { .. }));
            assert!(
                !after || reply == Begin::Cancelled,
                "begun after the cancel: {reply:?}"
            );
        }
        assert_eq!(stand.books().await, (granted, 0, 0));
        let replies = begin_all(&stand.ledger, 0..200, 1).await;
        assert!(replies.iter().all(|reply| *reply == Begin::Cancelled));
    }
}

pub async fn a_raise_against_begins(harness: &dyn Harness) {
    let stand = Stand::new(harness, 50, 300).await;
    let raises: Vec<_> = (0..8)
        .map(|_| {
            let ledger = Arc::clone(&stand.ledger);
            tokio::spawn(async move { ledger.raise(run(), "the same", usd(50), usd(90)).await.unwrap() })
        })
        .collect();
    let during = fences(&begin_all(&stand.ledger, 0..150, 1).await).len();
    let mut raised = 0;
    for raise in raises {
        match raise.await.expect("joins") {
            Raise::Raised => raised += 1,
            other => assert_eq!(other, Raise::Already),
        }
    }
    assert_eq!(raised, 1);
    let after = fences(&begin_all(&stand.ledger, 150..300, 1).await).len();
    assert_eq!(during + after, 90, "the raised limit, to the last cent");
}

pub async fn two_copies_of_a_message(harness: &dyn Harness) {
    let stand = Stand::new(harness, 1_000, 100).await;
    let copies = |offset: u64| {
        (0..100)
            .map(|task| {
                let ledger = Arc::clone(&stand.ledger);
                let nonce = Nonce(u64::from(task) * 2 + offset);
                tokio::spawn(async move { ledger.begin(run(), task_id(task), nonce, cost(1)).await.unwrap() })
            })
            .collect::<Vec<_>>()
    };
    let (first, second) = (copies(0), copies(1));
    for (a, b) in first.into_iter().zip(second) {
        let replies = [a.await.expect("joins"), b.await.expect("joins")];
        let granted = fences(&replies).len();
        let busy = replies
            .iter()
            .filter(|reply| matches!(reply, Begin::Busy { .. }))
            .count();
        assert_eq!((granted, busy), (1, 1), "one call: {replies:?}");
    }
    assert_eq!(stand.books().await, (100, 0, 0));
}
