//! Asks held-out questions: each model answers each question in each prompt format, and where no validator can grade, the judge does.
//!
//! The questions are tasks like any other. Their results are the journal of one round: whoever grades reads them there. Models take turns
//! question by question, so that a budget that ends early leaves questions that all of them have answered.

use std::borrow::Cow;
use std::collections::VecDeque;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::answer::text;
use gristmill_domain::held_out::final_answer;
use gristmill_domain::job::{Evaluate, GradedBy, PromptFormat};
use gristmill_domain::recipe::Call;
use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, HeldOutAnswer, Output, Report, StageCall, Task};

use crate::Error;
use crate::engine::{Brought, Producer};
use crate::failure::TaskFailure;
use crate::progress::Ahead;
use crate::seeds::{SeedStore, drawn_evenly};
use crate::setup::Setup;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationTask {
    /// A model's answer.
    Answer(AskedQuestion),
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

    /// Calls at most: a judge is not asked where nothing was answered.
    pub fn calls(&self) -> u64 {
        let each = 1 + u64::from(self.judged);
        each * self.answers() + self.trials.len() as u64
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

    /// The nth answer that is wanted: formats and models of one question follow each other.
    fn asked(&self, n: u64) -> AskedQuestion {
        let n = n as usize;
        let (formats, models) = (self.formats.len().max(1), self.models.max(1));
        AskedQuestion {
            item: n / (formats * models),
            format: n / models % formats,
            model: n % models,
        }
    }

    fn address(&self, task: EvaluationTask) -> Address {
        let (stage, index, step, model) = match task {
            EvaluationTask::Answer(asked) => (Stage::Generate, asked.item, asked.format, asked.model),
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
                    pass: 0,
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
            Stage::Generate | Stage::Embed => EvaluationTask::Answer(asked),
        }
    }
}

/// What an evaluation asks of these rows.
///
/// # Errors
/// [`Error::Roles`] where there is no held-out row, or the budget cannot pay for the calls.
pub fn evaluation_plan(
    setup: &Setup,
    evaluate: &Evaluate,
    seeds: &SeedStore,
    limit: Limit,
) -> Result<EvaluationPlan, Error> {
    let refused = |message: String| Err(Error::Roles { message });
    let split = evaluate.split.split();
    let held_out = seeds.ordinals(split);
    if held_out.is_empty() {
        return refused(format!(
            "there is no {split} row to ask: hold some out when the dataset is made (`holdout.{split}`)"
        ));
    }
    let rows = drawn_evenly(&held_out, evaluate.questions.unwrap_or(u64::MAX));
    let judged = setup.job.graded_by() == GradedBy::Judge;
    let plan = EvaluationPlan {
        trials: if judged { trials(seeds, &rows)? } else { Vec::new() },
        rows,
        models: evaluate.models.len(),
        formats: evaluate.formats.clone(),
        judged,
    };
    if limit.calls.is_some_and(|calls| calls < plan.calls()) {
        return refused(format!(
            "asking {} questions of {} models in {} formats takes up to {} calls, and the budget is {limit}: raise `budget.calls`, or lower \
             `evaluate.questions`",
            plan.rows.len(),
            plan.models,
            plan.formats.len(),
            plan.calls()
        ));
    }
    Ok(plan)
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

/// Asks, and has answers graded.
pub(crate) struct Questions<'a> {
    setup: &'a Setup,
    evaluate: &'a Evaluate,
    seeds: &'a SeedStore,
    plan: EvaluationPlan,
    /// Trials and answers that were asked for.
    next_trial: usize,
    next_answer: u64,
    /// Final answers that wait for the judge.
    to_grade: VecDeque<(AskedQuestion, String)>,
    /// Tasks that are asked for and not absorbed.
    open: u64,
    /// Answers that are graded or failed, and those of them that are known to be right.
    graded: Ahead,
    unfunded: bool,
}

impl<'a> Questions<'a> {
    pub(crate) fn new(
        setup: &'a Setup,
        evaluate: &'a Evaluate,
        seeds: &'a SeedStore,
        plan: EvaluationPlan,
    ) -> Self {
        Self {
            setup,
            evaluate,
            seeds,
            plan,
            next_trial: 0,
            next_answer: 0,
            to_grade: VecDeque::new(),
            open: 0,
            graded: Ahead::default(),
            unfunded: false,
        }
    }

    /// True where no money was left for one of the calls.
    pub(crate) fn unfunded(&self) -> bool {
        self.unfunded
    }

    fn seed(&self, item: usize) -> Result<Seed, Error> {
        self.seeds
            .read(self.plan.rows.get(item).copied().unwrap_or_default())
    }

    fn question(&self, asked: AskedQuestion) -> Result<Task, Error> {
        let missing = || Error::NoModel { step: asked.format };
        let model = self.evaluate.models.get(asked.model).ok_or_else(missing)?;
        let format = self.plan.formats.get(asked.format).copied().ok_or_else(missing)?;
        let address = self.plan.address(EvaluationTask::Answer(asked));
        self.setup.held_out(
            address,
            self.evaluate,
            &model.spec,
            format,
            &self.seed(asked.item)?,
        )
    }

    fn grade(&self, asked: AskedQuestion, answer: &str) -> Result<Task, Error> {
        let address = self.plan.address(EvaluationTask::Grade(asked));
        self.setup
            .held_out_grade(address, &self.seed(asked.item)?, answer)
    }

    fn trial(&self, number: usize, trial: JudgeTrial) -> Result<Task, Error> {
        let other = self.seeds.read(trial.answer_of)?;
        // A second reference is another wording of the right answer.
        let answer = match other.references.get(1) {
            Some(second) if trial.right() => second.clone(),
            _ => other.answer,
        };
        let address = self.plan.address(EvaluationTask::Trial(number));
        self.setup
            .held_out_grade(address, &self.seeds.read(trial.row)?, &answer)
    }

    fn settle(&mut self, right: bool) {
        self.graded.decided += 1;
        self.graded.accepted += u64::from(right);
    }
}

impl Producer for Questions<'_> {
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        while tasks.len() < room {
            if let Some((asked, answer)) = self.to_grade.pop_front() {
                tasks.push(self.grade(asked, &answer)?);
            } else if let Some(trial) = self.plan.trials.get(self.next_trial) {
                tasks.push(self.trial(self.next_trial, *trial)?);
                self.next_trial += 1;
            } else if self.next_answer < self.plan.answers() {
                tasks.push(self.question(self.plan.asked(self.next_answer))?);
                self.next_answer += 1;
            } else {
                break;
            }
        }
        self.open += tasks.len() as u64;
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, _cost: Amount) -> Result<(), Error> {
        self.open = self.open.saturating_sub(1);
        self.unfunded |= matches!(&brought, Err(TaskFailure::Unfunded(_)));
        let fields = match &brought {
            Ok(Report {
                output: Output::Fields(fields),
                ..
            }) => Some(fields),
            _ => None,
        };
        match self.plan.task(address) {
            EvaluationTask::Trial(_) => {}
            EvaluationTask::Grade(_) => {
                let right = fields.is_some_and(|fields| grade_of(fields) == Some("correct"));
                self.settle(right);
            }
            EvaluationTask::Answer(asked) => match fields.and_then(HeldOutAnswer::of) {
                Some(HeldOutAnswer { answer, .. }) => {
                    let said = self.plan.final_answer(asked, &answer.answer);
                    if self.plan.judges(&said) {
                        self.to_grade.push_back((asked, said.into_owned()));
                    } else {
                        self.settle(answer.correct == Some(true));
                    }
                }
                None => self.settle(false),
            },
        }
        Ok(())
    }

    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)> {
        Vec::new()
    }

    fn finished(&self) -> bool {
        self.open == 0
            && self.to_grade.is_empty()
            && self.next_trial == self.plan.trials.len()
            && self.next_answer == self.plan.answers()
    }

    fn ahead(&self) -> Ahead {
        self.graded
    }
}

/// The judge's grade.
fn grade_of(fields: &gristmill_domain::reply::Fields) -> Option<&str> {
    match fields.get("grade") {
        Some(gristmill_domain::reply::Value::Choice(Some(grade))) => Some(grade),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::work::Answer;
    use serde_json::json;

    use super::*;
    use crate::scripted;

    fn plan(rows: u64, formats: usize, models: usize, judged: bool) -> EvaluationPlan {
        EvaluationPlan {
            rows: (0..rows).collect(),
            models,
            formats: PromptFormat::ALL[..formats].to_vec(),
            trials: if judged {
                vec![JudgeTrial { row: 0, answer_of: 1 }; 3]
            } else {
                Vec::new()
            },
            judged,
        }
    }

    #[test]
    fn every_call_has_an_address_of_its_own_that_says_what_it_is() {
        let plan = plan(7, 3, 2, true);
        let answers = (0..plan.answers()).map(|n| plan.asked(n));
        let tasks: Vec<EvaluationTask> = answers
            .flat_map(|asked| [EvaluationTask::Answer(asked), EvaluationTask::Grade(asked)])
            .chain((0..plan.trials.len()).map(EvaluationTask::Trial))
            .collect();
        assert_eq!(tasks.len() as u64, plan.calls());
        let mut addresses: Vec<Address> = tasks.iter().map(|task| plan.address(*task)).collect();
        for (task, address) in tasks.iter().zip(&addresses) {
            assert_eq!(plan.task(*address), *task);
        }
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), tasks.len());
    }

    #[test]
    fn models_take_turns_question_by_question() {
        let plan = plan(2, 2, 2, false);
        let order: Vec<_> = (0..plan.answers())
            .map(|n| plan.asked(n))
            .map(|asked| (asked.item, asked.format, asked.model))
            .collect();
        let one = |item| [(item, 0, 0), (item, 0, 1), (item, 1, 0), (item, 1, 1)];
        assert_eq!(order, [one(0), one(1)].concat());
    }

    #[test]
    fn a_judge_is_asked_only_about_answers_that_say_something() {
        let model = |name: &str| json!({"base_url": "http://h/v1", "model": name});
        let mut student = model("student");
        student["role"] = json!("student");
        let (setup, seeds) = scripted::setup(json!({
            "judge": model("judge"),
            "evaluate": {"models": [student], "formats": ["plain", "json"], "grade": "judge"},
        }));
        let evaluate = setup.job.evaluate.as_ref().unwrap();
        let plan = EvaluationPlan {
            trials: Vec::new(),
            formats: evaluate.formats.clone(),
            ..plan(1, 2, 1, true)
        };
        for (format, reply, graded) in [
            (0, "", false),
            (0, " \n", false),
            (0, r#"{"answer": ""}"#, true),
            (0, "7", true),
            (1, r#"{"answer": ""}"#, false),
            (1, r#"{"answer": " "}"#, false),
            (1, " ", false),
            (1, r#"{"answer": "7"}"#, true),
            (1, "It is 7.", true),
        ] {
            let mut questions = Questions::new(&setup, evaluate, &seeds, plan.clone());
            assert_eq!(questions.next_tasks(9).unwrap().len(), 2);
            let asked = questions.plan.asked(format);
            let said = HeldOutAnswer {
                answer: Answer {
                    answer: reply.to_owned(),
                    ..scripted::answer(0, None)
                },
                cut: false,
            };
            let brought = Ok(Report {
                output: Output::Fields(said.into()),
                model_version: "student".into(),
            });
            let address = questions.plan.address(EvaluationTask::Answer(asked));
            questions.absorb(address, brought, Amount::ZERO).unwrap();
            let tasks = questions.next_tasks(9).unwrap();
            let asked_judge: Vec<_> = tasks.iter().map(|task| task.model.as_str()).collect();
            assert_eq!(asked_judge, ["judge"][..usize::from(graded)], "{reply}");
            assert_eq!(questions.ahead().decided, u64::from(!graded), "{reply}");
        }
    }
}
