//! What a run is started with: everything that decides it besides its seeds, stored before anything is spent.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::chat::Price;
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::Job;
use gristmill_ports::ledger::NewAccount;
use gristmill_ports::register::NewRun;
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
    /// What people call the run, where somebody gave it a name of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was first submitted to a cluster, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_ms: Option<u64>,
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
    /// What people call the run: the name that it was given, or its job file.
    pub fn called(&self) -> &str {
        match self.name.is_empty() {
            true => &self.job_file,
            false => &self.name,
        }
    }

    /// The run as it is entered into the register, with these bytes of this start. Its id serves as key: it never enters two runs.
    pub(crate) fn entry(&self, spec: Vec<u8>) -> NewRun {
        NewRun {
            run: self.run,
            name: self.called().to_owned(),
            spec,
            request_id: self.run.to_string(),
            submitted_ms: self.submitted_ms,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_entered_again_under_its_name_and_as_old_as_it_is() {
        let stored = |more: &str| -> Start {
            let run = RunId::of(&[b"run"]);
            serde_json::from_str(&format!(
                r#"{{"run": "{run}", "version": "0.1.0", "job_file": "job.yaml", "base": "", "limit": {{"usd_micros": null, "calls": 1}},
                    "job": {{"seeds": {{"path": "s"}}, "teacher": {{"base_url": "http://a/v1", "model": "m"}}, "budget": {{"calls": 1}}}},
                    "prompts": [], "bad_rows": 0{more}}}"#
            ))
            .unwrap()
        };
        let entered = |start: &Start| {
            let entry = start.entry(Vec::new());
            (entry.name, entry.submitted_ms)
        };
        let named = stored(r#", "name": "nightly", "submitted_ms": 77"#);
        assert_eq!(entered(&named), ("nightly".to_owned(), Some(77)));
        // An older version wrote neither down.
        let older = stored("");
        assert_eq!(entered(&older), ("job.yaml".to_owned(), None));
        let written = serde_json::to_value(&older).unwrap();
        assert!(written.get("name").is_none() && written.get("submitted_ms").is_none());
    }
}
