//! `gristmill preview`: a few candidates with every prompt, reply and verdict shown, within a budget of their own.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{History, Journal, Trace, policy, preview as preview_plan};
use gristmill_domain::id::TaskId;
use gristmill_domain::work::Task;
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_proto::SegmentKind;
use gristmill_runs::{RunFolder, preview};
use tokio_util::sync::CancellationToken;

use crate::args::{JobArgs, OutputStyle, PreviewArgs};
use crate::asked::Asked;
use crate::drive::{Watched, carry_out};
use crate::failure::Failure;
use crate::prepare::{Keys, Ready, prepare};
use crate::print;
use crate::view::View;

/// Calls that a candidate may take where no budget is given.
const CALLS_A_CANDIDATE: u64 = 16;

pub(crate) async fn preview(args: &PreviewArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let ready = prepare(&within_budget(args)?, Keys::Here).await?;
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let run = RunFolder::of(folder.path(), ready.prepared.start.run);
    let (candidates, asked) = try_out(&ready, &run, args.candidates.into(), view).await?;
    print::either(
        output,
        &preview::json(&candidates, &asked),
        &preview::text(&candidates, &asked),
    );
    Ok(())
}

/// The job with the preview's budget in place of its own.
fn within_budget(args: &PreviewArgs) -> Result<JobArgs, Failure> {
    let mut job = JobArgs {
        job: args.job.job.clone(),
        set: args.job.set.clone(),
    };
    match &args.budget {
        None => {
            let calls = CALLS_A_CANDIDATE * u64::from(args.candidates.max(1));
            job.set.push(format!("budget.calls={calls}"));
        }
        Some(budget) => {
            let budget: gristmill_jobfile::BudgetChoice = budget
                .parse()
                .map_err(|error| Failure::Input(anyhow!("--budget: {error}")))?;
            job.set.extend(budget.usd.map(|usd| format!("budget.usd={usd}")));
            job.set
                .extend(budget.calls.map(|calls| format!("budget.calls={calls}")));
        }
    }
    Ok(job)
}

/// Makes the candidates, in a folder that is thrown away.
async fn try_out(
    ready: &Ready,
    folder: &RunFolder,
    candidates: u64,
    view: View,
) -> Result<(Vec<History>, HashMap<TaskId, Task>), Failure> {
    let prepared = &ready.prepared;
    folder.begin(&prepared.start).map_err(Failure::Input)?;
    let blobs = LocalBlobs::new(folder.state());
    let published = prepared.seeds.publish(&blobs).await;
    published.map_err(|error| Failure::Other(error.into()))?;
    let policy = policy(&prepared.setup, &prepared.seeds).map_err(|error| Failure::Input(error.into()))?;
    let plan = preview_plan(&prepared.setup, &policy, prepared.start.limit, candidates);
    let journal = Journal::new(&blobs);
    journal
        .store_plan(plan)
        .await
        .map_err(|error| Failure::Other(error.into()))?;
    let state = folder.state();
    let opened = tokio::task::spawn_blocking(move || SqliteLedger::open(&state)).await;
    let ledger = opened.map_err(|error| Failure::Other(anyhow!(error)))?;
    let ledger = Arc::new(ledger.map_err(|error| Failure::Input(error.into()))?);
    let watched = Watched {
        rounds: Some(1),
        asked: Some(Asked::default()),
    };
    carry_out(
        ready,
        folder,
        &blobs,
        ledger,
        view,
        CancellationToken::new(),
        &watched,
    )
    .await?;
    let told = |error: gristmill_coordinator::Error| Failure::Other(error.into());
    let mut histories = Vec::new();
    for name in journal.segments(SegmentKind::Rows, 0).await.map_err(told)? {
        for record in journal.rows(&name).await.map_err(told)? {
            let id = record.value.id.to_string();
            if let Ok(Trace::Made(history)) = journal.trace(&id, &prepared.seeds).await.map_err(told)? {
                histories.push(*history);
            }
        }
    }
    Ok((
        histories,
        watched.asked.map(Asked::into_tasks).unwrap_or_default(),
    ))
}
