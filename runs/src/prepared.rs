//! A job with its seeds, as a run would start with them: all that can be known before anything is spent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gristmill_coordinator::{Error, SeedStore, Setup, Start, StoredRecipe, evaluation_plan, limit, run_id};
use gristmill_domain::id::RunId;
use gristmill_domain::job::Job;
use gristmill_domain::words::thousands;
use gristmill_proto::FormatVersion;

use crate::dropped::DroppedText;
use crate::intake::{BadRows, DocumentsRead, SeedsRead, SyntheticRows};
use crate::tongues::unknown_to_embedder;

/// What a run is to start with, besides its seeds.
#[derive(Debug)]
pub struct Given {
    /// The job, with its secrets.
    pub job: Job,
    /// The job file, for messages.
    pub job_file: String,
    /// Where relative paths of the job start.
    pub base: PathBuf,
    /// Texts of the user's own prompts.
    pub templates: BTreeMap<String, String>,
    /// The recipes that rows are made by, with their prompts.
    pub recipes: Vec<StoredRecipe>,
    /// Definition statements by database, for the validator `sql`.
    pub schemas: BTreeMap<String, String>,
    /// Codes of the languages that the job's embedding model was made for; empty where that is not known.
    pub languages: &'static [&'static str],
}

/// A job, read and made ready.
pub struct Prepared {
    /// What the run is started with, as it is stored: no secret is in it.
    pub start: Start,
    /// The seeds.
    pub seeds: SeedStore,
    /// Seed rows that could not be used.
    pub bad_rows: BadRows,
    /// Rows that a model wrote.
    pub synthetic: SyntheticRows,
    /// Seeds whose answer is a bare verdict.
    pub verdicts: u64,
    /// Documents that could not be read.
    pub skipped: BadRows,
    /// What of the documents is in no passage.
    pub dropped: DroppedText,
    /// What is asked, and how.
    pub setup: Setup,
    languages: &'static [&'static str],
}

impl Prepared {
    /// A run as it would start with what was read.
    ///
    /// # Errors
    /// A template that cannot be used; of an evaluation, questions that cannot be asked as the job wants.
    pub fn new(given: Given, read: SeedsRead) -> Result<Self, Error> {
        let SeedsRead {
            store: seeds,
            bad: bad_rows,
            synthetic,
            verdicts,
            documents: DocumentsRead { skipped, dropped },
        } = read;
        let mut start = Start {
            format: FormatVersion,
            run: RunId::of(&[]),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            job_file: given.job_file,
            name: String::new(),
            submitted_ms: None,
            base: given.base,
            limit: limit(&given.job),
            prompts: Vec::new(),
            bad_rows: bad_rows.count,
            synthetic_rows: synthetic.count,
            skipped_documents: skipped.count,
            skipped: skipped.lines().to_vec(),
            job: given.job.redacted(),
            templates: given.templates,
            recipes: given.recipes,
            schemas: given.schemas,
        };
        // The versions come from the templates, so the setup is made once to know them, and once with the run's name.
        start.prompts = start.setup()?.prompt_versions();
        start.run = run_id(&start.job, seeds.digest(), &start.prompts);
        let setup = start.setup()?;
        if let Some(evaluate) = &start.job.evaluate {
            // Whether the limit in force covers it, the ledger knows.
            evaluation_plan(&setup, evaluate, &seeds)?;
        }
        Ok(Self {
            setup,
            start,
            seeds,
            bad_rows,
            synthetic,
            verdicts,
            skipped,
            dropped,
            languages: given.languages,
        })
    }

    /// What a person should know before anything is spent, a line each: what of the seeds and documents was left out, and whether the
    /// embedding model knows their language.
    ///
    /// # Errors
    /// Seeds that cannot be read.
    pub fn warnings(&self) -> anyhow::Result<Vec<String>> {
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
        warnings.extend(unknown_to_embedder(&self.start.job, &self.seeds, self.languages)?);
        Ok(warnings)
    }
}
