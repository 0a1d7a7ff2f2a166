//! How right rows without a reference are expected to be, in numbers and in words: before a run, and after it.

use std::collections::BTreeMap;

use gristmill_coordinator::RoundReport;
use gristmill_domain::evidence::{Basis, Measured, Rule, Situation, Summary, Terms, kept_accuracy};
use gristmill_domain::job::Job;
use gristmill_domain::row::Row;
use gristmill_domain::words::thousands;
use serde::{Deserialize, Serialize};

/// Accuracies of teachers that a plan compares before anything is measured.
const TEACHERS: [f64; 3] = [0.9, 0.8, 0.6];

/// What accepted rows without a reference are expected to be worth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certainty {
    /// Accepted rows that agreement decided.
    pub rows: u64,
    /// Share of them expected to be right, with its 90 % interval.
    pub right: Summary,
    /// What the job wants.
    pub target: f64,
    /// Votes by which an answer had to lead, where the job fixes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<u32>,
    /// Expected calls for a right row, by the last round's rule.
    pub calls_per_right_row: f64,
    /// From what that was estimated.
    pub basis: Basis,
    /// Token F1 from which open answers said the same, where no validator read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_f1: Option<f64>,
    /// How often the teacher is right about the concepts that had a rule of their own, by the last round's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub concepts: BTreeMap<String, Summary>,
}

/// Sums up what rows show of the teacher, and on which evidence they were kept, while they go by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    measured: Measured,
    kept: BTreeMap<Situation, u64>,
    /// Accepted rows that neither a reference nor votes have decided.
    pub(crate) unvoted: u64,
}

impl Sums {
    /// Counts a decided row.
    pub(crate) fn see(&mut self, row: &Row) {
        self.measured.note(row);
        if !row.accepted() {
            return;
        }
        let voted = row
            .checks
            .weighed
            .as_ref()
            .filter(|weighed| weighed.sure.is_some());
        match voted {
            Some(weighed) => *self.kept.entry(weighed.at.clone()).or_default() += 1,
            None => self.unvoted += u64::from(row.checks.correct.is_none()),
        }
    }

    /// How right the kept rows are, by all that the run has measured; `None` where agreement decided nothing.
    pub(crate) fn certainty(&self, rounds: &[RoundReport], job: &Job) -> Option<Certainty> {
        let last = rounds.iter().rev().map(|round| &round.plan);
        let (plan, rule) = last.filter_map(|plan| Some((plan, plan.rule.as_ref()?))).next()?;
        let rows: u64 = self.kept.values().sum();
        if rows == 0 {
            return None;
        }
        let (right, basis) = kept_accuracy(&self.measured, rule, job.wrong_answers(), &self.kept);
        Some(Certainty {
            rows,
            right,
            target: rule.target,
            lead: rule.lead,
            calls_per_right_row: rule.expected.calls_per_right_row,
            basis,
            min_f1: job.generate.agreement.min_f1,
            concepts: plan
                .concept_rules
                .iter()
                .map(|(name, rule)| (name.clone(), rule.basis.right))
                .collect(),
        })
    }
}

impl Certainty {
    /// True when fewer rows are expected to be right than the job wants.
    pub fn short(&self) -> bool {
        self.right.mean < self.target
    }

    /// In whole sentences.
    pub fn in_words(&self) -> String {
        let basis = &self.basis;
        let how = match self.lead {
            Some(lead) => format!("a fixed lead of {lead} votes"),
            None => format!("a target of {:.1} %", 100.0 * self.target),
        };
        let checks = basis.judge.map(|judge| {
            format!(
                " The judge passes {:.0} % of the right answers and fails {:.0} % of the wrong ones, from {} answers that are known and what \
                 judges mostly do.",
                100.0 * judge.sensitivity,
                100.0 * judge.specificity,
                judge.verdicts
            )
        });
        let verifier = basis.verifier.filter(|verifier| verifier.verdicts > 0).map(|verifier| {
            format!(
                " The verifier passes {:.0} % of the questions that have an answer and fails {:.0} % of those that have none, by how the \
                 answers to {} verified questions agree and what verifiers mostly do.",
                100.0 * verifier.sensitivity,
                100.0 * verifier.specificity,
                thousands(verifier.verdicts)
            )
        });
        let unmeasured = (basis.with_reference == 0).then(|| {
            " None of them has told how often the teacher is right: votes alone do not tell a good teacher from one that repeats its mistakes, so \
             this holds for teachers as they mostly are."
                .to_owned()
        });
        let meaning = self.min_f1.map(|min_f1| {
            format!(
                " No validator reads these answers: two are taken for the same where their words are (token F1 of {min_f1} or more) and no \
                 fact in them differs, and one is right that says what the seed's own answer says."
            )
        });
        let concepts = (!self.concepts.is_empty()).then(|| {
            let each = self.concepts.iter();
            let each = each.map(|(name, right)| format!("{name} ({:.0} %)", 100.0 * right.mean));
            format!(
                " It is clearly better or worse than that about some concepts, where more or fewer answers were drawn: {}.",
                each.collect::<Vec<_>>().join(", ")
            )
        });
        let more = unmeasured
            .into_iter()
            .chain(concepts)
            .chain(meaning)
            .chain(checks)
            .chain(verifier);
        let more: String = more.collect();
        let price = if self.calls_per_right_row > 0.0 {
            format!(", at {:.1} calls a right row", self.calls_per_right_row)
        } else {
            ", and by what is known by now none would be kept".to_owned()
        };
        let text = format!(
            "{} rows have no reference and were decided by the agreement of several answers, with {how}. {:.1} % of them are expected to \
             be right (90 % interval {:.1} to {:.1} %){price}. This is estimated from {} questions with a reference \
             and the votes on {} without: the teacher is right {:.0} % of the time [{:.0}, {:.0}], two of its answers to one question are \
             right or wrong together with a correlation of {:.2} [{:.2}, {:.2}], two wrong answers agree {:.0} % of the time, and {:.0} % \
             of the new questions have no answer.{more}",
            thousands(self.rows),
            100.0 * self.right.mean,
            100.0 * self.right.low,
            100.0 * self.right.high,
            thousands(basis.with_reference),
            thousands(basis.voted),
            100.0 * basis.right.mean,
            100.0 * basis.right.low,
            100.0 * basis.right.high,
            basis.repeat.mean,
            basis.repeat.low,
            basis.repeat.high,
            100.0 * basis.agreeing_errors.mean,
            100.0 * basis.unanswerable.mean,
        );
        match self.short() {
            true => format!(
                "{text} That is short of the target of {:.1} %.",
                100.0 * self.target
            ),
            false => text,
        }
    }
}

/// A rule for one kind of teacher, in a plan.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Price {
    /// Share of the teacher's answers that are right.
    teacher: f64,
    /// Votes by which an answer must lead, where they are fixed.
    lead: Option<u32>,
    /// Share of the accepted rows expected to be right.
    right: f64,
    /// Calls for a right row.
    calls_per_right_row: f64,
    /// Whether that meets the target.
    meets_target: bool,
}

impl Price {
    fn of(teacher: f64, terms: &Terms) -> Self {
        let rule = Rule::assuming(teacher, terms);
        Self {
            teacher,
            lead: terms.lead,
            right: rule.expected.accuracy.mean,
            calls_per_right_row: rule.expected.calls_per_right_row,
            meets_target: rule.meets_target,
        }
    }

    fn in_words(&self) -> String {
        if self.calls_per_right_row == 0.0 {
            return "no answer is likelier right than wrong (misses the target)".to_owned();
        }
        format!(
            "{:.1} % right at {:.1} calls a right row{}",
            100.0 * self.right,
            self.calls_per_right_row,
            if self.meets_target {
                ""
            } else {
                " (misses the target)"
            }
        )
    }
}

/// What the target costs with better and worse teachers, and what fixed leads would come to with an ordinary one.
pub(crate) fn prices(terms: &Terms) -> Vec<Price> {
    let own = TEACHERS.map(|teacher| Price::of(teacher, terms));
    let fixed = [2, 3]
        .into_iter()
        .filter(|lead| terms.lead.is_none() && *lead <= terms.max_samples);
    let fixed = fixed.map(|lead| {
        let lead = Some(lead);
        Price::of(TEACHERS[1], &Terms { lead, ..*terms })
    });
    own.into_iter().chain(fixed).collect()
}

/// The plan's lines about rows without a reference.
pub(crate) fn prices_in_words(terms: &Terms, prices: &[Price]) -> String {
    let mut text = match terms.lead {
        Some(lead) => format!("agreement  a fixed lead of {lead} votes for rows without a reference\n"),
        None => format!(
            "agreement  {:.1} % right is wanted of rows without a reference; how, is decided from what the pilot measures\n",
            100.0 * terms.target
        ),
    };
    for price in prices {
        let lead = match (price.lead, terms.lead) {
            (Some(lead), None) => format!(", with a fixed lead of {lead}"),
            _ => String::new(),
        };
        text.push_str(&format!(
            "           a teacher that is right {:.0} % of the time{lead}: {}\n",
            100.0 * price.teacher,
            price.in_words()
        ));
    }
    text
}
