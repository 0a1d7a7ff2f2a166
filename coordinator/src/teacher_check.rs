//! Measures the teachers that are related to the student, before anything is generated: each is asked validation rows, and its answers are
//! graded by the job's validator, by what they say, or by the judge, who is shown the reference.
//!
//! The questions are tasks like any other, in a round of their own ([`Address::TEACHER_CHECK`]): what was asked before a restart is in the
//! journal, and answers at once. Nothing of them becomes a row or stands in a prompt that makes rows.

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::answer::meaning;
use gristmill_domain::id::ContentId;
use gristmill_domain::plan::StageCost;
use gristmill_domain::recipe::machine::{Call, State};
use gristmill_domain::recipe::{Does, JudgeStep, Recipe};
use gristmill_domain::reply::{Fields, Value, judgement};
use gristmill_domain::row::{Position, Row};
use gristmill_domain::seed::{Seed, Split};
use gristmill_domain::self_improvement::{TeacherCheck, questions_needed};
use gristmill_domain::work::{Address, Answer, Output, Report, Task};

use crate::Error;
use crate::engine::{Brought, Producer};
use crate::failure::TaskFailure;
use crate::forecast::step_cost;
use crate::seeds::{SeedStore, drawn_evenly};
use crate::setup::{Brief, Setup};

/// What measuring the teachers takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckPlan {
    /// Numbers of the teachers among those of the job.
    pub teachers: Vec<usize>,
    /// Ordinals of the validation rows that each is asked.
    pub rows: Vec<u64>,
    /// The judge grades each answer, since no validator can.
    pub judged: bool,
}

impl CheckPlan {
    /// Calls at most: a judge grades only answers that can be read.
    pub fn calls(&self) -> u64 {
        let each = 1 + u64::from(self.judged);
        each * self.questions()
    }

    fn questions(&self) -> u64 {
        self.teachers.len() as u64 * self.rows.len() as u64
    }
}

/// How the teachers of a job are measured; nothing where none is related to the student.
///
/// # Errors
/// [`Error::Roles`] where the validation rows cannot show the accuracy that the job wants, or the budget cannot pay for them.
pub fn check_plan(setup: &Setup, seeds: &SeedStore, limit: Limit) -> Result<Option<CheckPlan>, Error> {
    let job = &setup.job;
    let teachers = job.checked_teachers();
    if teachers.is_empty() {
        return Ok(None);
    }
    let held_out = seeds.ordinals(Split::Validation);
    let needed = questions_needed(job.min_accuracy()).unwrap_or(u64::MAX);
    let there = held_out.len() as u64;
    let refused = |message: String| Err(Error::Roles { message });
    if there < needed {
        return refused(format!(
            "a teacher that is related to the student is measured on validation rows: at least {needed} are needed to show that {:.0} % of its \
             answers are right, and there are {there}. Raise `holdout.validation`, add seeds, or lower `student.min_accuracy`",
            100.0 * job.min_accuracy()
        ));
    }
    let plan = CheckPlan {
        teachers,
        rows: drawn_evenly(&held_out, u64::from(job.check_questions())),
        judged: !job.filter.validator.compares_references() && job.meaning_f1().is_none(),
    };
    if limit.calls.is_some_and(|calls| calls <= plan.calls()) {
        return refused(format!(
            "measuring the teacher on validation rows takes {} calls, and the budget is {limit}: raise `budget.calls`, or ask fewer rows with \
             `student.questions`",
            plan.calls()
        ));
    }
    Ok(Some(plan))
}

/// What measuring the teachers that are related to the student is expected to cost.
///
/// # Errors
/// Seeds that cannot be read.
pub fn check_cost(setup: &Setup, seeds: &SeedStore, plan: &CheckPlan) -> Result<Amount, Error> {
    let recipe = setup.measuring();
    let mut each = StageCost::default();
    let judges = recipe.evidence().1.filter(|_| plan.judged);
    for step in recipe.ballot().into_iter().chain(judges) {
        let cost = step_cost(setup, recipe, seeds, 0, step)?;
        each.calls += cost.calls;
        each.usd_micros += cost.usd_micros;
        each.input_tokens += cost.input_tokens;
        each.output_tokens += cost.output_tokens;
    }
    let questions = plan.questions() as f64;
    let all = |of: f64| (questions * of).ceil() as u64;
    Ok(Amount {
        usd: MicroUsd(all(each.usd_micros)),
        calls: all(each.calls),
        input_tokens: all(each.input_tokens),
        output_tokens: all(each.output_tokens),
    })
}

/// Asks the teachers, and counts.
pub(crate) struct TeacherChecks<'a> {
    setup: &'a Setup,
    seeds: &'a SeedStore,
    plan: CheckPlan,
    /// Questions that were asked, of all teachers.
    next: u64,
    /// Answers that wait for the judge.
    to_judge: Vec<(u64, Answer)>,
    /// Questions that are graded, or whose call failed.
    done: u64,
    checks: Vec<TeacherCheck>,
    /// No money was left for one of the calls.
    unfunded: bool,
}

/// What came of a question.
enum Grade {
    Right,
    Wrong,
    Failed,
}

impl<'a> TeacherChecks<'a> {
    pub(crate) fn new(setup: &'a Setup, seeds: &'a SeedStore, plan: CheckPlan) -> Self {
        let check = |number: &usize| TeacherCheck {
            teacher: setup.teacher_name(*number),
            right: 0,
            wrong: 0,
            failed: 0,
            min_accuracy: setup.job.min_accuracy(),
        };
        Self {
            checks: plan.teachers.iter().map(check).collect(),
            setup,
            seeds,
            plan,
            next: 0,
            to_judge: Vec::new(),
            done: 0,
            unfunded: false,
        }
    }

    /// What was found, and whether the budget did not reach for all of it.
    pub(crate) fn into_checks(self) -> (Vec<TeacherCheck>, bool) {
        (self.checks, self.unfunded)
    }

    /// Which of the teachers answers a question, and the row that it is of.
    fn place(&self, index: u64) -> (usize, Result<Seed, Error>) {
        let rows = self.plan.rows.len().max(1) as u64;
        let ordinal = self.plan.rows.get((index % rows) as usize).copied();
        (
            (index / rows) as usize,
            self.seeds.read(ordinal.unwrap_or_default()),
        )
    }

    /// The task of a question: to answer it, or to judge an answer to it.
    fn task(&self, index: u64, answer: Option<Answer>) -> Result<Task, Error> {
        let recipe = self.setup.measuring();
        let (place, seed) = self.place(index);
        let seed = seed?;
        let step = match answer {
            None => recipe.ballot().unwrap_or_default(),
            Some(_) => judge_step(recipe).ok_or(Error::NoRecipe)?,
        };
        let call = Call {
            step,
            pass: 0,
            sample: 0,
        };
        let address = Address {
            round: Address::TEACHER_CHECK,
            index,
            step: self.setup.step(recipe, call),
        };
        let state = State::asking(&seed.question, answer);
        let row: ContentId = Position {
            round: address.round,
            index,
        }
        .row_id(self.setup.run);
        let brief = Brief {
            recipe,
            row,
            state: &state,
            seed: &seed,
            teacher: self.plan.teachers.get(place).copied().unwrap_or_default(),
            topic: None,
            borrowed: false,
            peers: None,
            passage: None,
            choices: &[],
            second: None,
            again: &[],
            mutation: None,
            measures: false,
            shows_reference: true,
            siblings: 1,
        };
        Ok(self.setup.task(address, &brief, self.seeds)?.0)
    }

    fn grade(&mut self, index: u64, grade: Grade) {
        let rows = self.plan.rows.len().max(1) as u64;
        self.done += 1;
        if let Some(check) = self.checks.get_mut((index / rows) as usize) {
            match grade {
                Grade::Right => check.right += 1,
                Grade::Wrong => check.wrong += 1,
                Grade::Failed => check.failed += 1,
            }
        }
    }

    /// Grades an answer, or has the judge do so.
    fn answered(&mut self, index: u64, fields: &Fields) -> Result<(), Error> {
        let Some(Value::Answer(Some(answer))) = fields.get("answer") else {
            self.grade(index, Grade::Wrong);
            return Ok(());
        };
        let right = match (answer.correct, self.setup.job.meaning_f1()) {
            (Some(correct), _) => correct,
            (None, Some(min_f1)) => {
                let seed = self.place(index).1?;
                let mut references = seed.references.iter();
                references.any(|reference| meaning::same(reference, &answer.answer, min_f1))
            }
            (None, None) if self.plan.judged => {
                self.to_judge.push((index, answer.clone()));
                return Ok(());
            }
            (None, None) => false,
        };
        self.grade(index, if right { Grade::Right } else { Grade::Wrong });
        Ok(())
    }
}

/// Number of the step that has an answer graded by the built-in rubric.
fn judge_step(recipe: &Recipe) -> Option<usize> {
    let judges = |does: &Does| matches!(does, Does::Judge(JudgeStep { own: None, .. }));
    recipe.steps().iter().position(|step| judges(&step.does))
}

impl Producer for TeacherChecks<'_> {
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        while tasks.len() < room {
            if let Some((index, answer)) = self.to_judge.pop() {
                tasks.push(self.task(index, Some(answer))?);
            } else if self.next < self.plan.questions() {
                tasks.push(self.task(self.next, None)?);
                self.next += 1;
            } else {
                break;
            }
        }
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, _cost: Amount) -> Result<(), Error> {
        let judged = Some(address.step.call.step) == judge_step(self.setup.measuring());
        match brought {
            Ok(Report {
                output: Output::Fields(fields),
                ..
            }) if judged => {
                let right = judgement(&fields).is_some_and(|judgement| judgement.correct);
                self.grade(address.index, if right { Grade::Right } else { Grade::Wrong });
            }
            // What the judge said cannot be read: that says nothing of the teacher.
            Ok(_) if judged => self.grade(address.index, Grade::Failed),
            Ok(Report {
                output: Output::Fields(fields),
                ..
            }) => self.answered(address.index, &fields)?,
            // A refusal, or a reply that cannot be read, is no right answer.
            Ok(_) => self.grade(address.index, Grade::Wrong),
            Err(failure) => {
                self.unfunded |= matches!(failure, TaskFailure::Unfunded(_));
                self.grade(address.index, Grade::Failed);
            }
        }
        Ok(())
    }

    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)> {
        Vec::new()
    }

    fn finished(&self) -> bool {
        self.done == self.plan.questions()
    }
}
