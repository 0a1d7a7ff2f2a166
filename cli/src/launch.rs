//! `gristmill run`: one process, coordinator and worker together.

use std::time::Instant;

use anyhow::Context;
use gristmill_blob::LocalBlobs;
use gristmill_runs::{Manifest, REPORT_FILE, RunFolder};

use crate::args::{JobArgs, OutputStyle};
use crate::drive::to_its_end;
use crate::failure::Failure;
use crate::prepare::{Keys, Ready, prepare};
use crate::view::View;
use crate::{eval, print, report, resume, splits, survey};

/// Runs a job to its end, or goes on where an earlier start stopped.
pub(crate) async fn run(args: &JobArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let began = Instant::now();
    let ready = prepare(args, Keys::Here).await?;
    let job = args.job.display().to_string();
    if ready.prepared.start.job.evaluate.is_some() {
        return eval::carry_out(&ready, &job, view, output).await;
    }
    let Made {
        manifest,
        folder,
        anew,
    } = made(&ready, &job, &view).await?;
    print::done(&manifest, &folder, anew.then(|| began.elapsed()), output);
    reached(&manifest)
}

/// A run that has ended, with its dataset.
pub(crate) struct Made {
    pub(crate) manifest: Manifest,
    pub(crate) folder: RunFolder,
    /// False where it was there already.
    pub(crate) anew: bool,
}

/// Makes the dataset of a job, or what is left of that to do. `job` is what messages call it.
///
/// # Errors
/// What the job lacks, and what stopped the run. One that ends with fewer rows than its job wants is no error.
pub(crate) async fn made(ready: &Ready, job: &str, view: &View) -> Result<Made, Failure> {
    let prepared = &ready.prepared;
    let start = &prepared.start;
    let folder = RunFolder::of(&start.base.join(&start.job.output.dir), start.run);
    if folder.begun() {
        folder.claim(job).await.map_err(Failure::Input)?;
    }
    let manifest = folder.manifest().map_err(Failure::Input)?;
    let resumed = match manifest {
        Some(_) => resume::resume(&folder, start, view).await?,
        None => false,
    };
    if let Some(manifest) = manifest.filter(|_| !resumed) {
        let manifest = serde_json::from_value(manifest).context("the manifest of this run is damaged")?;
        return Ok(Made {
            manifest,
            folder,
            anew: false,
        });
    }
    resume::check_books(&folder).map_err(Failure::Input)?;
    for warning in prepared.warnings().map_err(Failure::Input)? {
        view.warn(&warning);
    }
    if !folder.begun() {
        splits::refuse_shared(prepared, view).await?;
        survey::refuse_narrow(prepared, view).await?;
        folder.claim(job).await.map_err(Failure::Input)?;
    }
    let blobs = LocalBlobs::new(folder.state());
    let (finished, account) = to_its_end(ready, &folder, &blobs, view).await?;
    let seeds = &prepared.seeds;
    let manifest =
        gristmill_runs::assemble(&blobs, &folder.dataset(), start, seeds, &finished, &account).await?;
    let page = folder.root().join(REPORT_FILE);
    // The dataset is there: a report that cannot be made takes nothing from it.
    if let Err(error) = report::write(page, &blobs, start, seeds, &manifest).await {
        view.warn(&format!("no report was written: {error:#}"));
    }
    Ok(Made {
        manifest,
        folder,
        anew: true,
    })
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
