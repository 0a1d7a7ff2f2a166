//! Runs that have ended, gone through once more: for a dataset that is written again, or that replaces another.

use anyhow::{Context, bail};
use gristmill_coordinator::{Finished, SeedStore, Start, replay, verify};
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_ports::blob::Blobs;

use super::Manifest;

/// A run that has ended, gone through once more.
pub struct EndedRun {
    /// What it was started with.
    pub start: Start,
    /// Its seeds.
    pub seeds: SeedStore,
    /// Its books.
    pub account: Account,
    /// How it ended.
    pub finished: Finished,
}

impl EndedRun {
    /// Checks what a dataset rests on, and goes through the run from what is stored.
    ///
    /// # Errors
    /// A run that has not ended, and state that is damaged or cannot be read.
    pub async fn read(state: &dyn Blobs, start: Start, account: Option<Account>) -> anyhow::Result<Self> {
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
        Ok(Self {
            start,
            seeds,
            account,
            finished,
        })
    }
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
    use crate::assemble::RowCounts;

    /// The manifest of a run without rows.
    fn empty() -> Manifest {
        Manifest {
            version: gristmill_proto::FormatVersion,
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
            teacher_checks: Vec::new(),
            by_strategy: Default::default(),
            by_recipe: Vec::new(),
            length_bias: None,
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
