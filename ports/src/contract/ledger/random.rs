//! Random histories: every operation in any order, sent twice, across restarts, clock steps and two coordinators, beside
//! [`MemoryLedger`], with the provider's own bill kept apart.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::stage::Stage;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{
    Harness, LEASE_MS, MemoryLedger, REPUBLISH_MS, Rig, START_MS, cost, done, new_account, new_task, run,
    task_id, usd,
};
use crate::ledger::{Begin, Decision, Epoch, Error, Fence, Ledger, NewTask, Nonce, Outcome, VoidProof};

const TASKS: u32 = 6;
/// Low, so that histories run into it.
const LIMIT: u64 = 20;

/// What a worker says about one of the attempts granted so far; the amounts come from the bill.
#[derive(Debug, Clone, Copy)]
enum Said {
    Done,
    Retry,
    Failed,
    Void,
    Burn,
}

#[derive(Debug, Clone)]
enum Op {
    Open {
        by: usize,
        task: u32,
    },
    Begin {
        task: u32,
        fresh: bool,
        worst: u64,
        billed: u64,
    },
    Say {
        attempt: usize,
        said: Said,
    },
    Renew,
    Lend,
    Defer {
        task: u32,
    },
    Expire {
        by: usize,
    },
    Due {
        by: usize,
    },
    Fail {
        by: usize,
        task: u32,
    },
    Absorb {
        by: usize,
        task: u32,
    },
    Allocate {
        by: usize,
        judge: u64,
    },
    Raise {
        id: u8,
        by: i64,
    },
    Pause,
    Resume,
    Freeze,
    Unfreeze,
    Cancel,
    Close {
        by: usize,
    },
    Reopen {
        by: usize,
        id: u8,
        more: i64,
    },
    TakeOver {
        by: usize,
    },
    Pass {
        ms: u64,
    },
    StepBack,
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let task = || 0..TASKS;
    let by = || prop_oneof![3 => Just(0usize), 1 => Just(1usize)];
    let said = prop_oneof![
        4 => Just(Said::Done), 2 => Just(Said::Retry), 1 => Just(Said::Failed), 2 => Just(Said::Void), 2 => Just(Said::Burn),
    ];
    prop_oneof![
        8 => (by(), task()).prop_map(|(by, task)| Op::Open { by, task }),
        20 => (task(), prop::bool::weighted(0.8), 1..9u64, 0..9u64)
            .prop_map(|(task, fresh, worst, billed)| Op::Begin { task, fresh, worst, billed: billed.min(worst) }),
        16 => (0..64usize, said).prop_map(|(attempt, said)| Op::Say { attempt, said }),
        2 => Just(Op::Renew),
        1 => Just(Op::Lend),
        2 => task().prop_map(|task| Op::Defer { task }),
        4 => by().prop_map(|by| Op::Expire { by }),
        4 => by().prop_map(|by| Op::Due { by }),
        2 => (by(), task()).prop_map(|(by, task)| Op::Fail { by, task }),
        6 => (by(), task()).prop_map(|(by, task)| Op::Absorb { by, task }),
        1 => (by(), 0..30u64).prop_map(|(by, judge)| Op::Allocate { by, judge }),
        1 => (0..3u8, -20..20i64).prop_map(|(id, by)| Op::Raise { id, by }),
        1 => Just(Op::Pause),
        3 => Just(Op::Resume),
        1 => Just(Op::Freeze),
        3 => Just(Op::Unfreeze),
        1 => prop::bool::weighted(0.1).prop_map(|yes| if yes { Op::Cancel } else { Op::Resume }),
        1 => by().prop_map(|by| Op::Close { by }),
        2 => (by(), 3..6u8, -20..20i64).prop_map(|(by, id, more)| Op::Reopen { by, id, more }),
        1 => by().prop_map(|by| Op::TakeOver { by }),
        6 => (0..LEASE_MS * 2).prop_map(|ms| Op::Pass { ms }),
        1 => Just(Op::StepBack),
        2 => Just(Op::Restart),
    ]
}

/// The world around the two ledgers: what workers, coordinators and the provider remember.
struct World {
    rig: Box<dyn Rig>,
    real: Arc<dyn Ledger>,
    pure: Arc<MemoryLedger>,
    now_ms: u64,
    nonces: u64,
    last_nonce: BTreeMap<u32, u64>,
    epochs: [Epoch; 2],
    /// By attempt, in the order of their grants: what the provider billed, in micro-dollars.
    bill: Vec<(Fence, u64)>,
    decided: BTreeMap<TaskId, Decision>,
    opened: Vec<u32>,
}

/// A reply as text; errors by what they say.
fn show<T: Debug>(reply: Result<T, Error>) -> String {
    match reply {
        Ok(reply) => format!("{reply:?}"),
        Err(error) => format!("refused: {error}"),
    }
}

fn holder(by: usize) -> String {
    format!("coordinator {by}")
}

impl World {
    async fn new(harness: &dyn Harness) -> Self {
        let rig = harness.start().await;
        let (real, pure) = (rig.ledger(), Arc::new(MemoryLedger::default()));
        let mut epochs = Vec::new();
        for ledger in [&real, &(Arc::clone(&pure) as Arc<dyn Ledger>)] {
            ledger.create(new_account(LIMIT)).await.expect("create");
            epochs.push(ledger.take_over(run(), &holder(0)).await.expect("take over"));
        }
        let [first, same] = epochs.try_into().expect("two ledgers");
        assert_eq!(first, same);
        Self {
            rig,
            real,
            pure,
            now_ms: START_MS,
            nonces: 0,
            last_nonce: BTreeMap::new(),
            epochs: [first.clone(), first],
            bill: Vec::new(),
            decided: BTreeMap::new(),
            opened: Vec::new(),
        }
    }

    /// Carries out one operation on both ledgers, twice when the first reply is lost, and checks what must hold.
    async fn step(&mut self, op: Op, lost: bool) {
        match op {
            Op::Pass { ms } => self.now_ms += ms,
            Op::StepBack => {
                self.rig.set_clock(self.now_ms / 2);
                self.pure.set_clock(self.now_ms / 2);
                self.compare(&Op::Renew).await;
            }
            Op::Restart => {
                self.rig.restart().await;
                self.real = self.rig.ledger();
                if self.rig.restart_burns() {
                    self.pure.orphan_all();
                }
            }
            ref op => {
                let op = self.prepare(op);
                self.compare(&op).await;
                if lost {
                    let before = self.books().await;
                    self.compare(&op).await;
                    assert_eq!(self.books().await, before, "sent again, counted twice: {op:?}");
                }
            }
        }
        self.rig.set_clock(self.now_ms);
        self.pure.set_clock(self.now_ms);
        self.check().await;
    }

    /// Fixes what must be the same when an operation is sent again.
    fn prepare(&mut self, op: &Op) -> Op {
        if let Op::Begin { task, fresh, .. } = op
            && (*fresh || !self.last_nonce.contains_key(task))
        {
            self.nonces += 1;
            self.last_nonce.insert(*task, self.nonces);
        }
        op.clone()
    }

    async fn compare(&mut self, op: &Op) {
        let real = self.apply(&Arc::clone(&self.real), op).await;
        let pure = self.apply(&(Arc::clone(&self.pure) as Arc<dyn Ledger>), op).await;
        assert_eq!(real, pure, "{op:?}");
    }

    async fn apply(&mut self, ledger: &Arc<dyn Ledger>, op: &Op) -> String {
        let run = run();
        match *op {
            Op::Open { by, task } => self.open(ledger, by, task).await,
            Op::Begin {
                task, worst, billed, ..
            } => {
                let nonce = Nonce(self.last_nonce[&task]);
                let reply = ledger.begin(run, task_id(task), nonce, cost(worst)).await;
                if let Ok(Begin::Granted { fence, .. }) = reply
                    && self.bill.iter().all(|(known, _)| *known != fence)
                {
                    self.bill.push((fence, billed));
                }
                show(reply)
            }
            Op::Say { attempt, said } => self.say(ledger, attempt, said).await,
            Op::Renew => {
                let fences: Vec<_> = self.bill.iter().map(|(fence, _)| *fence).collect();
                show(ledger.renew(run, &fences).await)
            }
            Op::Lend => {
                let fences: Vec<_> = self.bill.iter().map(|(fence, _)| *fence).collect();
                show(ledger.lend(run, &fences, 3 * LEASE_MS).await)
            }
            Op::Defer { task } => show(ledger.defer(run, task_id(task), 700).await),
            Op::Expire { by } => show(ledger.expire(run, &self.epochs[by]).await),
            Op::Due { by } => show(ledger.due(run, &self.epochs[by], 3).await),
            Op::Fail { by, task } => show(
                ledger
                    .fail(run, &self.epochs[by], &[task_id(task)], "ordered")
                    .await,
            ),
            Op::Absorb { by, task } => {
                let tasks = [task, (task + 1) % TASKS].map(task_id);
                show(ledger.absorb(run, &self.epochs[by], &tasks).await)
            }
            Op::Allocate { by, judge } => {
                let limits = [(Stage::Judge, usd(judge))].into();
                show(ledger.allocate(run, &self.epochs[by], limits).await)
            }
            Op::Raise { id, by } => {
                let limit = ledger.account(run).await.expect("account").limit;
                let raised = usd(limit.usd.unwrap_or_default().0.saturating_add_signed(by));
                show(ledger.raise(run, &id.to_string(), limit, raised).await)
            }
            Op::Pause => show(ledger.pause(run, "ordered").await),
            Op::Resume => show(ledger.resume(run).await),
            Op::Freeze => show(ledger.freeze(run, "ordered").await),
            Op::Unfreeze => show(ledger.unfreeze(run).await),
            Op::Cancel => show(ledger.cancel(run).await),
            Op::Close { by } => show(ledger.close(run, &self.epochs[by]).await),
            Op::Reopen { by, id, more } => {
                let limit = ledger.account(run).await.expect("account").limit;
                let new = usd(limit.usd.unwrap_or_default().0.saturating_add_signed(more));
                show(
                    ledger
                        .reopen(run, &self.epochs[by], &id.to_string(), limit, new)
                        .await,
                )
            }
            Op::TakeOver { by } => {
                let reply = ledger.take_over(run, &holder(by)).await;
                if let Ok(epoch) = &reply {
                    self.epochs[by] = epoch.clone();
                }
                show(reply)
            }
            Op::Pass { .. } | Op::StepBack | Op::Restart => String::new(),
        }
    }

    /// A task that was decided is not opened again: the coordinator knows what it has absorbed.
    async fn open(&mut self, ledger: &Arc<dyn Ledger>, by: usize, task: u32) -> String {
        if self.decided.contains_key(&task_id(task)) {
            return String::new();
        }
        let stage = if task.is_multiple_of(3) {
            Stage::Judge
        } else {
            Stage::Generate
        };
        let reply = ledger.open(
            run(),
            &self.epochs[by],
            vec![NewTask {
                max_attempts: 2,
                ..new_task(task, stage)
            }],
        );
        let reply = reply.await;
        if reply.is_ok() && !self.opened.contains(&task) {
            self.opened.push(task);
        }
        show(reply)
    }

    async fn say(&self, ledger: &Arc<dyn Ledger>, attempt: usize, said: Said) -> String {
        // The newest attempts are the most telling ones.
        let Some((fence, billed)) = self.bill.iter().rev().nth(attempt % 4) else {
            return String::new();
        };
        let (fence, actual) = (*fence, if *billed == 0 { Amount::ZERO } else { cost(*billed) });
        let settle = |outcome| ledger.settle(run(), fence, actual, outcome);
        let reason = "unusable".to_owned();
        show(match said {
            Said::Done => settle(done(&format!("result of {}", fence.attempt))).await,
            Said::Retry => settle(Outcome::Retry { reason, wait_ms: 900 }).await,
            Said::Failed => settle(Outcome::Failed { reason }).await,
            Said::Void if *billed == 0 => ledger.void(run(), fence, VoidProof { reason }, 300).await,
            Said::Void | Said::Burn => ledger.burn(run(), fence, "reset", 300).await,
        })
    }

    /// The account but for its clock, which moves by being looked at.
    async fn books(&self) -> crate::ledger::Account {
        let mut account = self.real.account(run()).await.expect("account");
        account.clock_ms = 0;
        account
    }

    async fn check(&mut self) {
        let account = self.books().await;
        let mut pure = self.pure.account(run()).await.expect("account");
        pure.clock_ms = 0;
        assert_eq!(account, pure);
        let (total, counts) = (account.total(), account.counts_total());
        let billed: u64 = self.bill.iter().map(|(_, billed)| billed).sum();
        assert!(
            billed <= total.used().usd.0,
            "B: billed {billed}, books {total:?}"
        );
        assert!(
            account.limit.covers(total.used()),
            "B: {total:?} over {:?}",
            account.limit
        );
        assert_eq!(counts.planned, counts.open + counts.done + counts.failed, "L");

        let results = self
            .real
            .results(run(), 0, 100, Duration::ZERO)
            .await
            .expect("results");
        let same = self
            .pure
            .results(run(), 0, 100, Duration::ZERO)
            .await
            .expect("results");
        assert_eq!(results, same);
        for settled in results {
            let first = self
                .decided
                .entry(settled.task)
                .or_insert_with(|| settled.decision.clone());
            assert_eq!(
                *first, settled.decision,
                "R: task {} has two results",
                settled.task
            );
        }

        let archived = account
            .archived
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values);
        let mut sums: [Amount; 3] = [Amount::ZERO; 3];
        for subtotal in archived {
            sums[1] += subtotal.spent;
            sums[2] += subtotal.burned;
        }
        for task in self.opened.iter().copied().map(task_id) {
            let attempts = self.real.attempts(run(), task).await.expect("attempts");
            assert_eq!(attempts, self.pure.attempts(run(), task).await.expect("attempts"));
            if self.pure.holds(run(), task) {
                for attempt in attempts {
                    sums[0] += attempt.started();
                    sums[1] += attempt.spent();
                    sums[2] += attempt.burned();
                }
            }
        }
        assert_eq!(sums, [total.started, total.spent, total.burned], "S");
    }
}

/// Runs this many random histories. `PROPTEST_CASES` in the environment overrides the number.
pub fn random_histories(harness: &dyn Harness, cases: u32) {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(cases);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let histories = proptest::collection::vec((op(), prop::bool::weighted(0.3)), 1..70);
    let outcome = TestRunner::new(config).run(&histories, |history| {
        runtime.block_on(async {
            let mut world = World::new(harness).await;
            for (op, lost) in history {
                world.step(op, lost).await;
            }
            world.finish().await;
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

impl World {
    /// Whatever has happened, the run can be brought to its end, and then the bill is covered by what is gone.
    async fn finish(&mut self) {
        let epoch = self.real.take_over(run(), "the last").await.expect("take over");
        self.now_ms += 2 * LEASE_MS + REPUBLISH_MS;
        self.rig.set_clock(self.now_ms);
        self.real.expire(run(), &epoch).await.expect("expire");
        let tasks: Vec<_> = (0..TASKS).map(task_id).collect();
        self.real
            .fail(run(), &epoch, &tasks, "the end")
            .await
            .expect("fail");
        self.real.absorb(run(), &epoch, &tasks).await.expect("absorb");
        let closed = self.real.close(run(), &epoch).await.expect("close");
        assert_eq!(closed, crate::ledger::Close::Closed);
        let account = self.real.account(run()).await.expect("account");
        let (total, counts) = (account.total(), account.counts_total());
        assert_eq!((counts.open, counts.running, counts.held()), (0, 0, 0), "L");
        let billed: u64 = self.bill.iter().map(|(_, billed)| billed).sum();
        assert!(
            billed <= total.gone().usd.0,
            "B at the close: billed {billed}, {total:?}"
        );
    }
}
