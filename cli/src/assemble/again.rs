//! `gristmill assemble`: the dataset of a run that has ended, written again from its state alone.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use gristmill_blob::{LocalBlobs, Prefixed};
use gristmill_coordinator::{Assembler, Events, Finished, SeedStore, Start, replay, verify};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_domain::words::many;
use gristmill_ports::blob::Blobs;
use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::args::{AssembleArgs, OutputStyle};
use crate::cluster::datasets::ToStore;
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::view::View;
use crate::{inspect, print, report};

/// A run taken up again after it had ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resumed {
    /// Rounds that it had by then.
    pub(crate) rounds: u32,
    /// Its limit from then on.
    pub(crate) limit: gristmill_domain::amount::Limit,
}

impl std::fmt::Display for Resumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "after {} with the limit {}",
            many(self.rounds.into(), "round"),
            self.limit
        )
    }
}

/// A run that has ended, gone through once more.
struct Ended {
    start: Start,
    seeds: SeedStore,
    account: Account,
    finished: Finished,
}

/// Writes a run's dataset again.
pub(crate) async fn again(args: &AssembleArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    match &args.store {
        Some(store) => in_store(store, &args.run, output).await,
        None => in_folder(&args.run, view, output).await,
    }
}

async fn in_folder(path: &Path, view: View, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(path).map_err(Failure::Input)?;
    let start = folder.start().map_err(Failure::Input)?;
    let account = inspect::account(&folder, &start).await.map_err(Failure::Input)?;
    let blobs = LocalBlobs::new(folder.state());
    let ended = go_through(&blobs, start, account).await?;
    let target = folder.dataset();
    let manifest = super::assemble(
        &blobs,
        &target,
        &ended.start,
        &ended.seeds,
        &ended.finished,
        &ended.account,
    )
    .await
    .map_err(Failure::Input)?;
    let page = folder.root().join(report::FILE);
    // The dataset is there: a report that cannot be made takes nothing from it.
    if let Err(error) = report::write(page, &blobs, &ended.start, &ended.seeds, &manifest).await {
        view.warn(&format!("no report was written: {error:#}"));
    }
    print::done(&manifest, &folder, None, output);
    Ok(())
}

async fn in_store(store: &str, run: &Path, output: OutputStyle) -> Result<(), Failure> {
    let run: RunId = run.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Failure::Input(anyhow!(
            "with `--store`, a run is named by its id, not by {}",
            run.display()
        ))
    })?;
    let to_store = ToStore::open(store).map_err(Failure::Input)?;
    let state = Prefixed::state(Arc::clone(&to_store.store), run);
    let spec = state.read("run.json").await;
    let spec = spec
        .with_context(|| format!("{store} holds no run {run}"))
        .map_err(Failure::Input)?;
    let start: Start = serde_json::from_slice(&spec).context("`run.json` is damaged")?;
    let events = Events::load(&state).await.map_err(|e| Failure::Input(e.into()))?;
    let ended = go_through(&state, start, events.account().cloned()).await?;
    let assembled = to_store
        .assemble(&ended.start, &ended.seeds, &ended.finished, &ended.account)
        .await;
    assembled.map_err(|error| Failure::Input(anyhow!(error)))?;
    let place = to_store.dataset(run);
    let value =
        serde_json::json!({"run": run.to_string(), "dataset": place, "end": ended.finished.end.to_string()});
    print::either(output, &value, &format!("run {run} · dataset {place}"));
    Ok(())
}

/// Checks what a dataset rests on, and goes through the run from what is stored.
async fn go_through(state: &dyn Blobs, start: Start, account: Option<Account>) -> Result<Ended, Failure> {
    let read = async {
        let Some(account) = account.filter(|account| account.state == AccountState::Closed) else {
            bail!(
                "run {} has not ended: the `gristmill run` or `submit` that began it resumes it, and writes its dataset at its end",
                start.run
            );
        };
        verify(state).await?;
        let seeds = SeedStore::load(state)
            .await?
            .with_context(|| format!("the seeds of run {} are missing from its state", start.run))?;
        let finished = replay(&start, &seeds, state, &account).await?;
        Ok(Ended {
            start,
            seeds,
            account,
            finished,
        })
    };
    read.await.map_err(Failure::Input)
}

/// Refuses to replace a dataset of the same run by one with fewer of its rows.
pub(crate) fn refuse_worse(before: Option<&Manifest>, now: &Manifest, place: &str) -> anyhow::Result<()> {
    let rows = |manifest: &Manifest| manifest.rows.train_synthetic;
    match before.filter(|before| before.run == now.run) {
        Some(before) if rows(before) > rows(now) => bail!(
            "the dataset in {place} holds {} synthetic rows, and the run's state only {}: nothing was replaced\nhelp: restore \
             `state/rows/` from a copy, or move that dataset away to write the smaller one",
            rows(before),
            rows(now)
        ),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::manifest::RowCounts;

    /// The manifest of a run without rows.
    fn empty() -> Manifest {
        Manifest {
            version: 1,
            run: String::new(),
            gristmill: String::new(),
            configuration: String::new(),
            short: None,
            end: String::new(),
            rows: RowCounts::default(),
            candidates: 0,
            rejected: Vec::new(),
            failed_calls: Vec::new(),
            by_reference: Default::default(),
            concepts: Vec::new(),
            by_strategy: Default::default(),
            by_mutator: Default::default(),
            leaks: None,
            certainty: None,
            unvoted: 0,
            resumed: Vec::new(),
            limit: gristmill_domain::amount::Limit::default(),
            spend: Vec::new(),
            rounds: Vec::new(),
            seeds: gristmill_coordinator::Summary::default(),
            prompts: Vec::new(),
            job: serde_json::from_value(serde_json::json!({
                "seeds": {"path": "s"}, "teacher": {"base_url": "http://x/v1", "model": "m"}, "budget": {"calls": 1},
            }))
            .unwrap(),
            warnings: Vec::new(),
            files: Vec::new(),
        }
    }

    fn manifest(run: &str, rows: u64) -> Manifest {
        let mut manifest = empty();
        manifest.run = run.to_owned();
        manifest.rows.train_synthetic = rows;
        manifest
    }

    #[test]
    fn a_dataset_is_not_replaced_by_one_with_fewer_rows() {
        let now = manifest("a", 285);
        for before in [
            None,
            Some(manifest("a", 285)),
            Some(manifest("a", 12)),
            Some(manifest("b", 300)),
        ] {
            refuse_worse(before.as_ref(), &now, "out").unwrap();
        }
        let refused = refuse_worse(Some(&manifest("a", 300)), &now, "out").unwrap_err();
        assert!(refused.to_string().contains("300 synthetic rows"), "{refused}");
    }
}
