//! Checks a recipe before anything is spent: from its file to steps that the machine can walk, or everything that is wrong with it.

mod facts;
mod row;
mod step;

use std::collections::BTreeSet;

use super::condition::Condition;
use super::file::{File, KeepsFactsFile, OneOrMany, RejectsAs, SamplesFile, StepFile};
use super::{Ask, Demand, Does, JudgeStep, QUESTION, Recipe, Samples, Step};
use crate::job::Problem;
use crate::reply::{Holds, Member};
use crate::strategy::Strategy;

/// Replies of one step at most.
const SAMPLES_MAX: u32 = 16;
/// Candidates that share one reply at most: a longer list repeats itself, and is lost with one unreadable reply.
const SHARED_MAX: u32 = 16;
/// Passes of a loop at most.
const PASSES_MAX: u32 = 8;
/// Steps of a recipe at most.
const STEPS_MAX: usize = 64;
/// The field that holds the tools of a recipe that has some from the start.
pub(super) const TOOLS: &str = "tools";

/// Compiles a recipe.
pub(super) fn compile(file: File) -> Result<Recipe, Vec<Problem>> {
    let mut check = Check {
        kind: kind(&file),
        problems: Vec::new(),
        steps: Vec::new(),
        fields: vec![(QUESTION.to_owned(), Holds::Question)],
        names: BTreeSet::new(),
        sampled: None,
        in_loop: false,
    };
    check.head(&file);
    check.tools(&file);
    check.steps("steps", &file.steps);
    check.whole(&file);
    check.row(&file.row);
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let text = serde_json::to_vec(&file).unwrap_or_default();
    Ok(Recipe {
        digest: blake3::hash(&text).to_hex()[..8].to_owned(),
        kind: check.kind,
        steps: check.steps,
        file,
    })
}

/// What the rows of a recipe are compared as, by what it asks for.
fn kind(file: &File) -> Strategy {
    let asks = |step: &&StepFile| step.reply.iter().any(|member| member.holds.asks_question());
    let question = file.steps.iter().find(asks);
    match question {
        _ if file.row.form.speaks_for_itself() => Strategy::NewQuestion,
        Some(step) if step.keeps_facts == KeepsFactsFile::OfSeed(true) => Strategy::Rephrasing,
        Some(_) => Strategy::NewQuestion,
        None => Strategy::AnswerAugmentation,
    }
}

struct Check {
    kind: Strategy,
    problems: Vec<Problem>,
    steps: Vec<Step>,
    /// Fields that are there so far, with their types.
    fields: Vec<(String, Holds)>,
    names: BTreeSet<String>,
    /// A step whose several replies nothing has chosen from yet: its number, and the fields that it will fill.
    sampled: Option<(usize, Vec<Member>)>,
    /// The steps that are looked at stand in a loop.
    in_loop: bool,
}

impl Check {
    fn tell(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem {
            path: path.to_owned(),
            message: message.into(),
            help: help.into(),
        });
    }

    fn head(&mut self, file: &File) {
        if !is_name(&file.recipe) {
            let message = format!("`{}` cannot be the name of a recipe", file.recipe);
            self.tell(
                "recipe",
                message,
                "use small letters, digits and `_`, such as `grounded_qa`",
            );
        }
        if file.version == 0 {
            self.tell(
                "version",
                "versions begin at 1",
                "give 1, and raise it with every change",
            );
        }
        if file.steps.is_empty() {
            self.tell("steps", "nothing is done", "begin with an `ask`");
        }
        if file.counts_as.is_some_and(|class| class != self.kind) {
            let message = format!(
                "its rows are made like {}, and are counted as {}",
                self.kind,
                file.counts_as.unwrap_or(self.kind)
            );
            let help = format!(
                "give `{}`, or leave it out so that the weight alone decides",
                self.kind
            );
            self.tell("counts_as", message, help);
        }
    }

    /// Steps of the recipe, or of a loop.
    fn steps(&mut self, path: &str, steps: &[StepFile]) {
        for (i, step) in steps.iter().enumerate() {
            let path = format!("{path}.{i}");
            if self.steps.len() >= STEPS_MAX {
                return self.tell(
                    &path,
                    format!("more than {STEPS_MAX} steps"),
                    "make two recipes of it",
                );
            }
            self.step(&path, step);
        }
    }

    fn step(&mut self, path: &str, step: &StepFile) {
        let verbs = [
            ("ask", step.ask.is_some()),
            ("judge", step.judge.is_some()),
            ("distinct", step.distinct.is_some()),
            ("check", step.check.is_some()),
            ("choose", step.choose.is_some()),
            ("repeat", step.repeat.is_some()),
            ("tag", step.tag.is_some()),
        ];
        let given: Vec<&str> = verbs
            .iter()
            .filter(|(_, given)| *given)
            .map(|(verb, _)| *verb)
            .collect();
        let verb = match given.as_slice() {
            [verb] => *verb,
            [] => {
                let help = "begin it with `ask`, `judge`, `distinct`, `check`, `choose`, `repeat` or `tag`";
                return self.tell(path, "the step does nothing", help);
            }
            several => {
                let message = format!("one step is to do {}", several.join(" and "));
                return self.tell(path, message, "make a step of each");
            }
        };
        self.refuse_strangers(path, verb, step);
        if self.in_loop && !matches!(verb, "ask" | "judge" | "check") {
            let message = format!("`{verb}` cannot stand in a loop");
            return self.tell(path, message, "put it before or after the loop");
        }
        let when = step
            .when
            .as_ref()
            .and_then(|text| self.condition(&format!("{path}.when"), text));
        match (step, &step.repeat) {
            (_, Some(repeat)) => self.repeat(path, repeat, when),
            (StepFile { ask: Some(name), .. }, _) => self.ask(path, name, step, when),
            (
                StepFile {
                    judge: Some(name), ..
                },
                _,
            ) => self.judge(path, name, step, when),
            (
                StepFile {
                    distinct: Some(field),
                    ..
                },
                _,
            ) => self.distinct(path, field, when),
            (
                StepFile {
                    choose: Some(name), ..
                },
                _,
            ) => self.choose(path, name, step, when),
            (StepFile { tag: Some(what), .. }, _) => self.tag(path, what, when),
            (
                StepFile {
                    check: Some(text), ..
                },
                _,
            ) => {
                let path = format!("{path}.check");
                if let Some(condition) = self.condition(&path, text) {
                    let demand = self.demand(&path, condition, step);
                    self.push("check", Does::Check(demand), when);
                }
            }
            _ => {}
        }
    }

    /// Keys that mean nothing in a step of this kind.
    fn refuse_strangers(&mut self, path: &str, verb: &str, step: &StepFile) {
        let asks: &[&str] = &["ask", "judge"];
        let own = [
            ("prompt", !step.prompt.is_empty(), asks),
            ("model", step.model.is_some(), asks),
            ("reply", !step.reply.is_empty(), asks),
            ("samples", step.samples.is_some(), &["ask"]),
            ("brings", step.brings.is_some(), &["ask"]),
            ("shared_by", step.shared_by.is_some(), &["ask"]),
            ("keeps_facts", !step.keeps_facts.is_none(), &["ask"]),
            ("require", step.require.is_some(), &["ask"]),
            ("again", step.again > 0, &["ask"]),
            ("rejects_as", step.rejects_as.is_some(), &["ask", "check"]),
            ("because", step.because.is_some(), &["ask", "check"]),
            ("accept", step.accept.is_some(), &["judge"]),
            ("keep", step.keep.is_some(), &["choose"]),
            ("margin", step.margin.is_some(), &["choose"]),
        ];
        for (key, given, verbs) in own {
            if given && !verbs.contains(&verb) {
                let message = format!("`{key}` means nothing in a `{verb}`");
                self.tell(&format!("{path}.{key}"), message, "leave it out");
            }
        }
        let reasoned = step.require.is_none() && verb == "ask";
        for (key, given) in [
            ("rejects_as", step.rejects_as.is_some()),
            ("because", step.because.is_some()),
        ] {
            if given && reasoned {
                let message = format!("`{key}` says how `require` rejects, and nothing is required");
                self.tell(
                    &format!("{path}.{key}"),
                    message,
                    "add `require`, or leave it out",
                );
            }
        }
    }

    fn push(&mut self, name: &str, does: Does, when: Option<Condition>) {
        self.steps.push(Step {
            name: name.to_owned(),
            does,
            when,
        });
    }

    fn condition(&mut self, path: &str, text: &str) -> Option<Condition> {
        match Condition::new(text, &self.fields) {
            Ok(condition) => Some(condition),
            Err(message) => {
                let known: Vec<String> = self.fields.iter().map(|(name, _)| format!("`{name}`")).collect();
                self.tell(path, message, format!("fields so far: {}", known.join(", ")));
                None
            }
        }
    }

    fn demand(&mut self, path: &str, condition: Condition, step: &StepFile) -> Demand {
        if let Some(field) = step.because.as_ref().filter(|field| !self.has(field)) {
            let path = path
                .rsplit_once('.')
                .map_or("because".to_owned(), |(step, _)| format!("{step}.because"));
            self.tell(
                &path,
                format!("no step makes the field `{field}`"),
                "name a field that a reply fills",
            );
        }
        Demand {
            condition,
            rejects_as: step.rejects_as.unwrap_or(RejectsAs::Recipe),
            because: step.because.clone(),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.holds(field).is_some()
    }

    /// Names of the fields of a type.
    fn fields_of(&self, holds: &Holds) -> Vec<&str> {
        let of = self.fields.iter().filter(|(_, other)| other == holds);
        of.map(|(name, _)| name.as_str()).collect()
    }

    fn holds(&self, field: &str) -> Option<&Holds> {
        self.fields
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, holds)| holds)
    }

    fn fill<'m>(&mut self, members: impl IntoIterator<Item = &'m Member>) {
        // Reasoning is a part of the answer that it leads to, and no field.
        for member in members
            .into_iter()
            .filter(|member| member.holds != Holds::Reasoning)
        {
            self.fields.retain(|(name, _)| *name != member.name);
            self.fields.push((member.name.clone(), member.holds.clone()));
        }
    }

    fn name(&mut self, path: &str, name: &str) {
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a step");
            self.tell(path, message, "use small letters, digits and `_`");
        }
        if !self.names.insert(name.to_owned()) {
            self.tell(
                path,
                format!("two steps are named `{name}`"),
                "give each a name of its own",
            );
        }
    }

    /// What only all steps together show.
    fn whole(&mut self, file: &File) {
        if let Some((number, _)) = self.sampled {
            let name = self
                .steps
                .get(number)
                .map(|step| step.name.clone())
                .unwrap_or_default();
            let help = format!("add `- choose: {name}` after it");
            self.tell(
                "steps",
                format!("nothing chooses among the samples of `{name}`"),
                help,
            );
        }
        let gates = self
            .steps
            .iter()
            .filter(|step| matches!(step.does, Does::Distinct { .. }))
            .count();
        if file.steps.iter().all(|step| step.distinct.is_none()) && !file.steps.is_empty() {
            let help = "add `- distinct: question`, or the field that must not be there already";
            self.tell("steps", "nothing drops duplicates", help);
        }
        if gates > 1 {
            self.tell(
                "steps",
                "candidates wait for each other at one place alone",
                "keep one `distinct`",
            );
        }
        self.evidence(file);
    }

    /// Finds the steps that serve as evidence where answers vote, and those that bring an answer along.
    fn evidence(&mut self, file: &File) {
        let ballots: Vec<usize> = (0..self.steps.len())
            .filter(|number| {
                matches!(
                    &self.steps[*number].does,
                    Does::Ask(Ask {
                        samples: Samples::Agreement { .. },
                        ..
                    })
                )
            })
            .collect();
        if ballots.len() > 1 {
            self.tell(
                "steps",
                "two steps wait until answers agree",
                "let one of them do",
            );
        }
        for (i, step) in file.steps.iter().enumerate() {
            let path = format!("steps.{i}");
            let of_ballot = ballots
                .first()
                .and_then(|number| self.steps.get(*number))
                .map(|step| step.name.clone());
            if let Some(name) = &step.brings
                && Some(name) != of_ballot.as_ref()
            {
                let help = "name the step whose `samples` end by agreement";
                self.tell(
                    &format!("{path}.brings"),
                    format!("answers of `{name}` do not vote"),
                    help,
                );
            }
            let Some(SamplesFile::Until(agreement)) = &step.samples else {
                continue;
            };
            let (mut verdict, mut judge) = (None, None);
            for name in &agreement.evidence {
                let found = self.steps.iter().position(|step| step.name == *name);
                match found.map(|number| (number, &self.steps[number].does)) {
                    Some((number, Does::Ask(ask)))
                        if ask.reply.verdict().is_some() && ask.require.is_some() =>
                    {
                        verdict = Some(number);
                    }
                    Some((number, Does::Judge(JudgeStep { own: None, .. }))) => judge = Some(number),
                    _ => {
                        let message = format!("`{name}` is no evidence on an answer");
                        let help =
                            "name an `ask` that requires a yes or no, or a `judge` by the built-in rubric";
                        self.tell(&format!("{path}.samples.evidence"), message, help);
                    }
                }
            }
            if self.kind == Strategy::NewQuestion && verdict.is_none() {
                let help =
                    "add a step that asks whether the question can be answered, and name it in `evidence`";
                self.tell(
                    &format!("{path}.samples"),
                    "answers agree on questions that cannot be answered, too",
                    help,
                );
            }
            if let Some(Step {
                does: Does::Ask(ask), ..
            }) = ballots.first().and_then(|number| self.steps.get_mut(*number))
            {
                ask.samples = Samples::Agreement { verdict, judge };
            }
        }
    }
}

/// Small letters, digits and underscores.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 40 && name.chars().all(fits)
}

impl From<&str> for OneOrMany {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}
