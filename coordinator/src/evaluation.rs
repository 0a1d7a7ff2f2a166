//! Asks held-out questions: each model answers each question in each prompt format, and where no validator can grade, the judge does.
//!
//! Where models tell likelihoods, they are also asked how likely the real text of each row is; and where grades are given by likelihood, how likely
//! each label is, in the place of an answer.
//!
//! The questions are tasks like any other. Their results are the journal of one round: whoever grades reads them there. Models take turns
//! question by question, so that a budget that ends early leaves questions that all of them have answered. An evaluation that is reopened with a larger budget asks once more
//! what the budget before did not cover: each such try has a task, and so a result, of its own.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::answer::choice::pick;
use gristmill_domain::answer::label::Labels;
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
use crate::setup::{HeldOutRequest, Setup};
use crate::shots::shots;

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
        shots: shots(seeds, labels, &shown)?,
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

/// Asks, and has answers graded.
pub(crate) struct Questions<'a> {
    setup: &'a Setup,
    evaluate: &'a Evaluate,
    seeds: &'a SeedStore,
    plan: EvaluationPlan,
    /// Of each model, the rows that it is shown.
    shots: Vec<Vec<Seed>>,
    /// Times that the evaluation was reopened with a larger budget.
    reopened: u16,
    /// Trials and other tasks that were asked for.
    next_trial: usize,
    next_asked: u64,
    /// Final answers that wait for the judge, each with the tries before.
    to_grade: VecDeque<(AskedQuestion, String, u16)>,
    /// Final answers that the judge has and may have to be shown once more.
    at_judge: HashMap<AskedQuestion, String>,
    /// What an earlier budget did not cover, with the tries before.
    again: VecDeque<(EvaluationTask, u16)>,
    /// Tasks that are asked for and not absorbed.
    open: u64,
    /// Answers that are graded or failed, and those of them that are known to be right.
    graded: Ahead,
    unfunded: bool,
}

impl<'a> Questions<'a> {
    /// `reopened` counts the times that the evaluation was reopened with a larger budget.
    pub(crate) fn new(
        setup: &'a Setup,
        evaluate: &'a Evaluate,
        seeds: &'a SeedStore,
        plan: EvaluationPlan,
        reopened: u16,
    ) -> Result<Self, Error> {
        let read = |rows: &Vec<u64>| -> Result<Vec<Seed>, Error> {
            rows.iter().map(|row| seeds.read(*row)).collect()
        };
        Ok(Self {
            setup,
            evaluate,
            seeds,
            shots: plan.shots.iter().map(read).collect::<Result<_, Error>>()?,
            plan,
            reopened,
            next_trial: 0,
            next_asked: 0,
            to_grade: VecDeque::new(),
            at_judge: HashMap::new(),
            again: VecDeque::new(),
            open: 0,
            graded: Ahead::default(),
            unfunded: false,
        })
    }

    /// True where no money was left for one of the calls.
    pub(crate) fn unfunded(&self) -> bool {
        self.unfunded
    }

    fn seed(&self, item: usize) -> Result<Seed, Error> {
        self.seeds
            .read(self.plan.rows.get(item).copied().unwrap_or_default())
    }

    /// The task of one thing that is asked; an answer that is to be graded is not among them.
    fn asks(&self, task: EvaluationTask, again: u16) -> Result<Task, Error> {
        let address = self.plan.address(task, again);
        match task {
            EvaluationTask::Answer(asked) => self.question(address, asked),
            EvaluationTask::Text { item, model } => {
                let spec = self.evaluate.models.get(model).map(|model| &model.spec);
                let spec = spec.ok_or(Error::NoModel { step: model })?;
                Ok(self.setup.held_out_text(address, spec, &self.seed(item)?))
            }
            EvaluationTask::Trial(number) => self.trial(address, number),
            EvaluationTask::Grade(asked) => Err(Error::NoModel { step: asked.format }),
        }
    }

    fn question(&self, address: Address, asked: AskedQuestion) -> Result<Task, Error> {
        let missing = || Error::NoModel { step: asked.format };
        let model = self.evaluate.models.get(asked.model).ok_or_else(missing)?;
        let format = self.plan.formats.get(asked.format).copied().ok_or_else(missing)?;
        let put = HeldOutRequest {
            model: &model.spec,
            format,
            shots: self.shots.get(asked.model).map_or(&[][..], Vec::as_slice),
        };
        let seed = self.seed(asked.item)?;
        match self.setup.job.graded_by() {
            GradedBy::Likelihood => self.setup.held_out_labels(address, put, &seed),
            GradedBy::Validator | GradedBy::Text | GradedBy::Judge => {
                self.setup.held_out(address, self.evaluate, put, &seed)
            }
        }
    }

    fn grade(&self, asked: AskedQuestion, answer: &str, again: u16) -> Result<Task, Error> {
        let address = self.plan.address(EvaluationTask::Grade(asked), again);
        self.setup
            .held_out_grade(address, &self.seed(asked.item)?, answer)
    }

    fn trial(&self, address: Address, number: usize) -> Result<Task, Error> {
        let trial = self.plan.trials.get(number).copied();
        let trial = trial.ok_or(Error::NoModel { step: number })?;
        let other = self.seeds.read(trial.answer_of)?;
        // A second reference is another wording of the right answer.
        let answer = match other.references.get(1) {
            Some(second) if trial.right() => second.clone(),
            _ => other.answer,
        };
        self.setup
            .held_out_grade(address, &self.seeds.read(trial.row)?, &answer)
    }

    /// Asks once more what an earlier budget did not cover; whether it does.
    fn asks_again(&mut self, task: EvaluationTask, tries: u16) -> bool {
        if tries >= self.reopened {
            return false;
        }
        match task {
            EvaluationTask::Grade(asked) => {
                if let Some(answer) = self.at_judge.remove(&asked) {
                    self.to_grade.push_back((asked, answer, tries + 1));
                }
            }
            other => self.again.push_back((other, tries + 1)),
        }
        true
    }

    /// Whether the likeliest label is right.
    fn picks_right(&self, asked: AskedQuestion, brought: &Brought) -> Result<bool, Error> {
        let Ok(Report {
            output: Output::Likelihoods(likelihoods),
            ..
        }) = brought
        else {
            return Ok(false);
        };
        let labels = self.setup.job.filter.validator.choices();
        let seed = self.seed(asked.item)?;
        let reference = seed.references.first().unwrap_or(&seed.answer);
        let gold = Labels::new(labels)
            .ok()
            .and_then(|labels| labels.place(reference));
        let sums: Vec<f64> = likelihoods.iter().map(|found| found.log_likelihood).collect();
        let picked = pick(&sums, labels).zip(gold);
        Ok(picked.is_some_and(|(picked, gold)| picked.plain == gold))
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
            if let Some((asked, answer, again)) = self.to_grade.pop_front() {
                tasks.push(self.grade(asked, &answer, again)?);
                if again < self.reopened {
                    self.at_judge.insert(asked, answer);
                }
            } else if let Some((task, again)) = self.again.pop_front() {
                tasks.push(self.asks(task, again)?);
            } else if self.next_trial < self.plan.trials.len() {
                tasks.push(self.asks(EvaluationTask::Trial(self.next_trial), 0)?);
                self.next_trial += 1;
            } else if self.next_asked < self.plan.answers() + self.plan.texts() {
                tasks.push(self.asks(self.plan.asked(self.next_asked), 0)?);
                self.next_asked += 1;
            } else {
                break;
            }
        }
        self.open += tasks.len() as u64;
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, _cost: Amount) -> Result<(), Error> {
        self.open = self.open.saturating_sub(1);
        let task = self.plan.task(address);
        if matches!(&brought, Err(TaskFailure::Unfunded(_))) {
            if self.asks_again(task, address.step.call.pass) {
                return Ok(());
            }
            self.unfunded = true;
        }
        let fields = match &brought {
            Ok(Report {
                output: Output::Fields(fields),
                ..
            }) => Some(fields),
            _ => None,
        };
        match task {
            EvaluationTask::Trial(_) | EvaluationTask::Text { .. } => {}
            EvaluationTask::Grade(asked) => {
                self.at_judge.remove(&asked);
                let right = fields.is_some_and(|fields| grade_of(fields) == Some("correct"));
                self.settle(right);
            }
            EvaluationTask::Answer(asked) => match fields.and_then(HeldOutAnswer::of) {
                Some(HeldOutAnswer { answer, .. }) => {
                    let said = self.plan.final_answer(asked, &answer.answer);
                    if self.plan.judges(&said) {
                        self.to_grade.push_back((asked, said.into_owned(), 0));
                    } else {
                        self.settle(answer.correct == Some(true));
                    }
                }
                None => {
                    let right = self.picks_right(asked, &brought)?;
                    self.settle(right);
                }
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
            && self.again.is_empty()
            && self.next_trial == self.plan.trials.len()
            && self.next_asked == self.plan.answers() + self.plan.texts()
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
    use gristmill_domain::chat::{Likelihood, Message, Prompt, Request, Role};
    use gristmill_domain::work::{Answer, Work};
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
            let mut questions = Questions::new(&setup, evaluate, &seeds, plan.clone(), 0).unwrap();
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
            let address = questions.plan.address(asked, 0);
            questions.absorb(address, brought, Amount::ZERO).unwrap();
            let tasks = questions.next_tasks(9).unwrap();
            let asked_judge: Vec<_> = tasks.iter().map(|task| task.model.as_str()).collect();
            assert_eq!(asked_judge, ["judge"][..usize::from(graded)], "{reply}");
            assert_eq!(questions.ahead().decided, u64::from(!graded), "{reply}");
        }
    }

    /// An evaluation of two formats by one model, with six test rows, and what it is asked by after so many reopenings.
    fn questions_of(job: serde_json::Value) -> (crate::setup::Setup, SeedStore) {
        let mut whole = json!({"holdout": {"validation": 0.0, "test": 0.5}});
        whole
            .as_object_mut()
            .unwrap()
            .extend(job.as_object().unwrap().clone());
        scripted::setup(whole)
    }

    fn local(more: serde_json::Value) -> serde_json::Value {
        let mut model = json!({"role": "base", "local": "./tiny"});
        model
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        model
    }

    #[test]
    fn what_a_budget_did_not_cover_is_asked_again_once_for_each_reopening() {
        let student = json!({"role": "student", "base_url": "http://h/v1", "model": "student"});
        let judge = json!({"base_url": "http://h/v1", "model": "judge"});
        let (setup, seeds) = questions_of(json!({
            "judge": judge, "evaluate": {"models": [student], "formats": ["plain"], "grade": "judge", "questions": 1},
        }));
        let evaluate = setup.job.evaluate.as_ref().unwrap();
        let mut plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
        plan.trials.clear();
        let unfunded = || Err(TaskFailure::Unfunded("nothing is left".to_owned()));
        let said = || {
            let said = HeldOutAnswer {
                answer: scripted::answer(7, None),
                cut: false,
            };
            Ok(Report {
                output: Output::Fields(said.into()),
                model_version: "student".into(),
            })
        };
        let one = |questions: &mut Questions<'_>| {
            let tasks = questions.next_tasks(9).unwrap();
            assert_eq!(tasks.len(), 1, "{tasks:?}");
            tasks.into_iter().next().unwrap()
        };
        // Not reopened: what fails stays failed.
        let mut questions = Questions::new(&setup, evaluate, &seeds, plan.clone(), 0).unwrap();
        let first = one(&mut questions);
        questions.absorb(first.address, unfunded(), Amount::ZERO).unwrap();
        assert!(questions.finished() && questions.unfunded());
        // Reopened: the answer, and later its grade, are asked once more, as tasks of their own.
        let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 1).unwrap();
        let again = one(&mut questions);
        assert_eq!(
            again.id, first.id,
            "what is stored of the first time is read first"
        );
        questions.absorb(again.address, unfunded(), Amount::ZERO).unwrap();
        let second = one(&mut questions);
        assert_ne!(second.id, first.id);
        assert_eq!(second.work, first.work, "the same question, to the sampling seed");
        questions.absorb(second.address, said(), Amount::ZERO).unwrap();
        let grade = one(&mut questions);
        assert_eq!(grade.model, "judge");
        questions.absorb(grade.address, unfunded(), Amount::ZERO).unwrap();
        let regrade = one(&mut questions);
        assert!(regrade.model == "judge" && regrade.id != grade.id);
        assert!(!questions.unfunded());
        questions
            .absorb(regrade.address, unfunded(), Amount::ZERO)
            .unwrap();
        assert!(
            questions.finished() && questions.unfunded(),
            "this budget does not cover it either"
        );
    }

    #[test]
    fn rows_are_shown_as_turns_in_the_format_of_the_question() {
        let (setup, seeds) = questions_of(json!({
            "output": {"system": "Be brief."},
            "evaluate": {"models": [local(json!({})), local(json!({"shots": 2}))], "formats": ["plain", "json"], "questions": 1},
        }));
        let evaluate = setup.job.evaluate.as_ref().unwrap();
        let plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
        let shown: Vec<Seed> = plan.shots[1]
            .iter()
            .map(|row| seeds.read(*row).unwrap())
            .collect();
        assert_eq!((plan.shots[0].len(), shown.len()), (0, 2));
        let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 0).unwrap();
        let tasks = questions.next_tasks(9).unwrap();
        let said = |task: usize| {
            let Some(Request {
                prompt: Prompt::Chat(messages),
                ..
            }) = tasks[task].work.request()
            else {
                unreachable!("{:?}", tasks[task])
            };
            let turn = |message: &Message| (message.role, message.content.clone());
            messages.iter().map(turn).collect::<Vec<_>>()
        };
        assert_eq!(said(0).len(), 2);
        let few = said(1);
        let roles: Vec<Role> = few.iter().map(|(role, _)| *role).collect();
        use Role::{Assistant, System, User};
        assert_eq!(roles, [System, User, Assistant, User, Assistant, User]);
        assert_eq!((&few[1].1, &few[2].1), (&shown[0].question, &shown[0].answer));
        assert_eq!(
            few[5],
            said(0)[1],
            "the question itself is put as to the other model"
        );
        let json = said(3);
        assert_eq!(
            json[1],
            (Assistant, format!(r#"{{"answer":"{}"}}"#, shown[0].answer))
        );
        assert!(
            json[0].1.contains(&shown[0].question) && json[0].1.contains("JSON object"),
            "{json:?}"
        );
        // A row that is shown is no question.
        assert!(few[5].1 != few[1].1 && few[5].1 != few[3].1);
    }

    #[test]
    fn models_that_tell_likelihoods_are_asked_for_those_of_texts_and_labels() {
        let student = json!({"role": "student", "local": {"name": "x.gguf", "engine": "native"}});
        let (setup, seeds) = questions_of(json!({
            "filter": {"validator": {"kind": "label", "labels": ["10", "eleven"]}},
            "evaluate": {"models": [student, local(json!({})), local(json!({"shots": 1}))], "formats": ["json"], "questions": 1,
                         "grade": "likelihood"},
        }));
        let evaluate = setup.job.evaluate.as_ref().unwrap();
        let plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
        assert_eq!(plan.scored, [0, 1], "the same model once");
        assert_eq!((plan.answers(), plan.calls()), (3, 5));
        let limit = Limit {
            usd: None,
            calls: Some(4),
        };
        let refused = plan.affordable(limit).unwrap_err().to_string();
        assert!(
            refused.contains("up to 5 calls, 2 of them for likelihoods of texts"),
            "{refused}"
        );
        let row = seeds.read(plan.rows[0]).unwrap();
        let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 0).unwrap();
        let tasks = questions.next_tasks(9).unwrap();
        let scores = |task: &Task| match &task.work {
            Work::Score {
                prompt,
                continuations,
            } => (prompt.clone(), continuations.clone()),
            other => unreachable!("{other:?}"),
        };
        assert!(tasks.iter().all(|task| task.needs == ["score"]));
        let (prompt, labels) = scores(&tasks[0]);
        assert!(matches!(prompt, Prompt::Chat(_)));
        assert_eq!(labels, [r#"{"answer":"10"}"#, r#"{"answer":"eleven"}"#]);
        let (prompt, texts) = scores(&tasks[3]);
        assert_eq!(prompt, Prompt::Raw(String::new()));
        assert_eq!(texts, [format!("{}\n\n{}", row.question, row.answer)]);
        // The likeliest label counts, and a text never does.
        let told = |sums: &[f64]| {
            let likelihoods = sums.iter().map(|log_likelihood| Likelihood {
                log_likelihood: *log_likelihood,
                tokens: 1,
            });
            Ok(Report {
                output: Output::Likelihoods(likelihoods.collect()),
                model_version: "tiny".into(),
            })
        };
        for task in &tasks[..3] {
            questions
                .absorb(task.address, told(&[-1.0, -2.0]), Amount::ZERO)
                .unwrap();
        }
        for task in &tasks[3..] {
            questions
                .absorb(task.address, told(&[-9.0]), Amount::ZERO)
                .unwrap();
        }
        let ahead = questions.ahead();
        let right = if row.answer == "10" { 3 } else { 0 };
        assert_eq!((ahead.decided, ahead.accepted), (3, right));
        assert!(questions.finished());
    }
}
