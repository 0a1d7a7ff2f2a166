//! What people ask of a coordinator: the same verbs and the same output as for a run in a folder.

use std::path::Path;

use anyhow::{Context, anyhow};
use gristmill_coordinator::trace_of;
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{many, one_line, printable, thousands};
use gristmill_proto::v1;
use gristmill_runs::{RunState, history, served};

use super::remote::{Remote, connect, refused};
use crate::args::{
    AdoptArgs, BudgetArgs, CancelArgs, ExplainArgs, OutputStyle, PauseArgs, RemoteRunArgs, ServerArgs,
    TraceArgs,
};
use crate::failure::Failure;
use crate::{limits, print};

/// Width that the cells of a column are brought to at most: one long name does not spread the others.
const CELL_MAX: usize = 60;

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

pub(super) fn show(run: &v1::Run, output: OutputStyle) {
    show_as(run, served::state(run), output);
}

/// Shows a run, and says of its state what is given.
fn show_as(run: &v1::Run, state: RunState, output: OutputStyle) {
    let (status, concepts) = (served::status(run), served::concepts(run));
    print::either(
        output,
        &status.json(&state, &concepts),
        &status.text(&state, &concepts),
    );
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
        before = Some(served::limit(&run));
        let frozen = run.state() == v1::RunState::Frozen;
        let new = limits::raised(served::limit(&run), text, frozen).map_err(Failure::Input)?;
        let request = v1::RaiseBudgetRequest {
            run: run.run.clone(),
            request_id: format!("{new:?} for {:?}", run.limit),
            expected: run.limit,
            limit: Some(new.into()),
        };
        run = remote
            .raise_budget(request)
            .await
            .map_err(|status| refused(&status))?
            .into_inner();
    }
    let status = served::status(&run);
    print::either(output, &status.budget_json(), &status.budget_text(before));
    Ok(())
}

/// Prints a row's whole history.
pub(crate) async fn trace(server: &ServerArgs, args: &TraceArgs, output: OutputStyle) -> Result<(), Failure> {
    let (run, row) = args.run_and_row()?;
    let run = id(run)?;
    let request = v1::TraceRowRequest {
        run: run.clone(),
        row: row.to_owned(),
    };
    let answer = connect(server).await?.trace_row(request).await;
    let trace = answer.map_err(|status| refused(&status))?.into_inner().trace;
    let found = trace
        .context("the coordinator sent no history that this program can read: both must be of one version")?;
    let found =
        trace_of(&found).context("the coordinator's answer cannot be read: both must be of one version")?;
    print::either(output, &history::json(&run, &found), &history::text(&found));
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
    print::plain(&table(&runs));
    Ok(())
}

/// Runs, a line each below the heads of their columns; nothing without runs.
fn table(runs: &[v1::Run]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let heads = ["RUN", "NAME", "ACCEPTED", "BUDGET", "STATE"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(heads)
        .chain(runs.iter().map(|run| {
            [
                run.run.clone(),
                one_line(&run.name),
                accepted_of_expected(run),
                served::status(run).spent(),
                state_in_list(run),
            ]
        }))
        .collect();
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0).min(CELL_MAX)
    };
    let widths = [0, 1, 2, 3].map(width);
    let line = |cells: &[String; 5]| {
        let [run, name, rows, budget, state] = cells;
        let [a, b, c, d] = widths;
        format!("{run:<a$}  {name:<b$}  {rows:>c$}  {budget:<d$}  {state}\n")
    };
    lines.iter().map(line).collect()
}

/// What a run is doing, and why. A list does not say whether a cancelled run has a dataset, so that it cannot say what is to be done about that.
fn state_in_list(run: &v1::Run) -> String {
    let state = served::state(run);
    let way_out = match run.state() {
        v1::RunState::Cancelled => String::new(),
        _ => state.way_out,
    };
    let text = RunState { way_out, ..state }.to_string();
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `412/575`: accepted rows of those that are expected. Of a run that has ended, or has no plan yet, what it has.
fn accepted_of_expected(run: &v1::Run) -> String {
    let progress = run.progress.clone().unwrap_or_default();
    let accepted = progress.accepted.max(progress.settled_accepted);
    match progress.expected_rows {
        expected if expected > 0 && !served::is_over(run) => {
            format!("{}/{}", thousands(accepted), thousands(expected.max(accepted)))
        }
        _ => thousands(accepted),
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
pub(crate) async fn cancel(args: &CancelArgs, output: OutputStyle) -> Result<(), Failure> {
    let CancelArgs { run, keep } = args;
    let request = v1::CancelRunRequest {
        run: run.run.clone(),
        keep: *keep,
    };
    let answer = connect(&run.server).await?.cancel_run(request).await;
    let cancelled = answer.map_err(|status| refused(&status))?.into_inner();
    if *keep {
        // The way to a dataset is the one that was just taken.
        show_as(
            &cancelled,
            RunState {
                way_out: String::new(),
                ..served::state(&cancelled)
            },
            output,
        );
    } else {
        show(&cancelled, output);
    }
    if *keep && cancelled.dataset.is_empty() && output == OutputStyle::Text {
        let progress = cancelled.progress.unwrap_or_default();
        print::plain(&match progress.accepted.max(progress.settled_accepted) {
            0 => "keep       no row was accepted: there is nothing to keep\n".to_owned(),
            _ => format!(
                "keep       its accepted rows become a dataset once no call is in flight: `gristmill status {}` names it\n",
                cancelled.run
            ),
        });
    }
    Ok(())
}

/// Enters runs that the store holds and the register has lost.
pub(crate) async fn adopt(args: &AdoptArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::AdoptRunsRequest {
        run: args.run.clone().unwrap_or_default(),
    };
    let answer = connect(&args.server).await?.adopt_runs(request).await;
    let runs = answer.map_err(|status| refused(&status))?.into_inner().runs;
    if runs.is_empty() && output == OutputStyle::Text {
        print::plain("the store holds no run\n");
    }
    for run in &runs {
        let value = serde_json::json!({"run": run.run, "outcome": run.outcome, "adopted": run.adopted});
        print::either(output, &value, &format!("{}  {}", run.run, run.outcome));
    }
    match (runs.as_slice(), &args.run) {
        ([one], Some(_)) if one.refused => {
            Err(Failure::Input(anyhow!("run {} was {}", one.run, one.outcome)))
        }
        _ => Ok(()),
    }
}

/// Shows what became of a task.
pub(crate) async fn explain(args: &ExplainArgs, output: OutputStyle) -> Result<(), Failure> {
    let request = v1::ExplainTaskRequest {
        run: args.run.clone(),
        task: args.task.clone(),
    };
    let answer = connect(&args.server).await?.explain_task(request).await;
    let answer = answer.map_err(|status| refused(&status))?.into_inner();
    if args.task.is_empty() {
        print::either(
            output,
            &serde_json::json!({"open": answer.open, "open_tasks": answer.open_all}),
            &open_tasks(&answer),
        );
        return Ok(());
    }
    let v1::ExplainTaskResponse { attempts, task, .. } = answer;
    if attempts.is_empty() {
        let text =
            format!("task {task} has no attempt on the books: it is open and has not begun, or was given up");
        print::either(output, &serde_json::json!({"task": task, "attempts": []}), &text);
    }
    for attempt in attempts {
        let worst = attempt.worst.unwrap_or_default();
        let value = serde_json::json!({
            "task": task, "attempt": attempt.attempt, "state": attempt.state, "worst_usd_micros": worst.usd_micros,
            "started_ms": attempt.started_ms, "ended_ms": attempt.ended_ms, "note": attempt.note,
        });
        let mut text = format!(
            "task {task} attempt {} {:<12} begun {} worst {}",
            attempt.attempt,
            attempt.state,
            time(attempt.started_ms),
            MicroUsd(worst.usd_micros)
        );
        if !attempt.note.is_empty() {
            text.push_str(&format!(" · {}", one_line(&attempt.note)));
        }
        print::either(output, &value, &text);
    }
    Ok(())
}

/// A moment of the servers' clock, as people write it.
pub(super) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(String::new, |time| {
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

/// `39 open tasks, such as`, and some of them, a line each.
fn open_tasks(answer: &v1::ExplainTaskResponse) -> String {
    let named = answer.open.len() as u64;
    let open = many(answer.open_all, "open task");
    let mut text = match answer.open_all {
        0 => "no task is open".to_owned(),
        all if all > named => format!("{open}, such as"),
        _ => open,
    };
    for task in &answer.open {
        text.push_str(&format!("\n  {task}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, state: v1::RunState, accepted: u64, expected_rows: u64) -> v1::Run {
        v1::Run {
            run: "27d5".to_owned(),
            name: name.to_owned(),
            state: state.into(),
            progress: Some(v1::Progress {
                accepted,
                expected_rows,
                ..v1::Progress::default()
            }),
            ..v1::Run::default()
        }
    }

    #[test]
    fn runs_are_listed_below_heads_and_ended_ones_without_a_goal() {
        let listed = table(&[
            run("nightly maths", v1::RunState::Running, 412, 1_575),
            run("med", v1::RunState::Cancelled, 0, 759),
            run("kept", v1::RunState::Cancelled, 251, 251),
            run("qa.yaml", v1::RunState::Finished, 567, 575),
        ]);
        let expected = "RUN   NAME            ACCEPTED  BUDGET   STATE\n\
                        27d5  nightly maths  412/1,575  0 calls  running\n\
                        27d5  med                    0  0 calls  cancelled\n\
                        27d5  kept                 251  0 calls  cancelled\n\
                        27d5  qa.yaml              567  0 calls  finished\n";
        assert_eq!(listed, expected);
        let waits = v1::Run {
            reason: "Redis cannot be used\nhelp: it goes on by itself".to_owned(),
            ..run("two\nlines", v1::RunState::Waiting, 1, 2)
        };
        assert_eq!(table(&[waits]).lines().count(), 2, "a line each");
        assert_eq!(table(&[]), "");
    }
}
