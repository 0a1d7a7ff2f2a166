//! What is said of a run and of its rounds, and how a stored row enters it.

use std::collections::{BTreeMap, HashMap};

use gristmill_domain::again::Again;
use gristmill_domain::concept::{self, ConceptProgress};
use gristmill_domain::filter::Reason;
use gristmill_domain::plan::{End, Plan, Policy, Snapshot};
use gristmill_domain::row::Row;
use gristmill_domain::self_improvement::TeacherCheck;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Progress;

/// A round as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundReport {
    /// Its plan.
    pub plan: Plan,
    /// Candidates that were decided.
    pub decided: u64,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Candidates for which no money was left.
    pub unfunded: u64,
    /// Candidates that were aimed at a concept.
    #[serde(default)]
    pub aimed: u64,
    /// Those of them that count towards it.
    #[serde(default)]
    pub counted: u64,
    /// Rejected candidates by reason.
    #[serde(default)]
    pub rejected: BTreeMap<Reason, u64>,
}

/// A run at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Why it ended.
    pub end: End,
    /// Its rounds.
    pub rounds: Vec<RoundReport>,
    /// The policy it followed.
    pub policy: Policy,
    /// Where each concept stands, where the job has any.
    #[serde(default)]
    pub concepts: Vec<ConceptProgress>,
    /// How the teachers that are related to the student did on validation rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_checks: Vec<TeacherCheck>,
    /// Numbers of the concepts that each anchor seed belongs to; `None` where the job has no concepts. It is not stored.
    #[serde(skip)]
    pub of_anchor: Option<Vec<Vec<u32>>>,
}

/// Remembers a question that was aimed at a concept.
pub(super) fn remember(again: &mut [Again], numbers: &HashMap<String, u32>, row: &Row) {
    let number = row.concept.as_ref().and_then(|aim| numbers.get(aim));
    if let Some(again) = number.and_then(|number| again.get_mut(*number as usize)) {
        again.see(row);
    }
}

/// Counts a decided row in its round and in what later rounds are planned by, and shows where its concepts stand.
pub(super) fn note(
    report: &mut RoundReport,
    snapshot: &mut Snapshot,
    numbers: &HashMap<String, u32>,
    progress: &watch::Sender<Progress>,
    row: &Row,
) {
    report.decided += 1;
    snapshot.measured.note(row);
    if row.calibrates() {
        return;
    }
    report.accepted += u64::from(row.accepted());
    report.unfunded += u64::from(row.unfunded());
    snapshot.tallies[row.strategy].add(row);
    snapshot.tries.note(row);
    if let Some(rejection) = &row.rejection {
        *report.rejected.entry(rejection.reason).or_default() += 1;
    }
    if !snapshot.concepts.is_empty() {
        let (aimed, counted) = concept::note(&mut snapshot.concepts, |name| numbers.get(name).copied(), row);
        report.aimed += u64::from(aimed);
        report.counted += u64::from(counted);
    }
    let counts = row.assigned.iter().any(|assigned| assigned.counted);
    if counts {
        progress.send_modify(|progress| progress.tell(&snapshot.concepts));
    }
}
