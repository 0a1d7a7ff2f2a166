//! Whole runs over a ledger, a queue and a store of their own: what comes of them does not depend on when a coordinator dies, and nothing is
//! paid twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_blob::LocalBlobs;
use gristmill_domain::amount::Amount;
use gristmill_domain::chat::Prompt;
use gristmill_domain::id::TaskId;
use gristmill_domain::row::Row;
use gristmill_domain::work::Report;
use gristmill_ports::contract::ledger::MemoryLedger;
use gristmill_ports::ledger::{Begin, Close, Nonce, Outcome, Raise, Settle};
use gristmill_ports::queue;
use gristmill_ports::trace::Untraced;
use gristmill_proto::{Envelope, encode_report};
use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::*;
use crate::closed::Closed;
use crate::events::Ended;
use crate::journal::TaskResult;
use crate::refill::refill;
use crate::scripted;
use crate::window::Window;

/// A queue in the order in which `picks` says; what is in it outlives a coordinator.
struct Queue {
    envelopes: Mutex<VecDeque<Vec<u8>>>,
    came: tokio::sync::Notify,
    picks: Mutex<VecDeque<usize>>,
}

#[async_trait]
impl Publisher for Queue {
    async fn publish(&self, _: Stage, envelope: Vec<u8>) -> Result<(), queue::Error> {
        self.envelopes.lock().unwrap().push_back(envelope);
        self.came.notify_one();
        Ok(())
    }
}

impl Queue {
    /// The next message, in whatever order the picks bring.
    async fn next(&self) -> Envelope {
        loop {
            {
                let mut envelopes = self.envelopes.lock().unwrap();
                if !envelopes.is_empty() {
                    let mut picks = self.picks.lock().unwrap();
                    let pick = picks.pop_front().unwrap_or(0);
                    picks.push_back(pick);
                    let at = pick % envelopes.len();
                    return Envelope::decode(&envelopes.remove(at).unwrap()).unwrap();
                }
            }
            self.came.notified().await;
        }
    }
}

/// Where a run lives: its ledger, its queue, its store, and what was asked of the model.
struct World {
    setup: Setup,
    seeds: SeedStore,
    ledger: MemoryLedger,
    queue: Queue,
    blobs: LocalBlobs,
    _folder: tempfile::TempDir,
    /// How often each task was carried out.
    done: Mutex<BTreeMap<TaskId, u32>>,
    /// What each task asked.
    asked: Mutex<BTreeMap<TaskId, Prompt>>,
    nonces: AtomicU64,
}

impl World {
    fn new(job: Value, picks: Vec<usize>) -> Self {
        let (setup, seeds) = scripted::setup(job);
        let folder = tempfile::tempdir().unwrap();
        Self {
            setup,
            seeds,
            ledger: MemoryLedger::default(),
            queue: Queue {
                envelopes: Mutex::default(),
                came: tokio::sync::Notify::new(),
                picks: Mutex::new(picks.into()),
            },
            blobs: LocalBlobs::new(folder.path()),
            _folder: folder,
            done: Mutex::default(),
            asked: Mutex::default(),
            nonces: AtomicU64::new(1),
        }
    }

    fn coordinator(&self, holder: &str) -> Coordinator<'_> {
        Coordinator {
            setup: &self.setup,
            seeds: &self.seeds,
            ledger: &self.ledger,
            upkeep: None,
            batch_jobs: None,
            queue: &self.queue,
            blobs: &self.blobs,
            account: NewAccount {
                run: self.setup.run,
                limit: Limit {
                    usd: None,
                    calls: self.setup.job.budget.calls,
                },
                price_hash: "free".into(),
                lease_ms: 30_000,
                republish_ms: 60_000,
            },
            holder: holder.into(),
            prices: HashMap::new(),
            options: Options {
                window: Window::new(32),
                max_attempts: 3,
                at_risk: 1.0,
                sweep_every: Duration::from_millis(20),
                propagator: std::sync::Arc::new(Untraced),
                gauges: crate::RunGauges::default(),
            },
            rounds: None,
            progress: watch::Sender::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Carries tasks out until `most` are settled.
    async fn work(&self, most: u64) {
        for _ in 0..most {
            let envelope = self.queue.next().await;
            let task = &envelope.task;
            if let Some(request) = task.work.request() {
                self.asked.lock().unwrap().insert(task.id, request.prompt.clone());
            }
            let nonce = Nonce(self.nonces.fetch_add(1, Ordering::Relaxed));
            let call = Amount {
                calls: 1,
                ..Amount::ZERO
            };
            let begun = self
                .ledger
                .begin(envelope.run, task.id, nonce, call)
                .await
                .unwrap();
            // Published twice, or beyond what is left: what is not granted is not done.
            let Begin::Granted { fence, .. } = begun else {
                continue;
            };
            *self.done.lock().unwrap().entry(task.id).or_default() += 1;
            let report = encode_report(&Report {
                output: scripted::teacher(task),
                model_version: "teacher-1".into(),
            });
            let done = Outcome::Done(report.unwrap());
            let settled = self.ledger.settle(envelope.run, fence, call, done).await.unwrap();
            assert_eq!(settled, Settle::Booked { decided: true });
        }
    }

    /// Runs to the end. Each number is how many tasks are settled before the coordinator is gone, whatever it was doing.
    async fn run(&self, lives: &[u64]) -> Finished {
        for (n, life) in lives.iter().enumerate() {
            let dies = async {
                tokio::select! {
                    finished = self.coordinator(&format!("life {n}")).run() => Some(finished.unwrap()),
                    () = self.work(*life) => None,
                }
            };
            if let Some(finished) = dies.await {
                return finished;
            }
        }
        tokio::select! {
            finished = self.coordinator("the last").run() => finished.unwrap(),
            () = self.work(u64::MAX) => unreachable!("there is always another task"),
        }
    }

    /// The stored rows of all rounds, without what depends on who was faster.
    async fn rows(&self) -> Vec<Row> {
        let journal = Journal::new(&self.blobs);
        let mut rows = Vec::new();
        for name in journal.all_segments(SegmentKind::Rows).await.unwrap() {
            let records = journal.rows(&name).await.unwrap();
            rows.extend(records.into_iter().map(|record| record.value));
        }
        scripted::settled(&rows)
    }

    async fn spent(&self) -> u64 {
        let account = self.ledger.account(self.setup.run).await.unwrap();
        assert_eq!(account.total().burned.calls, 0);
        account.total().spent.calls
    }
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test)
}

/// Further answers, rephrasings and new questions in a pilot and two rounds.
fn job() -> Value {
    json!({
        "seeds": {"path": "s.jsonl", "fields": {"references": "answer"}},
        "generate": {"strategy": "auto", "pilot": 0.2, "rounds": 2, "agreement": {"lead": 2}},
        "anchor": {"max_synthetic_share": 0.99},
        "budget": {"calls": 240},
    })
}

/// What comes of the job where nothing happens, and its rows.
fn undisturbed() -> &'static (Finished, Vec<Row>) {
    static RUN: OnceLock<(Finished, Vec<Row>)> = OnceLock::new();
    RUN.get_or_init(|| {
        on_one_thread(async {
            let world = World::new(job(), vec![0]);
            (world.run(&[]).await, world.rows().await)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_run_is_the_same_however_often_its_coordinator_dies(
        lives in prop::collection::vec(0u64..60, 0..5), picks in prop::collection::vec(0usize..64, 1..40),
    ) {
        let (expected, rows) = undisturbed();
        on_one_thread(async {
            let world = World::new(job(), picks);
            let finished = world.run(&lives).await;
            prop_assert_eq!(&finished.end, &expected.end);
            let plans = |finished: &Finished| -> Vec<Plan> { finished.rounds.iter().map(|round| round.plan.clone()).collect() };
            prop_assert_eq!(plans(&finished), plans(expected));
            prop_assert_eq!(&world.rows().await, rows);
            // Each task is carried out once, and is what was paid for.
            let done = world.done.lock().unwrap().clone();
            prop_assert!(done.values().all(|times| *times == 1), "{done:?}");
            prop_assert_eq!(world.spent().await, done.len() as u64);
            prop_assert!(world.spent().await <= 240);
            Ok(())
        })?;
    }
}

/// The same with a teacher that is the student, and half of the seeds to measure it by.
fn improving() -> Value {
    let mut job = job();
    job["holdout"] = json!({"validation": 0.5, "test": 0.0});
    job["student"] = json!({"model": "teacher", "min_accuracy": 0.01});
    job["anchor"] = json!({"max_synthetic_share": 0.9, "self_improvement": true});
    job
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn a_teacher_is_measured_once_however_often_its_coordinator_dies(
        lives in prop::collection::vec(0u64..5, 0..6), picks in prop::collection::vec(0usize..64, 1..20),
    ) {
        on_one_thread(async {
            let world = World::new(improving(), picks);
            let finished = world.run(&lives).await;
            let held_out = (0..6).filter(|ordinal| world.seeds.split(*ordinal) == Split::Validation).count() as u64;
            prop_assert!(held_out > 0);
            let check = finished.teacher_checks.first().cloned().unwrap();
            prop_assert_eq!(check.answered(), held_out, "{}", check);
            prop_assert!(check.passes(), "{}", check);
            let first = &finished.rounds[0].plan;
            prop_assert_eq!(&first.teacher_checks, &finished.teacher_checks);
            let done = world.done.lock().unwrap().clone();
            prop_assert!(done.values().all(|times| *times == 1), "{done:?}");
            // What was asked to measure it is paid for, and no row's.
            let rows = world.rows().await;
            let of_rows: u64 = rows.iter().map(|row| row.cost().calls).sum();
            prop_assert_eq!(world.spent().await, of_rows + held_out);
            // Told again, it asks nothing and says the same.
            let again = world.run(&[]).await;
            prop_assert_eq!(again.teacher_checks, finished.teacher_checks);
            prop_assert_eq!(world.spent().await, of_rows + held_out);
            Ok(())
        })?;
    }
}

#[test]
fn too_few_validation_rows_end_a_run_before_anything_is_asked() {
    on_one_thread(async {
        let mut job = improving();
        job["student"]["min_accuracy"] = json!(0.9);
        let world = World::new(job, vec![0]);
        let error = world.coordinator("one").run().await.unwrap_err().to_string();
        assert!(
            error.contains("at least 35 are needed to show that 90 % of its answers are right"),
            "{error}"
        );
        assert_eq!(world.spent().await, 0);
    });
}

#[test]
fn a_run_that_has_ended_is_told_as_it_was_and_costs_nothing_more() {
    on_one_thread(async {
        let world = World::new(job(), vec![3, 1]);
        let first = world.run(&[]).await;
        let spent = world.spent().await;
        let again = world.run(&[]).await;
        assert_eq!((again.end, again.rounds), (first.end, first.rounds));
        assert_eq!(world.spent().await, spent);
    });
}

#[test]
fn the_rows_of_a_run_are_those_that_its_rounds_report() {
    on_one_thread(async {
        let world = World::new(job(), vec![5, 0, 2]);
        let finished = world.run(&[25]).await;
        let rows = world.rows().await;
        let decided: u64 = finished.rounds.iter().map(|round| round.decided).sum();
        let accepted: u64 = finished.rounds.iter().map(|round| round.accepted).sum();
        assert_eq!(rows.len() as u64, decided);
        assert_eq!(rows.iter().filter(|row| row.accepted()).count() as u64, accepted);
        assert!(accepted > 0 && accepted < decided, "{accepted} of {decided}");
        let calls: u64 = rows.iter().map(|row| row.cost().calls).sum();
        assert_eq!(calls, world.spent().await, "every call is some row's");
        for strategy in Strategy::ALL {
            let tried = |row: &Row| row.strategy == strategy && !row.calibrates();
            let planned: u64 = finished.rounds.iter().map(|r| r.plan.candidates[strategy]).sum();
            assert_eq!(
                rows.iter().filter(|row| tried(row)).count() as u64,
                planned,
                "{strategy}"
            );
        }
    });
}

#[test]
fn the_prompts_of_each_row_are_told_as_they_were_asked() {
    on_one_thread(async {
        let world = World::new(job(), vec![2, 7, 0]);
        world.run(&[40]).await;
        let journal = Journal::new(&world.blobs);
        let mut results = Vec::new();
        for name in journal.all_segments(SegmentKind::Results).await.unwrap() {
            results.extend(journal.results(&name).await.unwrap());
        }
        let asked = world.asked.lock().unwrap().clone();
        let mut told = 0;
        for name in journal.all_segments(SegmentKind::Rows).await.unwrap() {
            for row in journal
                .rows(&name)
                .await
                .unwrap()
                .into_iter()
                .map(|record| record.value)
            {
                let tasks: Vec<TaskResult> = results
                    .iter()
                    .filter(|result| row.tasks.contains(&result.task))
                    .cloned()
                    .collect();
                let prompts = refill(&world.setup, &world.seeds, &world.blobs, &row, &tasks).await;
                let prompts = prompts.unwrap().unwrap();
                assert_eq!(prompts.len(), tasks.len(), "{row:?}");
                for filled in prompts {
                    assert_eq!(filled.prompt, asked[&filled.task], "{row:?}");
                    told += 1;
                }
            }
        }
        let paid = results.iter().filter(|result| result.cost.calls > 0).count();
        assert!(told > 100 && told == paid, "{told} of {paid}");
    });
}

#[test]
fn a_cancelled_run_keeps_the_rows_that_are_paid_for() {
    on_one_thread(async {
        let mut kept = Vec::new();
        for life in [1, 30, 90] {
            let world = World::new(job(), vec![3, 0, 1]);
            let (run, ledger) = (world.setup.run, &world.ledger);
            let works = async {
                world.work(life).await;
                ledger.cancel(run).await.unwrap();
                world.work(u64::MAX).await;
            };
            let ended = tokio::select! {
                ended = world.coordinator("one").run() => ended,
                () = works => unreachable!("there is always another message"),
            };
            assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
            let rows = world.rows().await;
            let accepted = rows.iter().filter(|row| row.accepted()).count() as u64;
            let in_vain = |row: &Row| {
                let rejection = row.rejection.as_ref();
                rejection.is_some_and(|rejection| rejection.detail.contains("the run was cancelled"))
            };
            let mut tail = rows.iter().rev().take_while(|row| !row.accepted());
            assert!(
                !tail.any(in_vain),
                "nothing is given up that no accepted row waits for"
            );
            let calls: u64 = rows.iter().map(|row| row.cost().calls).sum();
            assert!(calls <= world.spent().await);
            kept.push(accepted);

            // Gone through once more, it ends where it was cancelled.
            let epoch = ledger.account(run).await.unwrap().epoch;
            assert_eq!(ledger.close(run, &epoch).await.unwrap(), Close::Closed);
            let account = ledger.account(run).await.unwrap();
            let end = Ended {
                end: None,
                account: account.clone(),
                progress: Progress::default(),
            };
            Events::record_end(&world.blobs, end).await.unwrap();
            let closed = Closed(account);
            let again = Coordinator {
                ledger: &closed,
                queue: &closed,
                ..world.coordinator("two")
            };
            let finished = again.run().await.unwrap();
            assert_eq!(finished.end, End::Cancelled);
            let told: u64 = finished.rounds.iter().map(|round| round.accepted).sum();
            assert_eq!(told, accepted);
        }
        assert!(kept[0] == 0 && 0 < kept[1] && kept[1] < kept[2], "{kept:?}");
    });
}

#[test]
fn a_run_that_is_cancelled_while_nobody_drives_it_keeps_the_rows_that_are_paid_for() {
    on_one_thread(async {
        let world = World::new(job(), vec![3, 0, 1]);
        let (run, ledger) = (world.setup.run, &world.ledger);
        let first = world.coordinator("one");
        let seen = first.progress.subscribe();
        // It decides on more than it has stored, since rows are stored in order.
        let ahead = || {
            let now = seen.borrow();
            now.settled_accepted > now.accepted
        };
        let works = async {
            while !ahead() {
                world.work(1).await;
            }
        };
        tokio::select! {
            ended = first.run() => unreachable!("{ended:?}"),
            () = works => {}
        }
        let paid = seen.borrow().settled_accepted;
        ledger.cancel(run).await.unwrap();
        let second = world.coordinator("two");
        let seen = second.progress.subscribe();
        let ended = second.run().await;
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        let rows = world.rows().await;
        let accepted = rows.iter().filter(|row| row.accepted()).count() as u64;
        assert!(accepted >= paid, "{accepted} of {paid}");
        let mut last = seen.borrow().clone();
        last.close();
        assert_eq!(
            (last.decided, last.settled, last.settled_accepted),
            (rows.len() as u64, rows.len() as u64, accepted)
        );
    });
}

#[test]
fn tasks_that_the_budget_does_not_cover_are_told_from_those_that_failed_whoever_drives_the_run() {
    on_one_thread(async {
        let limit = |calls| Limit {
            usd: None,
            calls: Some(calls),
        };
        for more in [u64::MAX, 3] {
            let world = World::new(job(), vec![1]);
            let (run, ledger) = (world.setup.run, &world.ledger);
            let works = async {
                world.work(10).await;
                // A person sets a limit that does not cover what is open.
                let lowered = ledger.raise(run, "less", limit(240), limit(15)).await;
                assert_eq!(lowered.unwrap(), Raise::Raised);
                world.work(more).await;
            };
            let first = world.coordinator("one");
            let mut seen = first.progress.subscribe();
            let ended = tokio::select! {
                ended = first.run() => Some(ended.unwrap()),
                () = works => None,
            };
            if ended.is_none() {
                let second = world.coordinator("two");
                seen = second.progress.subscribe();
                tokio::select! {
                    ended = second.run() => drop(ended.unwrap()),
                    () = world.work(u64::MAX) => unreachable!("there is always another task"),
                }
            }
            let failed = ledger.account(run).await.unwrap().counts_total().failed;
            assert!(failed > 0, "the budget covered all tasks");
            assert_eq!(
                seen.borrow().unfunded.values().sum::<u64>(),
                failed,
                "no call failed"
            );
        }
    });
}

#[test]
fn a_run_that_is_cancelled_while_its_teacher_is_measured_is_cancelled_and_did_not_fail() {
    on_one_thread(async {
        let world = World::new(improving(), vec![0]);
        let works = async {
            world.work(1).await;
            world.ledger.cancel(world.setup.run).await.unwrap();
            world.work(u64::MAX).await;
        };
        let ended = tokio::select! {
            ended = world.coordinator("one").run() => ended,
            () = works => unreachable!("there is always another message"),
        };
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        assert!(world.rows().await.is_empty());
    });
}
