//! What a run is started with: everything that decides it besides its seeds, stored before anything is spent.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::chat::Price;
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{Budget, Job, ModelSpec, Output, Structured, Validator};
use gristmill_ports::ledger::NewAccount;
use serde::{Deserialize, Serialize};

use crate::setup::{StoredRecipe, usual_recipes};
use crate::{Error, Setup};

/// Time an attempt has between two renewals of its lease, milliseconds.
pub const LEASE_MS: u64 = 30_000;
/// Time after which a task without progress is published again, milliseconds.
pub const REPUBLISH_MS: u64 = 10_000;

/// What a run is started with; `state/run.json` of its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
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

/// All models of a job: its teachers, and the judge.
pub fn specs(job: &Job) -> impl Iterator<Item = &ModelSpec> {
    job.teacher
        .iter()
        .map(|teacher| &teacher.spec)
        .chain(job.judge.iter().map(|judge| &judge.spec))
}

/// The limit that a job sets.
pub fn limit(job: &Job) -> Limit {
    Limit {
        usd: job.budget.usd.and_then(MicroUsd::from_usd_ceil),
        calls: job.budget.calls,
    }
}

/// The run's name: everything that decides what it asks and keeps. Its budget may be raised, and where things lie, how fast they go
/// and with which key they are opened may change from start to start.
pub fn run_id(job: &Job, seeds: ContentId, prompts: &[String]) -> RunId {
    // Whether a secret is written in a job or stands in a variable changes nothing that is asked.
    let mut decisive = job.redacted();
    decisive.seeds.path.clear();
    if let Some(documents) = &mut decisive.seeds.documents {
        documents.path.clear();
    }
    decisive.budget = Budget {
        usd: None,
        calls: None,
        at_risk: Budget::default_at_risk(),
        max_attempts: 1,
        price_file: None,
    };
    decisive.output = Output::default();
    // The versions of prompts and recipes stand beside the job.
    decisive.generate.prompts.clear();
    decisive.generate.recipes.clear();
    if let Some(concepts) = &mut decisive.concepts {
        // Whether narrow seeds are accepted decides only whether the run starts.
        concepts.accept = None;
    }
    if let Validator::Sql { databases, .. } = &mut decisive.filter.validator {
        databases.clear();
    }
    let judge = decisive.judge.iter_mut().map(|judge| &mut judge.spec);
    for spec in decisive
        .teacher
        .iter_mut()
        .map(|teacher| &mut teacher.spec)
        .chain(judge)
    {
        (spec.key_env, spec.key_file) = (None, None);
        (spec.concurrency, spec.requests_per_minute, spec.timeout_s) = (None, None, None);
        // Slower and cheaper, with the same answers; the account's prices tell the two apart.
        spec.batch = None;
        if let Some(price) = &mut spec.price {
            price.batch = None;
        }
        (spec.input_tokens_per_minute, spec.output_tokens_per_minute) = (None, None);
        spec.base_url = spec.base_url.take().map(|_| String::new());
        // How a request is put to an endpoint and what it costs to fail: a job whose requests were all refused is mended here, and stays
        // the same run. What a member of `body` is set to may decide the answers; that it is left out follows from what the endpoint takes.
        (spec.token_limit_key, spec.billed_on_error) = (None, None);
        spec.headers.clear();
        spec.header_env.clear();
        spec.body.retain(|_, value| !value.is_null());
        // The prompts are the same whether the form of a JSON answer is asked for by schema, by tool or in words alone.
        spec.structured = spec
            .structured
            .filter(|structured| *structured == Structured::None);
        if let Some(local) = &mut spec.local {
            (local.slots, local.threads) = (1, None);
        }
    }
    let text = serde_json::to_vec(&decisive).unwrap_or_default();
    RunId::of(&[&text, seeds.as_bytes(), prompts.join("\n").as_bytes()])
}
