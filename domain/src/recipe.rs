//! Recipes: how a row is made, as data.
//!
//! A recipe is a YAML file of steps in the order in which things happen ([`File`]). Checked, it is a [`Recipe`], which one machine walks
//! ([`machine`]): the recipes that ship with the program like those of a user. Planner and forecast read the steps, and what a recipe is
//! good for follows from them: [`Recipe::asks_question`], [`Recipe::rewords`], [`Recipe::kind`].
//!
//! Files of users are read by the job-file adapter, which shows errors at their line and column; those that ship with the program are read
//! here.

mod built_in;
mod call;
mod check;
mod condition;
mod file;
pub mod machine;
mod made;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::reply::{Fields, Holds, Reply, Value};
use crate::stage::Stage;
use crate::strategy::Strategy;

pub use built_in::{built_in, built_in_text, built_ins};
pub use call::Call;
/// The field that a candidate begins with: the seed's question.
pub const QUESTION: &str = "question";

pub use condition::{Condition, Sees};
pub use file::{
    File, Form, Keep, KeepsFactsFile, Need, RejectsAs, RepeatFile, RowFile, SamplesFile, StartsFrom, StepFile,
};
pub use made::Made;

/// A recipe that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    file: File,
    steps: Vec<Step>,
    kind: Strategy,
    digest: String,
}

/// A step, with its conditions compiled. Its number is its place in [`Recipe::steps`]; loops stand there written out, with a step that begins
/// them and one that ends them.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it does.
    pub does: Does,
    /// The condition under which it is done.
    pub when: Option<Condition>,
}

impl Step {
    /// What the model answers it with, in a form of the recipe's own: to a question, or to the rubric of a judge that the recipe writes.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.does {
            Does::Ask(ask) => Some(&ask.reply),
            Does::Judge(judge) => judge.own.as_ref().map(|own| &own.reply),
            Does::Check(_)
            | Does::Distinct { .. }
            | Does::TagConcept
            | Does::Choose { .. }
            | Does::Repeat { .. }
            | Does::Again { .. } => None,
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// Asks a model.
    Ask(Ask),
    /// Has an answer judged.
    Judge(JudgeStep),
    /// Drops what a condition does not hold for.
    Check(Demand),
    /// Drops what is like a row before it.
    Distinct {
        /// The field that is compared.
        field: String,
        /// With what.
        among: Among,
    },
    /// Keeps one of several samples, or two.
    Choose {
        /// Number of the step that was sampled.
        of: usize,
        /// What is kept.
        keep: Keep,
        /// By how many points the better of two must lead.
        margin: f64,
    },
    /// Asks which concept the row is about.
    TagConcept,
    /// Begins a loop.
    Repeat {
        /// Number of the step that ends it.
        end: usize,
    },
    /// Ends a pass of a loop.
    Again {
        /// Number of the step that begins it.
        start: usize,
        /// What ends the loop.
        until: Condition,
        /// The most passes.
        at_most: u16,
    },
}

/// An ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Names of its prompts; of several, each candidate draws one.
    pub prompts: Vec<String>,
    /// The role of the model.
    pub role: Role,
    /// What the reply holds.
    pub reply: Reply,
    /// How many replies are asked for.
    pub samples: Samples,
    /// The reply may bring an answer for the step whose answers vote.
    pub brings: bool,
    /// Whose facts the reply keeps, where it says something in other words.
    pub keeps_facts: Option<KeepsFacts>,
    /// What must hold after the reply.
    pub require: Option<Demand>,
    /// How often a reply that could not be read is asked for again.
    pub again: u32,
    /// Candidates that share a reply, each of which takes one of the records that it lists; 1 where each has its own.
    pub shared_by: u32,
}

/// Whose facts a reply keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepsFacts {
    /// The question those of the seed's question.
    OfSeed,
    /// A member of the reply those of the text that a field held before.
    OfField {
        /// The field.
        field: String,
        /// The member.
        member: String,
    },
}

/// A condition that must hold, and how a candidate is rejected for which it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// The condition.
    pub condition: Condition,
    /// The reason under which the rejection is counted.
    pub rejects_as: RejectsAs,
    /// The field that says why.
    pub because: Option<String>,
}

/// A judge's step.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeStep {
    /// The role of the model.
    pub role: Role,
    /// Prompt, reply and condition of its own; none where the built-in rubric grades, which only asks where the job has a judge.
    pub own: Option<OwnRubric>,
}

/// A rubric of a recipe's own.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnRubric {
    /// Name of its prompt.
    pub prompt: String,
    /// What the reply holds: a number `score`, and what else it says.
    pub reply: Reply,
    /// The condition from which the answer passes; none where a `choose` looks at the score alone.
    pub accept: Option<Condition>,
}

/// The role of a model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One of the teachers, drawn by weight.
    Teacher,
    /// The judge; the teacher where the job has none.
    Judge,
    /// A name that the job gives to one of its models.
    Named(String),
}

impl Role {
    fn read(name: Option<&str>, otherwise: Self) -> Self {
        match name {
            None => otherwise,
            Some("teacher") => Self::Teacher,
            Some("judge") => Self::Judge,
            Some(name) => Self::Named(name.to_owned()),
        }
    }

    /// As recipes and jobs name it.
    pub fn name(&self) -> &str {
        match self {
            Self::Teacher => "teacher",
            Self::Judge => "judge",
            Self::Named(name) => name,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many replies are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// One.
    One,
    /// Several, of which a later step chooses.
    Several(u32),
    /// Until they agree; where nothing votes, one.
    Agreement {
        /// Number of the step that says whether the question can be answered.
        verdict: Option<usize>,
        /// Number of the judge's step.
        judge: Option<usize>,
    },
}

/// What a field is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All seeds and rows, by words and by meaning.
    Questions,
    /// Answers to the same seed's question, by words.
    Answers,
}

impl Recipe {
    /// Checks a recipe.
    ///
    /// # Errors
    /// Everything that is wrong, each at its key.
    pub fn new(file: File) -> Result<Self, Vec<crate::job::Problem>> {
        check::compile(file)
    }

    /// The file, as it was written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.file.recipe
    }

    /// What its rows carry of it.
    pub fn made(&self) -> Made {
        Made {
            recipe: self.file.recipe.clone(),
            version: self.file.version,
            digest: self.digest.clone(),
        }
    }

    /// Whether a text can be the name of a recipe: small letters, digits and `_`.
    pub fn may_be_named(name: &str) -> bool {
        check::is_name(name)
    }

    /// The fields that a candidate has from the start, beside its seed's question.
    pub fn first_fields(&self) -> Fields {
        let tools = (!self.file.tools.is_empty()).then(|| Value::Tools(self.file.tools.clone()));
        tools
            .into_iter()
            .map(|tools| (check::TOOLS.to_owned(), tools))
            .collect()
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A step.
    pub fn step(&self, number: usize) -> Option<&Step> {
        self.steps.get(number)
    }

    /// What a call is for, in words: `question`, `answer 3`, or `critique 1, pass 2`. Replies and passes are counted from 1.
    pub fn call_name(&self, call: Call) -> String {
        let Some(step) = self.step(call.step) else {
            return String::new();
        };
        let alone = matches!(
            &step.does,
            Does::Ask(Ask {
                samples: Samples::One,
                ..
            }) | Does::TagConcept
        );
        let mut name = step.name.clone();
        if !alone || call.sample > 0 {
            name.push_str(&format!(" {}", call.sample + 1));
        }
        if call.pass > 0 {
            name.push_str(&format!(", pass {}", call.pass + 1));
        }
        name
    }

    /// The stage that pays for a step's calls.
    pub fn stage(&self, number: usize) -> Stage {
        match self.step(number).map(|step| &step.does) {
            Some(Does::Judge(_) | Does::TagConcept) => Stage::Judge,
            Some(_) | None => Stage::Generate,
        }
    }

    /// What its rows are compared as: answers to a seed's question, rephrasings of it, or new questions.
    pub fn kind(&self) -> Strategy {
        self.kind
    }

    /// True where rows have a question, or a text, of their own.
    pub fn asks_question(&self) -> bool {
        self.kind != Strategy::AnswerAugmentation
    }

    /// True where that question says what the seed's says, so that the seed's answer is its reference.
    pub fn rewords(&self) -> bool {
        self.kind == Strategy::Rephrasing
    }

    /// Number of the step whose answers vote.
    pub fn ballot(&self) -> Option<usize> {
        self.find(|does| matches!(does, Does::Ask(ask) if matches!(ask.samples, Samples::Agreement { .. })))
    }

    /// Numbers of the steps that are only done where they are worth their price for the votes: the verdict on the question, and the judge.
    pub fn evidence(&self) -> (Option<usize>, Option<usize>) {
        let ask = self.ballot().and_then(|number| self.ask(number));
        match ask.map(|ask| ask.samples) {
            Some(Samples::Agreement { verdict, judge }) => (verdict, judge),
            Some(Samples::One | Samples::Several(_)) | None => (None, None),
        }
    }

    /// Number of the last step that may change the answer: one that asks for an answer or chooses one, or the end of a loop that does.
    pub fn last_answer(&self) -> Option<usize> {
        let answers = |step: &Step| match &step.does {
            Does::Ask(ask) => ask.answers(),
            Does::Choose { .. } => true,
            _ => false,
        };
        let last = self.steps.iter().rposition(answers)?;
        let after = |end: &usize| *end > last;
        let ends = self.steps[..last].iter().filter_map(|step| match &step.does {
            Does::Repeat { end } => Some(*end),
            _ => None,
        });
        Some(ends.filter(after).max().unwrap_or(last))
    }

    /// Number of the gate at which the question is compared with all others, where there is one.
    pub fn question_gate(&self) -> Option<usize> {
        self.find(|does| {
            matches!(
                does,
                Does::Distinct {
                    among: Among::Questions,
                    ..
                }
            )
        })
    }

    /// Number of the gate at which answers to one question are compared, where there is one.
    pub fn answer_gate(&self) -> Option<usize> {
        self.find(|does| {
            matches!(
                does,
                Does::Distinct {
                    among: Among::Answers,
                    ..
                }
            )
        })
    }

    /// The field that is compared at a gate.
    pub fn gate_field(&self, gate: usize) -> Option<&str> {
        match &self.step(gate)?.does {
            Does::Distinct { field, .. } => Some(field),
            _ => None,
        }
    }

    fn find(&self, is: impl Fn(&Does) -> bool) -> Option<usize> {
        self.steps.iter().position(|step| is(&step.does))
    }

    /// Candidates that share the reply to its first step; 1 where each asks for itself.
    pub fn shared_by(&self) -> u32 {
        self.ask(0).map_or(1, |ask| ask.shared_by)
    }

    /// True where the reply to a step is shared by several candidates.
    pub fn is_shared(&self, number: usize) -> bool {
        self.ask(number).is_some_and(|ask| ask.shared_by > 1)
    }

    /// The ask of a step, if it is one.
    pub fn ask(&self, number: usize) -> Option<&Ask> {
        match &self.step(number)?.does {
            Does::Ask(ask) => Some(ask),
            _ => None,
        }
    }

    /// True where the reply to an ask may become a part of the row: a question, an answer, messages, or the text of a row of text.
    pub fn writes_row(&self, ask: &Ask) -> bool {
        ask.reply.filled().any(|member| match member.holds {
            Holds::Question | Holds::Answer | Holds::Messages | Holds::ToolMessages => true,
            Holds::Text => self.file.row.text.as_ref() == Some(&member.name),
            _ => false,
        })
    }

    /// Names of the prompts that it uses, each once, with what reads their replies.
    pub fn prompts(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for step in &self.steps {
            let used: Vec<&str> = match &step.does {
                Does::Ask(ask) => ask.prompts.iter().map(String::as_str).collect(),
                Does::Judge(JudgeStep { own: Some(own), .. }) => vec![&own.prompt],
                Does::Judge(_) => vec![JUDGE_PROMPT],
                Does::TagConcept => vec![CONCEPT_PROMPT],
                Does::Check(_)
                | Does::Distinct { .. }
                | Does::Choose { .. }
                | Does::Repeat { .. }
                | Does::Again { .. } => Vec::new(),
            };
            for name in used {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Names of the fields that its replies fill, after the tools that it has from the start.
    pub fn field_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        if !self.file.tools.is_empty() {
            names.push(check::TOOLS.to_owned());
        }
        let filled = self.steps.iter().filter_map(Step::reply).flat_map(Reply::filled);
        for member in filled {
            if !names.contains(&member.name) {
                names.push(member.name.clone());
            }
        }
        names
    }

    /// Roles of the models that it asks, each once.
    pub fn roles(&self) -> Vec<&Role> {
        let mut roles: Vec<&Role> = Vec::new();
        for step in &self.steps {
            let role = match &step.does {
                Does::Ask(ask) => &ask.role,
                Does::Judge(judge) => &judge.role,
                Does::TagConcept => &Role::Judge,
                _ => continue,
            };
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles
    }
}

/// The prompt of the built-in rubric.
pub const JUDGE_PROMPT: &str = "judge";
/// The prompt that asks for a concept.
pub const CONCEPT_PROMPT: &str = "assign";

impl Samples {
    /// True where a later step chooses among several replies.
    pub fn are_several(self) -> bool {
        matches!(self, Self::Several(_))
    }
}

impl Ask {
    /// True where the reply holds an answer, held to rules and validator.
    pub fn answers(&self) -> bool {
        self.reply.first(|holds| *holds == Holds::Answer).is_some()
    }
}
