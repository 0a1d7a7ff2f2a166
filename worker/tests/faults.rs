//! What happens to deliveries, workers and handlers, and what must hold all the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::ledger::Decision;
use gristmill_ports::limiter::{Limiter, Limits};
use gristmill_worker::{NoContext, RunContext, RunContexts};
use stand::{Scripted, Stand, until};
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);

fn limiter() -> Arc<dyn Limiter> {
    Arc::new(LocalLimiter::default())
}

#[tokio::test(start_paused = true)]
async fn five_copies_of_every_message_shuffled_are_one_call_each() {
    let stand = Stand::new(40).await;
    let model = Arc::new(Scripted::new(async |number: usize, _| {
        tokio::time::sleep(Duration::from_millis(50 + 13 * (number as u64 % 7))).await;
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    // A multiplier that is prime to 200 puts the copies into another order.
    for position in 0..200 {
        stand.publish((position * 77 % 200) % 40).await;
    }
    let limiter = limiter();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            stand.work(
                stand.context(Arc::clone(&model) as _, 16, Limits::NONE),
                &limiter,
                16,
            )
        })
        .collect();
    let results = stand.sweep_to_the_end(MINUTE).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!((results.len(), calls.lock().unwrap().len()), (40, 40));
    let total = stand.account().await.total();
    assert_eq!(
        (total.spent.calls, total.burned.calls, total.started.calls),
        (40, 0, 0)
    );
}

/// A source of contexts that keeps the first who asks waiting.
struct Slow {
    context: Arc<RunContext>,
    asked: AtomicBool,
    go_on: Notify,
}

#[async_trait]
impl RunContexts for Slow {
    async fn context(&self, _run: RunId) -> Result<Arc<RunContext>, NoContext> {
        if !self.asked.swap(true, Ordering::SeqCst) {
            self.go_on.notified().await;
        }
        Ok(Arc::clone(&self.context))
    }
}

#[tokio::test(start_paused = true)]
async fn one_paused_before_begin_makes_no_call_when_it_was_done_elsewhere() {
    let stand = Stand::new(1).await;
    let model = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let calls = Arc::clone(&model.calls);
    let context = |stand: &Stand| stand.context(Arc::clone(&model) as _, 4, Limits::NONE);
    let slow = Arc::new(Slow {
        context: Arc::new(context(&stand)),
        asked: AtomicBool::new(false),
        go_on: Notify::new(),
    });
    let limiter = limiter();
    let paused = stand.work_with(Arc::clone(&slow) as _, &limiter, 1, MINUTE);
    stand.publish(0).await;
    until("the delivery is in hand", || {
        !paused.handle.in_flight().is_empty()
    })
    .await;
    let other = stand.work(context(&stand), &limiter, 1);
    stand.publish(0).await;
    stand.sweep_to_the_end(MINUTE).await;
    slow.go_on.notify_one();
    until("the paused one is done", || paused.handle.in_flight().is_empty()).await;
    assert_eq!(calls.lock().unwrap().len(), 1);
    paused.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_redelivered_while_it_runs_is_acked_and_not_called_again() {
    let stand = Stand::new(1).await;
    let answer = Arc::new(Notify::new());
    let model = Arc::new(Scripted::new({
        let answer = Arc::clone(&answer);
        move |_, _| {
            let answer = Arc::clone(&answer);
            async move {
                answer.notified().await;
                Ok("yes".to_owned())
            }
        }
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 4, Limits::NONE), &limiter, 4);
    stand.publish(0).await;
    until("the call", || calls.lock().unwrap().len() == 1).await;
    // Long enough for the lease to run out, were it not renewed.
    for _ in 0..200 {
        stand.publish(0).await;
        stand.sweep().await;
    }
    until("only the first is left", || {
        worker.handle.in_flight().values().sum::<usize>() == 1
    })
    .await;
    assert_eq!(calls.lock().unwrap().len(), 1);
    assert!(worker.handle.oldest_attempt().unwrap() >= Duration::from_secs(100));
    answer.notify_one();
    stand.sweep_to_the_end(MINUTE).await;
    assert_eq!(stand.account().await.total().burned.calls, 0);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_takes_nobody_with_it() {
    let stand = Stand::new(20).await;
    let model = Arc::new(Scripted::new(async |number: usize, _| {
        assert!(number != 3, "this call panics on purpose");
        Ok("yes".to_owned())
    }));
    let calls = Arc::clone(&model.calls);
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 2, Limits::NONE), &limiter, 2);
    for task in 0..20 {
        stand.publish(task).await;
    }
    let results = stand.sweep_to_the_end(2 * MINUTE).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result.decision, Decision::Done(_)))
    );
    // Its lease ran out and burned; another attempt was made.
    let total = stand.account().await.total();
    assert_eq!((total.spent.calls, total.burned.calls), (20, 1));
    assert_eq!(calls.lock().unwrap().len(), 21);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_grace_period_cuts_off_is_burned_and_done_again() {
    let stand = Stand::new(2).await;
    let hangs = Arc::new(Scripted::new(async |_, _| std::future::pending().await));
    let calls = Arc::clone(&hangs.calls);
    let limiter = limiter();
    let context = stand.context(hangs, 4, Limits::NONE);
    let worker = stand.work_with(
        Arc::new(gristmill_worker::Fixed::new(context)),
        &limiter,
        4,
        Duration::from_secs(5),
    );
    stand.publish(0).await;
    stand.publish(1).await;
    until("both calls", || calls.lock().unwrap().len() == 2).await;
    let handle = worker.handle.clone();
    worker.stop().await;
    assert!(handle.draining() && handle.in_flight().is_empty());
    let works = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let next = stand.work(stand.context(works, 4, Limits::NONE), &limiter, 4);
    let results = stand.sweep_to_the_end(2 * MINUTE).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result.decision, Decision::Done(_)))
    );
    let total = stand.account().await.total();
    assert_eq!((total.spent.calls, total.burned.calls), (2, 2));
    next.stop().await;
}

/// Knows its run after a while, and never another.
struct Later {
    context: Arc<RunContext>,
    known: AtomicBool,
}

#[async_trait]
impl RunContexts for Later {
    async fn context(&self, run: RunId) -> Result<Arc<RunContext>, NoContext> {
        if run != self.context.run {
            Err(NoContext::Never(format!("run {run} is none of mine")))
        } else if self.known.load(Ordering::SeqCst) {
            Ok(Arc::clone(&self.context))
        } else {
            Err(NoContext::NotYet("its job is not here yet".to_owned()))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_known_yet_waits_and_one_that_never_will_be_is_a_dead_letter() {
    let stand = Stand::new(3).await;
    let model = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let later = Arc::new(Later {
        context: Arc::new(stand.context(model, 4, Limits::NONE)),
        known: AtomicBool::new(false),
    });
    let limiter = limiter();
    let worker = stand.work_with(Arc::clone(&later) as _, &limiter, 4, MINUTE);
    for _ in 0..30 {
        stand.sweep().await;
    }
    assert!(stand.results().await.is_empty());
    later.known.store(true, Ordering::SeqCst);
    stand.sweep_to_the_end(MINUTE).await;

    use gristmill_ports::queue::Publisher;
    let stranger = gristmill_proto::Envelope {
        run: RunId::of(&[b"another"]),
        task: {
            let mut task = stand.tasks[0].clone();
            task.id = task.address.task_id(RunId::of(&[b"another"]));
            task
        },
        trace: Default::default(),
    };
    let mut dead = stand.queues.dead();
    for envelope in [stranger.encode().unwrap(), b"garbage".to_vec()] {
        let stage = gristmill_domain::stage::Stage::Judge;
        stand.queues.publish(stage, envelope.clone()).await.unwrap();
        let letter = dead.next().await.unwrap().unwrap();
        assert_eq!(letter.envelope, envelope);
        letter.receipt.ack().await.unwrap();
    }
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_report_lies_in_a_blob() {
    use gristmill_ports::blob::Blobs;
    let stand = Stand::new(2).await;
    let model = Arc::new(Scripted::new(async |number: usize, _| {
        let reason = "because it is so ".repeat(if number == 0 { 10 } else { 6_000 });
        Ok(format!("yes: {reason}"))
    }));
    let limiter = limiter();
    let worker = stand.work(stand.context(model, 1, Limits::NONE), &limiter, 1);
    let results = stand.sweep_to_the_end(MINUTE).await;
    let mut large = 0;
    for result in results {
        let Decision::Done(bytes) = result.decision else {
            panic!("{:?}", result.decision);
        };
        assert!(bytes.len() < 64 * 1024);
        if let gristmill_proto::Settlement::Blob(name) = gristmill_proto::decode_settlement(&bytes).unwrap() {
            let report = stand.blobs.read(&name).await.unwrap();
            assert!(report.len() > 64 * 1024 && name.starts_with("results-large/"));
            gristmill_proto::decode_report(&report).unwrap();
            large += 1;
        }
    }
    assert_eq!(large, 1);
    worker.stop().await;
}
