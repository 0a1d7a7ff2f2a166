//! Reads a job, its seeds, its prompts and its databases: all that can be known before anything is spent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use gristmill_coordinator::{SeedStore, StoredRecipe, usual_recipes};
use gristmill_domain::job::{EmbedSource, Job};
use gristmill_domain::validator::{Asked, Checker, Fault, Need};
use gristmill_jobfile::Loaded;
use gristmill_runs::{Given, Prepared, SeedsRead, read_seeds};
use gristmill_sandbox::{Files, Opened};

pub(crate) use gristmill_jobfile::Keys;

use crate::args::JobArgs;
use crate::failure::Failure;
use crate::{print, workshop};

/// Seeds on which a validator's program is tried at most.
const TRIED: u64 = 5;

/// A job, read and made ready, with what this process needs to carry it out.
pub(crate) struct Ready {
    /// What a run would start with.
    pub(crate) prepared: Prepared,
    /// The job with its secrets, for asking its models; it is never stored.
    pub(crate) live: Job,
    /// The validator, ready to check answers.
    pub(crate) checker: Arc<dyn Checker>,
    /// The command that goes on with the run.
    pub(crate) resume: String,
}

/// Reads the job and all that it names; its keys are looked for where it runs.
pub(crate) async fn prepare(args: &JobArgs, keys: Keys) -> Result<Ready, Failure> {
    let loaded =
        gristmill_jobfile::load(&args.job, &args.set, keys).map_err(|errors| print::job_errors(&errors))?;
    prepare_loaded(loaded, None, resume(args)).await
}

/// Reads all that a job names. `seeds` are its seeds, where they are there already; `resume` is the command that goes on with its run.
pub(crate) async fn prepare_loaded(
    loaded: Loaded,
    seeds: Option<SeedStore>,
    resume: String,
) -> Result<Ready, Failure> {
    let (mut job, job_file, base) = (loaded.job, loaded.name, loaded.base);
    pin_weights(&mut job, &base).await?;
    let Opened { checker, databases } = gristmill_sandbox::open(&job.filter.validator, Files::Job(&base))
        .await
        .map_err(|error| Failure::Input(error.into()))?;
    let schemas = workshop::schemas(databases.as_deref())
        .await
        .map_err(Failure::Input)?;
    let templates = templates(&job, &base).map_err(Failure::Input)?;
    let recipes = recipes(&job, &base)?;
    let read = match seeds {
        Some(store) => SeedsRead::of_store(store),
        None => {
            let (job, base, checker) = (job.clone(), base.clone(), Arc::clone(&checker));
            tokio::task::spawn_blocking(move || read_seeds(&job, &base, &*checker))
                .await
                .map_err(|e| Failure::Other(anyhow!(e)))?
                .map_err(Failure::Input)?
        }
    };
    if let Some(Need::Program(_)) = job.filter.validator.need() {
        try_out(&*checker, &read.store).await.map_err(Failure::Input)?;
    }
    let given = Given {
        job: job.clone(),
        job_file,
        base,
        templates,
        recipes,
        schemas,
        languages: languages(&job),
    };
    Ok(Ready {
        prepared: Prepared::new(given, read).map_err(|e| Failure::Input(e.into()))?,
        live: job,
        checker,
        resume,
    })
}

/// Writes down the hashes of the weights that an evaluation asks, where they lie on this machine, and of what they were trained on: a student that
/// was trained again is another one.
#[cfg(feature = "trainer")]
async fn pin_weights(job: &mut Job, base: &Path) -> Result<(), Failure> {
    for model in job.evaluate.iter_mut().flat_map(|evaluate| &mut evaluate.models) {
        let Some(local) = model.spec.local.clone() else {
            continue;
        };
        let base = base.to_owned();
        let hashed = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            Ok((
                crate::native::weights(&local, &base)?,
                crate::native::trained_on(&local, &base)?,
            ))
        });
        let hashes = hashed.await.map_err(|error| Failure::Other(anyhow!(error)))?;
        (model.weights, model.trained_on) = hashes.map_err(Failure::Input)?;
    }
    Ok(())
}

/// Without the engine that asks such models, there are none.
#[cfg(not(feature = "trainer"))]
async fn pin_weights(_: &mut Job, _: &Path) -> Result<(), Failure> {
    Ok(())
}

/// Codes of the languages that the job's embedding model was made for; empty where that is not known, as of a folder's model.
fn languages(job: &Job) -> &'static [&'static str] {
    match job.embed.source() {
        EmbedSource::Local(name) => gristmill_model_cache::catalogue::find(name)
            .map(|entry| entry.languages)
            .unwrap_or_default(),
        EmbedSource::Off => &[],
    }
}

/// Has a program of the user's check references of the first seeds: what is wrong with it is known before anything is spent.
pub(crate) async fn try_out(checker: &dyn Checker, seeds: &SeedStore) -> anyhow::Result<()> {
    let mut first_wrong = None;
    for ordinal in 0..seeds.len().min(TRIED) {
        let seed = seeds.read(ordinal)?;
        let asked = Asked {
            question: &seed.question,
            answer: seed.references.first().unwrap_or(&seed.answer),
            references: &seed.references,
            passage: seed.context.as_deref(),
            database: seed.database.as_deref(),
        };
        let wrong = match checker.check(&asked).await {
            Err(Fault::Unverifiable(why)) => bail!("`filter.validator` cannot be used: {why}"),
            Err(Fault::Answer(rejection)) => rejection.detail,
            Ok(verdict) if verdict.correct == Some(false) => verdict.detail,
            Ok(_) => return Ok(()),
        };
        first_wrong.get_or_insert((seed.place, wrong));
    }
    // One may be wrong; where all are, it is the program that is.
    match first_wrong {
        None => Ok(()),
        Some((place, why)) => bail!(
            "the program of `filter.validator` finds the real answers wrong, the first at {}:{}: {why}",
            place.file,
            place.line
        ),
    }
}

/// The command that goes on with a run.
fn resume(args: &JobArgs) -> String {
    let mut command = format!("gristmill run {}", quoted(&args.job.display().to_string()));
    for set in &args.set {
        command.push_str(" --set ");
        command.push_str(&quoted(&gristmill_jobfile::redact_override(set)));
    }
    command
}

/// The command that this process was started with, as a shell takes it; secrets in overrides are left out.
pub(crate) fn this_command() -> String {
    let mut command = "gristmill".to_owned();
    let mut overrides = false;
    for arg in std::env::args().skip(1) {
        let shown = match (overrides, arg.strip_prefix("--set=")) {
            (true, _) => gristmill_jobfile::redact_override(&arg).into_owned(),
            (false, Some(set)) => format!("--set={}", gristmill_jobfile::redact_override(set)),
            (false, None) => arg.clone(),
        };
        overrides = arg == "--set";
        command.push(' ');
        command.push_str(&quoted(&shown));
    }
    command
}

/// A word as a shell takes it. Arguments never hold the one character that no shell can be given, NUL.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

/// The recipes that the job names, with their prompts; the usual ones where it names none.
fn recipes(job: &Job, base: &Path) -> Result<Vec<StoredRecipe>, Failure> {
    if job.generate.recipes.is_empty() {
        return Ok(usual_recipes());
    }
    let chosen = job.generate.recipes.iter();
    chosen
        .map(|chosen| {
            let file = gristmill_jobfile::recipe(chosen.name(), base)
                .map_err(|errors| print::job_errors(&errors))?;
            Ok(StoredRecipe {
                file,
                weight: chosen.weight(),
            })
        })
        .collect()
}

/// Texts of the job's own prompts.
pub(crate) fn templates(job: &Job, base: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let read = |(kind, path): (&String, &PathBuf)| {
        let path = base.join(path);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("the prompt {} cannot be read", path.display()))?;
        Ok((kind.clone(), text))
    };
    job.generate.prompts.iter().map(read).collect()
}
