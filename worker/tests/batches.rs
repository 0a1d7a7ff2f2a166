//! The lane of batches between a scripted provider and a ledger in memory: what is refused, lost, left behind or forgotten.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use gristmill_domain::chat::{Finish, Response, Usage};
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::batch::{
    BatchId, BatchJobs, BatchLimits, BatchModel, BatchRequest, BatchResult, BatchState,
};
use gristmill_ports::ledger::{AccountState, Decision, Ledger};
use gristmill_ports::limiter::{Limiter, Limits};
use gristmill_ports::model::{CallError, Scope};
use gristmill_worker::{BatchLine, RunContext};
use stand::{Running, Scripted, Stand, until};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a scripted provider does beside answering.
#[derive(Default)]
struct Provider {
    /// Batches by what it calls them: the caller's name, and the requests.
    batches: BTreeMap<String, (String, Vec<String>)>,
    /// Receipts that are still to be lost.
    lost: u32,
    /// Requests that no batch may hold, by what they ask.
    refuses: Option<String>,
    /// Finds batches by the caller's name.
    finds: bool,
    /// Batches end when they are looked at.
    done: bool,
    /// Requests that results leave out, by what they ask.
    forgets: Option<String>,
    cancelled: Vec<String>,
    refused: u32,
}

#[derive(Clone, Default)]
struct Scene(Arc<Mutex<Provider>>);

impl Scene {
    fn set(&self, change: impl FnOnce(&mut Provider)) {
        change(&mut self.0.lock().unwrap());
    }

    fn see<T>(&self, look: impl FnOnce(&Provider) -> T) -> T {
        look(&self.0.lock().unwrap())
    }

    fn handed_in(&self) -> usize {
        self.see(|provider| provider.batches.len())
    }

    /// A context whose model is asked in batches here.
    fn context(&self, stand: &Stand, requests: usize) -> RunContext {
        let nobody = Scripted::new(async |_, _| panic!("a single call"));
        let mut context = stand.context(Arc::new(nobody), 4, Limits::NONE);
        context.models.get_mut("m").unwrap().batch = Some(BatchLine {
            model: Arc::new(self.clone()),
            requests,
            poll_every: Duration::from_secs(30),
        });
        context
    }

    fn worker(&self, stand: &Stand) -> Running {
        self.worker_of(stand, 100)
    }

    /// A worker whose batches hold so many requests.
    fn worker_of(&self, stand: &Stand, requests: usize) -> Running {
        let limiter: Arc<dyn Limiter> = Arc::new(LocalLimiter::default());
        stand.work(self.context(stand, requests), &limiter, 100)
    }
}

fn asked(request: &BatchRequest) -> String {
    format!("{:?}", request.request.prompt)
}

fn not_billed(scope: Scope) -> CallError {
    CallError::NotBilled {
        reason: "no".to_owned(),
        retry_after: None,
        scope,
    }
}

#[async_trait]
impl BatchModel for Scene {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            requests: 100,
            bytes: 1 << 20,
        }
    }

    async fn submit(&self, tag: &str, requests: &[BatchRequest]) -> Result<BatchId, CallError> {
        let mut provider = self.0.lock().unwrap();
        if let Some(refuses) = &provider.refuses
            && requests.iter().any(|request| asked(request).contains(refuses))
        {
            provider.refused += 1;
            return Err(not_billed(Scope::Request));
        }
        let id = format!("batch-{}", provider.batches.len());
        let forgets = provider.forgets.clone();
        let ids = requests
            .iter()
            .filter(|request| {
                forgets
                    .as_ref()
                    .is_none_or(|words| !asked(request).contains(words))
            })
            .map(|request| request.custom_id.clone())
            .collect();
        provider.batches.insert(id.clone(), (tag.to_owned(), ids));
        if provider.lost > 0 {
            provider.lost -= 1;
            return Err(CallError::Unknown {
                reason: "reset".to_owned(),
                retry_after: None,
            });
        }
        Ok(BatchId(id))
    }

    async fn find(&self, tag: &str) -> Result<Option<BatchId>, CallError> {
        let provider = self.0.lock().unwrap();
        let mut batches = provider.batches.iter();
        let found = batches.find(|(_, (name, _))| provider.finds && name == tag);
        Ok(found.map(|(id, _)| BatchId(id.clone())))
    }

    async fn poll(&self, batch: &BatchId) -> Result<BatchState, CallError> {
        let provider = self.0.lock().unwrap();
        let Some((_, requests)) = provider.batches.get(&batch.0) else {
            return Err(not_billed(Scope::Endpoint));
        };
        let total = requests.len() as u64;
        Ok(if provider.done {
            BatchState::Ended {
                answered: total,
                total,
            }
        } else {
            BatchState::Working { ended: 0, total }
        })
    }

    async fn results(
        &self,
        batch: &BatchId,
    ) -> Result<BoxStream<'static, Result<BatchResult, CallError>>, CallError> {
        let ids = self.see(|provider| provider.batches[&batch.0].1.clone());
        let answer = |custom_id| {
            Ok(BatchResult {
                custom_id,
                result: Ok(Response {
                    text: "yes".to_owned(),
                    thinking: String::new(),
                    finish: Finish::Stop,
                    usage: Usage {
                        input_tokens: 10,
                        cached_input_tokens: 0,
                        output_tokens: 5,
                    }
                    .into(),
                    model_version: "scripted-1".to_owned(),
                }),
            })
        };
        Ok(stream::iter(ids).map(answer).boxed())
    }

    async fn cancel(&self, batch: &BatchId) -> Result<(), CallError> {
        self.set(|provider| provider.cancelled.push(batch.0.clone()));
        Ok(())
    }
}

/// Settled, burned and started calls.
async fn calls(stand: &Stand) -> (u64, u64, u64) {
    let total = stand.account().await.total();
    (total.spent.calls, total.burned.calls, total.started.calls)
}

/// Sweeps for so long, or until it is so.
async fn sweep_until(stand: &Stand, what: &str, so: impl Fn() -> bool) {
    for _ in 0..7_200 {
        if so() {
            return;
        }
        stand.sweep().await;
    }
    panic!("waited in vain: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_hours_holds_no_slot_and_burns_nothing() {
    let (stand, scene) = (Stand::new(40).await, Scene::default());
    let worker = scene.worker(&stand);
    sweep_until(&stand, "the batch", || scene.handed_in() == 1).await;
    let later = Instant::now() + 20 * HOUR;
    while Instant::now() < later {
        tokio::time::sleep(MINUTE).await;
        stand.sweep().await;
        assert!(worker.handle.in_flight().is_empty(), "it holds no slot");
    }
    assert_eq!(stand.batch_jobs.out(stand.run).await.unwrap(), 40);
    assert_eq!((scene.handed_in(), calls(&stand).await), (1, (0, 0, 40)));
    scene.set(|provider| provider.done = true);
    stand.sweep_to_the_end(HOUR).await;
    assert_eq!((scene.handed_in(), calls(&stand).await), (1, (40, 0, 0)));
    worker.stop().await;
    assert_eq!(
        stand.batch_jobs.out(stand.run).await.unwrap(),
        0,
        "its batch_job is struck"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_full_waits_for_no_others() {
    let (stand, scene) = (Stand::new(25).await, Scene::default());
    scene.set(|provider| provider.done = true);
    let worker = scene.worker_of(&stand, 10);
    stand.sweep_to_the_end(MINUTE).await;
    let mut sizes: Vec<usize> =
        scene.see(|provider| provider.batches.values().map(|(_, ids)| ids.len()).collect());
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10]);
    assert_eq!(calls(&stand).await, (25, 0, 0));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_handed_in_is_booked_by_another() {
    let (stand, scene) = (Stand::new(30).await, Scene::default());
    let first = scene.worker(&stand);
    sweep_until(&stand, "the batch", || scene.handed_in() == 1).await;
    first.stop().await;
    // As if it had died: its batch jobs are in its hands until their lease runs out.
    let lease = Duration::from_secs(12);
    assert_eq!(stand.batch_jobs.claim("dead", lease).await.unwrap().len(), 1);
    let second = scene.worker(&stand);
    scene.set(|provider| provider.done = true);
    stand.sweep_to_the_end(10 * MINUTE).await;
    assert_eq!((scene.handed_in(), calls(&stand).await), (1, (30, 0, 0)));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_receipt_is_found_by_name_or_burned() {
    for finds in [true, false] {
        let (stand, scene) = (Stand::new(20).await, Scene::default());
        scene.set(|provider| (provider.lost, provider.finds, provider.done) = (1, finds, true));
        let worker = scene.worker(&stand);
        stand.sweep_to_the_end(10 * MINUTE).await;
        let expected = if finds { (1, (20, 0, 0)) } else { (2, (20, 20, 0)) };
        assert_eq!(
            (scene.handed_in(), calls(&stand).await),
            expected,
            "finds: {finds}"
        );
        worker.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_that_nobody_takes_does_not_stand_in_the_way_of_the_others() {
    let (stand, scene) = (Stand::new(16).await, Scene::default());
    scene.set(|provider| (provider.refuses, provider.done) = (Some("Is 11 right".to_owned()), true));
    let worker = scene.worker(&stand);
    let results = stand.sweep_to_the_end(10 * MINUTE).await;
    let failed: Vec<_> = results
        .iter()
        .filter(|result| matches!(result.decision, Decision::Failed { .. }))
        .map(|result| result.task)
        .collect();
    assert_eq!(failed, [stand.tasks[11].id]);
    assert_eq!(scene.see(|provider| provider.refused), 5, "16, 8, 4, 2 and 1");
    // The one that failed was told so by its provider, at no cost.
    assert_eq!(calls(&stand).await, (15, 0, 0));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_results_forget_is_burned_and_asked_again() {
    let (stand, scene) = (Stand::new(8).await, Scene::default());
    scene.set(|provider| (provider.forgets, provider.done) = (Some("Is 3 right".to_owned()), true));
    let worker = scene.worker(&stand);
    sweep_until(&stand, "a second batch", || {
        let second = scene.handed_in() == 2;
        if second {
            scene.set(|provider| provider.forgets = None);
        }
        second
    })
    .await;
    stand.sweep_to_the_end(10 * MINUTE).await;
    let (spent, burned, started) = calls(&stand).await;
    assert_eq!((spent, started), (8, 0));
    assert!(burned >= 1, "{burned} burned");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_calls_its_batches_back() {
    let (stand, scene) = (Stand::new(5).await, Scene::default());
    let worker = scene.worker(&stand);
    sweep_until(&stand, "the batch", || scene.handed_in() == 1).await;
    stand.ledger.cancel(stand.run).await.unwrap();
    until("the provider is told", || {
        scene.see(|provider| !provider.cancelled.is_empty())
    })
    .await;
    scene.set(|provider| provider.done = true);
    let deadline = Instant::now() + HOUR;
    while calls(&stand).await != (5, 0, 0) {
        assert!(Instant::now() < deadline, "what it had done is not booked");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        scene.see(|provider| provider.cancelled.len()),
        1,
        "once is enough"
    );
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_its_provider_does_not_know_any_more_pauses_the_run_and_is_over_with_its_loan() {
    let (stand, scene) = (Stand::new(5).await, Scene::default());
    let worker = scene.worker(&stand);
    sweep_until(&stand, "the batch", || scene.handed_in() == 1).await;
    scene.set(|provider| provider.batches.clear());
    let deadline = Instant::now() + HOUR;
    while !matches!(stand.account().await.state, AccountState::Paused { .. }) {
        assert!(Instant::now() < deadline, "nobody is told");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(calls(&stand).await, (0, 0, 5), "it may still be billed");
    for _ in 0..27 {
        tokio::time::sleep(HOUR).await;
        stand.sweep().await;
    }
    assert_eq!(calls(&stand).await, (0, 5, 0), "nothing is lent for ever");
    assert_eq!(stand.batch_jobs.out(stand.run).await.unwrap(), 0);
    worker.stop().await;
}
