//! `gristmill assemble`: the dataset of a run that has ended, written again from its state alone.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use gristmill_blob::{LocalBlobs, Prefixed};
use gristmill_coordinator::{Assembler, Events, Start};
use gristmill_domain::id::RunId;
use gristmill_ports::blob::Blobs;
use gristmill_runs::{DatasetStore, EndedRun, REPORT_FILE, RunFolder};

use crate::args::{AssembleArgs, OutputStyle};
use crate::failure::Failure;
use crate::view::View;
use crate::{print, report};

/// Writes a run's dataset again.
pub(crate) async fn assemble(args: &AssembleArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    match &args.store {
        Some(store) => in_store(store, &args.run, output).await,
        None => in_folder(&args.run, view, output).await,
    }
}

async fn in_folder(path: &Path, view: View, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(path).map_err(Failure::Input)?;
    let start = folder.start().map_err(Failure::Input)?;
    let account = folder.account(&start).await.map_err(Failure::Input)?;
    let blobs = LocalBlobs::new(folder.state());
    let ended = EndedRun::read(&blobs, start, account)
        .await
        .map_err(Failure::Input)?;
    if ended.start.job.evaluate.is_some() {
        return crate::eval::again(&blobs, &folder, &ended, output).await;
    }
    let target = folder.dataset();
    let manifest = gristmill_runs::assemble(
        &blobs,
        &target,
        &ended.start,
        &ended.seeds,
        &ended.finished,
        &ended.account,
    )
    .await
    .map_err(Failure::Input)?;
    let page = folder.root().join(REPORT_FILE);
    // The dataset is there: a report that cannot be made takes nothing from it.
    if let Err(error) = report::write(page, &blobs, &ended.start, &ended.seeds, &manifest).await {
        view.warn(&format!("no report was written: {error:#}"));
    }
    print::done(&manifest, &folder, None, output);
    Ok(())
}

async fn in_store(store: &str, run: &Path, output: OutputStyle) -> Result<(), Failure> {
    let run: RunId = run.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Failure::Input(anyhow!(
            "with `--store`, a run is named by its id, not by {}",
            run.display()
        ))
    })?;
    let to_store = DatasetStore::open(store).map_err(Failure::Input)?;
    let state = Prefixed::state(Arc::clone(&to_store.store), run);
    let spec = state.read("run.json").await;
    let spec = spec
        .with_context(|| format!("{store} holds no run {run}"))
        .map_err(Failure::Input)?;
    let start: Start = serde_json::from_slice(&spec).context("`run.json` is damaged")?;
    let events = Events::load(&state).await.map_err(|e| Failure::Input(e.into()))?;
    let ended = EndedRun::read(&state, start, events.account().cloned())
        .await
        .map_err(Failure::Input)?;
    let assembled = to_store
        .assemble(&ended.start, &ended.seeds, &ended.finished, &ended.account)
        .await;
    assembled.map_err(|error| Failure::Input(anyhow!(error)))?;
    let place = to_store.dataset(run);
    let value =
        serde_json::json!({"run": run.to_string(), "dataset": place, "end": ended.finished.end.to_string()});
    print::either(output, &value, &format!("run {run} · dataset {place}"));
    Ok(())
}
