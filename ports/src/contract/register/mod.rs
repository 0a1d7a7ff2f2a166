//! What every register must do: scenarios by name, and a race for leases.
//!
//! An implementation gives a [`Harness`] and writes one line, `gristmill_ports::register_contract!(MyHarness)`, in a test file; it needs
//! `tokio` with its macros there. The register's clock is not the suite's to set: a lease that shall hold is an hour long, one that shall run
//! out is short and waited for.

mod leases;
mod letters;
mod memory;
mod race;
mod runs;
mod workers;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use tokio::time::{Instant, sleep};

pub use leases::*;
pub use letters::*;
pub use memory::MemoryRegister;
pub use race::*;
pub use runs::*;
pub use workers::*;

use crate::register::{NewRun, Register, Run, Submitted};

/// Starts empty registers.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty register.
    async fn start(&self) -> Rig;
}

/// One register under test.
pub struct Rig {
    /// The register.
    pub register: Arc<dyn Register>,
    /// What must live as long as the register: a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Where the clock of a new [`MemoryRegister`] stands, milliseconds.
pub const START_MS: u64 = 1_000_000;

/// One test a scenario.
#[macro_export]
macro_rules! register_contract {
    ($harness:expr) => {
        $crate::register_contract!(@async $harness,
            a_run_is_entered_once
            a_run_that_is_entered_again_is_as_old_as_it_was
            a_key_enters_one_run
            a_failed_run_is_taken_up_again
            a_finished_or_cancelled_run_stays_so
            a_run_that_is_over_is_taken_up_again_by_a_reopening
            runs_are_listed_the_newest_first
            active_runs_are_listed_the_oldest_first
            what_is_too_large_is_refused
            the_runs_that_ended_first_go_first
            a_lease_is_one_holders
            a_lease_that_ran_out_is_taken_over
            a_lease_that_ran_out_is_claimed_and_not_renewed
            a_lease_is_given_back_by_its_holder
            many_leases_are_renewed_at_once
            a_report_is_its_holders
            a_run_ends_once
            an_ended_run_is_nobodys
            what_is_not_known_is_nobodys
            a_worker_is_there_while_it_beats
            a_drained_worker_is_told_so
            a_worker_may_take_tasks_again
            workers_are_listed_by_name
            a_letter_is_buried_once
            letters_are_listed_the_newest_first
            a_letter_that_was_put_back_may_die_again
            letters_are_dropped
            the_oldest_letters_go_first
            the_largest_letters_do_not_pile_up
            each_run_has_one_holder_at_each_moment
        );
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $crate::contract::register::$scenario(&$harness).await;
        }
    )*};
}

/// A lease or a beat that does not run out while a test runs.
const LONG: Duration = Duration::from_secs(60 * 60);
/// One that does.
const SHORT: Duration = Duration::from_millis(40);

fn id(number: usize) -> RunId {
    RunId::of(&[b"contract", &number.to_le_bytes()])
}

fn new_run(number: usize) -> NewRun {
    NewRun {
        run: id(number),
        name: format!("job-{number}"),
        spec: format!("spec {number}").into_bytes(),
        request_id: format!("request {number}"),
        submitted_ms: None,
    }
}

/// Enters runs `0..count`.
async fn enter(register: &dyn Register, count: usize) {
    for number in 0..count {
        let submitted = register.submit(new_run(number)).await.unwrap();
        assert_eq!(submitted, Submitted::Created, "run {number}");
    }
}

async fn known(register: &dyn Register, number: usize) -> Run {
    register.get(id(number)).await.unwrap().unwrap()
}

fn ids(runs: &[Run]) -> Vec<RunId> {
    runs.iter().map(|run| run.run).collect()
}

/// Asks again and again until it is so; a test that waits too long has failed.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so().await {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
