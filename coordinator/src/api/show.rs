//! Runs, workers and dead letters as the service shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState, Attempt, AttemptState};
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_ports::line::{LineFailure, LineReport};
use gristmill_ports::register::{self, DeadLetter, Run, SILENT_FROM, Worker, WorkerReport};
use gristmill_proto::v1;
use tonic::Status;

use super::obstacles::obstacles;
use super::{Api, ledger_status};
use crate::Progress;
use crate::events::Events;
use crate::message::progress_message;

/// Who could do tasks.
#[derive(Default)]
pub(super) struct Workers {
    /// Workers that were heard of lately.
    pub(super) there: Vec<Worker>,
    /// Names of all that were drained, whether they are there or not.
    pub(super) drained: Vec<String>,
}

impl Api {
    /// A run with its books: the ledger's, or those it was archived with.
    pub(super) async fn show(&self, run: &Run, workers: &Workers) -> Result<v1::Run, Status> {
        let (account, stored) = match self.services.ledger.account(run.run).await {
            Ok(account) if account.state == AccountState::Closed && run.ending.is_none() => {
                self.stored(run, Some(account)).await
            }
            Ok(account) => (Some(account), None),
            Err(LedgerError::UnknownRun(_)) => self.stored(run, None).await,
            Err(error) => return Err(ledger_status(&error)),
        };
        let mut shown = shown(run, account.as_ref(), stored.as_ref());
        if run.ending.is_none() {
            shown.failures = failures(run.run, &workers.there);
        }
        if shown.reason.is_empty() {
            shown.reason = self.stops(run, shown.state());
        }
        match shown.state() {
            v1::RunState::Running => {
                let tasks = account.map(|account| account.counts).unwrap_or_default();
                shown.obstacles = obstacles(run.run, &tasks, &workers.there, &workers.drained);
            }
            v1::RunState::Finished => shown.dataset = self.services.dataset(run.run),
            v1::RunState::Unspecified
            | v1::RunState::Waiting
            | v1::RunState::Paused
            | v1::RunState::Frozen
            | v1::RunState::Assembling
            | v1::RunState::Cancelled
            | v1::RunState::Failed => {}
        }
        Ok(shown)
    }

    /// Why a run that could go on does not: what it needs cannot be used, or what stopped it last, until it has got over that.
    fn stops(&self, run: &Run, state: v1::RunState) -> String {
        let again = match state {
            v1::RunState::Waiting => "is taken up again by itself",
            v1::RunState::Running | v1::RunState::Assembling => "was taken up again",
            v1::RunState::Unspecified
            | v1::RunState::Paused
            | v1::RunState::Frozen
            | v1::RunState::Finished
            | v1::RunState::Cancelled
            | v1::RunState::Failed => return String::new(),
        };
        let faults = self.services.health.told();
        if !faults.is_empty() {
            return format!("{}; it goes on by itself once that is mended", faults.join("; "));
        }
        let progress: Progress = serde_json::from_slice(&run.report).unwrap_or_default();
        let reads = match (progress.taken_up, state) {
            (true, v1::RunState::Running) => {
                "a coordinator has taken it up and reads what is stored: rows are as they were told before that"
            }
            (true | false, _) => "",
        };
        match (progress.stopped.as_str(), reads) {
            ("", reads) => reads.to_owned(),
            (stopped, "") => format!("it stopped and {again}: {stopped}"),
            (stopped, reads) => format!("it stopped and {again}: {stopped}; {reads}"),
        }
    }

    /// The account of a run whose books are closed or gone, by its store, and how it has ended, where the register does not say so yet.
    async fn stored(&self, run: &Run, account: Option<Account>) -> (Option<Account>, Option<Ending>) {
        let state = (self.services.states)(run.run);
        let Ok(events) = Events::load(state.as_ref()).await else {
            return (account, None);
        };
        if run.ending.is_some() {
            return (events.account().cloned().or(account), None);
        }
        let Some(ended) = events.ended() else {
            // Its driver has not opened its books again yet.
            return (events.reopened_account().or(account), None);
        };
        let ending = Ending {
            state: match ended.end.is_some() || events.keeps_rows() {
                true => v1::RunState::Assembling,
                false => v1::RunState::Cancelled,
            },
            progress: ended.last_seen(),
        };
        (account.or_else(|| Some(ended.account.clone())), Some(ending))
    }
}

/// How a run has ended that the register takes for one that goes on.
struct Ending {
    state: v1::RunState,
    /// What could be seen of it last.
    progress: Progress,
}

fn shown(run: &Run, account: Option<&Account>, ending: Option<&Ending>) -> v1::Run {
    let reported: Option<Progress> = serde_json::from_slice(&run.report).ok();
    // A run that is taken up again has no report yet.
    let mut progress = reported.or_else(|| Some(ending?.progress.clone()));
    let (state, reason) = state(run, account, ending.map(|ending| ending.state));
    if state == v1::RunState::Cancelled
        && let Some(progress) = progress.as_mut().filter(|progress| !progress.has_ended())
    {
        // What is decided and not stored may be given up: until its driver has counted it, what is stored is shown.
        progress.close();
    }
    let books = account.map(Account::total).unwrap_or_default();
    v1::Run {
        run: run.run.to_string(),
        name: run.name.clone(),
        state: state.into(),
        reason,
        submitted_ms: run.submitted_ms,
        ended_ms: run.ended_ms,
        coordinator: run.holder.clone().unwrap_or_default(),
        progress: progress.as_ref().map(progress_message),
        limit: account.map(|account| account.limit.into()),
        spent: Some(books.spent.into()),
        burned: Some(books.burned.into()),
        held: Some(books.started.into()),
        account: account.map(v1::Account::from),
        obstacles: Vec::new(),
        failures: Vec::new(),
        dataset: String::new(),
    }
}

fn state(run: &Run, account: Option<&Account>, ending: Option<v1::RunState>) -> (v1::RunState, String) {
    match &run.ending {
        Some(register::Ending::Finished) => return (v1::RunState::Finished, String::new()),
        Some(register::Ending::Cancelled) => return (v1::RunState::Cancelled, String::new()),
        Some(register::Ending::Failed { reason }) => return (v1::RunState::Failed, reason.clone()),
        None => {}
    }
    match account.map(|account| &account.state) {
        Some(AccountState::Paused { reason }) => (v1::RunState::Paused, reason.clone()),
        // Nobody need act: whoever drives the run lifts it when the books are whole.
        Some(AccountState::Frozen {
            reason, shaken: true, ..
        }) => {
            let state = match run.holder {
                Some(_) => v1::RunState::Running,
                None => v1::RunState::Waiting,
            };
            (
                state,
                format!("{reason}; it goes on by itself, within about half a minute"),
            )
        }
        Some(AccountState::Frozen {
            reason,
            shaken: false,
            ..
        }) => (v1::RunState::Frozen, reason.clone()),
        Some(AccountState::Cancelled) => {
            let calls = account.map_or(0, |account| account.counts_total().running);
            let reason = match calls {
                0 => String::new(),
                calls => format!("{calls} calls are still in flight, and are booked when they end"),
            };
            (v1::RunState::Cancelled, reason)
        }
        Some(AccountState::Active | AccountState::Closed) | None if run.holder.is_some() => {
            (ending.unwrap_or(v1::RunState::Running), String::new())
        }
        Some(AccountState::Active | AccountState::Closed) | None => (v1::RunState::Waiting, String::new()),
    }
}

pub(super) fn attempt(attempt: &Attempt) -> v1::Attempt {
    let state = match attempt.state {
        AttemptState::Started { .. } => "started",
        AttemptState::Settled { .. } => "settled",
        AttemptState::Voided => "voided",
        AttemptState::Burned => "burned",
        AttemptState::LateSettled { .. } => "late_settled",
    };
    v1::Attempt {
        attempt: attempt.number,
        state: state.to_owned(),
        worst: Some(attempt.worst.into()),
        started_ms: attempt.begun_ms,
        ended_ms: attempt.ended_ms,
        note: attempt.note.clone(),
    }
}

/// A worker, without what it says of runs that are over: it may remember those for a while.
pub(super) fn worker(worker: Worker, goes_on: &BTreeSet<RunId>) -> v1::Worker {
    let mut told: Option<WorkerReport> = serde_json::from_slice(&worker.report).ok();
    if let Some(report) = &mut told {
        report.refused.retain(|run, _| goes_on.contains(run));
    }
    v1::Worker {
        worker: worker.worker,
        since_ms: worker.since_ms,
        beat_ms: worker.beat_ms,
        draining: worker.draining,
        report: told.map(report),
        silent_ms: worker.silent_ms,
    }
}

fn report(report: WorkerReport) -> v1::WorkerReport {
    v1::WorkerReport {
        version: report.version,
        stages: report
            .stages
            .into_iter()
            .map(|stage| v1::Stage::from(stage).into())
            .collect(),
        slots: report.slots.into(),
        in_flight: report
            .in_flight
            .into_iter()
            .map(|(stage, tasks)| (stage.to_string(), tasks as u64))
            .collect(),
        oldest_seconds: report.oldest_seconds,
        stopping: report.stopping,
        refused: report
            .refused
            .into_iter()
            .map(|(run, reason)| (run.to_string(), reason))
            .collect(),
        lines: report.lines.into_iter().map(line).collect(),
    }
}

fn line(line: LineReport) -> v1::LineReport {
    v1::LineReport {
        model: line.model,
        runs: line.runs.iter().map(RunId::to_string).collect(),
        state: line.state.name().to_owned(),
        wait_ms: line.wait_ms,
        in_flight: line.in_flight,
        requests: line.requests,
        input_tokens: line.input_tokens,
        output_tokens: line.output_tokens,
        latencies: line.latencies,
        errors: line.errors.into_iter().collect(),
        failures: line.failures.into_iter().map(failure).collect(),
    }
}

fn failure(failure: LineFailure) -> v1::LineFailure {
    v1::LineFailure {
        kind: failure.kind,
        calls: failure.calls,
        burned: failure.burned,
        ago_ms: failure.ago_ms,
        reason: failure.reason,
    }
}

/// What workers that are there say of calls to the run's models that failed, added up: of each model what matters most first.
fn failures(run: RunId, workers: &[Worker]) -> Vec<v1::ModelFailure> {
    let mut all: BTreeMap<(String, String), LineFailure> = BTreeMap::new();
    for worker in workers {
        if Duration::from_millis(worker.silent_ms) >= SILENT_FROM {
            continue;
        }
        let Ok(report) = serde_json::from_slice::<WorkerReport>(&worker.report) else {
            continue;
        };
        for line in report.lines.into_iter().filter(|line| line.runs.contains(&run)) {
            for mut failure in line.failures {
                failure.ago_ms += worker.silent_ms;
                let kind = failure.kind.clone();
                let sum = all
                    .entry((line.model.clone(), kind.clone()))
                    .or_insert_with(|| LineFailure {
                        kind,
                        ..LineFailure::default()
                    });
                sum.add(failure);
            }
        }
    }
    let mut sorted: Vec<(String, LineFailure)> = all
        .into_iter()
        .map(|((model, _), failure)| (model, failure))
        .collect();
    sorted.sort_by_cached_key(|(model, failure)| (model.clone(), failure.order()));
    sorted
        .into_iter()
        .map(|(model, told)| v1::ModelFailure {
            model,
            failure: Some(failure(told)),
        })
        .collect()
}

pub(super) fn letter(dead_letter: DeadLetter) -> v1::DeadLetter {
    v1::DeadLetter {
        number: dead_letter.number,
        stage: v1::Stage::from(dead_letter.dead.stage).into(),
        run: dead_letter
            .dead
            .run
            .map(|run| run.to_string())
            .unwrap_or_default(),
        reason: dead_letter.dead.reason,
        buried_ms: dead_letter.buried_ms,
        retried_ms: dead_letter.retried_ms,
        envelope: dead_letter.dead.envelope,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::Limit;
    use gristmill_ports::ledger::NewAccount;

    use super::*;

    #[test]
    fn a_run_whose_books_are_closed_is_ending_as_its_store_says() {
        let run = |holder: Option<&str>| Run {
            run: RunId::of(&[b"run"]),
            name: "job".to_owned(),
            submitted_ms: 1,
            ended_ms: None,
            ending: None,
            holder: holder.map(str::to_owned),
            report: Vec::new(),
            reported_ms: 0,
        };
        let mut account = Account::new(NewAccount {
            run: RunId::of(&[b"run"]),
            limit: Limit::default(),
            price_hash: "p".to_owned(),
            lease_ms: 1,
            republish_ms: 1,
        });
        let seen = |account: &Account, holder, stored| state(&run(holder), Some(account), stored).0;
        assert_eq!(seen(&account, Some("c"), None), v1::RunState::Running);
        account.state = AccountState::Closed;
        for (holder, stored, shown) in [
            (Some("c"), None, v1::RunState::Running),
            (
                Some("c"),
                Some(v1::RunState::Assembling),
                v1::RunState::Assembling,
            ),
            (Some("c"), Some(v1::RunState::Cancelled), v1::RunState::Cancelled),
            (None, Some(v1::RunState::Assembling), v1::RunState::Waiting),
        ] {
            assert_eq!(seen(&account, holder, stored), shown, "{holder:?} {stored:?}");
        }
    }

    #[test]
    fn what_fails_now_and_costs_most_comes_first_of_each_model() {
        let run = RunId::of(&[b"run"]);
        let failure = |kind: &str, calls, burned, ago_ms| LineFailure {
            kind: kind.to_owned(),
            calls,
            burned,
            ago_ms,
            reason: format!("answered {kind}, {ago_ms} ms ago"),
        };
        let worker = |silent_ms, runs: &[RunId], failures: &[LineFailure]| Worker {
            worker: "w".to_owned(),
            report: serde_json::to_vec(&WorkerReport {
                lines: vec![LineReport {
                    model: "teacher".to_owned(),
                    runs: runs.to_vec(),
                    failures: failures.to_vec(),
                    ..LineReport::default()
                }],
                ..WorkerReport::default()
            })
            .unwrap(),
            since_ms: 1,
            beat_ms: 2,
            silent_ms,
            draining: false,
        };
        let seen = failures(
            run,
            &[
                worker(
                    0,
                    &[run],
                    &[failure("429", 900, 0, 2_000), failure("502", 40, 40, 300_000)],
                ),
                worker(1_000, &[run], &[failure("500", 7, 7, 1_000)]),
                worker(0, &[run], &[failure("500", 5, 5, 4_000)]),
                worker(0, &[RunId::of(&[b"other"])], &[failure("500", 1, 1, 0)]),
                worker(60_000, &[run], &[failure("500", 1, 1, 0)]),
            ],
        );
        let told: Vec<_> = seen
            .iter()
            .map(|seen| seen.failure.as_ref().unwrap())
            .map(|told| (told.kind.as_str(), told.calls, told.burned, told.ago_ms))
            .collect();
        // A worker that is lost, and what other runs' calls came to, count for nothing.
        assert_eq!(
            told,
            [
                ("500", 12, 12, 2_000),
                ("429", 900, 0, 2_000),
                ("502", 40, 40, 300_000)
            ]
        );
        assert_eq!(
            seen[0].failure.as_ref().unwrap().reason,
            "answered 500, 1000 ms ago"
        );
    }

    #[test]
    fn a_worker_is_shown_without_what_it_says_of_runs_that_are_over() {
        let [on, over] = [&b"on"[..], b"over"].map(|name| RunId::of(&[name]));
        let said = WorkerReport {
            refused: BTreeMap::from([on, over].map(|run| (run, "no call is answered".to_owned()))),
            ..WorkerReport::default()
        };
        let there = Worker {
            worker: "w".to_owned(),
            report: serde_json::to_vec(&said).unwrap(),
            since_ms: 1,
            beat_ms: 2,
            silent_ms: 0,
            draining: false,
        };
        let refused = worker(there, &BTreeSet::from([on])).report.unwrap().refused;
        assert_eq!(refused.into_keys().collect::<Vec<_>>(), [on.to_string()]);
    }
}
