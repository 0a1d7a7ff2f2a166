//! What people ask of a coordinator: the same verbs and the same output as for a run in a folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use backoff::backoff::Backoff;
use gristmill_coordinator::{Progress, Trace};
use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::concept;
use gristmill_domain::ledger::Account;
use gristmill_ports::register::WorkerReport;
use gristmill_proto::v1;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::remote::{Remote, connect, refused};
use crate::args::{
    BudgetArgs, DrainArgs, ExplainArgs, OutputStyle, PauseArgs, RemoteRunArgs, ServerArgs, TraceArgs,
};
use crate::failure::Failure;
use crate::standing::{self, Concepts, Standing, State};
use crate::view::{Head, View, duration, thousands};
use crate::{history, print};

/// Time for which a watcher waits for a coordinator to answer again: more than a roll-out of a new version takes.
const AWAY_MAX: Duration = Duration::from_secs(120);

pub(crate) fn state(run: &v1::Run) -> State {
    let word = match run.state() {
        v1::RunState::Unspecified => "unknown",
        v1::RunState::Waiting => "waiting for a coordinator",
        v1::RunState::Running => "running",
        v1::RunState::Paused => "paused",
        v1::RunState::Frozen => "frozen",
        v1::RunState::Finished => "finished",
        v1::RunState::Cancelled => "cancelled",
        v1::RunState::Failed => "failed",
    };
    let way_out = match run.state() {
        v1::RunState::Paused => format!("`gristmill resume {}` lets it go on", run.run),
        v1::RunState::Failed => "once mended, submitting it again takes it up".to_owned(),
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Frozen
        | v1::RunState::Finished
        | v1::RunState::Cancelled => String::new(),
    };
    State {
        word,
        why: run.obstacles.first().map_or_else(|| run.reason.clone(), obstacle),
        way_out,
    }
}

/// `3 of 4 workers: this worker gives no job the variable …`.
fn obstacle(obstacle: &v1::Obstacle) -> String {
    match obstacle {
        v1::Obstacle { of: 0, reason, .. } => format!("tasks wait: {reason}"),
        v1::Obstacle { reason, workers, of } => format!("tasks wait at {workers} of {of} workers: {reason}"),
    }
}

/// The run's limit; without any before its first task.
pub(crate) fn limit(run: &v1::Run) -> Limit {
    let limit = run.limit.unwrap_or_default();
    Limit {
        usd: limit.usd_micros.map(MicroUsd),
        calls: limit.calls,
    }
}

fn standing(run: &v1::Run) -> Standing {
    Standing {
        run: run.run.clone(),
        name: run.name.clone(),
        limit: limit(run),
        account: serde_json::from_slice::<Account>(&run.account).ok(),
        in_batches: run.progress.as_ref().map_or(0, |progress| progress.in_batches),
        rows: run
            .progress
            .as_ref()
            .map(|progress| serde_json::json!({"accepted": progress.accepted, "decided": progress.decided})),
        dataset: (!run.dataset.is_empty()).then(|| run.dataset.clone()),
    }
}

fn concepts(run: &v1::Run) -> Concepts {
    let Some(progress) = &run.progress else {
        return Concepts::default();
    };
    let standing = |concept: &v1::Concept| concept::Standing {
        concept: concept.name.clone(),
        parent: concept.parent.clone(),
        target: concept.target,
        real: concept.real,
        synthetic: concept.synthetic,
    };
    Concepts {
        at_target: (progress.concepts_met, progress.concepts_wanted),
        all: progress.concepts_all,
        list: progress.concepts.iter().map(standing).collect(),
    }
}

/// A run's id, where the command line would also take a folder.
fn id(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(id) if !path.is_dir() && !id.contains('/') => Ok(id.to_owned()),
        _ => Err(Failure::Input(anyhow!(
            "{} is a folder, and a cluster's run is named by its id: leave out `--server` and unset GRISTMILL_SERVER to look at a folder",
            path.display()
        ))),
    }
}

fn show(run: &v1::Run, output: OutputStyle) {
    standing(run).print_status(&state(run), &concepts(run), output);
}

async fn get(remote: &mut Remote, run: String) -> Result<v1::Run, Failure> {
    let answer = remote.get_run(v1::GetRunRequest { run }).await;
    Ok(answer.map_err(|status| refused(&status))?.into_inner())
}

/// Shows where a run stands.
pub(crate) async fn status(server: &ServerArgs, run: &Path, output: OutputStyle) -> Result<(), Failure> {
    let run = get(&mut connect(server).await?, id(run)?).await?;
    show(&run, output);
    Ok(())
}

/// Shows a run's budget, or changes its limit.
pub(crate) async fn budget(
    server: &ServerArgs,
    args: &BudgetArgs,
    output: OutputStyle,
) -> Result<(), Failure> {
    let mut remote = connect(server).await?;
    let mut run = get(&mut remote, id(&args.run)?).await?;
    let mut before = None;
    if let Some(text) = &args.raise {
        before = Some(limit(&run));
        let new = standing::raised(limit(&run), text).map_err(Failure::Input)?;
        let limit = v1::Limit {
            usd_micros: new.usd.map(|usd| usd.0),
            calls: new.calls,
        };
        let request = v1::RaiseBudgetRequest {
            run: run.run.clone(),
            request_id: format!("{new:?} for {:?}", run.limit),
            expected: run.limit,
            limit: Some(limit),
        };
        run = remote
            .raise_budget(request)
            .await
            .map_err(|status| refused(&status))?
            .into_inner();
    }
    standing(&run).print_budget(before, output);
    Ok(())
}

/// Prints a row's whole history.
pub(crate) async fn trace(server: &ServerArgs, args: &TraceArgs, output: OutputStyle) -> Result<(), Failure> {
    let run = id(&args.run)?;
    let request = v1::TraceRowRequest {
        run: run.clone(),
        row: args.row.clone(),
    };
    let answer = connect(server).await?.trace_row(request).await;
    let trace = answer.map_err(|status| refused(&status))?.into_inner().trace;
    let found: Trace = serde_json::from_slice(&trace)
        .context("the coordinator's answer cannot be read: are both of the same version?")?;
    history::print(&run, &found, output);
    Ok(())
}

/// Lists runs.
pub(crate) async fn runs(server: &ServerArgs, output: OutputStyle) -> Result<(), Failure> {
    let answer = connect(server)
        .await?
        .list_runs(v1::ListRunsRequest { skip: 0, limit: 500 })
        .await;
    let runs = answer.map_err(|status| refused(&status))?.into_inner().runs;
    if output == OutputStyle::Json {
        runs.iter().for_each(|run| show(run, output));
        return Ok(());
    }
    if runs.is_empty() {
        print::plain("no runs yet: `gristmill submit JOB --server URL` sends one\n");
    }
    for run in &runs {
        let progress = run.progress.clone().unwrap_or_default();
        print::plain(&format!(
            "{}  {:<28} {:>8}/{:<8} {}  {}\n",
            run.run,
            run.name,
            thousands(progress.accepted),
            thousands(progress.expected_rows),
            standing(run).spent(),
            state(run)
        ));
    }
    Ok(())
}

/// Watches a run to its end.
pub(crate) async fn watch(args: &RemoteRunArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let mut remote = connect(&args.server).await?;
    follow(&mut remote, &args.run, view, output).await
}

/// Shows a run whenever it changes, and how it ended. A coordinator that goes away is asked again, or another in its place.
pub(crate) async fn follow(
    remote: &mut Remote,
    run: &str,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let (progress, seen) = watch::channel(Progress::default());
    let watching = tokio::spawn(view.clone().watch(Head::of(run, None), seen));
    let looked = look(remote, run, &view, &progress).await;
    drop(progress);
    // The view ends with its channel.
    let _ended = watching.await;
    let last = looked?;
    show(&last, output);
    match last.state() {
        v1::RunState::Paused | v1::RunState::Frozen | v1::RunState::Failed | v1::RunState::Cancelled => {
            Err(Failure::Stopped(format!("run {run} is {}", state(&last))))
        }
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Finished => Ok(()),
    }
}

/// Looks at a run until it ends or stands still.
async fn look(
    remote: &mut Remote,
    run: &str,
    view: &View,
    progress: &watch::Sender<Progress>,
) -> Result<v1::Run, Failure> {
    let mut pauses = backoff::ExponentialBackoffBuilder::new()
        .with_max_elapsed_time(Some(AWAY_MAX))
        .build();
    let mut look = Look {
        view,
        progress,
        told: Vec::new(),
        last: None,
        heard: false,
    };
    loop {
        let gone = match look.once(remote, run).await {
            Ok(()) => {
                let last = look.last.context("the coordinator said nothing about the run");
                return last.map_err(Failure::Other);
            }
            Err(status) => status,
        };
        if std::mem::take(&mut look.heard) {
            pauses.reset();
        }
        // A connection that broke has its reason as source; what the coordinator says has none.
        let away = gone.code() == Code::Unavailable || std::error::Error::source(&gone).is_some();
        match pauses.next_backoff().filter(|_| away) {
            Some(pause) => tokio::time::sleep(pause).await,
            None if away => {
                return Err(Failure::Other(anyhow!(
                    "no coordinator has answered for {} s; the run goes on without a watcher: {}",
                    AWAY_MAX.as_secs(),
                    gone.message()
                )));
            }
            None => return Err(refused(&gone)),
        }
    }
}

/// What a watcher has seen.
struct Look<'a> {
    view: &'a View,
    progress: &'a watch::Sender<Progress>,
    /// What the run was last said to wait for.
    told: Vec<v1::Obstacle>,
    last: Option<v1::Run>,
    /// A coordinator has said something since this was last asked.
    heard: bool,
}

impl Look<'_> {
    /// Watches by one stream, until the run ends or stands still, or the stream breaks.
    async fn once(&mut self, remote: &mut Remote, run: &str) -> Result<(), Status> {
        let request = v1::WatchRunRequest { run: run.to_owned() };
        let mut states = remote.watch_run(request).await?.into_inner();
        while let Some(state) = states.message().await? {
            self.heard = true;
            self.progress.send_replace(progress_of(&state));
            if state.obstacles != self.told {
                self.told.clone_from(&state.obstacles);
                for one in &self.told {
                    self.view.say(&format!("warning: {}", obstacle(one)));
                }
            }
            let waits = matches!(state.state(), v1::RunState::Paused | v1::RunState::Frozen);
            self.last = Some(state);
            if waits {
                break;
            }
        }
        Ok(())
    }
}

fn progress_of(run: &v1::Run) -> Progress {
    let shown = run.progress.clone().unwrap_or_default();
    let amount = |amount: &Option<v1::Amount>| {
        amount.map_or(Amount::ZERO, |amount| Amount {
            usd: MicroUsd(amount.usd_micros),
            calls: amount.calls,
            input_tokens: amount.input_tokens,
            output_tokens: amount.output_tokens,
        })
    };
    let stages = |counts: &std::collections::HashMap<String, u64>| {
        counts
            .iter()
            .filter_map(|(stage, count)| Some((stage.parse().ok()?, *count)))
            .collect()
    };
    Progress {
        phase: if shown.phase.is_empty() {
            state(run).to_string()
        } else {
            shown.phase
        },
        accepted: shown.accepted,
        decided: shown.decided,
        expected_rows: shown.expected_rows,
        rejected: shown
            .rejected
            .iter()
            .filter_map(|(reason, count)| Some((reason.parse().ok()?, *count)))
            .collect(),
        limit: limit(run),
        gone: amount(&run.spent) + amount(&run.burned),
        held: amount(&run.held),
        running: stages(&shown.running),
        open: stages(&shown.open),
        concepts: (shown.concepts_met, shown.concepts_wanted),
        concepts_all: shown.concepts_all,
        in_batches: shown.in_batches,
        ..Progress::default()
    }
}

/// Stops a run from beginning anything new.
pub(crate) async fn pause(args: &PauseArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::PauseRunRequest {
        run: args.run.run.clone(),
        reason: args.reason.clone(),
    };
    let answer = connect(&args.run.server).await?.pause_run(request).await;
    show(&answer.map_err(|status| refused(&status))?.into_inner(), output);
    Ok(())
}

/// Lets a paused run go on.
pub(crate) async fn resume(args: &RemoteRunArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::ResumeRunRequest {
        run: args.run.clone(),
    };
    let answer = connect(&args.server).await?.resume_run(request).await;
    show(&answer.map_err(|status| refused(&status))?.into_inner(), output);
    Ok(())
}

/// Stops a run for good.
pub(crate) async fn cancel(args: &RemoteRunArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::CancelRunRequest {
        run: args.run.clone(),
    };
    let answer = connect(&args.server).await?.cancel_run(request).await;
    show(&answer.map_err(|status| refused(&status))?.into_inner(), output);
    Ok(())
}

/// Shows what became of a task.
pub(crate) async fn explain(args: &ExplainArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::ExplainTaskRequest {
        run: args.run.clone(),
        task: args.task.clone(),
    };
    let answer = connect(&args.server).await?.explain_task(request).await;
    let v1::ExplainTaskResponse { attempts, task } = answer.map_err(|status| refused(&status))?.into_inner();
    if attempts.is_empty() {
        let text = format!(
            "task {task} has no attempt on the ledger's books: it is unknown, not begun yet, or absorbed (`gristmill trace` tells of its row)"
        );
        print::either(output, &serde_json::json!({"task": task, "attempts": []}), &text);
    }
    for attempt in attempts {
        let worst = attempt.worst.unwrap_or_default();
        let value = serde_json::json!({
            "task": task, "attempt": attempt.attempt, "state": attempt.state, "worst_usd_micros": worst.usd_micros,
            "started_ms": attempt.started_ms, "ended_ms": attempt.ended_ms, "note": attempt.note,
        });
        let text = format!(
            "task {task} attempt {} {:<12} worst {} · {}",
            attempt.attempt,
            attempt.state,
            MicroUsd(worst.usd_micros),
            history::one_line(&attempt.note)
        );
        print::either(output, &value, &text);
    }
    Ok(())
}

/// Lists workers.
pub(crate) async fn workers(server: &ServerArgs, output: OutputStyle) -> Result<(), Failure> {
    let answer = connect(server)
        .await?
        .list_workers(v1::ListWorkersRequest {})
        .await;
    let workers = answer.map_err(|status| refused(&status))?.into_inner().workers;
    if workers.is_empty() && output == OutputStyle::Text {
        print::plain("no workers: start some with `gristmill worker`\n");
    }
    for worker in workers {
        let report: WorkerReport = serde_json::from_slice(&worker.report).unwrap_or_default();
        let value = serde_json::json!({
            "worker": worker.worker, "since_ms": worker.since_ms, "beat_ms": worker.beat_ms,
            "draining": worker.draining, "report": report,
        });
        let mut text = format!("{:<32} {}", worker.worker, in_words(&report, worker.draining));
        for (run, reason) in &report.refused {
            text.push_str(&format!(
                "\n  cannot work on run {run}: {}",
                history::one_line(reason)
            ));
        }
        print::either(output, &value, &text);
    }
    Ok(())
}

/// `working   generate 12, judge 3 in hand of 64 · generate, judge, embed · 0.1.0`.
fn in_words(report: &WorkerReport, draining: bool) -> String {
    let state = if draining || report.stopping {
        "draining"
    } else {
        "working"
    };
    let hands: Vec<String> = report
        .in_flight
        .iter()
        .map(|(stage, count)| format!("{stage} {count}"))
        .collect();
    let hands = match hands.is_empty() {
        true => "nothing in hand".to_owned(),
        false => format!("{} in hand", hands.join(", ")),
    };
    let oldest = report
        .oldest_seconds
        .map_or_else(String::new, |age| format!(", the oldest for {}", duration(age)));
    let stages: Vec<String> = report.stages.iter().map(ToString::to_string).collect();
    format!(
        "{state:<9} {hands}{oldest} · takes {} · {} slots · {}",
        stages.join(", "),
        report.slots,
        report.version
    )
}

/// Has a worker finish what it has.
pub(crate) async fn drain(args: &DrainArgs, output: OutputStyle) -> Result<(), Failure> {
    let worker = args.worker.clone();
    let request = v1::DrainWorkerRequest {
        worker: worker.clone(),
    };
    let answer = connect(&args.server).await?.drain_worker(request).await;
    answer.map_err(|status| refused(&status))?;
    print::either(
        output,
        &serde_json::json!({"worker": worker, "draining": true}),
        &format!("{worker} finishes what it has and takes nothing more"),
    );
    Ok(())
}
