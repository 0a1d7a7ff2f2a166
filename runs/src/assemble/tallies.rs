//! What is counted while a run's rows go by.

use std::collections::BTreeMap;

use gristmill_coordinator::TaskFailure;
use gristmill_domain::by_recipe::{self, RecipeYield};
use gristmill_domain::filter::Reason;
use gristmill_domain::recipe::Form;
use gristmill_domain::refusal;
use gristmill_domain::row::Row;
use gristmill_domain::strategy::Strategy;

use super::counts::{FailedCalls, LeakTrials, Loss, RowCounts, Yield};
use crate::certainty::Sums;
use crate::lengths::Lengths;
use crate::mutators;
use crate::warnings::Asked;

/// What is counted while rows go by.
#[derive(Clone, Default)]
pub(crate) struct Tallies {
    pub(crate) rows: RowCounts,
    pub(super) candidates: u64,
    pub(super) rejected: BTreeMap<Reason, Loss>,
    /// Failed calls by the form of the provider's words.
    failed_calls: BTreeMap<String, FailedCalls>,
    pub(super) by_reference: BTreeMap<String, Yield>,
    pub(super) by_strategy: BTreeMap<String, Yield>,
    pub(super) by_mutator: BTreeMap<String, Yield>,
    /// Accepted new questions, and those of them that belong to no concept.
    pub(super) new_questions: (u64, u64),
    pub(super) leaks: Option<LeakTrials>,
    /// Rows by the recipe that made them.
    pub(super) by_recipe: Vec<RecipeYield>,
    /// Lengths of the answers of pairs.
    pub(super) lengths: Lengths,
    /// How sure rows without a reference are.
    pub(crate) sums: Sums,
}

impl Tallies {
    pub(super) fn asked(&self) -> Asked {
        let any = |strategy: Strategy| self.by_strategy.contains_key(strategy.as_str());
        Asked {
            rephrasings: any(Strategy::Rephrasing),
            new_questions: any(Strategy::NewQuestion),
        }
    }

    fn see_failed_call(&mut self, words: &str) {
        /// Forms that are told apart: a provider that answers each call with other words is not let fill the memory.
        const FORMS_MAX: usize = 256;
        let form = refusal::alike(words);
        if self.failed_calls.len() >= FORMS_MAX && !self.failed_calls.contains_key(&form) {
            return;
        }
        let seen = self.failed_calls.entry(form).or_insert_with(|| FailedCalls {
            words: refusal::with_advice(words),
            rows: 0,
        });
        seen.rows += 1;
    }

    /// The most frequent words of failed calls, the first first.
    pub(super) fn failed_calls(&self) -> Vec<FailedCalls> {
        /// Enough to see what went wrong.
        const SHOWN: usize = 3;
        let mut all: Vec<FailedCalls> = self.failed_calls.values().cloned().collect();
        all.sort_by_key(|failed| std::cmp::Reverse(failed.rows));
        all.truncate(SHOWN);
        all
    }

    /// Counts a decided row.
    pub(crate) fn see(&mut self, row: &Row, referenced: bool) {
        self.candidates += 1;
        if let Some(trial) = row.checks.leak_trial {
            let leaks = self.leaks.get_or_insert(LeakTrials {
                cosine: trial.cosine,
                rephrasings: 0,
                missed: 0,
            });
            leaks.rephrasings += 1;
            leaks.missed += u64::from(!trial.found);
        }
        if let Some(rejection) = &row.rejection {
            let loss = self.rejected.entry(rejection.reason).or_default();
            loss.add(row);
            self.rows.rejected += 1;
            if rejection.reason == Reason::CallFailed && rejection.detail != TaskFailure::CANCELLED {
                self.see_failed_call(&rejection.detail);
            }
        } else {
            self.rows.train += 1;
            self.rows.train_synthetic += 1;
            self.rows.pairs += u64::from(row.form == Form::Preference);
            self.rows.texts += u64::from(row.form == Form::Text);
            self.rows.dialogues += u64::from(row.form == Form::Dialogue);
            self.rows.tool_uses += u64::from(row.form == Form::ToolUse);
            self.lengths.see(row);
            if row.strategy == Strategy::NewQuestion {
                self.new_questions.0 += 1;
                self.new_questions.1 += u64::from(row.assigned.is_empty());
            }
        }
        let sort = if referenced {
            "with_reference"
        } else {
            "without_reference"
        };
        for part in [
            self.by_reference.entry(sort.to_owned()).or_default(),
            self.by_strategy.entry(row.strategy.to_string()).or_default(),
        ] {
            part.add(row);
        }
        by_recipe::note(&mut self.by_recipe, row);
        self.sums.see(row);
        mutators::see(&mut self.by_mutator, row);
    }
}
