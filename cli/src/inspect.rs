//! `status`, `budget`, `trace` and `export`: looking at a run, live or finished.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, SeedStore, Start};
use gristmill_dataset::{Layout, Options};
use gristmill_domain::amount::Limit;
use gristmill_domain::concept;
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState, Raise};
use gristmill_domain::plan::{Forecast, Plan, Range};
use gristmill_ledger_sqlite::{ReadOnly, SqliteLedger};
use gristmill_ports::ledger::Ledger;
use gristmill_proto::SegmentKind;
use gristmill_runs::{ConceptsReached, Manifest, RunFolder, RunState, RunStatus, history, label};

use crate::args::{BudgetArgs, ExportArgs, LayoutArg, OutputStyle, TraceArgs};
use crate::failure::Failure;
use crate::launch::shown;
use crate::{limits, print, resume};

/// A run's books; `None` before its first task. Those of a run that has ended are written down with its state; until then they are in its ledger.
pub(crate) async fn account(folder: &RunFolder, start: &Start) -> anyhow::Result<Option<Account>> {
    if folder.state().join("ledger.sqlite").exists() && !folder.of_a_cluster().await? {
        return Ok(ReadOnly::open(&folder.state())?.account(start.run)?);
    }
    Ok(folder.events().await?.account().cloned())
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

fn in_batches(folder: &RunFolder, run: RunId) -> anyhow::Result<u64> {
    if folder.state().join("ledger.sqlite").exists() {
        Ok(ReadOnly::open(&folder.state())?.in_batches(run)?)
    } else {
        Ok(0)
    }
}

fn state(account: Option<&Account>, folder: &RunFolder, cluster: bool) -> RunState {
    let why = |word, why: &str| RunState {
        why: why.to_owned(),
        ..RunState::of(word)
    };
    match account.map(|account| &account.state) {
        None => RunState::of("not started"),
        Some(AccountState::Paused { reason }) => RunState {
            why: reason.clone(),
            way_out: "mend it, and the same `gristmill run` goes on".to_owned(),
            ..RunState::of("paused")
        },
        Some(AccountState::Frozen { reason, .. }) => why("frozen", reason),
        Some(AccountState::Cancelled) => RunState::of("cancelled"),
        Some(AccountState::Closed) if !folder.dataset().join("manifest.json").exists() => {
            match (gristmill_ledger_sqlite::running_in(&folder.state()), cluster) {
                (Some(by), _) => why("running", &format!("process {by} writes the dataset")),
                (None, true) => RunState {
                    way_out: format!("`gristmill assemble {}` writes it again", shown(folder.root())),
                    ..RunState::of("ended without a dataset")
                },
                (None, false) => RunState {
                    way_out: format!(
                        "`gristmill assemble {}` or the same `gristmill run` writes it",
                        shown(folder.root())
                    ),
                    ..RunState::of("ended without a dataset")
                },
            }
        }
        Some(AccountState::Closed) => RunState::of("finished"),
        Some(AccountState::Active) => match gristmill_ledger_sqlite::running_in(&folder.state()) {
            Some(by) => why("running", &format!("process {by} works on it")),
            None => RunState {
                way_out: "the same `gristmill run` goes on".to_owned(),
                ..RunState::of("stopped")
            },
        },
    }
}

/// Shows where a run stands.
pub(crate) async fn status(path: &Path, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(path).map_err(Failure::Input)?;
    let start = folder.start()?;
    let cluster = look_at_owner(&folder, &start).await?;
    let account = account(&folder, &start).await?;
    let manifest = folder.manifest()?;
    let state = state(account.as_ref(), &folder, cluster);
    let plan = match &manifest {
        Some(_) => None,
        None => latest_plan(&folder).await?,
    };
    let concepts = match &manifest {
        Some(manifest) => concepts(manifest)?,
        None => plan
            .as_ref()
            .map(|plan| plan.concepts.clone())
            .unwrap_or_default(),
    };
    let rows_of = |forecast: &Forecast| {
        let whole = |figure: f64| figure.round() as u64;
        let Range { low, expected, high } = forecast.rows;
        (whole(expected), (whole(low), whole(high)))
    };
    let status = RunStatus {
        run: start.run.to_string(),
        name: start.job_file,
        limit: start.limit,
        account,
        in_batches: in_batches(&folder, start.run)?,
        expected: plan.and_then(|plan| plan.forecast.as_ref().map(rows_of)),
        rows: manifest
            .as_ref()
            .and_then(|manifest| manifest.get("rows").cloned()),
        end: manifest
            .as_ref()
            .and_then(|manifest| manifest.get("end")?.as_str())
            .unwrap_or_default()
            .to_owned(),
        dataset: manifest.is_some().then(|| shown(&folder.dataset())),
        alerts: Vec::new(),
    };
    let concepts = ConceptsReached::of(concepts);
    print::either(
        output,
        &status.json(&state, &concepts),
        &status.text(&state, &concepts),
    );
    Ok(())
}

/// Where each concept stands: at the end, or when the latest round was planned.
/// Where the concepts of a finished run stand.
fn concepts(manifest: &serde_json::Value) -> anyhow::Result<Vec<concept::Standing>> {
    let concepts = manifest
        .get("concepts")
        .cloned()
        .unwrap_or_else(|| serde_json::json!([]));
    serde_json::from_value(concepts).context("the manifest of this run is damaged")
}

/// The plan that a run made last.
async fn latest_plan(folder: &RunFolder) -> anyhow::Result<Option<Plan>> {
    let blobs = LocalBlobs::new(folder.state());
    let journal = Journal::new(&blobs);
    let rounds = journal.all_segments(SegmentKind::Plans).await?.len();
    match rounds.checked_sub(1) {
        Some(latest) => Ok(journal.plan(latest as u32).await?),
        None => Ok(None),
    }
}

/// Shows a run's budget, or changes its limit.
pub(crate) async fn budget(args: &BudgetArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
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
    let account = account(&folder, &start).await?;
    let status = RunStatus {
        run: start.run.to_string(),
        name: start.job_file,
        limit: start.limit,
        account,
        in_batches: in_batches(&folder, start.run)?,
        rows: None,
        expected: None,
        end: String::new(),
        dataset: None,
        alerts: Vec::new(),
    };
    print::either(output, &status.budget_json(), &status.budget_text(before));
    Ok(())
}

/// Changes the limit; returns the one before.
async fn raise(folder: &RunFolder, start: &Start, text: &str) -> anyhow::Result<Limit> {
    let state = folder.state();
    let ledger = tokio::task::spawn_blocking(move || SqliteLedger::open(&state)).await??;
    let current = ledger.account(start.run).await?.limit;
    let new = limits::raised(current, text)?;
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
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    let blobs = LocalBlobs::new(folder.state());
    let journal = Journal::new(&blobs);
    let seeds = SeedStore::load(&blobs)
        .await
        .map_err(anyhow::Error::from)?
        .ok_or_else(|| anyhow!("the run has no seeds yet"))?;
    let found = journal.trace(&args.row, &seeds).await;
    let trace = found
        .map_err(anyhow::Error::from)?
        .map_err(|none| Failure::Input(none.into()))?;
    let value = history::json(&start.run.to_string(), &trace);
    print::either(output, &value, &history::text(&trace));
    Ok(())
}

/// Why a run's folder holds no dataset, and the way out.
pub(crate) async fn no_dataset(folder: &RunFolder, start: &Start) -> anyhow::Result<anyhow::Error> {
    let place = folder.dataset();
    let account = account(folder, start).await?;
    Ok(match account.map(|account| account.state) {
        Some(AccountState::Closed) => anyhow!(
            "run {} has ended, and its dataset is missing from {}\nhelp: `gristmill assemble {}` writes it again from the run's state",
            start.run,
            place.display(),
            folder.root().display()
        ),
        _ => anyhow!(
            "run {} has not ended: {} holds no dataset yet",
            start.run,
            place.display()
        ),
    })
}

/// Copies a run's dataset, in another layout or place.
pub(crate) async fn export(args: &ExportArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    let source = folder.dataset();
    let Some(manifest) = folder.manifest()? else {
        return Err(Failure::Input(no_dataset(&folder, &start).await?));
    };
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
    print::either(
        output,
        &value,
        &format!("{} files in {}", files.len(), args.target.display()),
    );
    Ok(())
}
