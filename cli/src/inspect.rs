//! `status`, `budget`, `trace` and `export`: looking at a run, live or finished.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, SeedStore, Start};
use gristmill_dataset::{Layout, Options};
use gristmill_domain::amount::Limit;
use gristmill_domain::ledger::{AccountState, Raise};
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_ports::ledger::Ledger;
use gristmill_runs::{Manifest, RowTally, RunFolder, history, label};

use crate::args::{BudgetArgs, ExportArgs, LayoutArg, OutputStyle, TraceArgs};
use crate::failure::Failure;
use crate::{limits, print, resume};

/// A run's folder, for commands that look at a cluster's runs as well.
fn opened(path: &Path) -> Result<RunFolder, Failure> {
    RunFolder::open(path).map_err(|error| {
        Failure::Input(anyhow!(
            "{error:#}\nhelp: a cluster's run is named by its id, with `--server URL`"
        ))
    })
}

/// Refuses a cluster's run whose books are not beside its state yet: it has not ended. Returns whether it is a cluster's.
async fn look_at_owner(folder: &RunFolder, start: &Start) -> Result<bool, Failure> {
    let cluster = folder.of_a_cluster().await.map_err(Failure::Input)?;
    if cluster && !folder.events().await.map_err(Failure::Input)?.over() {
        return Err(Failure::Input(anyhow!(
            "run {} is a cluster's and has not ended: its books are there; name it by its id, with `--server URL`",
            start.run
        )));
    }
    Ok(cluster)
}

/// Shows where a run stands.
pub(crate) async fn status(path: &Path, output: OutputStyle) -> Result<(), Failure> {
    let folder = opened(path)?;
    let start = folder.start()?;
    let cluster = look_at_owner(&folder, &start).await?;
    let mut tally = RowTally::default();
    if !folder.events().await.map_err(Failure::Input)?.over() {
        tally.catch_up(&LocalBlobs::new(folder.state())).await?;
    }
    let (status, state, concepts) = folder.status(start, cluster, &tally).await?;
    print::either(
        output,
        &status.json(&state, &concepts),
        &status.text(&state, &concepts),
    );
    Ok(())
}

/// Shows a run's budget, or changes its limit.
pub(crate) async fn budget(args: &BudgetArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = opened(&args.run)?;
    let start = folder.start()?;
    let cluster = look_at_owner(&folder, &start).await?;
    let before = match &args.raise {
        Some(text) if cluster => {
            return Err(Failure::Input(anyhow!(
                "run {run} is a cluster's: `gristmill budget {run} --raise {text} --server URL` raises its limit there",
                run = start.run
            )));
        }
        Some(text) => Some(raise(&folder, &start, text).await.map_err(Failure::Input)?),
        None => None,
    };
    let status = folder.budget(start).await?;
    print::either(output, &status.budget_json(), &status.budget_text(before));
    Ok(())
}

/// Changes the limit; returns the one before.
async fn raise(folder: &RunFolder, start: &Start, text: &str) -> anyhow::Result<Limit> {
    let state = folder.state();
    let ledger = tokio::task::spawn_blocking(move || SqliteLedger::open(&state)).await??;
    let account = ledger.account(start.run).await?;
    let (current, frozen) = (
        account.limit,
        matches!(account.state, AccountState::Frozen { .. }),
    );
    let new = limits::raised(current, text, frozen)?;
    let request = format!("{new:?} for {current:?}");
    match ledger.raise(start.run, &request, current, new).await? {
        Raise::Raised | Raise::Already => {}
        Raise::Mismatch { current } => {
            bail!("the limit is {current} by now: look again with `gristmill budget`")
        }
        Raise::BelowUsed { used } => bail!(
            "{} are used already: a limit cannot go below that",
            used.in_words()
        ),
        Raise::Closed => {
            resume::raise(folder, &ledger, start.run, current, new).await?;
        }
    }
    if let AccountState::Frozen { .. } = ledger.account(start.run).await?.state {
        // Setting a limit is a person's word that the books were looked at.
        ledger.unfreeze(start.run).await?;
    }
    Ok(current)
}

/// Prints a row's whole history.
pub(crate) async fn trace(args: &TraceArgs, output: OutputStyle) -> Result<(), Failure> {
    let (run, row) = args.run_and_row()?;
    let folder = opened(run)?;
    let start = folder.start()?;
    let blobs = LocalBlobs::new(folder.state());
    let journal = Journal::new(&blobs);
    let seeds = SeedStore::load(&blobs)
        .await
        .map_err(anyhow::Error::from)?
        .ok_or_else(|| anyhow!("the run has no seeds yet"))?;
    let found = journal.trace(row, &seeds).await;
    let trace = found
        .map_err(anyhow::Error::from)?
        .map_err(|none| Failure::Input(none.into()))?;
    let value = history::json(&start.run.to_string(), &trace);
    print::either(output, &value, &history::text(&trace));
    Ok(())
}

/// Copies a run's dataset, in another layout or place.
pub(crate) async fn export(args: &ExportArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    if args.target.exists() && !args.overwrite {
        return Err(Failure::Input(anyhow!(
            "{} exists: name another folder, or add `--overwrite`",
            args.target.display()
        )));
    }
    let source = folder.dataset();
    let Some(manifest) = folder.manifest()? else {
        return Err(Failure::Input(folder.no_dataset(&start).await?));
    };
    let earlier = folder.last_manifest().await?.is_none();
    if earlier && folder.events().await?.over() {
        return Err(Failure::Input(anyhow!(
            "the dataset in {place} is of an earlier end of run {run}, which has ended since with more rows\n\
             help: `gristmill assemble {root}` writes the one of all its rows",
            place = source.display(),
            run = start.run,
            root = folder.root().display()
        )));
    }
    let mut manifest: Manifest =
        serde_json::from_value(manifest).context("the manifest of this run is damaged")?;
    let layout = match args.layout {
        Some(LayoutArg::Messages) => Layout::Messages,
        Some(LayoutArg::PromptCompletion) => Layout::PromptCompletion,
        Some(LayoutArg::Alpaca) => Layout::Alpaca,
        None => match start.job.output.layout {
            gristmill_domain::job::Layout::Messages => Layout::Messages,
            gristmill_domain::job::Layout::PromptCompletion => Layout::PromptCompletion,
            gristmill_domain::job::Layout::Alpaca => Layout::Alpaca,
        },
    };
    let options = Options {
        layout,
        shard_rows: start.job.output.shard_rows,
        jsonl: start.job.output.jsonl,
        ..Options::default()
    };
    let mut written =
        gristmill_dataset::convert(&source, &args.target, options).map_err(|e| Failure::Input(e.into()))?;
    label(&mut written, &mut manifest)?;
    let files = written.publish().map_err(|e| Failure::Input(e.into()))?;
    let value = serde_json::json!({"target": args.target, "files": files});
    let of = match earlier {
        true => ", of what the run had made before it was resumed",
        false => "",
    };
    print::either(
        output,
        &value,
        &format!("{} files in {}{of}", files.len(), args.target.display()),
    );
    Ok(())
}
