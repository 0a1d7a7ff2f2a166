//! A run as the coordinator's service shows it: the same picture as of one in a folder.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_domain::amount::Limit;
use gristmill_domain::by_recipe::{Loss, RecipeYield, Yield};
use gristmill_domain::concept::{self, ConceptProgress};
use gristmill_domain::filter::Reason;
use gristmill_domain::ledger::Account;
use gristmill_domain::recipe::Made;
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{many, one_line};
use gristmill_ports::upkeep::PRESUMED;
use gristmill_proto::v1;

use crate::status::{CallFailure, ConceptsReached, RunState, RunStatus, lift_freeze};

/// A run with what it is doing: of a cluster, or in a folder, which knows more words for it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRun {
    /// The run.
    pub run: v1::Run,
    /// What it is doing, and why.
    pub state: RunState,
}

/// What a run is doing, and why.
pub fn state(run: &v1::Run) -> RunState {
    let word = match run.state() {
        v1::RunState::Unspecified => "unknown",
        v1::RunState::Waiting => "waiting for a coordinator",
        v1::RunState::Running => "running",
        v1::RunState::Paused => "paused",
        v1::RunState::Frozen => "frozen",
        v1::RunState::Assembling => "assembling",
        v1::RunState::Finished => "finished",
        v1::RunState::Cancelled => "cancelled",
        v1::RunState::Failed => "failed",
    };
    let way_out = match run.state() {
        v1::RunState::Paused => format!("`gristmill resume {}` lets it go on", run.run),
        v1::RunState::Frozen => lift_freeze(&run.run, limit(run)),
        v1::RunState::Failed => "once mended, submitting it again takes it up".to_owned(),
        v1::RunState::Cancelled => rows_to_keep(run),
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Assembling
        | v1::RunState::Finished => String::new(),
    };
    RunState {
        word,
        why: match run.obstacles.first() {
            Some(first) if run.reason.is_empty() => obstacle(first),
            Some(_) | None => run.reason.clone(),
        },
        way_out,
    }
}

/// True for a run that is finished or cancelled: nothing more is decided, and nothing more is expected.
pub fn is_over(run: &v1::Run) -> bool {
    matches!(run.state(), v1::RunState::Finished | v1::RunState::Cancelled)
}

/// What becomes of the rows that a cancelled run had accepted, where they are in no dataset.
fn rows_to_keep(run: &v1::Run) -> String {
    let accepted = run
        .progress
        .as_ref()
        .map_or(0, |progress| progress.accepted.max(progress.settled_accepted));
    // The reason of a cancelled run that has ended is that its folder was deleted.
    let deleted = run.ended_ms.is_some() && !run.reason.is_empty();
    if accepted == 0 || deleted || !run.dataset.is_empty() {
        return String::new();
    }
    format!(
        "no dataset holds its {}: `gristmill cancel {} --keep` makes one",
        many(accepted, "accepted row"),
        run.run
    )
}

/// `tasks wait at 3 of 4 workers: this worker gives no job the variable … (a, b and 1 more)`.
pub fn obstacle(obstacle: &v1::Obstacle) -> String {
    let v1::Obstacle {
        reason,
        workers,
        of,
        names,
    } = obstacle;
    if *of == 0 {
        return format!("tasks wait: {reason}");
    }
    let named = names
        .iter()
        .map(|name| one_line(name))
        .collect::<Vec<_>>()
        .join(", ");
    let more = match u64::from(*workers).saturating_sub(names.len() as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let who = match names.is_empty() {
        true => String::new(),
        false => format!(" ({named}{more})"),
    };
    format!("tasks wait at {workers} of {of} workers: {reason}{who}")
}

/// The run's limit; without any before its first task.
pub fn limit(run: &v1::Run) -> Limit {
    run.limit.unwrap_or_default().into()
}

/// How long the oldest ready task of each stage waits at least, seconds, at this time (Unix milliseconds); nothing of a run that does not go on.
pub fn ready_seconds(run: &v1::Run, now_ms: u64) -> BTreeMap<Stage, u64> {
    let driven = run.state() == v1::RunState::Running;
    let since = run
        .progress
        .iter()
        .filter(|_| driven)
        .flat_map(|progress| &progress.ready_since_ms);
    // The books are newer than what the coordinator reported: what they do not count as open waits no longer.
    let account = run
        .account
        .clone()
        .and_then(|account| Account::try_from(account).ok());
    let waits = |stage: &Stage| match &account {
        Some(account) => account
            .counts
            .get(stage)
            .is_some_and(|counts| counts.open > counts.running),
        None => true,
    };
    let ages = since.filter_map(|(stage, since)| {
        let stage: Stage = stage.parse().ok()?;
        waits(&stage).then(|| (stage, now_ms.saturating_sub(*since) / 1_000))
    });
    ages.collect()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}

/// A run with its account.
pub fn status(run: &v1::Run) -> RunStatus {
    RunStatus {
        run: run.run.clone(),
        name: run.name.clone(),
        limit: limit(run),
        // One that this program does not understand is shown as none.
        account: run
            .account
            .clone()
            .and_then(|account| Account::try_from(account).ok()),
        in_batches: run.progress.as_ref().map_or(0, |progress| progress.in_batches),
        ready_seconds: ready_seconds(run, now_ms()),
        cancelled: run
            .progress
            .as_ref()
            .map_or(0, |progress| progress.cancelled_tasks),
        unfunded: run
            .progress
            .as_ref()
            .map_or(0, |progress| progress.unfunded_tasks.values().sum()),
        rows: run.progress.as_ref().map(|progress| {
            // Those that wait for others before them are decided too.
            serde_json::json!({
                "accepted": progress.accepted.max(progress.settled_accepted),
                "decided": progress.decided.max(progress.settled),
            })
        }),
        recipes: run
            .progress
            .iter()
            .flat_map(|progress| &progress.recipes)
            .map(recipe_yield)
            .collect(),
        planned: Vec::new(),
        expected: run
            .progress
            .as_ref()
            .filter(|_| !is_over(run))
            .and_then(|progress| {
                let between = (progress.expected_rows_low, progress.expected_rows_high);
                (between.1 > 0).then_some((progress.expected_rows, between))
            }),
        teacher_checks: run
            .progress
            .iter()
            .flat_map(|progress| &progress.teacher_checks)
            .map(|check| TeacherCheck {
                teacher: check.teacher.clone(),
                right: check.right,
                wrong: check.wrong,
                failed: check.failed,
                min_accuracy: check.min_accuracy,
            })
            .collect(),
        end: run
            .progress
            .as_ref()
            .map_or_else(String::new, |progress| progress.end.clone()),
        dataset: (!run.dataset.is_empty()).then(|| run.dataset.clone()),
        earlier_dataset: None,
        alerts: notices(run),
        failures: run.failures.iter().filter_map(failure).collect(),
    }
}

fn failure(seen: &v1::ModelFailure) -> Option<CallFailure> {
    let failure = seen.failure.clone()?;
    Some(CallFailure {
        model: seen.model.clone(),
        kind: failure.kind,
        calls: failure.calls,
        burned: failure.burned,
        ago_ms: failure.ago_ms,
        reason: failure.reason,
    })
}

/// What a person should know of a run besides the alerts of its account.
pub fn notices(run: &v1::Run) -> Vec<String> {
    let mut notices = run
        .progress
        .as_ref()
        .map(|progress| progress.alerts.clone())
        .unwrap_or_default();
    let alerts = run.account.iter().flat_map(|account| &account.alerts);
    let presumed = alerts.into_iter().any(|alert| alert.text.starts_with(PRESUMED));
    if presumed && run.state() != v1::RunState::Cancelled {
        notices.push(format!(
            "calls that may have been in flight when Redis lost its data count against the budget: `gristmill budget {} --raise LIMIT`, with the \
             whole new limit, gives the run more, also after its end",
            run.run
        ));
    }
    notices
}

/// What a recipe brought; reasons that this program does not know are left out.
fn recipe_yield(recipe: &v1::RecipeYield) -> RecipeYield {
    let rejected = recipe.rejected.iter().filter_map(|loss| {
        let reason: Reason = loss.reason.parse().ok()?;
        let loss = Loss {
            rows: loss.rows,
            calls: loss.calls,
            usd_micros: loss.usd_micros,
            unasked: loss.unasked,
        };
        Some((reason, loss))
    });
    RecipeYield {
        made: Made {
            recipe: recipe.recipe.clone(),
            version: recipe.version,
            digest: recipe.digest.clone(),
        },
        brought: Yield {
            candidates: recipe.candidates,
            accepted: recipe.accepted,
            calls: recipe.calls,
            usd_micros: recipe.usd_micros,
        },
        rejected: rejected.collect(),
    }
}

/// Where a run's concepts stand.
pub fn concepts(run: &v1::Run) -> ConceptsReached {
    let Some(progress) = &run.progress else {
        return ConceptsReached::default();
    };
    let shown = |concept: &v1::Concept| ConceptProgress {
        concept: concept.name.clone(),
        parent: concept.parent.clone(),
        target: concept.target,
        real: concept.real,
        synthetic: concept.synthetic,
        given_up: concept.given_up.map(|tried| concept::GivenUp {
            aimed: tried.aimed,
            counted: tried.counted,
        }),
    };
    ConceptsReached {
        at_target: (progress.concepts_met, progress.concepts_wanted),
        all: progress.concepts_all,
        list: progress.concepts.iter().map(shown).collect(),
    }
}
