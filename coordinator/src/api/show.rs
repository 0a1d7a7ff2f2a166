//! Runs, workers and dead letters as the service shows them.

use std::collections::BTreeSet;

use gristmill_domain::by_recipe::{RecipeYield, told};
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState, Attempt, AttemptState};
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_ports::register::{DeadLetter, Ending, Run, Worker, WorkerReport};
use gristmill_proto::v1;
use tonic::Status;

use super::obstacles::obstacles;
use super::{Api, ledger_status};
use crate::Progress;
use crate::events::Events;

impl Api {
    /// A run with its books: the ledger's, or those it was archived with.
    pub(super) async fn show(&self, run: &Run, workers: &[Worker]) -> Result<v1::Run, Status> {
        let account = match self.services.ledger.account(run.run).await {
            // Its driver has not opened its books again yet.
            Ok(account) if account.state == AccountState::Closed && run.ending.is_none() => {
                Some(self.stored(run).await.unwrap_or(account))
            }
            Ok(account) => Some(account),
            Err(LedgerError::UnknownRun(_)) => self.stored(run).await,
            Err(error) => return Err(ledger_status(&error)),
        };
        let mut shown = shown(run, account.as_ref());
        if shown.reason.is_empty() {
            shown.reason = self.stops(run, shown.state());
        }
        match shown.state() {
            v1::RunState::Running => {
                let tasks = account.map(|account| account.counts).unwrap_or_default();
                shown.obstacles = obstacles(run.run, &tasks, workers);
            }
            v1::RunState::Finished => shown.dataset = self.services.dataset(run.run),
            v1::RunState::Unspecified
            | v1::RunState::Waiting
            | v1::RunState::Paused
            | v1::RunState::Frozen
            | v1::RunState::Cancelled
            | v1::RunState::Failed => {}
        }
        Ok(shown)
    }

    /// Why a run that could go on does not: what it needs cannot be used, or what stopped it last, until it has got over that.
    fn stops(&self, run: &Run, state: v1::RunState) -> String {
        let again = match state {
            v1::RunState::Waiting => "is taken up again by itself",
            v1::RunState::Running => "was taken up again",
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
        match progress.stopped.as_str() {
            "" => String::new(),
            stopped => format!("it stopped and {again}: {stopped}"),
        }
    }

    /// The account of a run that the ledger knows nothing of: closed, or about to be reopened.
    async fn stored(&self, run: &Run) -> Option<Account> {
        let state = (self.services.states)(run.run);
        let events = Events::load(state.as_ref()).await.ok()?;
        match run.ending {
            Some(_) => events.account().cloned(),
            None => events.reopened_account(),
        }
    }
}

fn shown(run: &Run, account: Option<&Account>) -> v1::Run {
    let progress: Progress = serde_json::from_slice(&run.report).unwrap_or_default();
    let (state, reason) = state(run, account);
    let books = account.map(Account::total).unwrap_or_default();
    v1::Run {
        run: run.run.to_string(),
        name: run.name.clone(),
        state: state.into(),
        reason,
        submitted_ms: run.submitted_ms,
        ended_ms: run.ended_ms,
        coordinator: run.holder.clone().unwrap_or_default(),
        progress: (!run.report.is_empty()).then(|| progress_out(&progress)),
        limit: account.map(|account| account.limit.into()),
        spent: Some(books.spent.into()),
        burned: Some(books.burned.into()),
        held: Some(books.started.into()),
        account: account.map(v1::Account::from),
        obstacles: Vec::new(),
        dataset: String::new(),
    }
}

fn state(run: &Run, account: Option<&Account>) -> (v1::RunState, String) {
    match &run.ending {
        Some(Ending::Finished) => return (v1::RunState::Finished, String::new()),
        Some(Ending::Cancelled) => return (v1::RunState::Cancelled, String::new()),
        Some(Ending::Failed { reason }) => return (v1::RunState::Failed, reason.clone()),
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
            (v1::RunState::Running, String::new())
        }
        Some(AccountState::Active | AccountState::Closed) | None => (v1::RunState::Waiting, String::new()),
    }
}

fn progress_out(progress: &Progress) -> v1::Progress {
    let stages = |counts: &std::collections::BTreeMap<Stage, u64>| {
        counts
            .iter()
            .map(|(stage, count)| (stage.to_string(), *count))
            .collect()
    };
    v1::Progress {
        phase: progress.phase.clone(),
        accepted: progress.accepted,
        decided: progress.decided,
        expected_rows: progress.expected_rows,
        expected_rows_low: progress.expected_between.0,
        expected_rows_high: progress.expected_between.1,
        expected_calls: progress.expected_calls,
        settled: progress.settled,
        settled_accepted: progress.settled_accepted,
        rejected: progress
            .rejected
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect(),
        running: stages(&progress.running),
        open: stages(&progress.open),
        concepts_met: progress.concepts.0,
        concepts_wanted: progress.concepts.1,
        concepts_all: progress.concepts_all,
        concepts: progress.furthest.iter().cloned().map(concept).collect(),
        in_batches: progress.in_batches,
        end: progress.end.clone(),
        short: progress.short.clone(),
        alerts: progress.alerts.clone(),
        teacher_checks: progress.teacher_checks.iter().map(teacher_check).collect(),
        recipes: told(&progress.recipes, progress.recipes_named)
            .iter()
            .map(recipe_yield)
            .collect(),
    }
}

fn recipe_yield(recipe: &RecipeYield) -> v1::RecipeYield {
    let RecipeYield {
        made,
        brought,
        rejected,
    } = recipe;
    v1::RecipeYield {
        recipe: made.recipe.clone(),
        version: made.version,
        digest: made.digest.clone(),
        candidates: brought.candidates,
        accepted: brought.accepted,
        calls: brought.calls,
        usd_micros: brought.usd_micros,
        rejected: rejected
            .iter()
            .map(|(reason, loss)| v1::Loss {
                reason: reason.as_str().to_owned(),
                rows: loss.rows,
                calls: loss.calls,
                usd_micros: loss.usd_micros,
                unasked: loss.unasked,
            })
            .collect(),
    }
}

fn teacher_check(check: &TeacherCheck) -> v1::TeacherCheck {
    v1::TeacherCheck {
        teacher: check.teacher.clone(),
        right: check.right,
        wrong: check.wrong,
        failed: check.failed,
        min_accuracy: check.min_accuracy,
    }
}

fn concept(concept: ConceptProgress) -> v1::Concept {
    v1::Concept {
        name: concept.concept,
        parent: concept.parent,
        target: concept.target,
        real: concept.real,
        synthetic: concept.synthetic,
        given_up: concept.given_up.map(|tried| v1::GivenUp {
            aimed: tried.aimed,
            counted: tried.counted,
        }),
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
    }
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
    use gristmill_domain::concept::GivenUp;

    use super::*;

    #[test]
    fn a_run_tells_where_its_concepts_stand() {
        let progress = Progress {
            concepts: (7, 40),
            concepts_all: 41,
            furthest: vec![ConceptProgress {
                concept: "renal dosing".to_owned(),
                parent: Some("kidney".to_owned()),
                target: 20,
                real: 3,
                synthetic: 4,
                given_up: Some(GivenUp {
                    aimed: 80,
                    counted: 0,
                }),
            }],
            ..Progress::default()
        };
        let told = progress_out(&progress);
        assert_eq!(
            (told.concepts_met, told.concepts_wanted, told.concepts_all),
            (7, 40, 41)
        );
        let concept = &told.concepts[0];
        assert_eq!(
            (concept.name.as_str(), concept.parent.as_deref()),
            ("renal dosing", Some("kidney"))
        );
        assert_eq!((concept.target, concept.real, concept.synthetic), (20, 3, 4));
        assert_eq!(concept.given_up.map(|tried| tried.aimed), Some(80));
    }
}
