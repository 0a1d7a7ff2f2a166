//! The whole cluster as this coordinator sees it, for metrics that are the same at each coordinator.
//!
//! What cannot be seen is not shown: an old value would say that all is well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_coordinator::{Services, Standstill, standstill};
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_ports::metric::cluster::{
    QUEUE_CONSUMERS, QUEUE_READY, RUNS, STORE_AVAILABLE, STORE_SIZE, STUCK_RUNS, WORKERS,
};
use gristmill_ports::metric::{Sample, Source};
use gristmill_ports::queue::Depth;
use gristmill_ports::register::{Error, Run, SILENT_FROM, Worker, WorkerReport};

/// How many there are, by a word.
type Counts = BTreeMap<&'static str, u64>;

/// States of runs that have not ended.
const STATES: [&str; 4] = ["waiting", "running", "paused", "frozen"];
/// States of workers.
const WORKER_STATES: [&str; 3] = ["working", "draining", "silent"];
/// Why runs do not move.
const CAUSES: [&str; 6] = [
    "paused",
    "frozen",
    "no_coordinator",
    "no_worker",
    "stage_without_worker",
    "put_off",
];

/// What was last seen.
pub(super) struct Overview {
    store: String,
    space: Arc<Mutex<Looked>>,
    queues: Mutex<Vec<Sample>>,
    register: Mutex<Vec<Sample>>,
}

/// A look at the store's file system. A disk that hangs keeps one thread waiting, and nothing is shown meanwhile.
#[derive(Default)]
struct Looked {
    under_way: bool,
    samples: Vec<Sample>,
}

impl Overview {
    /// Nothing is seen yet. `store` is the path or URL of the store.
    pub(super) fn new(store: &str) -> Self {
        Self {
            store: store.to_owned(),
            space: Arc::default(),
            queues: Mutex::default(),
            register: Mutex::default(),
        }
    }

    /// Takes how full the queues are; none where RabbitMQ does not say.
    pub(super) fn queues(&self, depths: &[Depth]) {
        let samples = depths.iter().flat_map(|depth| {
            let queue = depth.stage.map_or("dead", |stage| stage.name());
            [
                sample(QUEUE_READY, Some(queue), depth.waiting),
                sample(QUEUE_CONSUMERS, Some(queue), depth.consumers),
            ]
        });
        keep(&self.queues, samples.collect());
    }

    /// Has the store's room looked at. Does not wait for it.
    pub(super) fn look_at_store(&self) {
        let mut looked = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut looked.under_way, true) {
            looked.samples.clear();
            return;
        }
        let (store, space) = (self.store.clone(), Arc::clone(&self.space));
        tokio::task::spawn_blocking(move || {
            let found = gristmill_blob::space(&store);
            let samples = found.into_iter().flat_map(|space| {
                [
                    sample(STORE_AVAILABLE, None, space.available),
                    sample(STORE_SIZE, None, space.size),
                ]
            });
            *space.lock().unwrap_or_else(PoisonError::into_inner) = Looked {
                under_way: false,
                samples: samples.collect(),
            };
        });
    }

    /// Looks at the register's runs and workers. A failure leaves nothing to show.
    pub(super) async fn look(&self, services: &Services) -> Result<(), Error> {
        let looked = look(services).await;
        let (samples, result) = match looked {
            Ok(samples) => (samples, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        keep(&self.register, samples);
        result
    }
}

impl Source for Overview {
    fn samples(&self) -> Vec<Sample> {
        let mut samples = seen(&self.queues);
        samples.extend(seen(&self.register));
        let looked = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        samples.extend_from_slice(&looked.samples);
        samples
    }
}

fn keep(place: &Mutex<Vec<Sample>>, samples: Vec<Sample>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = samples;
}

fn seen(place: &Mutex<Vec<Sample>>) -> Vec<Sample> {
    place.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

async fn look(services: &Services) -> Result<Vec<Sample>, Error> {
    let active = services.register.active().await?;
    let workers = services.register.workers().await?;
    let (mut states, mut causes) = (zeros(&STATES), zeros(&CAUSES));
    for run in &active {
        let account = services.ledger.account(run.run).await.ok();
        *states.entry(state(run, account.as_ref())).or_default() += 1;
        if let Some(cause) = cause(run, account.as_ref(), &workers) {
            *causes.entry(cause).or_default() += 1;
        }
    }
    let mut states_of_workers = zeros(&WORKER_STATES);
    for worker in &workers {
        *states_of_workers.entry(state_of(worker)).or_default() += 1;
    }
    let all = [(RUNS, states), (STUCK_RUNS, causes), (WORKERS, states_of_workers)];
    let samples = all.into_iter().flat_map(|(name, counts)| {
        let counts = counts.into_iter();
        counts.map(move |(word, count)| sample(name, Some(word), count))
    });
    Ok(samples.collect())
}

fn zeros(words: &[&'static str]) -> Counts {
    words.iter().map(|word| (*word, 0)).collect()
}

fn state(run: &Run, account: Option<&Account>) -> &'static str {
    match account.map(|account| &account.state) {
        Some(AccountState::Paused { .. }) => "paused",
        // Whoever drives the run lifts the other kind of freeze.
        Some(AccountState::Frozen { shaken: false, .. }) => "frozen",
        _ if run.holder.is_some() => "running",
        _ => "waiting",
    }
}

fn cause(run: &Run, account: Option<&Account>, workers: &[Worker]) -> Option<&'static str> {
    match state(run, account) {
        "waiting" => Some("no_coordinator"),
        "running" => {
            let tasks = account.map(|account| account.counts.clone()).unwrap_or_default();
            standstill(run.run, &tasks, workers).map(|found| match found {
                Standstill::NoWorker => "no_worker",
                Standstill::StageWithoutWorker => "stage_without_worker",
                Standstill::PutOff => "put_off",
            })
        }
        waits_for_a_person => Some(waits_for_a_person),
    }
}

fn state_of(worker: &Worker) -> &'static str {
    let stopping = || {
        let report: Option<WorkerReport> = serde_json::from_slice(&worker.report).ok();
        report.is_some_and(|report| report.stopping)
    };
    if Duration::from_millis(worker.silent_ms) >= SILENT_FROM {
        "silent"
    } else if worker.draining || stopping() {
        "draining"
    } else {
        "working"
    }
}

fn sample(name: &'static str, label: Option<&str>, value: u64) -> Sample {
    Sample {
        name,
        labels: label.map(str::to_owned).into_iter().collect(),
        value: value as f64,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::Limit;
    use gristmill_domain::id::RunId;
    use gristmill_domain::ledger::{Counts as TaskCounts, NewAccount};
    use gristmill_domain::stage::Stage;

    use super::*;

    fn run(holder: Option<&str>) -> Run {
        Run {
            run: RunId::of(&[b"run"]),
            name: String::new(),
            submitted_ms: 1,
            ended_ms: None,
            ending: None,
            holder: holder.map(str::to_owned),
            report: Vec::new(),
            reported_ms: 0,
        }
    }

    fn account(state: AccountState) -> Account {
        let mut account = Account::new(NewAccount {
            run: run(None).run,
            limit: Limit::default(),
            price_hash: String::new(),
            lease_ms: 1,
            republish_ms: 1,
        });
        let counts = TaskCounts {
            planned: 1,
            open: 1,
            ..TaskCounts::default()
        };
        account.counts.insert(Stage::Judge, counts);
        account.state = state;
        account
    }

    #[test]
    fn each_run_has_a_state_and_one_that_stands_still_a_cause() {
        let frozen = |shaken| AccountState::Frozen {
            reason: String::new(),
            shaken,
            paused: None,
        };
        let paused = AccountState::Paused {
            reason: String::new(),
        };
        let worker = Worker {
            worker: "w".to_owned(),
            report: serde_json::to_vec(&WorkerReport {
                stages: vec![Stage::Judge],
                ..WorkerReport::default()
            })
            .unwrap(),
            since_ms: 1,
            beat_ms: 1,
            silent_ms: 0,
            draining: false,
        };
        let silent = Worker {
            silent_ms: 8_000,
            ..worker.clone()
        };
        let draining = Worker {
            draining: true,
            ..worker.clone()
        };
        for (holder, state_of_account, worker, expected) in [
            (Some("c"), AccountState::Active, &worker, ("running", None)),
            (
                Some("c"),
                AccountState::Active,
                &silent,
                ("running", Some("no_worker")),
            ),
            (
                None,
                AccountState::Active,
                &worker,
                ("waiting", Some("no_coordinator")),
            ),
            (None, paused, &worker, ("paused", Some("paused"))),
            (None, frozen(false), &worker, ("frozen", Some("frozen"))),
            (Some("c"), frozen(true), &worker, ("running", None)),
        ] {
            let (run, account) = (run(holder), account(state_of_account));
            let workers = std::slice::from_ref(worker);
            let found = (state(&run, Some(&account)), cause(&run, Some(&account), workers));
            assert_eq!(found, expected, "{holder:?} {:?}", account.state);
        }
        assert_eq!(
            [state_of(&worker), state_of(&silent), state_of(&draining)],
            ["working", "silent", "draining"]
        );
    }

    #[test]
    fn what_is_not_seen_any_more_is_not_shown() {
        let overview = Overview::new("s3://bucket/folder");
        let depth = Depth {
            stage: None,
            waiting: 3,
            consumers: 1,
        };
        overview.queues(&[depth]);
        let expected = [
            sample(QUEUE_READY, Some("dead"), 3),
            sample(QUEUE_CONSUMERS, Some("dead"), 1),
        ];
        assert_eq!(overview.samples(), expected);
        overview.queues(&[]);
        assert_eq!(overview.samples(), []);
    }
}
