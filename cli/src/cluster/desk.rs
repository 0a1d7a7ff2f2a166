//! Jobs that come from a page of the dashboard: checked as `gristmill submit` checks them, in a folder of their own that is gone when that is done.
//!
//! Such a job may name the files that came with it and nothing else of this machine: a value that leads out of the folder is refused before any file is
//! read, and so are validators that run programs or databases.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use gristmill_dashboard::{CheckedJob, Intake, Upload, UploadedFile};
use gristmill_jobfile::{Keys, load, stays_within};
use tokio::sync::Semaphore;

use super::submit::parts;
use crate::args::{JobArgs, ProgressStyle};
use crate::failure::Failure;
use crate::prepare::prepare;
use crate::view::View;
use crate::{splits, survey};

/// Jobs that are checked at once: each reads its seeds, and may embed them.
const AT_ONCE: usize = 1;

/// Checks jobs in this process.
pub(crate) struct Desk {
    turn: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[async_trait]
impl Intake for Desk {
    async fn check(&self, upload: Upload) -> Result<CheckedJob, String> {
        let _turn = self.turn.acquire().await;
        let folder =
            tempfile::tempdir().map_err(|error| format!("there is no room for the upload: {error}"))?;
        let checked = check(folder.path(), upload).await;
        // Messages name files as they were uploaded.
        let place = format!("{}/", folder.path().display());
        checked.map_err(|failure| {
            let text = console::strip_ansi_codes(&failure.text()).replace(&place, "");
            text.trim_end().to_owned()
        })
    }
}

async fn check(folder: &Path, upload: Upload) -> Result<CheckedJob, Failure> {
    let job = folder.join(&upload.job.name);
    for UploadedFile { name, bytes } in std::iter::once(&upload.job).chain(&upload.files) {
        let path = folder.join(name);
        let written = tokio::fs::write(&path, bytes).await;
        written
            .with_context(|| format!("{name} cannot be kept"))
            .map_err(Failure::Input)?;
        stays_within(&path).map_err(|errors| crate::print::job_errors(&errors))?;
    }
    let args = JobArgs {
        job: job.clone(),
        set: Vec::new(),
    };
    refuse_programs(&job)?;
    let ready = prepare(&args, Keys::Elsewhere).await?;
    let prepared = &ready.prepared;
    let view = View::new(ProgressStyle::None);
    splits::refuse_shared(prepared, &view).await?;
    survey::refuse_narrow(prepared, &view).await?;
    let survey = match &prepared.start.job.concepts {
        Some(_) => Some(survey::survey(prepared, &view).await.map_err(Failure::Input)?),
        None => None,
    };
    let plan = gristmill_runs::plan(prepared, survey).map_err(Failure::Input)?;
    Ok(CheckedJob {
        run: prepared.start.run.to_string(),
        name: upload.job.name,
        warnings: plan.warnings,
        plan: plan.text,
        parts: parts(&ready, None).await?,
    })
}

/// Refuses validators whose files would be run or opened here.
fn refuse_programs(job: &Path) -> Result<(), Failure> {
    let loaded = load(job, &[], Keys::Elsewhere).map_err(|errors| crate::print::job_errors(&errors))?;
    match loaded.job.filter.validator.need() {
        None => Ok(()),
        Some(_) => Err(Failure::Input(anyhow!(
            "a validator with a program or with databases is not taken from a page, since this machine would have to run it\nhelp: `gristmill submit` \
             checks it on your machine and sends it"
        ))),
    }
}
