//! What a run without a dataset has come to so far, kept up with its journal: each segment is read once.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_coordinator::{Journal, RoundReport, SeedStore, Start};
use gristmill_domain::ledger::Account;
use gristmill_domain::plan::Plan;
use gristmill_domain::row::Row;
use gristmill_domain::seed::Split;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use crate::assemble::{self, Manifest, Tallies};

/// Decided rows of a round, counted by what became of them.
#[derive(Debug, Clone, Copy, Default)]
struct RoundCounts {
    decided: u64,
    accepted: u64,
    unfunded: u64,
    aimed: u64,
    counted: u64,
}

/// Counts of all rows of a run's journal, from which its manifest is made while it has no dataset.
#[derive(Clone, Default)]
pub struct SoFar {
    read: BTreeSet<String>,
    tallies: Tallies,
    rounds: BTreeMap<u32, RoundCounts>,
    /// Plans of the rounds, in their order: a plan is stored once and never changes.
    plans: Vec<Plan>,
}

impl SoFar {
    /// Counts what the journal has that was not counted yet. One segment is in memory at a time. A journal that lacks a segment that was
    /// counted is another one, and is counted from its beginning.
    ///
    /// # Errors
    /// A segment that is damaged or cannot be read. What was counted before it stays counted.
    pub async fn catch_up(&mut self, state: &dyn Blobs, start: &Start) -> anyhow::Result<()> {
        let journal = Journal::new(state);
        let names = journal.all_segments(SegmentKind::Rows).await?;
        let there: BTreeSet<&String> = names.iter().collect();
        if self.read.iter().any(|name| !there.contains(name)) {
            *self = Self::default();
        }
        for name in names {
            if self.read.contains(&name) {
                continue;
            }
            for record in journal.rows(&name).await? {
                self.count(start, &record.value);
            }
            self.read.insert(name);
        }
        while let Some(plan) = journal.plan(u32::try_from(self.plans.len())?).await? {
            self.plans.push(plan);
        }
        Ok(())
    }

    fn count(&mut self, start: &Start, row: &Row) {
        self.tallies.see(row, assemble::has_reference(start, row));
        let round = self.rounds.entry(row.position.round).or_default();
        round.decided += 1;
        round.accepted += u64::from(row.accepted());
        round.unfunded += u64::from(row.unfunded());
        if let (Some(aim), Some(_)) = (&row.concept, &start.job.concepts) {
            round.aimed += 1;
            round.counted += u64::from(row.assigned.iter().any(|a| a.counted && a.concept == *aim));
        }
    }

    /// What a manifest would say of the run now: it goes on, or has ended for what `end` says.
    pub fn manifest(&self, start: &Start, seeds: &SeedStore, account: &Account, end: String) -> Manifest {
        let mut tallies = self.tallies.clone();
        for ordinal in 0..seeds.len() {
            match seeds.split(ordinal) {
                Split::Anchor => {
                    tallies.rows.train += 1;
                    tallies.rows.train_human += 1;
                }
                Split::Validation => tallies.rows.validation += 1,
                Split::Test => tallies.rows.test += 1,
            }
        }
        let synthetic = tallies.rows.train_synthetic as f64;
        tallies.rows.synthetic_share = synthetic / tallies.rows.train.max(1) as f64;
        let rounds = (0..).zip(&self.plans).map(|(round, plan)| {
            let counts = self.rounds.get(&round).copied().unwrap_or_default();
            RoundReport {
                plan: plan.clone(),
                decided: counts.decided,
                accepted: counts.accepted,
                unfunded: counts.unfunded,
                aimed: counts.aimed,
                counted: counts.counted,
                rejected: BTreeMap::new(),
            }
        });
        let last = self.plans.last();
        let course = assemble::Course {
            end,
            ended: None,
            rounds: rounds.collect(),
            concepts: last.map(|plan| plan.concepts.clone()).unwrap_or_default(),
            teacher_checks: last.map(|plan| plan.teacher_checks.clone()).unwrap_or_default(),
        };
        assemble::manifest(start, seeds, course, account, tallies)
    }
}

/// What a manifest would say of a run without a dataset, counted from the beginning of its journal.
///
/// # Errors
/// State that cannot be read.
pub async fn manifest_so_far(
    state: &dyn Blobs,
    start: &Start,
    seeds: &SeedStore,
    account: &Account,
    end: String,
) -> anyhow::Result<Manifest> {
    let mut so_far = SoFar::default();
    so_far.catch_up(state, start).await?;
    Ok(so_far.manifest(start, seeds, account, end))
}
