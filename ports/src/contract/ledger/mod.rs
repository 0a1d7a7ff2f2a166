//! What every ledger must do: scenarios by name, races, and random histories beside [`MemoryLedger`].
//!
//! An implementation gives a [`Harness`] and writes one line, `gristmill_ports::ledger_contract!(MyHarness)`, in a test file; it needs
//! `tokio` with its macros there. Replies are spelled out in the scenarios, so that they do not depend on the shared rules;
//! the random histories compare with the pure rules and check B, R, L and S of the reliability table after each step.

mod memory;
mod money;
mod orders;
mod races;
mod random;
mod stream;

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::stage::Stage;

pub use memory::MemoryLedger;
pub use money::*;
pub use orders::*;
pub use races::*;
pub use random::random_histories;
pub use stream::*;

use crate::ledger::{Begin, Epoch, Fence, Ledger, NewAccount, NewTask, Nonce, Outcome};

/// Starts empty ledgers.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty ledger whose clock stands at 1,000,000 ms.
    async fn start(&self) -> Box<dyn Rig>;
}

/// One ledger under test.
#[async_trait]
pub trait Rig: Send {
    /// The ledger as it is now; another one after a restart.
    fn ledger(&self) -> Arc<dyn Ledger>;

    /// Sets the server's clock, forwards or backwards, in milliseconds.
    fn set_clock(&self, now_ms: u64);

    /// Ends the ledger's process or connection, and opens the same store again.
    async fn restart(&mut self);

    /// Whether a restart means that the workers are gone too, so that what was started burns at once.
    fn restart_burns(&self) -> bool;
}

/// Where the clock of a new ledger stands.
pub const START_MS: u64 = 1_000_000;
/// Lease in the suite's accounts.
pub const LEASE_MS: u64 = 30_000;
/// Republish interval in the suite's accounts.
pub const REPUBLISH_MS: u64 = 60_000;

/// One test a scenario.
#[macro_export]
macro_rules! ledger_contract {
    ($harness:expr) => {
        $crate::ledger_contract!(@async $harness,
            a_grant_is_repeated_for_its_nonce_and_nobody_else
            a_worn_nonce_gets_no_second_attempt
            a_settle_counts_once
            a_fence_is_checked_whole
            the_first_result_wins_and_all_money_is_booked
            a_late_settle_gives_the_task_its_result
            voids_cost_nothing_and_run_out
            attempts_run_out
            a_retry_waits
            usage_over_the_reservation_freezes
            stages_keep_their_share
            leases_are_renewed_and_the_clock_never_goes_back
            a_lent_attempt_outlasts_its_lease
            an_account_is_created_once
            tasks_open_once
            a_replaced_coordinator_is_refused
            pause_freeze_and_cancel_stop_only_open_and_begin
            a_raise_happens_once
            a_run_closes_when_nothing_is_open_and_then_its_books_stay
            a_closed_run_is_reopened_with_a_limit_that_covers_what_is_gone
            the_coordinator_fails_what_cannot_be_done
            results_come_in_order_and_wake_the_reader
            absorbed_tasks_are_gone_when_nothing_of_them_runs
            due_tasks_are_handed_out_once_an_interval
            a_restart_loses_nothing
            the_last_cent
            nothing_is_granted_after_a_cancel
            a_raise_against_begins
            two_copies_of_a_message
        );

        #[test]
        fn random_histories() {
            $crate::contract::ledger::random_histories(&$harness, 96);
        }
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $crate::contract::ledger::$scenario(&$harness).await;
        }
    )*};
}

fn run() -> RunId {
    RunId::of(&[b"contract"])
}

fn task_id(number: u32) -> TaskId {
    TaskId::of(&[b"contract", &number.to_le_bytes()])
}

/// So many micro-dollars, in one call.
fn cost(usd: u64) -> Amount {
    Amount {
        usd: MicroUsd(usd),
        calls: 1,
        input_tokens: 10 * usd,
        output_tokens: usd,
    }
}

fn usd(usd: u64) -> Limit {
    Limit {
        usd: Some(MicroUsd(usd)),
        calls: None,
    }
}

fn done(text: &str) -> Outcome {
    Outcome::Done(text.as_bytes().to_vec())
}

fn new_account(limit: u64) -> NewAccount {
    NewAccount {
        run: run(),
        limit: usd(limit),
        price_hash: "prices".to_owned(),
        lease_ms: LEASE_MS,
        republish_ms: REPUBLISH_MS,
    }
}

fn new_task(number: u32, stage: Stage) -> NewTask {
    NewTask {
        id: task_id(number),
        stage,
        model: "teacher".to_owned(),
        payload: format!("payload {number}").into_bytes(),
        max_attempts: 3,
        max_voids: 3,
    }
}

/// A ledger with an account, a coordinator, and tasks 0.. of stage generate.
struct Stand {
    rig: Box<dyn Rig>,
    ledger: Arc<dyn Ledger>,
    epoch: Epoch,
    nonces: u64,
}

impl Stand {
    async fn new(harness: &dyn Harness, limit: u64, tasks: u32) -> Self {
        let rig = harness.start().await;
        let ledger = rig.ledger();
        ledger.create(new_account(limit)).await.expect("create");
        let epoch = ledger.take_over(run(), "first").await.expect("take over");
        let batch = (0..tasks)
            .map(|number| new_task(number, Stage::Generate))
            .collect();
        ledger.open(run(), &epoch, batch).await.expect("open");
        Self {
            rig,
            ledger,
            epoch,
            nonces: 0,
        }
    }

    /// Begins with a nonce of its own.
    async fn begin(&mut self, task: u32, worst: u64) -> Begin {
        self.nonces += 1;
        self.begin_as(task, self.nonces, worst).await
    }

    async fn begin_as(&self, task: u32, nonce: u64, worst: u64) -> Begin {
        self.ledger
            .begin(run(), task_id(task), Nonce(nonce), cost(worst))
            .await
            .expect("begin")
    }

    async fn granted(&mut self, task: u32, worst: u64) -> Fence {
        match self.begin(task, worst).await {
            Begin::Granted { fence, .. } => fence,
            other => panic!("task {task}: expected a grant, got {other:?}"),
        }
    }

    /// Started, spent and burned, in micro-dollars.
    async fn books(&self) -> (u64, u64, u64) {
        let total = self.ledger.account(run()).await.expect("account").total();
        (total.started.usd.0, total.spent.usd.0, total.burned.usd.0)
    }
}
