//! What a run is started with: everything that decides it besides its seeds, stored before anything is spent.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::chat::Price;
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::Job;
use gristmill_ports::ledger::NewAccount;
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use crate::setup::{StoredRecipe, specs, usual_recipes};
use crate::{Error, Setup};

/// Time an attempt has between two renewals of its lease, milliseconds.
pub const LEASE_MS: u64 = 30_000;
/// Time after which a task without progress is published again, milliseconds.
pub const REPUBLISH_MS: u64 = 10_000;

/// What a run is started with; `state/run.json` of its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// Version of this format.
    #[serde(default)]
    pub format: FormatVersion<1>,
    /// The run.
    pub run: RunId,
    /// The program's version.
    pub version: String,
    /// The effective configuration.
    pub job: Job,
    /// The job file, for messages.
    pub job_file: String,
    /// Where relative paths of the job start, on the machine that read it.
    pub base: PathBuf,
    /// The limit it was started with.
    pub limit: Limit,
    /// Versions of the prompts.
    pub prompts: Vec<String>,
    /// Rows of the seed files that could not be used.
    pub bad_rows: u64,
    /// Rows of the seed files that were left out because a model wrote them.
    #[serde(default)]
    pub synthetic_rows: u64,
    /// Documents that could not be read.
    #[serde(default)]
    pub skipped_documents: u64,
    /// The first of them, each with why.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// Texts of the user's own prompts.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// The recipes that rows are made by, with their prompts; runs of older versions name none, and used the usual ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipes: Vec<StoredRecipe>,
    /// Definition statements by database, for the validator `sql`.
    #[serde(default)]
    pub schemas: BTreeMap<String, String>,
}

impl Start {
    /// What is asked, by this start.
    ///
    /// # Errors
    /// A recipe or a template that cannot be used.
    pub fn setup(&self) -> Result<Setup, Error> {
        let usual = self.recipes.is_empty().then(usual_recipes);
        let recipes = usual.as_ref().unwrap_or(&self.recipes);
        Setup::new(
            self.run,
            self.job.clone(),
            recipes,
            &self.templates,
            self.schemas.clone(),
        )
    }

    /// The account that the run starts with.
    pub fn account(&self) -> NewAccount {
        NewAccount {
            run: self.run,
            limit: self.limit,
            price_hash: self.price_hash(),
            lease_ms: LEASE_MS,
            republish_ms: REPUBLISH_MS,
        }
    }

    /// Prices by model name.
    pub fn prices(&self) -> HashMap<String, Price> {
        specs(&self.job)
            .map(|spec| (spec.name(), spec.price().unwrap_or(Price::FREE)))
            .collect()
    }

    /// Hash of the price table, frozen with the run.
    fn price_hash(&self) -> String {
        let mut prices: Vec<_> = self.prices().into_iter().collect();
        prices.sort_by(|a, b| a.0.cmp(&b.0));
        let text = serde_json::to_vec(&prices).unwrap_or_default();
        ContentId::of(&[b"prices", &text]).to_string()
    }
}

/// The limit that a job sets.
pub fn limit(job: &Job) -> Limit {
    Limit {
        usd: job.budget.usd.and_then(MicroUsd::from_usd_ceil),
        calls: job.budget.calls,
    }
}
