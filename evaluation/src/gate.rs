//! The gate that a student passes before it is used: a policy over figures.
//!
//! There are three decisions. *Pass* means that every rule is shown to hold. *Fail* means that at least one is shown not to hold. Everything
//! else is *inconclusive*, with the number of items that would decide it: too little data, and a figure that was not measured, is never a
//! pass.
//!
//! This is a gate between a student and its users. The gates of a recipe (`gristmill_domain::recipe`) are between candidates.

mod explain;
mod policy;
mod rules;

use serde::{Deserialize, Serialize};

use crate::collapse::GenerationReport;
use crate::judge::JudgeQuality;
use crate::paired::PairedComparison;
use crate::scorecard::Scorecard;
use crate::slices::SliceComparison;

pub use policy::{GatePolicy, SLICES};

/// What is known of a student. What was not measured is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GateInputs {
    /// The student's figures.
    pub scorecard: Option<Scorecard>,
    /// The judge that gave the grades, where a judge did: its errors are carried into every rule on accuracy.
    pub judge: Option<JudgeQuality>,
    /// The student against the model that it is to replace.
    pub comparison: Option<PairedComparison>,
    /// The same by slices.
    pub slices: Vec<SliceComparison>,
    /// What the policy parts the set by and what was not compared, with the reason.
    pub not_compared: Vec<(String, NotCompared)>,
    /// The student against its base on a regression set, where one was asked.
    pub regression: Option<RegressionFigures>,
    /// Questions without an answer or without a grade, of the student and of the model before it. What is missing may be what the student
    /// cannot do: nothing is shown to hold by the rest.
    pub unanswered: u64,
    /// The student's stage among its generations.
    pub collapse: Option<GenerationReport>,
    /// Real rows that the training set must hold, and those that it holds.
    pub anchor: Option<AnchorRows>,
    /// Held-out items that were found in the training set.
    pub leaks: Option<u64>,
}

/// A student against its base on a regression set: questions beside those that it was trained for, which show what it has unlearned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegressionFigures {
    /// The change from the base to the student; `None` where no question was answered by both.
    pub comparison: Option<PairedComparison>,
    /// The judge that gave the grades, where a judge did.
    pub judge: Option<JudgeQuality>,
    /// Questions without an answer or without a grade, of both.
    pub unanswered: u64,
}

/// Why the parts of a set were not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotCompared {
    /// There are so many of them that each has next to no questions.
    TooMany,
    /// The result does not say what its base knew.
    NoBase,
    /// They are chosen by what the base knew, and the base itself is what the student is held against: it can only fall where it was right.
    BaseItself,
}

/// The real rows of a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorRows {
    /// Rows of the anchor.
    pub expected: u64,
    /// Those of them that are in the training set, unchanged.
    pub present: u64,
}

/// What a gate decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateDecision {
    /// Every rule is shown to hold.
    Pass,
    /// A rule is shown not to hold.
    Fail {
        /// Why: a sentence for each such rule.
        reasons: Vec<String>,
    },
    /// Neither.
    Inconclusive {
        /// Items, asked in the same formats, that would decide every open rule; `None` where more items would not.
        items_needed: Option<u64>,
        /// Why: a sentence for each open rule.
        reasons: Vec<String>,
    },
}

/// A rule, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateCheck {
    /// The rule.
    pub rule: GateRule,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was found, in a sentence.
    pub detail: String,
}

/// A rule of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// The accuracy is at least the policy's.
    MinAccuracy,
    /// The accuracy is not lower than before by more than the margin.
    NotWorse,
    /// The same in a slice.
    NotWorseIn(String),
    /// On the regression set, the accuracy is not lower than the base's by more than the margin.
    NoRegression,
    /// No knowledge has collapsed.
    NoCollapse,
    /// The training set holds all real rows.
    AnchorKept,
    /// The training set holds no held-out item.
    NoLeaks,
}

/// What came of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It is shown to hold.
    Holds,
    /// It is shown not to hold.
    Broken,
    /// Neither.
    Open {
        /// Items that would decide it; `None` where more items would not.
        items_needed: Option<u64>,
    },
}

/// A decision, and what it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// The decision.
    pub decision: GateDecision,
    /// Every rule of the policy.
    pub checks: Vec<GateCheck>,
}

impl GateReport {
    /// Why the student passes, fails, or neither, in a paragraph of plain English.
    pub fn explain(&self) -> String {
        explain::paragraph(&self.decision, &self.checks)
    }
}

/// Holds what is known of a student against a policy.
pub fn decide(policy: &GatePolicy, inputs: &GateInputs) -> GateReport {
    let checks = rules::checks(policy, inputs);
    let sentences = |wanted: fn(&CheckOutcome) -> bool| -> Vec<String> {
        let chosen = checks.iter().filter(|check| wanted(&check.outcome));
        chosen.map(|check| check.detail.clone()).collect()
    };
    let broken = sentences(|outcome| matches!(outcome, CheckOutcome::Broken));
    let mut open = sentences(|outcome| matches!(outcome, CheckOutcome::Open { .. }));
    if checks.is_empty() {
        open.push("The policy has no rule, so that nothing was checked.".to_owned());
    }
    let needed: Option<Vec<u64>> = checks
        .iter()
        .filter_map(|check| match check.outcome {
            CheckOutcome::Open { items_needed } => Some(items_needed),
            CheckOutcome::Holds | CheckOutcome::Broken => None,
        })
        .collect();
    let decision = if !broken.is_empty() {
        GateDecision::Fail { reasons: broken }
    } else if open.is_empty() {
        GateDecision::Pass
    } else {
        GateDecision::Inconclusive {
            items_needed: needed.and_then(|needed| needed.into_iter().max()),
            reasons: open,
        }
    };
    GateReport { decision, checks }
}

#[cfg(test)]
mod tests;
