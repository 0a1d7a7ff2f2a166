//! What an evaluation asks: each model answers each question in each prompt format, and where no validator can grade, the judge does.
//!
//! Where models tell likelihoods, they are also asked how likely the real text of each row is; and where grades are given by likelihood, how likely
//! each label is, in the place of an answer.
//!
//! The questions are tasks like any other. Their results are the journal of one round: whoever grades reads them there. Models take turns
//! question by question, so that a budget that ends early leaves questions that all of them have answered. An evaluation that is reopened with a
//! larger budget asks once more what the budget before did not cover: each such try has a task, and so a result, of its own.

mod questions;

use std::borrow::Cow;

use gristmill_domain::amount::Limit;
use gristmill_domain::answer::text;
use gristmill_domain::held_out::final_answer;
use gristmill_domain::job::{Evaluate, GradedBy, PromptFormat};
use gristmill_domain::recipe::Call;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, StageCall};

use crate::Error;
use crate::seeds::{SeedStore, drawn_evenly};
use crate::setup::Setup;
use crate::shots::shots;

pub(crate) use questions::Questions;

/// Questions on which a judge is measured at most.
const JUDGED_MAX: usize = 100;

/// What an evaluation asks.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationPlan {
    /// Ordinals of the questions among the seeds.
    pub rows: Vec<u64>,
    /// Models that answer.
    pub models: usize,
    /// Formats that each question is asked in.
    pub formats: Vec<PromptFormat>,
    /// What the judge is measured on; empty where none grades.
    pub trials: Vec<JudgeTrial>,
    /// Of each model, the ordinals of the real rows that it is shown before each question.
    pub shots: Vec<Vec<u64>>,
    /// Models, by their places, that are asked how likely the rows' texts are.
    pub scored: Vec<usize>,
    judged: bool,
}

/// An answer of which it is known whether it is right, by which the judge is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeTrial {
    /// Ordinal of the question.
    pub row: u64,
    /// Ordinal of the row whose answer is graded: the same for a right answer.
    pub answer_of: u64,
}

impl JudgeTrial {
    /// Whether the answer is right.
    pub const fn right(self) -> bool {
        self.row == self.answer_of
    }
}

/// What a task of an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvaluationTask {
    /// A model's answer; where likelihoods grade, those of the labels.
    Answer(AskedQuestion),
    /// How likely the text of a row is to a model.
    Text {
        /// Place among [`EvaluationPlan::rows`].
        item: usize,
        /// Place among the models of the job.
        model: usize,
    },
    /// The judge's grade of that answer.
    Grade(AskedQuestion),
    /// The judge's grade of an answer that is known to be right or wrong, by its place among [`EvaluationPlan::trials`].
    Trial(usize),
}

/// A question as one model was asked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskedQuestion {
    /// Place among [`EvaluationPlan::rows`].
    pub item: usize,
    /// Place among [`EvaluationPlan::formats`].
    pub format: usize,
    /// Place among the models of the job.
    pub model: usize,
}

impl EvaluationPlan {
    /// Answers that are wanted.
    pub fn answers(&self) -> u64 {
        (self.rows.len() * self.formats.len() * self.models) as u64
    }

    /// Texts whose likelihoods are wanted.
    fn texts(&self) -> u64 {
        (self.rows.len() * self.scored.len()) as u64
    }

    /// Calls at most: a judge is not asked where nothing was answered.
    pub fn calls(&self) -> u64 {
        let each = 1 + u64::from(self.judged);
        each * self.answers() + self.texts() + self.trials.len() as u64
    }

    /// Refuses a limit that cannot cover the calls.
    ///
    /// # Errors
    /// [`Error::Roles`].
    pub fn affordable(&self, limit: Limit) -> Result<(), Error> {
        if limit.calls.is_none_or(|calls| calls >= self.calls()) {
            return Ok(());
        }
        let likelihoods = match self.texts() {
            0 => String::new(),
            texts => format!(", {texts} of them for likelihoods of texts"),
        };
        Err(Error::Roles {
            message: format!(
                "asking {} questions of {} models in {} formats takes up to {} calls{likelihoods}, and the budget is {limit}: raise `budget.calls`, or \
                 lower `evaluate.questions`",
                self.rows.len(),
                self.models,
                self.formats.len(),
                self.calls()
            ),
        })
    }

    /// Whether the judge grades a final answer: where nothing was answered, there is nothing to pay a judge for.
    pub fn judges(&self, answer: &str) -> bool {
        self.judged && !answer.trim().is_empty()
    }

    /// What a reply answers to a question.
    fn final_answer<'a>(&self, asked: AskedQuestion, reply: &'a str) -> Cow<'a, str> {
        let format = self.formats.get(asked.format);
        final_answer(reply, format.and_then(|format| format.member()))
    }

    /// Things that models are asked.
    fn wanted(&self) -> u64 {
        self.answers() + self.texts()
    }

    /// The nth thing that models are asked: formats and models of one question follow each other, and then its text.
    fn asked(&self, n: u64) -> EvaluationTask {
        let n = n as usize;
        let (formats, models) = (self.formats.len().max(1), self.models.max(1));
        let each = formats * models + self.scored.len();
        let (item, place) = (n / each, n % each);
        match place.checked_sub(formats * models) {
            None => EvaluationTask::Answer(AskedQuestion {
                item,
                format: place / models,
                model: place % models,
            }),
            Some(place) => EvaluationTask::Text {
                item,
                model: self.scored.get(place).copied().unwrap_or_default(),
            },
        }
    }

    /// Where a task belongs. `again` counts the tries that an earlier budget did not cover.
    fn address(&self, task: EvaluationTask, again: u16) -> Address {
        let (stage, index, step, model) = match task {
            EvaluationTask::Answer(asked) => (Stage::Generate, asked.item, asked.format, asked.model),
            EvaluationTask::Text { item, model } => (Stage::Generate, item, self.formats.len(), model),
            EvaluationTask::Grade(asked) => (Stage::Judge, asked.item, asked.format, asked.model),
            EvaluationTask::Trial(trial) => (Stage::Judge, trial, self.formats.len(), 0),
        };
        Address {
            round: Address::EVALUATION,
            index: index as u64,
            step: StageCall {
                stage,
                call: Call {
                    step,
                    pass: again,
                    sample: model as u32,
                },
            },
        }
    }

    /// What the task at an address is.
    pub fn task(&self, address: Address) -> EvaluationTask {
        let StageCall { stage, call } = address.step;
        let asked = AskedQuestion {
            item: address.index as usize,
            format: call.step,
            model: call.sample as usize,
        };
        match stage {
            Stage::Judge if call.step >= self.formats.len() => EvaluationTask::Trial(asked.item),
            Stage::Judge => EvaluationTask::Grade(asked),
            Stage::Generate if call.step >= self.formats.len() => EvaluationTask::Text {
                item: asked.item,
                model: asked.model,
            },
            Stage::Generate | Stage::Embed => EvaluationTask::Answer(asked),
        }
    }
}

/// What an evaluation asks of these rows.
///
/// # Errors
/// [`Error::Roles`] where there is no held-out row, or fewer rows than a model is to be shown.
pub fn evaluation_plan(
    setup: &Setup,
    evaluate: &Evaluate,
    seeds: &SeedStore,
) -> Result<EvaluationPlan, Error> {
    let split = evaluate.split.split();
    let held_out = seeds.ordinals(split);
    if held_out.is_empty() {
        return Err(Error::Roles {
            message: format!(
                "there is no {split} row to ask: hold some out when the dataset is made (`holdout.{split}`)"
            ),
        });
    }
    let rows = drawn_evenly(&held_out, evaluate.questions.unwrap_or(u64::MAX));
    let judged = setup.job.graded_by() == GradedBy::Judge;
    let labels = !setup.job.filter.validator.choices().is_empty();
    let shown: Vec<u32> = evaluate.models.iter().map(|model| model.shots).collect();
    Ok(EvaluationPlan {
        trials: if judged { trials(seeds, &rows)? } else { Vec::new() },
        rows,
        models: evaluate.models.len(),
        formats: evaluate.formats.clone(),
        shots: shots(seeds, &setup.job.filter.decontaminate, labels, &shown)?,
        scored: scored(evaluate),
        judged,
    })
}

/// Models, by their places, that tell how likely a row's text is: each once, since rows that are shown change nothing about that.
fn scored(evaluate: &Evaluate) -> Vec<usize> {
    let models = evaluate.models.iter().enumerate();
    let tell = models.filter(|(place, model)| {
        let mut before = evaluate.models.iter().take(*place);
        model.spec.tells_likelihoods() && before.all(|other| other.spec != model.spec)
    });
    tell.map(|(place, _)| place).collect()
}

/// Calls for likelihoods of texts that an evaluation of so many rows takes.
pub fn text_calls(evaluate: &Evaluate, rows: u64) -> u64 {
    scored(evaluate).len() as u64 * rows
}

/// Questions to a judge, at most, that measure it on so many held-out rows.
pub fn judge_trials(rows: u64) -> u64 {
    2 * rows.min(JUDGED_MAX as u64)
}

/// Each question with its own answer, and with that of the next row whose answer says something else.
fn trials(seeds: &SeedStore, rows: &[u64]) -> Result<Vec<JudgeTrial>, Error> {
    let mut trials = Vec::new();
    for (place, row) in rows.iter().copied().enumerate().take(JUDGED_MAX) {
        trials.push(JudgeTrial { row, answer_of: row });
        let seed = seeds.read(row)?;
        for further in 1..rows.len().min(10) {
            let other = rows[(place + further) % rows.len()];
            if !text::score(&seeds.read(other)?.answer, &seed.references).exact {
                trials.push(JudgeTrial {
                    row,
                    answer_of: other,
                });
                break;
            }
        }
    }
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan(rows: u64, formats: usize, models: usize, judged: bool) -> EvaluationPlan {
        EvaluationPlan {
            rows: (0..rows).collect(),
            models,
            formats: PromptFormat::ALL[..formats].to_vec(),
            trials: if judged {
                vec![JudgeTrial { row: 0, answer_of: 1 }; 3]
            } else {
                Vec::new()
            },
            shots: vec![Vec::new(); models],
            scored: (1..models).collect(),
            judged,
        }
    }

    #[test]
    fn every_call_has_an_address_of_its_own_that_says_what_it_is() {
        let plan = plan(7, 3, 2, true);
        let asked = (0..plan.answers() + plan.texts()).map(|n| plan.asked(n));
        let tasks: Vec<EvaluationTask> = asked
            .flat_map(|task| match task {
                EvaluationTask::Answer(asked) => vec![task, EvaluationTask::Grade(asked)],
                other => vec![other],
            })
            .chain((0..plan.trials.len()).map(EvaluationTask::Trial))
            .collect();
        assert_eq!(tasks.len() as u64, plan.calls());
        let mut addresses: Vec<Address> = tasks.iter().map(|task| plan.address(*task, 0)).collect();
        for (task, address) in tasks.iter().zip(&addresses) {
            assert_eq!(plan.task(*address), *task);
            assert_eq!(plan.task(plan.address(*task, 2)), *task);
        }
        addresses.extend(tasks.iter().map(|task| plan.address(*task, 1)));
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 2 * tasks.len());
    }

    #[test]
    fn models_take_turns_question_by_question() {
        let plan = plan(2, 2, 2, false);
        let order: Vec<_> = (0..plan.answers() + plan.texts())
            .map(|n| plan.asked(n))
            .collect();
        let one = |item| {
            let asked = [(0, 0), (0, 1), (1, 0), (1, 1)];
            let asked =
                asked.map(|(format, model)| EvaluationTask::Answer(AskedQuestion { item, format, model }));
            [&asked[..], &[EvaluationTask::Text { item, model: 1 }]].concat()
        };
        assert_eq!(order, [one(0), one(1)].concat());
    }
}
