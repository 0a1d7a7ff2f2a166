//! Ablation: the training sets that a run could have made without one of its parts, and what that part cost.
//!
//! Everything is made from what the run has stored: nothing is asked again. What an early filter rejected was never shown to those behind it, so
//! that a set without this filter holds it as it was. What came too close to held-out rows is in no set: what an early filter rejected is
//! compared with their words here.

mod results;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use gristmill_coordinator::{Finished, Journal, SeedStore, Start};
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::dialogue::asked;
use gristmill_domain::filter::Reason;
use gristmill_domain::filter::decontaminate::HeldOut;
use gristmill_domain::job::Decontaminate;
use gristmill_domain::ledger::Account;
use gristmill_domain::row::Row;
use gristmill_domain::seed::Split;
use gristmill_domain::stage::Stage;
use gristmill_domain::strategy::Strategy;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;
use serde::{Deserialize, Serialize};

use crate::assemble::{Manifest, assemble_chosen};

pub use results::{ArmResult, Verdict, compared, planned, told};

/// Sources with fewer rows than this are not left out one by one.
const SOURCE_ROWS: u64 = 20;
/// Sources that are left out one by one, at most: those with the most rows.
const SOURCES: usize = 5;

/// A training set of a run, or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// No training and no model: the most frequent answer, to every question. It is known from the questions alone, where answers are labels.
    MajorityClass,
    /// No training: the base as it is.
    Base,
    /// No training: the base, which is shown real rows before each question.
    FewShotBase,
    /// The real rows alone.
    Anchor,
    /// The real rows and everything that was made, but for what cannot be trained on and what is too close to held-out rows.
    Unfiltered,
    /// The run's own dataset.
    Filtered,
    /// The dataset without the rows of a strategy.
    WithoutStrategy(Strategy),
    /// The dataset without the rows of a teacher.
    WithoutTeacher(String),
    /// The dataset without the rows made from one source.
    WithoutSource(String),
    /// The dataset with the rows that a kind of filter rejected.
    WithoutFilter(Filter),
}

/// A kind of filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Rules on texts: refusals, length, repetition, language.
    Rules,
    /// Exact, near and semantic duplicates.
    Duplicates,
    /// Answers that differ from a reference, from each other, or from their passage.
    Validators,
    /// The judge.
    Judge,
    /// Conditions of recipes.
    Recipe,
}

impl Filter {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Duplicates => "duplicates",
            Self::Validators => "validators",
            Self::Judge => "judge",
            Self::Recipe => "recipe",
        }
    }

    /// The filter that rejects for a reason; `None` where a row is not rejected for what it says, or may never be trained on.
    fn of(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::Refusal | Reason::Repetition | Reason::Length | Reason::Quality | Reason::Language => {
                Self::Rules
            }
            Reason::ExactDuplicate
            | Reason::NearDuplicate
            | Reason::SemanticDuplicate
            | Reason::DuplicateOfSeed
            | Reason::DuplicateOfExisting
            | Reason::ParentCap => Self::Duplicates,
            Reason::Changed
            | Reason::Wrong
            | Reason::Ungrounded
            | Reason::Disagreement
            | Reason::Unanswerable => Self::Validators,
            Reason::JudgedLow => Self::Judge,
            Reason::Recipe => Self::Recipe,
            Reason::Contaminated
            | Reason::CallFailed
            | Reason::Unfunded
            | Reason::OutOfTokens
            | Reason::Truncated
            | Reason::Format
            | Reason::Surplus
            | Reason::Calibration => return None,
        })
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MajorityClass => write!(f, "majority class"),
            Self::Base => write!(f, "base"),
            Self::FewShotBase => write!(f, "few-shot base"),
            Self::Anchor => write!(f, "anchor"),
            Self::Unfiltered => write!(f, "unfiltered"),
            Self::Filtered => write!(f, "filtered"),
            Self::WithoutStrategy(strategy) => write!(f, "without strategy {strategy}"),
            Self::WithoutTeacher(teacher) => write!(f, "without teacher {teacher}"),
            Self::WithoutSource(source) => write!(f, "without source {source}"),
            Self::WithoutFilter(filter) => write!(f, "without filter {}", filter.name()),
        }
    }
}

impl Arm {
    /// True where the training set is the run's own with one part left out: what it loses against the run's own is what the part earned.
    pub fn leaves_one_out(&self) -> bool {
        match self {
            Self::WithoutStrategy(_)
            | Self::WithoutTeacher(_)
            | Self::WithoutSource(_)
            | Self::WithoutFilter(_) => true,
            Self::MajorityClass
            | Self::Base
            | Self::FewShotBase
            | Self::Anchor
            | Self::Unfiltered
            | Self::Filtered => false,
        }
    }

    /// Whether a row is in the training set, as far as held-out rows do not stand in it.
    fn takes(&self, row: &Row, source: &dyn Fn(&Row) -> Option<String>) -> bool {
        let rejected_by = row
            .rejection
            .as_ref()
            .map(|rejection| Filter::of(rejection.reason));
        let whole = !row.answer.trim().is_empty() && !row.question.trim().is_empty();
        let put_back = |filter: Option<Filter>| match rejected_by {
            Some(Some(by)) => whole && filter.is_none_or(|filter| filter == by),
            Some(None) | None => false,
        };
        let accepted = row.accepted();
        match self {
            Self::MajorityClass | Self::Base | Self::FewShotBase | Self::Anchor => false,
            Self::Filtered => accepted,
            Self::Unfiltered => accepted || put_back(None),
            Self::WithoutStrategy(strategy) => accepted && row.strategy != *strategy,
            Self::WithoutTeacher(teacher) => accepted && row.teacher != *teacher,
            Self::WithoutSource(left) => accepted && source(row).as_ref() != Some(left),
            Self::WithoutFilter(filter) => accepted || put_back(Some(*filter)),
        }
    }
}

/// Which of a run's rows an arm takes.
struct Choice<'a> {
    seeds: &'a SeedStore,
    held_out: HeldOut,
}

impl<'a> Choice<'a> {
    fn new(seeds: &'a SeedStore, start: &Start) -> anyhow::Result<Self> {
        let Decontaminate { ngram, coverage, .. } = start.job.filter.decontaminate;
        let mut held_out = HeldOut::new(ngram as usize, coverage);
        for ordinal in 0..seeds.len() {
            if seeds.split(ordinal) != Split::Anchor {
                held_out.add(&seeds.read(ordinal)?.question);
            }
        }
        Ok(Self { seeds, held_out })
    }

    /// Whether the row is in the arm's training set. One that the run rejected before it was compared with held-out rows is compared here.
    fn takes(&self, arm: &Arm, row: &Row) -> bool {
        let holds = |text: &str| self.held_out.check(text).is_some();
        let source = |row: &Row| self.source(row);
        arm.takes(row, &source) && (row.accepted() || !(holds(&row.question) || holds(&asked(&row.messages))))
    }

    /// The document that a row is about: that of its passage, or its seed's.
    fn source(&self, row: &Row) -> Option<String> {
        match &row.passage {
            Some(cited) => Some(cited.source.clone()),
            None => self.seeds.read(row.seed).ok()?.source,
        }
    }
}

/// An arm of a run, before anything is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmPlan {
    /// The arm.
    pub arm: Arm,
    /// Synthetic rows of its training set.
    pub synthetic: u64,
    /// What the part cost that it leaves out: the calls of a strategy's or a teacher's rows, rejected ones included, or those of the judge. 0 for
    /// filters that ask nobody. Of an arm that leaves nothing out: what its synthetic rows cost.
    pub cost: MicroUsd,
}

/// The arms of a run: base, few-shot base, anchor, unfiltered and filtered, and after them those that leave a part out.
///
/// # Errors
/// State that cannot be read.
pub async fn arms(state: &dyn Blobs, start: &Start, seeds: &SeedStore) -> anyhow::Result<Vec<ArmPlan>> {
    let journal = Journal::new(state);
    let (mut strategies, mut teachers) = (BTreeMap::new(), BTreeMap::new());
    let mut sources: BTreeMap<String, (u64, MicroUsd)> = BTreeMap::new();
    let mut filters: BTreeMap<Filter, u64> = BTreeMap::new();
    let (mut judged, mut all) = (MicroUsd::default(), MicroUsd::default());
    let choice = Choice::new(seeds, start)?;
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            let row = record.value;
            let cost = row.cost().usd;
            all = MicroUsd(all.0 + cost.0);
            for (stage, amount) in &row.costs {
                if *stage == Stage::Judge {
                    judged = MicroUsd(judged.0 + amount.usd.0);
                }
            }
            if let Some(filter) = row
                .rejection
                .as_ref()
                .and_then(|rejection| Filter::of(rejection.reason))
            {
                *filters.entry(filter).or_default() += 1;
            }
            let accepted = u64::from(row.accepted());
            let add = |entry: &mut (u64, MicroUsd)| {
                entry.0 += accepted;
                entry.1 = MicroUsd(entry.1.0 + cost.0);
            };
            add(strategies.entry(row.strategy).or_default());
            add(teachers.entry(row.teacher.clone()).or_default());
            if let Some(source) = choice.source(&row) {
                add(sources.entry(source).or_default());
            }
        }
    }
    let mut sources: Vec<(String, (u64, MicroUsd))> = sources
        .into_iter()
        .filter(|(_, (rows, _))| *rows >= SOURCE_ROWS)
        .collect();
    sources.sort_by_key(|(name, (rows, _))| (std::cmp::Reverse(*rows), name.clone()));
    sources.truncate(SOURCES);
    let several = |count: usize| count > 1;
    let mut found = vec![
        (Arm::Base, MicroUsd::default()),
        (Arm::FewShotBase, MicroUsd::default()),
        (Arm::Anchor, MicroUsd::default()),
        (Arm::Unfiltered, all),
        (Arm::Filtered, all),
    ];
    if several(strategies.len()) {
        found.extend(
            strategies
                .into_iter()
                .map(|(strategy, (_, cost))| (Arm::WithoutStrategy(strategy), cost)),
        );
    }
    if several(teachers.len()) {
        found.extend(
            teachers
                .into_iter()
                .map(|(teacher, (_, cost))| (Arm::WithoutTeacher(teacher), cost)),
        );
    }
    if several(sources.len()) {
        found.extend(
            sources
                .into_iter()
                .map(|(source, (_, cost))| (Arm::WithoutSource(source), cost)),
        );
    }
    found.extend(filters.into_keys().map(|filter| {
        let cost = match filter {
            Filter::Judge => judged,
            Filter::Rules | Filter::Duplicates | Filter::Validators | Filter::Recipe => MicroUsd::default(),
        };
        (Arm::WithoutFilter(filter), cost)
    }));
    let mut counts = vec![0; found.len()];
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            for (count, (arm, _)) in counts.iter_mut().zip(&found) {
                *count += u64::from(choice.takes(arm, &record.value));
            }
        }
    }
    let plans = found.into_iter().zip(counts);
    Ok(plans
        .map(|((arm, cost), synthetic)| ArmPlan { arm, synthetic, cost })
        .collect())
}

/// Writes the training set of an arm as a dataset, with the run's own held-out rows.
///
/// # Errors
/// State that cannot be read, and a folder that cannot be written.
pub async fn write_arm(
    state: &dyn Blobs,
    target: &Path,
    start: &Start,
    seeds: &SeedStore,
    finished: &Finished,
    account: &Account,
    arm: &Arm,
) -> anyhow::Result<Manifest> {
    let choice = Choice::new(seeds, start)?;
    let takes = |row: &Row| choice.takes(arm, row);
    assemble_chosen(state, target, start, seeds, finished, account, Some(&takes)).await
}

#[cfg(test)]
mod tests {
    use gristmill_coordinator::Intake;
    use gristmill_domain::job::Holdout;

    use super::*;

    fn row(rejected: Option<Reason>, teacher: &str) -> Row {
        let mut row: Row = serde_json::from_value(serde_json::json!({
            "id": "00000000000000000000000000000001", "position": {"round": 0, "index": 0}, "seed": 0, "family": 0,
            "seed_id": "00000000000000000000000000000002", "strategy": "rephrasing", "concept": null, "question": "q", "reasoning": "",
            "answer": "a", "teacher": teacher, "teacher_version": "", "prompts": [], "tasks": [], "costs": [],
            "checks": {"correct": null, "votes": null, "judgements": [], "details": []}, "depth": 1, "rejection": null,
        }))
        .unwrap();
        row.rejection = rejected.map(|reason| gristmill_domain::filter::Rejection::new(reason, "for a test"));
        row
    }

    #[test]
    fn an_arm_leaves_out_what_it_says_and_puts_back_what_a_filter_took() {
        let none = |_: &Row| None;
        let takes = |arm: &Arm, row: &Row| arm.takes(row, &none);
        let (good, wrong, judged, leaked, cut) = (
            row(None, "one"),
            row(Some(Reason::Wrong), "one"),
            row(Some(Reason::JudgedLow), "two"),
            row(Some(Reason::Contaminated), "two"),
            row(Some(Reason::Truncated), "two"),
        );
        let taken = |arm: Arm| [&good, &wrong, &judged, &leaked, &cut].map(|row| takes(&arm, row));
        assert_eq!(taken(Arm::Anchor), [false; 5]);
        assert_eq!(taken(Arm::Filtered), [true, false, false, false, false]);
        assert_eq!(taken(Arm::Unfiltered), [true, true, true, false, false]);
        assert_eq!(
            taken(Arm::WithoutFilter(Filter::Judge)),
            [true, false, true, false, false]
        );
        assert_eq!(taken(Arm::WithoutTeacher("one".to_owned())), [false; 5]);
        assert_eq!(
            taken(Arm::WithoutStrategy(Strategy::NewQuestion)),
            [true, false, false, false, false]
        );
    }

    #[test]
    fn what_an_early_filter_rejected_is_compared_with_held_out_rows() {
        let seeds = Intake::new(&Holdout::default())
            .unwrap()
            .finish(&Holdout::default())
            .unwrap();
        let mut held_out = HeldOut::new(8, 0.5);
        held_out.add("How many mills stand on the hill above the old harbour?");
        let choice = Choice {
            seeds: &seeds,
            held_out,
        };
        let mut leaked = row(Some(Reason::Length), "one");
        leaked.question = "Tell me: how many mills stand on the hill above the old harbour?".to_owned();
        let mut other = row(Some(Reason::Length), "one");
        other.question = "How many ships lie in the old harbour today?".to_owned();
        for arm in [Arm::Unfiltered, Arm::WithoutFilter(Filter::Rules)] {
            assert!(!choice.takes(&arm, &leaked), "{arm}");
            assert!(choice.takes(&arm, &other), "{arm}");
        }
    }
}
