//! What a provider's limits, storms and failures make of the calls.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::ledger::AccountState;
use gristmill_ports::limiter::{Demand, Error, Limiter, Limits, ModelLine, Permit, Ticket};
use gristmill_ports::model::{CallError, Scope};
use stand::{Scripted, Stand};

const MINUTE: Duration = Duration::from_secs(60);

fn limiter() -> Arc<dyn Limiter> {
    Arc::new(LocalLimiter::default())
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_kept_in_every_minute_and_nearly_used() {
    let stand = Stand::new(1_300).await;
    let model = Arc::new(Scripted::new(async |_, _| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let limits = Limits {
        requests: Some(300),
        ..Limits::NONE
    };
    let workers: Vec<_> = (0..2)
        .map(|_| stand.work(stand.context(Arc::clone(&model) as _, 8, limits), &limiter, 8))
        .collect();
    stand.sweep_to_the_end(10 * MINUTE).await;
    for worker in workers {
        worker.stop().await;
    }
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), 1_300, "nobody called twice");
    let within = |from: Duration| {
        calls
            .iter()
            .filter(|at| **at >= from && **at <= from + MINUTE)
            .count()
    };
    let most = calls.iter().map(|at| within(*at)).max().unwrap();
    assert!(most <= 300, "{most} in a minute");
    let took = *calls.last().unwrap();
    assert!(took.as_secs_f64() < 60.0 * 1_300.0 / 300.0 / 0.95, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_were_not_used_are_spent_by_others() {
    // A bound of 180 tokens in and 100 out for each call, of which 10 and 5 are used: without refunds ten calls a minute.
    let stand = Stand::new(60).await;
    let model = Arc::new(Scripted::new(async |_, _| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok("yes".to_owned())
    }));
    let limiter = limiter();
    let limits = Limits {
        output_tokens: Some(1_000),
        ..Limits::NONE
    };
    let worker = stand.work(stand.context(model, 32, limits), &limiter, 32);
    let began = tokio::time::Instant::now();
    stand.sweep_to_the_end(10 * MINUTE).await;
    assert!(began.elapsed() < MINUTE, "{:?}", began.elapsed());
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_refusals_costs_few_calls() {
    let stand = Stand::new(200).await;
    // From the third second on, for half a minute, everything is refused.
    let model = Arc::new(Scripted::new(async |_, at: Duration| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if (3..33).contains(&at.as_secs()) {
            return Err(CallError::NotBilled {
                reason: "429 from the provider".to_owned(),
                retry_after: Some(Duration::from_secs(10)),
                scope: Scope::Throttled,
            });
        }
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            stand.work(
                stand.context(Arc::clone(&model) as _, 4, Limits::NONE),
                &limiter,
                8,
            )
        })
        .collect();
    for task in 0..200 {
        stand.publish(task).await;
    }
    stand.sweep_to_the_end(10 * MINUTE).await;
    for worker in workers {
        worker.stop().await;
    }
    let calls = calls.lock().unwrap().len();
    assert!(calls <= 220, "{calls} calls for 200 tasks");
    let total = stand.account().await.total();
    assert_eq!(
        (total.spent.calls, total.burned.calls),
        (200, 0),
        "refusals cost nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_among_answers_does_not_stop_the_others() {
    let stand = Stand::new(3_000).await;
    // One in twenty is refused for a second.
    let model = Arc::new(Scripted::new(async |number: usize, _| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number % 20 == 7 {
            return Err(CallError::NotBilled {
                reason: "429 from the provider".to_owned(),
                retry_after: Some(Duration::from_secs(1)),
                scope: Scope::Throttled,
            });
        }
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    let worker = stand.work(stand.context(model, 32, Limits::NONE), &limiter(), 32);
    stand.sweep_to_the_end(10 * MINUTE).await;
    worker.stop().await;
    // 32 places of 100 ms are 320 a second; the last ones refused come a second later.
    let took = *calls.lock().unwrap().last().unwrap();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_told_is_learned_by_all_workers_and_nearly_used() {
    let stand = Stand::new(1_500).await;
    // 300 in any minute, and the true time to wait.
    let let_in = std::sync::Mutex::new(Vec::<Duration>::new());
    let model = Arc::new(Scripted::new(move |_, at: Duration| {
        let mut let_in = let_in.lock().unwrap();
        let held = let_in.iter().rev().take_while(|t| **t + MINUTE > at).count();
        let wait =
            (held >= 300).then(|| let_in[let_in.len() - held] + MINUTE - at + Duration::from_millis(1));
        if wait.is_none() {
            let_in.push(at);
        }
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            match wait {
                None => Ok("yes".to_owned()),
                wait => Err(CallError::NotBilled {
                    reason: "429 from the provider".to_owned(),
                    retry_after: wait,
                    scope: Scope::Throttled,
                }),
            }
        }
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            stand.work(
                stand.context(Arc::clone(&model) as _, 8, Limits::NONE),
                &limiter,
                8,
            )
        })
        .collect();
    stand.sweep_to_the_end(20 * MINUTE).await;
    for worker in workers {
        worker.stop().await;
    }
    let calls = calls.lock().unwrap();
    assert!(
        calls.len() as f64 <= 1.1 * 1_500.0,
        "{} calls for 1,500 tasks",
        calls.len()
    );
    // The first 300 at once and a minute's wait, then five a second.
    let took = *calls.last().unwrap();
    assert!(took.as_secs_f64() < 60.0 * 5.0 / 0.9, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_is_left_alone_until_it_works() {
    let stand = Stand::new(100).await;
    let model = Arc::new(Scripted::new(async |_, at: Duration| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if at < Duration::from_secs(120) {
            return Err(CallError::Unknown {
                reason: "502 from the provider".to_owned(),
                retry_after: None,
            });
        }
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 4, Limits::NONE), &limiter, 8);
    for task in 0..100 {
        stand.publish(task).await;
    }
    stand.sweep_to_the_end(10 * MINUTE).await;
    let until = Duration::from_secs(120);
    let broken = calls.lock().unwrap().iter().filter(|at| **at < until).count();
    // Eight to be sure, those beside them, and a probe after 5, 10, 20, 40 and 80 seconds.
    assert!(broken <= 20, "{broken} calls to a broken endpoint");
    assert_eq!(stand.account().await.total().burned.calls, broken as u64);
    worker.stop().await;
}

/// A limiter whose store is away.
struct Away;

fn away() -> Error {
    Error {
        doing: "gave out a permit",
        source: "no connection".into(),
    }
}

#[async_trait]
impl Limiter for Away {
    async fn acquire(&self, _: &ModelLine, _: Demand) -> Result<Permit, Error> {
        Err(away())
    }

    async fn refund(&self, _: &ModelLine, _: Ticket, _: Demand) -> Result<(), Error> {
        Err(away())
    }

    async fn cool_down(&self, _: &ModelLine, _: Duration) -> Result<(), Error> {
        Err(away())
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_limiter_nobody_calls_and_nothing_is_lost() {
    let stand = Stand::new(10).await;
    let model = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let calls = Arc::clone(&model.calls);
    let away: Arc<dyn Limiter> = Arc::new(Away);
    let context = |stand: &Stand| stand.context(Arc::clone(&model) as _, 4, Limits::NONE);
    let worker = stand.work(context(&stand), &away, 4);
    for _ in 0..60 {
        stand.sweep().await;
    }
    assert!(calls.lock().unwrap().is_empty());
    let total = stand.account().await.total();
    assert_eq!((total.started.calls, total.burned.calls), (0, 0));
    worker.stop().await;
    let worker = stand.work(context(&stand), &limiter(), 4);
    stand.sweep_to_the_end(MINUTE).await;
    assert_eq!(calls.lock().unwrap().len(), 10);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_pauses_the_run_with_its_reason() {
    let stand = Stand::new(5).await;
    let model = Arc::new(Scripted::new(async |_, _| {
        Err(CallError::NotBilled {
            reason: "the account's quota is used up".to_owned(),
            retry_after: None,
            scope: Scope::Quota,
        })
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 1, Limits::NONE), &limiter, 1);
    for _ in 0..60 {
        stand.sweep().await;
    }
    let account = stand.account().await;
    assert!(
        format!("{:?}", account.state).contains("quota is used up"),
        "{:?}",
        account.state
    );
    assert_eq!(calls.lock().unwrap().len(), 1);
    assert_eq!(account.total().burned.calls, 0);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_read_pause_the_run_after_three_in_a_row() {
    let stand = Stand::new(8).await;
    let model = Arc::new(Scripted::new(async |number: usize, _| {
        // One that can be read begins the count anew.
        if number == 2 {
            return Ok("yes".to_owned());
        }
        Err(CallError::Unreadable {
            reason: format!("`m`: its answer is not a completion; it begins `<html>{number}`"),
        })
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 1, Limits::NONE), &limiter, 1);
    let mut state = stand.account().await.state;
    for _ in 0..200 {
        stand.sweep().await;
        state = stand.account().await.state;
        if state != AccountState::Active {
            break;
        }
    }
    let AccountState::Paused { reason } = state else {
        panic!("the run goes on: {state:?}");
    };
    assert!(
        reason.starts_with("3 answers in a row could not be read") && reason.contains("<html>5"),
        "{reason}"
    );
    assert_eq!(calls.lock().unwrap().len(), 6);
    let total = stand.account().await.total();
    assert_eq!(
        (total.spent.calls, total.burned.calls),
        (1, 5),
        "each was paid for"
    );
    worker.stop().await;
}
