//! Reads a job, its seeds, its prompts and its databases: all that can be known before anything is spent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use gristmill_coordinator::{SeedStore, Setup, Start, StoredRecipe, limit, run_id, usual_recipes};
use gristmill_domain::id::RunId;
use gristmill_domain::job::{Job, Validator};
use gristmill_domain::words::thousands;

pub(crate) use gristmill_jobfile::Keys;

use crate::args::JobArgs;
use crate::dropped::DroppedText;
use crate::failure::Failure;
use crate::tongues::unknown_to_embedder;
use crate::{intake, print, workshop};

/// A job, read and made ready.
pub(crate) struct Prepared {
    /// What the run is started with, as it is stored: no secret is in it.
    pub(crate) start: Start,
    /// The job with its secrets, for asking its models; it is never stored.
    pub(crate) live: Job,
    pub(crate) seeds: SeedStore,
    pub(crate) bad_rows: intake::BadRows,
    /// Rows that a model wrote.
    pub(crate) synthetic: intake::SyntheticRows,
    /// Seeds whose answer is a bare verdict.
    pub(crate) verdicts: u64,
    /// Documents that could not be read.
    pub(crate) skipped: intake::BadRows,
    /// What of the documents is in no passage.
    pub(crate) dropped: DroppedText,
    pub(crate) setup: Setup,
    pub(crate) sandbox: Option<Arc<gristmill_sandbox::Sandbox>>,
    /// The command that goes on with the run.
    pub(crate) resume: String,
}

impl Prepared {
    /// What a person should know before anything is spent, a line each: what of the seeds and documents was left out, and whether the
    /// embedding model knows their language.
    pub(crate) fn warnings(&self) -> anyhow::Result<Vec<String>> {
        let mut warnings = Vec::new();
        for (what, bad) in [("seed row", &self.bad_rows), ("document", &self.skipped)] {
            warnings.extend(bad.lines().iter().map(|line| format!("{what} left out: {line}")));
            let more = bad.count - bad.lines().len() as u64;
            if more > 0 {
                warnings.push(format!("{} more {what}s left out", thousands(more)));
            }
        }
        warnings.extend(self.synthetic.told());
        if self.start.job.filter.grounding.is_some() && self.verdicts > 0 {
            warnings.push(format!(
                "{} answered by a bare verdict (yes, no, true, false), and `filter.grounding` rejects made answers like them",
                match self.verdicts {
                    1 => "a seed is".to_owned(),
                    seeds => format!("{} seeds are", thousands(seeds)),
                }
            ));
        }
        warnings.extend(unknown_to_embedder(&self.start.job, &self.seeds)?);
        Ok(warnings)
    }
}

/// Reads the job and all that it names; its keys are looked for where it runs.
pub(crate) async fn prepare(args: &JobArgs, keys: Keys) -> Result<Prepared, Failure> {
    let loaded =
        gristmill_jobfile::load(&args.job, &args.set, keys).map_err(|errors| print::job_errors(&errors))?;
    let (job, base) = (loaded.job, loaded.base);
    let sandbox = match &job.filter.validator {
        Validator::Sql { databases, timeout_s } => {
            let opened = workshop::sandbox(&base.join(databases), *timeout_s).await;
            Some(opened.map_err(Failure::Input)?)
        }
        Validator::None | Validator::Number | Validator::Label { .. } | Validator::Text { .. } => None,
    };
    let schemas = workshop::schemas(sandbox.as_deref())
        .await
        .map_err(Failure::Input)?;
    let templates = templates(&job, &base).map_err(Failure::Input)?;
    let recipes = recipes(&job, &base)?;
    let read = {
        let (job, base) = (job.clone(), base.clone());
        tokio::task::spawn_blocking(move || intake::read_seeds(&job, &base))
            .await
            .map_err(|e| Failure::Other(anyhow!(e)))?
            .map_err(Failure::Input)?
    };
    let intake::SeedsRead {
        store: seeds,
        bad: bad_rows,
        synthetic,
        verdicts,
        documents: intake::DocumentsRead { skipped, dropped },
    } = read;
    let mut start = Start {
        run: RunId::of(&[]),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        job_file: args.job.display().to_string(),
        base,
        limit: limit(&job),
        prompts: Vec::new(),
        bad_rows: bad_rows.count,
        synthetic_rows: synthetic.count,
        skipped_documents: skipped.count,
        skipped: skipped.lines().to_vec(),
        job: job.redacted(),
        templates,
        recipes,
        schemas,
    };
    let setup = |start: &Start| start.setup().map_err(|e| Failure::Input(e.into()));
    // The versions come from the templates, so the setup is made once to know them, and once with the run's name.
    start.prompts = setup(&start)?.prompt_versions();
    start.run = run_id(&start.job, seeds.digest(), &start.prompts);
    Ok(Prepared {
        setup: setup(&start)?,
        start,
        live: job,
        seeds,
        bad_rows,
        synthetic,
        verdicts,
        skipped,
        dropped,
        sandbox,
        resume: resume(args),
    })
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

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if word
        .chars()
        .all(|c| c.is_alphanumeric() || "/._=-+,:@%".contains(c))
    {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
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

fn templates(job: &Job, base: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let read = |(kind, path): (&String, &PathBuf)| {
        let path = base.join(path);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("the prompt {} cannot be read", path.display()))?;
        Ok((kind.clone(), text))
    };
    job.generate.prompts.iter().map(read).collect()
}
