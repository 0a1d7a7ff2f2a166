//! Asks what the plan of an evaluation holds, and has answers graded.

use std::collections::{HashMap, VecDeque};

use gristmill_domain::amount::Amount;
use gristmill_domain::answer::choice::pick;
use gristmill_domain::answer::label::Labels;
use gristmill_domain::job::{Evaluate, GradedBy};
use gristmill_domain::reply::{Fields, Value};
use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, HeldOutAnswer, Output, Report, Task};

use super::{AskedQuestion, EvaluationPlan, EvaluationTask};
use crate::Error;
use crate::engine::{Brought, Producer};
use crate::failure::TaskFailure;
use crate::progress::Ahead;
use crate::seeds::SeedStore;
use crate::setup::{HeldOutRequest, Setup};

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
        let gold = Labels::new(labels)
            .ok()
            .and_then(|labels| labels.right(&seed.references, &seed.answer));
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
            } else if self.next_asked < self.plan.wanted() {
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
            && self.next_asked == self.plan.wanted()
    }

    fn ahead(&self) -> Ahead {
        self.graded
    }
}

/// The judge's grade.
fn grade_of(fields: &Fields) -> Option<&str> {
    match fields.get("grade") {
        Some(Value::Choice(Some(grade))) => Some(grade),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
