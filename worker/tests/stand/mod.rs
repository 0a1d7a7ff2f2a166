//! A worker between a ledger and queues in memory, on paused time, with the coordinator's sweep played by the test.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_blob::LocalBlobs;
use gristmill_domain::amount::Limit;
use gristmill_domain::chat::{Finish, Price, Prompt, Request, Response, Usage};
use gristmill_domain::id::{LineId, RunId};
use gristmill_domain::job::Filter;
use gristmill_domain::stage::Stage;
use gristmill_domain::validator::{Given, Settings};
use gristmill_domain::work::{Address, StageCall, Task, Work};
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::contract::batch_jobs::MemoryBatchJobs;
use gristmill_ports::contract::ledger::{MemoryLedger, START_MS};
use gristmill_ports::ledger::{Account, Epoch, Ledger, NewAccount, NewTask, Settled};
use gristmill_ports::limiter::{Limiter, Limits, ModelLine};
use gristmill_ports::model::{CallError, ChatModel};
use gristmill_ports::queue::Publisher;
use gristmill_proto::Envelope;
use gristmill_queue_memory::Queues;
use gristmill_worker::{Fixed, Handle, Model, Options, RunContext, RunContexts, Source, Worker};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const LEASE_MS: u64 = 30_000;
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// What a model says to a request, at a time since its start.
pub(crate) type Reply = Result<String, CallError>;

/// A model that logs its calls and does what the test says.
pub(crate) struct Scripted<F> {
    start: Instant,
    pub(crate) calls: Arc<Mutex<Vec<Duration>>>,
    script: F,
}

impl<F> Scripted<F> {
    pub(crate) fn new(script: F) -> Self {
        Self {
            start: Instant::now(),
            calls: Arc::default(),
            script,
        }
    }
}

#[async_trait]
impl<F, R> ChatModel for Scripted<F>
where
    F: Fn(usize, Duration) -> R + Send + Sync,
    R: Future<Output = Reply> + Send,
{
    async fn complete(&self, _request: &Request) -> Result<Response, CallError> {
        let at = self.start.elapsed();
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(at);
            calls.len() - 1
        };
        let text = (self.script)(number, at).await?;
        Ok(Response {
            text,
            thinking: String::new(),
            finish: Finish::Stop,
            usage: Usage {
                input_tokens: 10,
                cached_input_tokens: 0,
                output_tokens: 5,
            }
            .into(),
            model_version: "scripted-1".to_owned(),
        })
    }
}

pub(crate) struct Stand {
    pub(crate) run: RunId,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) blobs: Arc<LocalBlobs>,
    pub(crate) batch_jobs: Arc<MemoryBatchJobs>,
    epoch: Epoch,
    start: Instant,
    _folder: tempfile::TempDir,
}

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

impl Stand {
    /// Opens so many judgements; nothing is published yet.
    pub(crate) async fn new(tasks: u64) -> Self {
        Self::needing(tasks, &[]).await
    }

    /// Opens so many judgements that need a worker to be able to do something.
    pub(crate) async fn needing(tasks: u64, needs: &[&str]) -> Self {
        let needs: Vec<String> = needs.iter().map(|need| (*need).to_owned()).collect();
        let needing = |task| Task {
            needs: needs.clone(),
            ..task
        };
        Self::opening(tasks, needing).await
    }

    /// Opens so many tasks, each made of a judgement.
    pub(crate) async fn opening(tasks: u64, made: impl Fn(Task) -> Task) -> Self {
        let run = RunId::of(&[b"stand"]);
        let ledger = Arc::new(MemoryLedger::default());
        let account = NewAccount {
            run,
            limit: Limit {
                usd: None,
                calls: Some(1_000_000),
            },
            price_hash: "prices".to_owned(),
            lease_ms: LEASE_MS,
            republish_ms: 10_000,
        };
        ledger.create(account).await.unwrap();
        let epoch = ledger.take_over(run, "stand").await.unwrap();
        let tasks: Vec<Task> = (0..tasks).map(|index| made(task(run, index))).collect();
        let folder = tempfile::tempdir().unwrap();
        let stand = Self {
            run,
            ledger,
            queues: Arc::new(Queues::new(4_096)),
            tasks,
            blobs: Arc::new(LocalBlobs::new(folder.path())),
            batch_jobs: Arc::default(),
            epoch,
            start: Instant::now(),
            _folder: folder,
        };
        let opened = stand.tasks.iter().map(|task| NewTask {
            id: task.id,
            stage: Stage::Judge,
            model: "m".to_owned(),
            payload: stand.envelope(task),
            max_attempts: 5,
            max_voids: 64,
        });
        stand
            .ledger
            .open(run, &stand.epoch, opened.collect())
            .await
            .unwrap();
        stand
    }

    pub(crate) fn envelope(&self, task: &Task) -> Vec<u8> {
        let envelope = Envelope {
            run: self.run,
            task: task.clone(),
            trace: Default::default(),
        };
        envelope.encode().unwrap()
    }

    pub(crate) async fn publish(&self, task: usize) {
        let envelope = self.envelope(&self.tasks[task]);
        self.queues.publish(Stage::Judge, envelope).await.unwrap();
    }

    pub(crate) fn context(&self, chat: Arc<dyn ChatModel>, concurrency: u32, limits: Limits) -> RunContext {
        let model = Model {
            chat,
            price: Price::FREE,
            line: ModelLine {
                id: LineId::of(&[b"endpoint", b"key", b"m"]),
                limits,
            },
            concurrency,
            timeout: Duration::from_secs(120),
            batch: None,
        };
        RunContext {
            run: self.run,
            models: HashMap::from([("m".to_owned(), model)]),
            embedder: None,
            checker: Arc::from(Settings::default().open(Given::Nothing).unwrap()),
            filter: Filter::default(),
            blobs: Arc::clone(&self.blobs) as _,
        }
    }

    pub(crate) fn work(&self, context: RunContext, limiter: &Arc<dyn Limiter>, slots: usize) -> Running {
        self.work_with(
            Arc::new(Fixed::new(context)),
            limiter,
            slots,
            Duration::from_secs(20),
        )
    }

    pub(crate) fn work_with(
        &self,
        contexts: Arc<dyn RunContexts>,
        limiter: &Arc<dyn Limiter>,
        slots: usize,
        grace: Duration,
    ) -> Running {
        self.start(self.worker(contexts, limiter, grace), slots)
    }

    /// A worker that can do other things than this version can.
    pub(crate) fn work_able(
        &self,
        abilities: BTreeSet<String>,
        context: RunContext,
        limiter: &Arc<dyn Limiter>,
        slots: usize,
    ) -> Running {
        let worker = self.worker(Arc::new(Fixed::new(context)), limiter, Duration::from_secs(20));
        self.start(worker.able_to(abilities), slots)
    }

    fn worker(&self, contexts: Arc<dyn RunContexts>, limiter: &Arc<dyn Limiter>, grace: Duration) -> Worker {
        let options = Options {
            renew_every: Duration::from_millis(LEASE_MS / 4),
            grace,
        };
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let batch_jobs = Arc::clone(&self.batch_jobs) as Arc<dyn BatchJobs>;
        Worker::new(contexts, ledger, Arc::clone(limiter), batch_jobs, options)
    }

    fn start(&self, worker: Worker, slots: usize) -> Running {
        let source = Source {
            stage: Stage::Judge,
            consumer: self.queues.consumer(Stage::Judge).unwrap(),
            slots,
        };
        let (handle, stop) = (worker.handle(), CancellationToken::new());
        Running {
            handle,
            stop: stop.clone(),
            ended: tokio::spawn(worker.run(vec![source], stop)),
        }
    }

    /// The coordinator's part: lets the ledger's clock go on, burns leases that ran out, and publishes what is due.
    pub(crate) async fn sweep(&self) {
        tokio::time::sleep(SWEEP_EVERY).await;
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        self.ledger.set_clock(START_MS + now_ms);
        self.ledger.expire(self.run, &self.epoch).await.unwrap();
        let due = self.ledger.due(self.run, &self.epoch, 10_000).await.unwrap();
        for task in due {
            self.queues.publish(task.stage, task.payload).await.unwrap();
        }
    }

    /// Sweeps until every task is decided.
    pub(crate) async fn sweep_to_the_end(&self, within: Duration) -> Vec<Settled> {
        let deadline = Instant::now() + within;
        loop {
            let decided = self.results().await;
            if decided.len() == self.tasks.len() {
                return decided;
            }
            let account = self.account().await;
            assert!(
                Instant::now() < deadline,
                "{} of {} decided; {:?}",
                decided.len(),
                self.tasks.len(),
                account.state
            );
            self.sweep().await;
        }
    }

    pub(crate) async fn results(&self) -> Vec<Settled> {
        self.ledger
            .results(self.run, 0, 100_000, Duration::ZERO)
            .await
            .unwrap()
    }

    pub(crate) async fn account(&self) -> Account {
        self.ledger.account(self.run).await.unwrap()
    }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.ended.await.unwrap();
    }
}

/// Waits for a condition, for ten minutes of paused time at most.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(600);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn task(run: RunId, index: u64) -> Task {
    let address = Address {
        round: 0,
        index,
        step: StageCall {
            stage: Stage::Judge,
            ..StageCall::EMBED
        },
    };
    Task {
        id: address.task_id(run),
        address,
        model: "m".to_owned(),
        needs: Vec::new(),
        work: Work::Chat {
            reply: gristmill_domain::reply::Reply::judgement("grade"),
            subject: None,
            request: Request {
                prompt: Prompt::Raw(format!("Is {index} right?")),
                max_tokens: 100,
                temperature: 0.0,
                top_p: 1.0,
                seed: 0,
                stop: vec![],
                schema: None,
            },
        },
    }
}
