//! Where a run in a folder stands, read from its ledger, journal and manifest.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, Start, is_of_last_end};
use gristmill_domain::by_recipe::{RecipeYield, told};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_domain::plan::{Forecast, Plan, Range};
use gristmill_ledger_sqlite::ReadOnly;
use gristmill_proto::SegmentKind;
use serde::de::DeserializeOwned;

use super::{RunFolder, shown};
use crate::status::{ConceptsReached, RunState, RunStatus, lift_freeze};
use crate::tally::RowTally;

impl RunFolder {
    /// A run's books; `None` before its first task. Those of a run that has ended are written down with its state; until then they are in its ledger.
    ///
    /// # Errors
    /// A ledger or state that cannot be read.
    pub async fn account(&self, start: &Start) -> anyhow::Result<Option<Account>> {
        if self.state().join("ledger.sqlite").exists() && !self.of_a_cluster().await? {
            return Ok(ReadOnly::open(&self.state())?.account(start.run)?);
        }
        Ok(self.events().await?.account().cloned())
    }

    /// Where a run stands, what it is doing, and where its concepts stand. `cluster`: a cluster keeps its books. `tally` holds the counts of
    /// its stored rows: what is shown of a run that goes on, or was interrupted.
    ///
    /// # Errors
    /// State that is damaged or cannot be read.
    pub async fn status(
        &self,
        start: Start,
        cluster: bool,
        tally: &RowTally,
    ) -> anyhow::Result<(RunStatus, RunState, ConceptsReached)> {
        let account = self.account(&start).await?;
        let events = self.events().await?;
        let written = self.manifest()?;
        let outdated = match &written {
            Some(manifest) => !is_of_last_end(manifest, &events),
            None => events.reopened().is_some(),
        };
        let manifest = written.filter(|_| !outdated);
        let place = self.written().map(|place| shown(&place));
        let ended = events.ended();
        let doing = Doing {
            cluster,
            cancelled: ended.is_some_and(|ended| ended.end.is_none()),
            reopened: events.reopened().is_some(),
            written: place.is_some() && !outdated,
        };
        let state = state(account.as_ref(), self, doing);
        let plan = match &manifest {
            Some(_) => None,
            None => latest_plan(self).await?,
        };
        let concepts = match &manifest {
            Some(manifest) => listed(manifest, "concepts")?,
            None => plan
                .as_ref()
                .map(|plan| plan.concepts.clone())
                .unwrap_or_default(),
        };
        let rows_of = |forecast: &Forecast| {
            let whole = |figure: f64| figure.round() as u64;
            let Range { low, expected, high } = forecast.rows;
            (whole(expected), (whole(low), whole(high)))
        };
        let teacher_checks = match (&manifest, &plan) {
            (Some(manifest), _) => listed(manifest, "teacher_checks")?,
            (None, Some(plan)) => plan.teacher_checks.clone(),
            (None, None) => Vec::new(),
        };
        let status = RunStatus {
            run: start.run.to_string(),
            name: start.called().to_owned(),
            limit: start.limit,
            account,
            in_batches: in_batches(self, start.run)?,
            ready_seconds: BTreeMap::new(),
            cancelled: ended.map_or(0, |ended| ended.progress.cancelled),
            unfunded: ended.map_or(0, |ended| ended.progress.unfunded.values().sum()),
            planned: plan.as_ref().map(planned).unwrap_or_default(),
            teacher_checks,
            expected: plan
                .filter(|_| !events.over())
                .and_then(|plan| plan.forecast.as_ref().map(rows_of)),
            rows: match (&manifest, ended) {
                (Some(manifest), _) => manifest.get("rows").cloned(),
                (None, Some(ended)) if ended.progress.evaluates => Some(serde_json::json!({
                    "right": ended.progress.accepted, "answered": ended.progress.decided,
                })),
                (None, Some(ended)) => Some(serde_json::json!({
                    "accepted": ended.progress.accepted, "decided": ended.progress.decided,
                })),
                (None, None) if tally.decided > 0 => Some(serde_json::json!({
                    "accepted": tally.accepted, "decided": tally.decided,
                })),
                (None, None) => None,
            },
            recipes: manifest.as_ref().map(recipes).transpose()?.unwrap_or_default(),
            end: match (&manifest, ended) {
                (Some(manifest), _) => manifest
                    .get("end")
                    .and_then(|end| end.as_str())
                    .unwrap_or_default()
                    .to_owned(),
                (None, Some(ended)) => ended.last_seen().end,
                (None, None) => String::new(),
            },
            dataset: place.clone().filter(|_| !outdated),
            earlier_dataset: place.filter(|_| outdated),
            alerts: Vec::new(),
            failures: Vec::new(),
        };
        Ok((status, state, ConceptsReached::of(concepts)))
    }

    /// The same with its books alone.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub async fn budget(&self, start: Start) -> anyhow::Result<RunStatus> {
        let account = self.account(&start).await?;
        Ok(RunStatus {
            run: start.run.to_string(),
            name: start.called().to_owned(),
            limit: start.limit,
            account,
            in_batches: in_batches(self, start.run)?,
            ready_seconds: BTreeMap::new(),
            cancelled: 0,
            unfunded: 0,
            rows: None,
            recipes: Vec::new(),
            planned: Vec::new(),
            teacher_checks: Vec::new(),
            expected: None,
            end: String::new(),
            dataset: None,
            earlier_dataset: None,
            alerts: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Why a run's folder holds no dataset, and the way out.
    ///
    /// # Errors
    /// A ledger or state that cannot be read.
    pub async fn no_dataset(&self, start: &Start) -> anyhow::Result<anyhow::Error> {
        let place = self.dataset();
        let account = self.account(start).await?;
        Ok(match account.map(|account| account.state) {
            Some(AccountState::Closed) => anyhow!(
                "run {} has ended, and its dataset is missing from {}\nhelp: `gristmill assemble {}` writes it again from the run's state",
                start.run,
                place.display(),
                self.root().display()
            ),
            _ => anyhow!(
                "run {} has not ended: {} holds no dataset yet",
                start.run,
                place.display()
            ),
        })
    }
}

fn in_batches(folder: &RunFolder, run: RunId) -> anyhow::Result<u64> {
    if folder.state().join("ledger.sqlite").exists() {
        Ok(ReadOnly::open(&folder.state())?.in_batches(run)?)
    } else {
        Ok(0)
    }
}

/// What a run's state depends on besides its account.
struct Doing {
    /// A cluster keeps its books.
    cluster: bool,
    cancelled: bool,
    /// It is to go on after it had ended.
    reopened: bool,
    /// What it made is written, since it was last resumed.
    written: bool,
}

fn state(account: Option<&Account>, folder: &RunFolder, doing: Doing) -> RunState {
    let Doing {
        cluster,
        cancelled,
        reopened,
        written,
    } = doing;
    let why = |word, why: &str| RunState {
        why: why.to_owned(),
        ..RunState::of(word)
    };
    let goes_on = || match gristmill_ledger_sqlite::running_in(&folder.state()) {
        Some(by) => why("running", &format!("process {by} works on it")),
        None => RunState {
            way_out: "the same `gristmill run` goes on".to_owned(),
            ..RunState::of("stopped")
        },
    };
    match account.map(|account| &account.state) {
        None => RunState::of("not started"),
        Some(AccountState::Paused { reason }) => RunState {
            why: reason.clone(),
            way_out: "mend it, and the same `gristmill run` goes on".to_owned(),
            ..RunState::of("paused")
        },
        Some(AccountState::Frozen { reason, .. }) => RunState {
            why: reason.clone(),
            way_out: lift_freeze(
                &shown(folder.root()),
                account.map(|account| account.limit).unwrap_or_default(),
            ) + ", by the same `gristmill run`",
            ..RunState::of("frozen")
        },
        Some(AccountState::Cancelled) => RunState::of("cancelled"),
        // Its books are reopened by the process that goes on with it.
        Some(AccountState::Closed) if reopened => goes_on(),
        Some(AccountState::Closed) if cancelled => match written {
            true => RunState::of("cancelled"),
            false => RunState {
                way_out: format!(
                    "no dataset holds its accepted rows: `gristmill assemble {}` makes one",
                    shown(folder.root())
                ),
                ..RunState::of("cancelled")
            },
        },
        Some(AccountState::Closed) if !written => {
            match (gristmill_ledger_sqlite::running_in(&folder.state()), cluster) {
                (Some(by), _) => why("assembling", &format!("process {by} writes the dataset")),
                (None, true) => RunState {
                    way_out: format!("`gristmill assemble {}` writes it again", shown(folder.root())),
                    ..RunState::of("ended without a dataset")
                },
                (None, false) => RunState {
                    way_out: format!(
                        "`gristmill assemble {}` or the same `gristmill run` writes it",
                        shown(folder.root())
                    ),
                    ..RunState::of("ended without a dataset")
                },
            }
        }
        Some(AccountState::Closed) => RunState::of("finished"),
        Some(AccountState::Active) => goes_on(),
    }
}

/// A list of the manifest of a finished run; empty in manifests of versions that did not know it.
fn listed<T: DeserializeOwned>(manifest: &serde_json::Value, key: &str) -> anyhow::Result<Vec<T>> {
    let list = manifest
        .get(key)
        .cloned()
        .unwrap_or_else(|| serde_json::json!([]));
    serde_json::from_value(list).context("the manifest of this run is damaged")
}

/// The recipes of a finished run that are worth telling apart. Manifests of older versions name none.
fn recipes(manifest: &serde_json::Value) -> anyhow::Result<Vec<RecipeYield>> {
    let all: Vec<RecipeYield> = listed(manifest, "by_recipe")?;
    let named = manifest
        .pointer("/job/generate/recipes")
        .and_then(|recipes| recipes.as_array())
        .is_some_and(|named| !named.is_empty());
    Ok(told(&all, named).to_vec())
}

/// Candidates of a round by recipe.
fn planned(plan: &Plan) -> Vec<(String, u64)> {
    let each = plan
        .recipes
        .iter()
        .map(|planned| (planned.recipe.clone(), planned.candidates));
    each.collect()
}

/// The plan that a run made last.
async fn latest_plan(folder: &RunFolder) -> anyhow::Result<Option<Plan>> {
    let blobs = LocalBlobs::new(folder.state());
    let journal = Journal::new(&blobs);
    let rounds = journal.all_segments(SegmentKind::Plans).await?.len();
    match rounds.checked_sub(1) {
        Some(latest) => Ok(journal.plan(latest as u32).await?),
        None => Ok(None),
    }
}
