//! What people ask of a coordinator: the same verbs and the same output as for a run in a folder.

use std::path::Path;

use anyhow::{Context, anyhow};
use gristmill_coordinator::{History, Progress};
use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::ledger::Account;
use gristmill_proto::v1;
use tokio::sync::watch;

use super::remote::{Remote, connect, refused};
use crate::args::{
    BudgetArgs, DrainArgs, ExplainArgs, OutputStyle, PauseArgs, RemoteRunArgs, ServerArgs, TraceArgs,
};
use crate::failure::Failure;
use crate::standing::{self, Standing, State};
use crate::view::{Head, View, thousands};
use crate::{history, print};

fn state(run: &v1::Run) -> State {
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
    State {
        word,
        why: run.reason.clone(),
    }
}

fn standing(run: &v1::Run) -> Standing {
    let limit = run.limit.unwrap_or_default();
    Standing {
        run: run.run.clone(),
        name: run.name.clone(),
        limit: Limit {
            usd: limit.usd_micros.map(MicroUsd),
            calls: limit.calls,
        },
        account: serde_json::from_slice::<Account>(&run.account).ok(),
        in_batches: run.progress.as_ref().map_or(0, |progress| progress.in_batches),
    }
}

fn id(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::Input(anyhow!("with `--server`, a run is named by its id")))
}

fn show(run: &v1::Run, output: OutputStyle) {
    standing(run).print_status(&state(run), None, &[], output);
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
    if let Some(text) = &args.raise {
        let new = standing::limit(text).map_err(Failure::Input)?;
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
    standing(&run).print_budget(output);
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
    let found: History = serde_json::from_slice(&trace)
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

/// Shows a run whenever it changes, and how it ended.
pub(crate) async fn follow(
    remote: &mut Remote,
    run: &str,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let request = v1::WatchRunRequest { run: run.to_owned() };
    let answer = remote.watch_run(request).await;
    let mut states = answer.map_err(|status| refused(&status))?.into_inner();
    let (progress, seen) = watch::channel(Progress::default());
    let watching = tokio::spawn(view.watch(Head::of(run, None), seen));
    let mut last = None;
    while let Some(state) = states.message().await.map_err(|status| refused(&status))? {
        progress.send_replace(progress_of(&state));
        let waits = matches!(state.state(), v1::RunState::Paused | v1::RunState::Frozen);
        last = Some(state);
        if waits {
            break;
        }
    }
    drop(progress);
    // The view ends with its channel.
    let _ended = watching.await;
    let last = last.context("the coordinator said nothing about the run")?;
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

fn progress_of(run: &v1::Run) -> Progress {
    let shown = run.progress.clone().unwrap_or_default();
    let limit = run.limit.unwrap_or_default();
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
        limit: Limit {
            usd: limit.usd_micros.map(MicroUsd),
            calls: limit.calls,
        },
        gone: amount(&run.spent) + amount(&run.burned),
        held: amount(&run.held),
        running: stages(&shown.running),
        open: stages(&shown.open),
        concepts: (shown.concepts_met, shown.concepts_wanted),
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
    let attempts = answer.map_err(|status| refused(&status))?.into_inner().attempts;
    if attempts.is_empty() {
        let text = "no attempt is on the ledger's books: the task is unknown, or absorbed (`gristmill trace` tells of its row)";
        print::either(
            output,
            &serde_json::json!({"task": args.task, "attempts": []}),
            text,
        );
    }
    for attempt in attempts {
        let worst = attempt.worst.unwrap_or_default();
        let value = serde_json::json!({
            "task": args.task, "attempt": attempt.attempt, "state": attempt.state, "worst_usd_micros": worst.usd_micros,
            "started_ms": attempt.started_ms, "ended_ms": attempt.ended_ms, "note": attempt.note,
        });
        let text = format!(
            "attempt {} {:<12} worst {} · {}",
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
        let report: serde_json::Value = serde_json::from_slice(&worker.report).unwrap_or_default();
        let value = serde_json::json!({
            "worker": worker.worker, "since_ms": worker.since_ms, "beat_ms": worker.beat_ms,
            "draining": worker.draining, "report": report,
        });
        let state = if worker.draining { "draining" } else { "working" };
        print::either(
            output,
            &value,
            &format!("{:<32} {state:<9} {report}", worker.worker),
        );
    }
    Ok(())
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
