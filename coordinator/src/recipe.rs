//! Turns a candidate's next step into a task: fills prompts in, names the model, says what the answer is checked against.

mod vary;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gristmill_domain::chat::Request;
use gristmill_domain::evidence::JudgeUse;
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{
    Concept, Concepts, Job, JudgeWhen, ModelSpec, PromptForm, PromptKind, Structured, Validator,
};
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::joined;
use gristmill_domain::prompt::{Choice, Example, Template, Variables, reply_schema};
use gristmill_domain::seed::Seed;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Answer, Step, Subject, Task, Work};

use crate::Error;
use crate::seeds::SeedStore;

/// Completion tokens of a reply that only decides something.
const VERDICT_TOKENS: u32 = 400;
/// Completion tokens of a reply that is a question.
const QUESTION_TOKENS: u32 = 400;
/// Texts that end a raw prompt's completion: its first line is the answer.
const RAW_STOPS: [&str; 1] = ["\n"];

/// Everything that decides what is asked, frozen with the run.
pub struct Recipe {
    /// The run.
    pub run: RunId,
    /// The effective job.
    pub job: Job,
    /// Definition statements by database, for the validator `sql`.
    pub schemas: BTreeMap<String, String>,
    templates: HashMap<(PromptKind, PromptForm), Template>,
    weights: Vec<f64>,
}

/// A candidate as far as the next prompt needs it.
pub(crate) struct Brief<'a> {
    pub(crate) strategy: Strategy,
    pub(crate) seed: &'a Seed,
    pub(crate) teacher: usize,
    pub(crate) question: &'a str,
    /// The concept it is about, where the job has concepts.
    pub(crate) topic: Option<&'a Concept>,
    /// The seed lends its form alone: neither its passage nor its concept is the candidate's.
    pub(crate) borrowed: bool,
    /// Anchor numbers of seeds to show as examples; else those that share the seed's database or concept.
    pub(crate) peers: Option<&'a [u64]>,
    /// The passage of a document that it is asked about; the seed then lends its form alone.
    pub(crate) passage: Option<&'a str>,
    /// Concepts of which a model says one that it is about.
    pub(crate) choices: &'a [Arc<Concept>],
    /// A second passage that it draws on.
    pub(crate) second: Option<&'a str>,
    /// Questions that are there already, which a new question is not to be.
    pub(crate) again: &'a [String],
    /// What its question is varied by.
    pub(crate) mutation: Option<&'a Mutation>,
    /// Its judge is being measured, and is not shown the reference.
    pub(crate) blind: bool,
}

/// How a judge takes part where answers vote.
pub(crate) fn judge_use(job: &Job) -> Option<JudgeUse> {
    match (job.judge.as_ref()?.when, job.generate.agreement.lead) {
        (JudgeWhen::Always, _) => Some(JudgeUse::Always),
        (JudgeWhen::Unverified, None) => Some(JudgeUse::Optional),
        // A fixed lead settles by itself what such a judge is for.
        (JudgeWhen::Unverified, Some(_)) => None,
    }
}

impl Brief<'_> {
    /// The passage that the candidate rests on, both of them where it rests on two.
    fn passage(&self) -> Option<String> {
        let of_seed = || self.seed.context.as_deref().filter(|_| !self.borrowed);
        let first = self.passage.or_else(of_seed)?;
        Some(match self.second {
            Some(second) => joined(first, second),
            None => first.to_owned(),
        })
    }
}

impl Recipe {
    /// A recipe from a checked job. `user_prompts` are the texts of the files named in `generate.prompts`.
    pub fn new(
        run: RunId,
        job: Job,
        user_prompts: &BTreeMap<PromptKind, String>,
        schemas: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let assigns = job.concepts.as_ref().is_some_and(Concepts::by_model);
        let mut templates = HashMap::new();
        for form in [PromptForm::Chat, PromptForm::Raw] {
            let kinds = [
                PromptKind::Answer,
                PromptKind::Rephrase,
                PromptKind::NewQuestion,
                PromptKind::Verify,
                PromptKind::Judge,
            ];
            for kind in kinds.into_iter().chain(assigns.then_some(PromptKind::Assign)) {
                let template = match user_prompts.get(&kind) {
                    Some(text) => Template::parse(kind, text),
                    None => Template::built_in(kind, form),
                };
                let template = template.map_err(|source| Error::Prompt { kind, source })?;
                templates.insert((kind, form), template);
            }
        }
        let weights = job.teacher.iter().map(|teacher| teacher.weight).collect();
        let recipe = Self {
            run,
            job,
            schemas,
            templates,
            weights,
        };
        recipe.check_mutators()?;
        Ok(recipe)
    }

    /// Versions of all templates, for the run's identity.
    pub fn prompt_versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.templates.values().map(|t| t.version().to_owned()).collect();
        versions.extend(self.job.generate.mutators.as_ref().map(|_| Mutation::version()));
        versions.sort();
        versions.dedup();
        versions
    }

    /// The teacher of a row: by weight, as a function of the row's id.
    pub(crate) fn teacher(&self, row: ContentId) -> usize {
        let bytes = row.as_bytes();
        let draw = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let mut place = f64::from(draw) / f64::from(u32::MAX) * self.weights.iter().sum::<f64>();
        for (i, weight) in self.weights.iter().enumerate() {
            place -= weight;
            if place < 0.0 {
                return i;
            }
        }
        self.weights.len().saturating_sub(1)
    }

    /// Whether an answer to this candidate can be compared with a reference.
    pub(crate) fn has_reference(&self, strategy: Strategy) -> bool {
        let checked = !matches!(self.job.filter.validator, Validator::None);
        checked
            && self.job.seeds.fields.has_references()
            && matches!(strategy, Strategy::AnswerAugmentation | Strategy::Rephrasing)
    }

    /// True when several answers decide: there is nothing to compare them with, but they can be compared with each other. Where a judge or
    /// a passage is all that checks an open answer, the seed's own answer is shown to the judge, and nothing votes against it.
    pub(crate) fn votes(&self, strategy: Strategy) -> bool {
        let open = matches!(self.job.filter.validator, Validator::None);
        let of_seed = strategy != Strategy::NewQuestion && self.job.seeds.fields.has_references();
        self.job.answers_vote() && !self.has_reference(strategy) && !(open && of_seed)
    }

    /// Whether seeds have answers by which the teacher can be measured before it answers questions that have none.
    pub(crate) fn measures(&self) -> bool {
        self.job.seeds.fields.has_references() && self.votes(Strategy::NewQuestion)
    }

    /// Whether a new question, or the verdict on one, comes together with an answer, one of those that vote. It is read out of a JSON
    /// object, and a user's own prompt has to ask for it.
    pub(crate) fn answers_beside(&self, kind: PromptKind, spec: &ModelSpec) -> bool {
        let template = self.templates.get(&(kind, spec.prompt_form()));
        matches!(kind, PromptKind::NewQuestion | PromptKind::Verify)
            && self.votes(Strategy::NewQuestion)
            && spec.structured() != Structured::None
            && template.is_some_and(|template| template.uses("answered"))
    }

    /// Whether a judge takes part where answers vote.
    pub(crate) fn judges_votes(&self) -> bool {
        judge_use(&self.job).is_some()
    }

    /// Whether this teacher's verdicts on new questions come with an answer.
    pub(crate) fn verifies_with_answer(&self, teacher: usize) -> bool {
        let teacher = self.job.teacher.get(teacher);
        teacher.is_some_and(|teacher| self.answers_beside(PromptKind::Verify, &teacher.spec))
    }

    /// Name of the model that does a step.
    fn model(&self, brief: &Brief<'_>, step: Step) -> Result<&ModelSpec, Error> {
        let teacher = || self.job.teacher.get(brief.teacher).map(|t| &t.spec);
        let spec = match step {
            Step::Ask | Step::Verify | Step::VerifyAgain | Step::Answer(_) | Step::Embed => teacher(),
            Step::Judge(_) => self.job.judge.as_ref().map(|j| &j.spec),
            Step::Assign => self.job.judge.as_ref().map(|j| &j.spec).or_else(teacher),
        };
        spec.ok_or(Error::NoModel { step })
    }

    /// The task of a step, and the version of the prompt that it uses.
    pub(crate) fn task(
        &self,
        address: Address,
        brief: &Brief<'_>,
        answer: Option<&Answer>,
        seeds: &SeedStore,
    ) -> Result<(Task, String), Error> {
        let id = address.task_id(self.run);
        let step = address.step;
        let spec = self.model(brief, step)?;
        let kind = match step {
            Step::Ask if brief.strategy == Strategy::Rephrasing => PromptKind::Rephrase,
            Step::Ask => PromptKind::NewQuestion,
            Step::Verify | Step::VerifyAgain => PromptKind::Verify,
            Step::Judge(_) => PromptKind::Judge,
            Step::Assign => PromptKind::Assign,
            Step::Answer(_) | Step::Embed => PromptKind::Answer,
        };
        let template = self
            .templates
            .get(&(kind, spec.prompt_form()))
            .ok_or(Error::NoModel { step })?;
        let mut variables = self.variables(brief, answer);
        variables.json = spec.structured() != Structured::None;
        let answered = self.answers_beside(kind, spec);
        variables.answered = answered;
        if matches!(kind, PromptKind::Answer | PromptKind::NewQuestion) || answered {
            variables.examples = self.examples(brief, kind, id.request_seed(), seeds)?;
        }
        if step == Step::Ask {
            variables.again = brief.again.to_vec();
        }
        if let (Step::Ask, Some(mutation)) = (step, brief.mutation) {
            mutation.tell(&mut variables);
        }
        let prompt = template
            .render(&variables)
            .map_err(|source| Error::Prompt { kind, source })?;
        let generate = &self.job.generate;
        let verdict = matches!(kind, PromptKind::Verify | PromptKind::Judge | PromptKind::Assign);
        // Answers that vote are drawn alike, whatever they come with.
        let deciding = verdict && !answered;
        let names: Vec<String> = brief.choices.iter().map(|concept| concept.name.clone()).collect();
        let alone = match kind {
            PromptKind::Answer => generate.max_tokens,
            PromptKind::Rephrase | PromptKind::NewQuestion => QUESTION_TOKENS.min(generate.max_tokens),
            PromptKind::Verify | PromptKind::Judge | PromptKind::Assign => {
                VERDICT_TOKENS.min(generate.max_tokens)
            }
        };
        let max_tokens = alone + if answered { generate.max_tokens } else { 0 };
        let request = Request {
            prompt,
            max_tokens,
            temperature: if deciding { 0.0 } else { generate.temperature },
            top_p: if deciding { 1.0 } else { generate.top_p },
            seed: id.request_seed(),
            stop: if spec.prompt_form() == PromptForm::Raw {
                RAW_STOPS.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            },
            schema: matches!(spec.structured(), Structured::JsonSchema | Structured::Tool)
                .then(|| reply_schema(kind, generate.reasoning, answered, &names)),
        };
        let work = match kind {
            PromptKind::Rephrase | PromptKind::NewQuestion => Work::Ask {
                request,
                subject: answered.then(|| self.subject(brief, seeds)),
            },
            PromptKind::Verify => Work::Verify {
                request,
                subject: answered.then(|| self.subject(brief, seeds)),
            },
            PromptKind::Judge => Work::Judge { request },
            PromptKind::Assign => Work::Assign { request, names },
            PromptKind::Answer => Work::Answer {
                request,
                subject: self.subject(brief, seeds),
            },
        };
        Ok((
            Task {
                id,
                address,
                model: spec.name(),
                work,
            },
            template.version().to_owned(),
        ))
    }

    fn variables(&self, brief: &Brief<'_>, answer: Option<&Answer>) -> Variables {
        let (kind, labels) = match &self.job.filter.validator {
            Validator::None => ("open", Vec::new()),
            Validator::Number => ("number", Vec::new()),
            Validator::Sql { .. } => ("sql", Vec::new()),
            Validator::Label { labels } => ("label", labels.clone()),
            Validator::Text { .. } => ("text", Vec::new()),
        };
        let reference = if self.has_reference(brief.strategy) && !brief.blind {
            brief.seed.references.join("\nor: ")
        } else {
            String::new()
        };
        Variables {
            subject: self.job.generate.subject.clone(),
            question: if brief.question.is_empty() {
                brief.seed.question.clone()
            } else {
                brief.question.to_owned()
            },
            answer: answer.map(shown).unwrap_or_default(),
            reference,
            context: brief.passage().unwrap_or_default(),
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
            labels,
            reasoning: self.job.generate.reasoning,
            ..Variables::default()
        }
    }

    /// Solved examples from the seed's own database or concept, other than itself; a new question's prompt shows the seed first, or
    /// the concept's own examples where the seed is of another.
    fn examples(
        &self,
        brief: &Brief<'_>,
        kind: PromptKind,
        draw: u32,
        seeds: &SeedStore,
    ) -> Result<Vec<Example>, Error> {
        let wanted = self.job.generate.examples as usize;
        let mut examples = Vec::with_capacity(wanted);
        if kind == PromptKind::NewQuestion && wanted > 0 {
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

    fn subject(&self, brief: &Brief<'_>, seeds: &SeedStore) -> Subject {
        Subject {
            question: brief.question.to_owned(),
            references: if self.has_reference(brief.strategy) {
                brief.seed.references.clone()
            } else {
                Vec::new()
            },
            passage: self.job.filter.grounding.as_ref().and(brief.passage()),
            database: brief.seed.database.clone(),
            traces: self.job.generate.reasoning,
            shortest_words: seeds.shortest_answer(),
        }
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
