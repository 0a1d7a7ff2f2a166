//! `gristmill loop`: rows, a student, its errors, and rows that are aimed at them, until the next dollar is not worth it.
//!
//! What is decided, and what is written down of it, is `gristmill_improvement`'s. Each step here is one of the other commands, which resumes by
//! itself: a loop that was stopped repeats the generation under way, and what was done of it is found done.

mod generations;
mod questions;

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::job::Job;
use gristmill_domain::training::Training;
use gristmill_improvement::{Policy, Record, Settings, record_text};
use gristmill_jobfile::{Keys, SettingsFile};
use gristmill_runs::shown;
use serde_json::json;

use crate::args::{LoopArgs, OutputStyle};
use crate::failure::Failure;
use crate::view::View;
use crate::{eval, print, train};
use generations::Improvement;
use questions::Questions;

/// Carries a loop out, or goes on where an earlier start stopped.
pub(crate) async fn improve(args: LoopArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let file = SettingsFile {
        command: "loop",
        option: "--train",
        ..SettingsFile::TRAINING
    };
    let training = gristmill_jobfile::training(file, args.recipe.as_deref(), &args.train)
        .map_err(|errors| print::job_errors(&errors))?;
    let loaded = gristmill_jobfile::load(&args.job.job, &args.job.set, Keys::Here)
        .map_err(|errors| print::job_errors(&errors))?;
    usable(&loaded.job, args.only_unknown).map_err(Failure::Input)?;
    train::can_be_trained(&args.base, training.backend, &view).await?;
    let _lock = lock(&args.out)?;
    let settings = settings(&args, &loaded.job, &training)?;
    let record = Record::open(&args.out, settings).map_err(|error| Failure::Input(error.into()))?;
    let policy = Policy {
        budget: limit(&loaded.job),
        pilot: args.pilot,
        share: args.share,
        min_gain: args.min_gain,
        patience: args.patience,
        generations: args.generations,
    };
    let out = std::path::absolute(&args.out).context("the current folder cannot be read")?;
    let mut improvement = Improvement {
        questions: Questions {
            asking: &args.asking,
            judged: eval::judge(&loaded.job).is_some(),
            out: out.join("evaluations"),
            view: view.clone(),
        },
        args: &args,
        loaded,
        training,
        policy,
        out,
        view,
        record,
    };
    let end = improvement.make_all().await?;
    improvement.test().await?;
    let record = &improvement.record;
    let json = json!({"loop": improvement.out, "ended": end, "record": record, "used": record.used()});
    let mut text = record_text(record, end);
    text.push_str(&format!("loop: {}\n", shown(&improvement.out)));
    print::either(output, &json, &text);
    Ok(())
}

/// What a job must say for its student's errors to be known.
fn usable(job: &Job, only_unknown: bool) -> anyhow::Result<()> {
    if job.evaluate.is_some() {
        bail!(
            "the job has a section `evaluate`, and makes no rows\nhelp: name a job that makes some; how validation rows are asked is said by options"
        );
    }
    if job.holdout.validation == 0.0 {
        bail!(
            "the job holds out no validation rows, whose errors a loop aims at\nhelp: set `holdout.validation`, such as 0.1"
        );
    }
    if only_unknown && !job.filter.validator.compares_references() {
        bail!(
            "`--only-unknown` has the student answer every new row, and the job has no validator that says whether it is right\nhelp: set \
             `filter.validator`, or leave the option out"
        );
    }
    if !job.seeds.fields.has_references() {
        bail!(
            "the job says `seeds.fields.references: none`: nothing says which answers of a student are right\nhelp: name seeds that have references"
        );
    }
    Ok(())
}

/// The right to work in a loop's folder: as long as it is held, no other process may.
fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join(".lock");
    let take = || -> std::io::Result<File> {
        std::fs::create_dir_all(folder)?;
        File::create(&path)
    };
    let file = take().with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::Other(anyhow!(
            "another process carries out the loop in {}",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Failure::Other(
            anyhow!(error).context(format!("{}", path.display())),
        )),
    }
}

/// What the loop is known by.
fn settings(args: &LoopArgs, job: &Job, training: &Training) -> anyhow::Result<Settings> {
    let hash = |value: serde_json::Result<Vec<u8>>| -> anyhow::Result<String> {
        Ok(blake3::hash(&value.context("the settings of the loop")?)
            .to_hex()
            .to_string())
    };
    let mut job = job.clone();
    (job.budget.usd, job.budget.calls) = (None, None);
    let training = Training {
        usd_per_hour: 0.0,
        max_usd: None,
        ..training.clone()
    };
    let asking = &args.asking;
    let formats: Vec<String> = asking
        .formats
        .iter()
        .map(|format| format!("{format:?}"))
        .collect();
    Ok(Settings {
        job: hash(serde_json::to_vec(&job))?,
        training: hash(serde_json::to_vec(&training))?,
        base: args.base.clone(),
        asking: hash(serde_json::to_vec(&(
            formats,
            asking.questions,
            asking.max_tokens,
        )))?,
    })
}

/// What a job may cost.
fn limit(job: &Job) -> Limit {
    Limit {
        usd: job.budget.usd.and_then(MicroUsd::from_usd_ceil),
        calls: job.budget.calls,
    }
}
