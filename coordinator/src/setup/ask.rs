//! A candidate's next call as a task.

use gristmill_domain::chat::Request;
use gristmill_domain::job::{PromptForm, Structured};
use gristmill_domain::prompt::{Choice, Example, Variables};
use gristmill_domain::recipe::machine::Call;
use gristmill_domain::reply::Value;
use gristmill_domain::seed::Seed;
use gristmill_domain::work::{Address, Answer, Subject, Task, Work, needs};

use super::{Brief, Setup};
use crate::Error;
use crate::seeds::SeedStore;

/// Completion tokens of a reply that only decides something, or is a question.
const SHORT_REPLY_TOKENS: u32 = 400;
/// A job that allows more has a model that thinks before it speaks, whatever it is asked.
const THINKS_FROM_TOKENS: u32 = 2_048;
/// Texts that end a raw prompt's completion: its first line is the answer.
const RAW_STOPS: [&str; 1] = ["\n"];

impl Setup {
    /// The task of a call, and the version of the prompt that it uses.
    pub(crate) fn task(
        &self,
        address: Address,
        brief: &Brief<'_>,
        seeds: &SeedStore,
    ) -> Result<(Task, String), Error> {
        let id = address.task_id(self.run);
        let call = address.step.call;
        let missing = || Error::NoModel { step: call.step };
        let asked = self
            .asked(brief.recipe, call.step, Some(brief.row), brief.choices)
            .ok_or_else(missing)?;
        let spec = self.model(asked.role, brief.teacher).ok_or_else(missing)?;
        let template = self
            .template(brief.recipe, asked.prompt, spec)
            .ok_or_else(missing)?;
        let generate = &self.job.generate;
        let answered = self.answers_beside(brief.recipe, asked.prompt, asked.brings, spec);
        let decides = asked.reply.decides();
        let questions = asked.reply.question().is_some();
        let mut variables = self.variables(brief, call);
        variables.json = spec.structured() != Structured::None;
        variables.answered = answered;
        variables.how_many = brief.siblings;
        if (!decides || answered) && template.uses("examples") {
            let own = questions && !brief.recipe.rewords();
            variables.examples = self.examples(brief, own, id.request_seed(), seeds)?;
        }
        if questions {
            variables.again = brief.again.to_vec();
            if let Some(mutation) = brief.mutation {
                mutation.tell(&mut variables);
            }
        }
        let prompt = template.render(&variables).map_err(|source| Error::Prompt {
            prompt: asked.prompt.to_owned(),
            source,
        })?;
        let short = decides || questions && asked.reply.members.len() == 1;
        let alone = match (short, asked.reply.list()) {
            // As much for each of its records as for a question alone; a model thinks once.
            (_, Some(_)) => {
                let others = brief
                    .siblings
                    .saturating_sub(1)
                    .saturating_mul(SHORT_REPLY_TOKENS);
                short_reply_tokens(generate.max_tokens).saturating_add(others)
            }
            (true, None) => short_reply_tokens(generate.max_tokens),
            (false, None) => generate.max_tokens,
        };
        let reply = match answered {
            true => asked.reply.with_answer(generate.reasoning),
            false => asked.reply,
        }
        .shared_by(brief.siblings);
        // Answers that vote are drawn alike, whatever they come with.
        let deciding = decides && !answered;
        let request = Request {
            prompt,
            max_tokens: alone + if answered { generate.max_tokens } else { 0 },
            temperature: if deciding { 0.0 } else { generate.temperature },
            top_p: if deciding { 1.0 } else { generate.top_p },
            seed: id.request_seed(),
            stop: if spec.prompt_form() == PromptForm::Raw {
                RAW_STOPS.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            },
            schema: matches!(spec.structured(), Structured::JsonSchema | Structured::Tool)
                .then(|| reply.schema()),
        };
        let subject = reply.answer().map(|_| self.subject(brief, questions, seeds));
        let validator = &self.job.filter.validator;
        let checks = subject.is_some() && validator.verifies();
        let needs = needs(&reply, checks.then(|| validator.name()));
        let work = Work::Chat {
            request,
            reply,
            subject,
        };
        let task = Task {
            id,
            address,
            model: spec.name(),
            needs,
            work,
        };
        Ok((task, template.version().to_owned()))
    }

    pub(super) fn variables(&self, brief: &Brief<'_>, call: Call) -> Variables {
        let validator = &self.job.filter.validator;
        let (kind, labels) = (validator.name(), validator.choices().to_vec());
        let form = validator.form().unwrap_or_default();
        let is_told = self.knows_reference(brief.recipe) && !brief.measures;
        let reference = if is_told || brief.shows_reference {
            brief.seed.references.join("\nor: ")
        } else {
            String::new()
        };
        let answer = brief
            .state
            .judged_answer(brief.recipe, self.job.judge.as_ref(), call);
        Variables {
            subject: self.job.generate.subject.clone(),
            question: brief.question().to_owned(),
            seed_question: brief.seed.question.clone(),
            answer: answer.map(shown).unwrap_or_default(),
            reference,
            context: brief.rests_on().text().into_owned(),
            schema: brief
                .seed
                .database
                .as_ref()
                .and_then(|db| self.schemas.get(db))
                .cloned()
                .unwrap_or_default(),
            concept: match (brief.topic, brief.passage) {
                (Some(concept), _) => concept.name.clone(),
                (None, Some(_)) => String::new(),
                (None, None) => brief.seed.concepts.first().cloned().unwrap_or_default(),
            },
            description: brief
                .topic
                .map(|concept| concept.description.clone())
                .unwrap_or_default(),
            choices: brief
                .choices
                .iter()
                .map(|concept| Choice {
                    name: concept.name.clone(),
                    description: concept.description.clone(),
                })
                .collect(),
            kind,
            form,
            labels,
            reasoning: self.job.generate.reasoning,
            fields: {
                // What no step has filled yet is empty.
                let empty = brief
                    .recipe
                    .field_names()
                    .into_iter()
                    .map(|field| (field, Value::text("")));
                empty.chain(brief.state.fields().clone()).collect()
            },
            ..Variables::default()
        }
    }

    /// Solved examples from the seed's own database or concept, other than itself; a new question's prompt shows the seed first, or
    /// the concept's own examples where the seed is of another.
    pub(super) fn examples(
        &self,
        brief: &Brief<'_>,
        own: bool,
        draw: u32,
        seeds: &SeedStore,
    ) -> Result<Vec<Example>, Error> {
        let wanted = self.job.generate.examples as usize;
        let mut examples = Vec::with_capacity(wanted);
        if own && wanted > 0 {
            let own = brief
                .topic
                .filter(|_| brief.borrowed)
                .map(|concept| &concept.examples);
            examples.extend(
                own.into_iter()
                    .flatten()
                    .take(wanted - 1)
                    .map(|question| Example {
                        question: question.clone(),
                        ..Example::default()
                    }),
            );
            examples.push(example(brief.seed));
        }
        let peers = brief.peers.unwrap_or_else(|| seeds.peers(brief.seed));
        let mut place = draw as usize;
        // A stride through the peers finds others soon; a list of one peer, the seed itself, finds none.
        for _ in 0..peers.len().min(4 * wanted) {
            if examples.len() >= wanted {
                break;
            }
            place = place.wrapping_mul(5).wrapping_add(1);
            let peer = seeds.read(seeds.anchor(peers[place % peers.len()]))?;
            if peer.id != brief.seed.id && !examples.iter().any(|e| e.question == peer.question) {
                examples.push(example(&peer));
            }
        }
        Ok(examples)
    }

    /// What an answer is checked against; the question is left open where the reply brings one.
    pub(super) fn subject(&self, brief: &Brief<'_>, asks: bool, seeds: &SeedStore) -> Subject {
        Subject {
            question: if asks {
                String::new()
            } else {
                brief.question().to_owned()
            },
            references: if self.has_reference(brief.recipe) {
                brief.seed.references.clone()
            } else {
                Vec::new()
            },
            passage: match (&self.job.filter.grounding, brief.rests_on()) {
                (Some(_), passages) if passages.first.is_some() => Some(passages.text().into_owned()),
                _ => None,
            },
            database: brief.seed.database.clone(),
            traces: self.job.generate.reasoning,
            shortest_words: seeds.shortest_answer(),
        }
    }
}

/// The most tokens of a reply that says little: what a model thinks before it counts among them.
fn short_reply_tokens(max_tokens: u32) -> u32 {
    if max_tokens > THINKS_FROM_TOKENS {
        max_tokens / 2
    } else {
        SHORT_REPLY_TOKENS.min(max_tokens)
    }
}

fn example(seed: &Seed) -> Example {
    Example {
        question: seed.question.clone(),
        answer: seed.answer.clone(),
        context: seed.context.clone().unwrap_or_default(),
    }
}

fn shown(answer: &Answer) -> String {
    if answer.reasoning.is_empty() {
        answer.answer.clone()
    } else {
        format!("{}\n{}", answer.reasoning, answer.answer)
    }
}
