//! `gristmill run`: one process, coordinator and worker together.

use std::time::Instant;

use anyhow::Context;
use gristmill_blob::LocalBlobs;
use gristmill_runs::{Manifest, REPORT_FILE, RunFolder};

use crate::args::{JobArgs, OutputStyle};
use crate::drive::to_its_end;
use crate::failure::Failure;
use crate::prepare::{Keys, prepare};
use crate::view::View;
use crate::{eval, print, report, resume, survey};

/// Runs a job to its end, or goes on where an earlier start stopped.
pub(crate) async fn run(args: &JobArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let began = Instant::now();
    let ready = prepare(args, Keys::Here).await?;
    if ready.prepared.start.job.evaluate.is_some() {
        return eval::carry_out(&ready, &args.job.display().to_string(), view, output).await;
    }
    let prepared = &ready.prepared;
    let output_dir = prepared.start.base.join(&prepared.start.job.output.dir);
    let folder = RunFolder::of(&output_dir, prepared.start.run);
    let job = args.job.display().to_string();
    if folder.begun() {
        folder.claim(&job).await.map_err(Failure::Input)?;
    }
    let manifest = folder.manifest().map_err(Failure::Input)?;
    let resumed = match manifest {
        Some(_) => resume::resume(&folder, &prepared.start, &view).await?,
        None => false,
    };
    if let Some(manifest) = manifest.filter(|_| !resumed) {
        let manifest: Manifest =
            serde_json::from_value(manifest).context("the manifest of this run is damaged")?;
        print::done(&manifest, &folder, None, output);
        return reached(&manifest);
    }
    resume::check_books(&folder).map_err(Failure::Input)?;
    for warning in prepared.warnings().map_err(Failure::Input)? {
        view.warn(&warning);
    }
    let start = &prepared.start;
    if !folder.begun() {
        survey::refuse_narrow(prepared, &view).await?;
        folder.claim(&job).await.map_err(Failure::Input)?;
    }
    let blobs = LocalBlobs::new(folder.state());
    let (finished, account) = to_its_end(&ready, &folder, &blobs, &view).await?;
    let manifest = gristmill_runs::assemble(
        &blobs,
        &folder.dataset(),
        start,
        &prepared.seeds,
        &finished,
        &account,
    )
    .await?;
    let page = folder.root().join(REPORT_FILE);
    // The dataset is there: a report that cannot be made takes nothing from it.
    if let Err(error) = report::write(page, &blobs, start, &prepared.seeds, &manifest).await {
        view.warn(&format!("no report was written: {error:#}"));
    }
    print::done(&manifest, &folder, Some(began.elapsed()), output);
    reached(&manifest)
}

/// An error where a run ended before what the job wants was there.
fn reached(manifest: &Manifest) -> Result<(), Failure> {
    match manifest.short() {
        Some(there) => Err(Failure::short(
            &there,
            manifest.rows.train_synthetic,
            &manifest.end,
        )),
        None => Ok(()),
    }
}
