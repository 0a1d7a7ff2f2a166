//! Workers of different versions side by side.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::work::abilities;
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::limiter::{Limiter, Limits};
use stand::{Scripted, Stand};

const NEW: &str = "validator:of_tomorrow";

#[tokio::test(start_paused = true)]
async fn a_task_that_one_worker_cannot_do_is_done_by_another_and_never_buried() {
    let limiter = Arc::new(LocalLimiter::default()) as Arc<dyn Limiter>;
    let stand = Stand::needing(6, &[NEW]).await;
    let model = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let calls = Arc::clone(&model.calls);
    let context = || stand.context(Arc::clone(&model) as _, 4, Limits::NONE);

    let old = stand.work(context(), &limiter, 4);
    for _ in 0..10 {
        stand.sweep().await;
    }
    let counts = stand.account().await.counts_total();
    assert_eq!((counts.open, counts.failed), (6, 0), "nothing is given up");
    assert!(calls.lock().unwrap().is_empty(), "and nothing is asked");

    let mut able = abilities();
    able.insert(NEW.to_owned());
    let new = stand.work_able(able, context(), &limiter, 4);
    stand.sweep_to_the_end(Duration::from_secs(600)).await;
    assert_eq!(stand.account().await.counts_total().done, 6);
    old.stop().await;
    new.stop().await;
}

#[tokio::test(start_paused = true)]
async fn workers_that_cannot_do_a_runs_tasks_hold_up_nobody_who_can() {
    const TASKS: u64 = 100;
    let time_with = async |unable: usize| {
        let limiter = Arc::new(LocalLimiter::default()) as Arc<dyn Limiter>;
        let stand = Stand::needing(TASKS, &[NEW]).await;
        let model = Arc::new(Scripted::new(async |_, _| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok("yes".to_owned())
        }));
        let context = || stand.context(Arc::clone(&model) as _, 4, Limits::NONE);
        let mut workers: Vec<_> = (0..unable).map(|_| stand.work(context(), &limiter, 16)).collect();
        let mut able = abilities();
        able.insert(NEW.to_owned());
        workers.push(stand.work_able(able, context(), &limiter, 4));
        let began = tokio::time::Instant::now();
        stand.sweep_to_the_end(Duration::from_secs(600)).await;
        for worker in workers {
            worker.stop().await;
        }
        began.elapsed()
    };
    // Paused time: what the calls take, whatever this machine does beside.
    let (alone, beside_others) = (time_with(0).await, time_with(2).await);
    assert!(
        beside_others <= alone.mul_f64(1.2),
        "{beside_others:?} beside two that cannot, {alone:?} alone"
    );
}
