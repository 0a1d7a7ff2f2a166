//! Held-out questions, grades of the answers to them, and how likely labels and texts are, as tasks.

use std::collections::HashMap;

use gristmill_domain::chat::{Message, Prompt, Request, Role};
use gristmill_domain::job::{Evaluate, GradedBy, ModelSpec, PromptForm, PromptFormat, Structured};
use gristmill_domain::prompt::{Template, Variables};
use gristmill_domain::reply::{Holds, Member, Reply};
use gristmill_domain::row::completion;
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, HELD_OUT, SCORE, Subject, Task, Work, needs};

use super::Setup;
use crate::Error;

/// The prompt by which a judge compares an answer with the reference.
const GRADE_PROMPT: &str = "grade";
/// Completion tokens of a grade.
const GRADE_TOKENS: u32 = 400;

/// What the final number of a solution stands behind, where a prompt asks for one (GSM8K).
const NUMBER_MARK: &str = "####";

/// What people wrote in a row, as one text: its passage, its question and its answer. Empty where they wrote nothing.
pub fn row_text(seed: &Seed) -> String {
    let answer = completion(seed.reasoning.as_deref().unwrap_or_default(), &seed.answer);
    let parts = [
        seed.context.as_deref().unwrap_or_default(),
        &seed.question,
        &answer,
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

/// The messages of a prompt, apart: those that frame it, and the rest.
fn framed(prompt: Prompt) -> (Vec<Message>, Vec<Message>) {
    match prompt {
        Prompt::Chat(messages) => messages
            .into_iter()
            .partition(|message| message.role == Role::System),
        Prompt::Raw(content) => {
            let role = Role::User;
            (Vec::new(), vec![Message { role, content }])
        }
    }
}

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

/// How a held-out question is put to a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldOutRequest<'a> {
    /// Who is asked.
    pub(crate) model: &'a ModelSpec,
    /// How the question is put.
    pub(crate) format: PromptFormat,
    /// Real rows that are shown before it.
    pub(crate) shots: &'a [Seed],
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
        asked: HeldOutRequest<'_>,
        seed: &Seed,
    ) -> Result<Task, Error> {
        let prompt = self.held_out_prompt(asked, seed)?;
        let id = address.task_id(self.run);
        let request = Request {
            prompt,
            max_tokens: evaluate.max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            seed: self.held_out_seed(address),
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
            member: asked.format.member().map(str::to_owned),
        };
        Ok(Task {
            id,
            address,
            model: asked.model.name(),
            needs,
            work,
        })
    }

    /// The task of finding how likely each label is to be a model's answer to a held-out question.
    pub(crate) fn held_out_labels(
        &self,
        address: Address,
        asked: HeldOutRequest<'_>,
        seed: &Seed,
    ) -> Result<Task, Error> {
        let labels = self.job.filter.validator.choices();
        Ok(self.score(
            address,
            asked.model,
            self.held_out_prompt(asked, seed)?,
            labels.iter().map(|label| asked.format.reply(label)).collect(),
        ))
    }

    /// The task of finding how likely the text of a held-out row is to a model, by itself.
    pub(crate) fn held_out_text(&self, address: Address, model: &ModelSpec, seed: &Seed) -> Task {
        let beginning = Prompt::Raw(String::new());
        self.score(address, model, beginning, vec![row_text(seed)])
    }

    fn score(&self, address: Address, model: &ModelSpec, prompt: Prompt, continuations: Vec<String>) -> Task {
        Task {
            id: address.task_id(self.run),
            address,
            model: model.name(),
            needs: vec![SCORE.to_owned()],
            work: Work::Score {
                prompt,
                continuations,
            },
        }
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
            seed: self.held_out_seed(address),
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

    /// The sampling seed of a request: that of the first try at it, so that an evaluation that was reopened with a larger budget comes to what one
    /// with that budget from the start comes to.
    fn held_out_seed(&self, address: Address) -> u32 {
        let mut first = address;
        first.step.call.pass = 0;
        first.task_id(self.run).request_seed()
    }

    /// A question in a format, behind the turns of the rows that are shown. What frames the conversation stands first, and once.
    fn held_out_prompt(&self, asked: HeldOutRequest<'_>, seed: &Seed) -> Result<Prompt, Error> {
        let question = self.in_format(asked.format, seed)?;
        if asked.shots.is_empty() {
            return Ok(question);
        }
        let (mut messages, question) = framed(question);
        for shot in asked.shots {
            messages.extend(framed(self.in_format(asked.format, shot)?).1);
            messages.push(Message {
                role: Role::Assistant,
                content: self.shown_answer(asked.format, shot),
            });
        }
        messages.extend(question);
        Ok(Prompt::Chat(messages))
    }

    fn in_format(&self, format: PromptFormat, seed: &Seed) -> Result<Prompt, Error> {
        match format.prompt() {
            None => Ok(self.as_trained(seed)),
            Some(name) => self.filled(name, &self.held_out_variables(seed)),
        }
    }

    /// The answer of a row that is shown, in the form that the format asks for.
    fn shown_answer(&self, format: PromptFormat, seed: &Seed) -> String {
        let last = seed.references.first().unwrap_or(&seed.answer);
        let whole = || completion(seed.reasoning.as_deref().unwrap_or_default(), &seed.answer);
        let reasons = self.job.generate.reasoning && self.job.filter.validator.name() == "number";
        match format {
            PromptFormat::Plain | PromptFormat::Labelled => whole(),
            PromptFormat::Instructed if reasons => match whole() {
                marked if marked.contains(NUMBER_MARK) => marked,
                whole => format!("{whole}\n{NUMBER_MARK} {last}"),
            },
            PromptFormat::Instructed if self.job.filter.validator.compares_references() => last.clone(),
            PromptFormat::Instructed => seed.answer.clone(),
            PromptFormat::Json => format.reply(last),
        }
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
