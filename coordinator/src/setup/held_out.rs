//! Held-out questions, and grades of the answers to them, as tasks.

use std::collections::HashMap;

use gristmill_domain::chat::{Message, Prompt, Request, Role};
use gristmill_domain::job::{Evaluate, GradedBy, ModelSpec, PromptForm, PromptFormat, Structured};
use gristmill_domain::prompt::{Template, Variables};
use gristmill_domain::reply::{Holds, Member, Reply};
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, HELD_OUT, Subject, Task, Work, needs};

use super::Setup;
use crate::Error;

/// The prompt by which a judge compares an answer with the reference.
const GRADE_PROMPT: &str = "grade";
/// Completion tokens of a grade.
const GRADE_TOKENS: u32 = 400;

/// What a judge says of an answer to a held-out question.
pub(crate) fn grade_reply() -> Reply {
    let names = ["correct", "incorrect", "not attempted"].map(str::to_owned);
    Reply {
        name: GRADE_PROMPT.to_owned(),
        members: vec![
            Member::new("reason", Holds::Text),
            Member::new(
                "grade",
                Holds::OneOf {
                    names: names.into(),
                    or_none: false,
                },
            ),
        ],
    }
}

impl Setup {
    /// Reads the prompts of an evaluation.
    pub(super) fn read_held_out_templates(&mut self) -> Result<(), Error> {
        let Some(evaluate) = &self.job.evaluate else {
            return Ok(());
        };
        let formats = evaluate.formats.iter().filter_map(|format| format.prompt());
        let grades = (self.job.graded_by() == GradedBy::Judge).then_some(GRADE_PROMPT);
        let mut templates = HashMap::new();
        for name in formats.chain(grades) {
            let text = Template::built_in_text(name, PromptForm::Chat).ok_or(Error::NoRecipe)?;
            let template = Template::parse(name, text, []).map_err(|source| Error::Prompt {
                prompt: name.to_owned(),
                source,
            })?;
            templates.insert((name.to_owned(), PromptForm::Chat), template);
        }
        self.templates.extend(templates);
        Ok(())
    }

    /// The task of asking a model a held-out question in one format.
    pub(crate) fn held_out(
        &self,
        address: Address,
        evaluate: &Evaluate,
        spec: &ModelSpec,
        format: PromptFormat,
        seed: &Seed,
    ) -> Result<Task, Error> {
        let prompt = match format.prompt() {
            None => self.as_trained(seed),
            Some(name) => self.filled(name, &self.held_out_variables(seed))?,
        };
        let id = address.task_id(self.run);
        let request = Request {
            prompt,
            max_tokens: evaluate.max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            seed: id.request_seed(),
            stop: Vec::new(),
            schema: None,
        };
        let validator = &self.job.filter.validator;
        let checks = validator.verifies().then(|| validator.name());
        let mut needs = needs(&Reply::default(), checks);
        needs.push(HELD_OUT.to_owned());
        let work = Work::HeldOut {
            request,
            subject: Subject {
                question: seed.question.clone(),
                references: seed.references.clone(),
                passage: seed.context.clone(),
                database: seed.database.clone(),
                ..Subject::default()
            },
            member: format.member().map(str::to_owned),
        };
        Ok(Task {
            id,
            address,
            model: spec.name(),
            needs,
            work,
        })
    }

    /// The task of grading an answer to a held-out question.
    pub(crate) fn held_out_grade(&self, address: Address, seed: &Seed, answer: &str) -> Result<Task, Error> {
        let judge = self.job.judge.as_ref();
        let spec = judge.map(|judge| &judge.spec).ok_or(Error::NoModel { step: 0 })?;
        let mut variables = self.held_out_variables(seed);
        answer.clone_into(&mut variables.answer);
        variables.reference = seed.references.join("\nor: ");
        variables.json = spec.structured() != Structured::None;
        let reply = grade_reply();
        let id = address.task_id(self.run);
        let request = Request {
            prompt: self.filled(GRADE_PROMPT, &variables)?,
            // A judge that thinks first does so within what its job allows.
            max_tokens: GRADE_TOKENS.max(self.job.generate.max_tokens),
            temperature: 0.0,
            top_p: 1.0,
            seed: id.request_seed(),
            stop: Vec::new(),
            schema: matches!(spec.structured(), Structured::JsonSchema | Structured::Tool)
                .then(|| reply.schema()),
        };
        let needs = needs(&reply, None);
        let work = Work::Chat {
            request,
            reply,
            subject: None,
        };
        Ok(Task {
            id,
            address,
            model: spec.name(),
            needs,
            work,
        })
    }

    /// A question as the dataset's rows put it.
    fn as_trained(&self, seed: &Seed) -> Prompt {
        let output = &self.job.output;
        let system = output.system.iter().map(|text| Message {
            role: Role::System,
            content: text.clone(),
        });
        let user = Message {
            role: Role::User,
            content: format!("{}{}", output.before(seed.context.as_deref()), seed.question),
        };
        Prompt::Chat(system.chain([user]).collect())
    }

    fn filled(&self, name: &str, variables: &Variables) -> Result<Prompt, Error> {
        let template = self.templates.get(&(name.to_owned(), PromptForm::Chat));
        let template = template.ok_or(Error::NoModel { step: 0 })?;
        template.render(variables).map_err(|source| Error::Prompt {
            prompt: name.to_owned(),
            source,
        })
    }

    fn held_out_variables(&self, seed: &Seed) -> Variables {
        let validator = &self.job.filter.validator;
        let schema = seed.database.as_ref().and_then(|name| self.schemas.get(name));
        Variables {
            subject: self.job.generate.subject.clone(),
            question: seed.question.clone(),
            context: seed.context.clone().unwrap_or_default(),
            schema: schema.cloned().unwrap_or_default(),
            kind: validator.name(),
            form: validator.form().unwrap_or_default(),
            labels: validator.choices().to_vec(),
            reasoning: self.job.generate.reasoning,
            ..Variables::default()
        }
    }
}
