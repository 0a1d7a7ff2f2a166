//! What a run asks, frozen with it: its recipes, its prompts and its models. Turns a candidate's next call into a task: fills the prompt in,
//! names the model, says what the reply holds and what its answer is checked against.

mod vary;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gristmill_domain::chat::{Price, Request};
use gristmill_domain::evidence::{JudgeUse, Rule};
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{Concept, Concepts, Job, JudgeWhen, ModelSpec, PromptForm, Structured};
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::joined;
use gristmill_domain::prompt::{Choice, Example, Template, Variables};
use gristmill_domain::recipe::machine::{Call, Context, State};
use gristmill_domain::recipe::{
    Ask, CONCEPT_PROMPT, Does, File, JUDGE_PROMPT, JobSays, JudgeStep, Need, Recipe, Role, StartsFrom,
    built_in,
};
use gristmill_domain::reply::{Holds, Member, Reply, Value};
use gristmill_domain::seed::Seed;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Answer, Step, Subject, Task, Work, needs};

use crate::Error;
use crate::seeds::SeedStore;

/// Completion tokens of a reply that only decides something, or is a question.
const SHORT_REPLY_TOKENS: u32 = 400;
/// A job that allows more has a model that thinks before it speaks, whatever it is asked.
const THINKS_FROM_TOKENS: u32 = 2_048;
/// Texts that end a raw prompt's completion: its first line is the answer.
const RAW_STOPS: [&str; 1] = ["\n"];
/// The recipe whose answers measure the teacher, whether the job uses it or not.
const MEASURES_BY: &str = "answer_augmentation";

/// Everything that decides what is asked, frozen with the run.
pub struct Setup {
    /// The run.
    pub run: RunId,
    /// The effective job.
    pub job: Job,
    /// Definition statements by database, for the validator `sql`.
    pub schemas: BTreeMap<String, String>,
    recipes: Vec<UsedRecipe>,
    /// The recipe by which the teacher is measured.
    measuring: Recipe,
    templates: HashMap<(String, PromptForm), Template>,
    weights: Vec<f64>,
}

/// A recipe of a run, and its weight.
pub struct UsedRecipe {
    /// The recipe.
    pub recipe: Recipe,
    /// How often it is used beside others.
    pub weight: f64,
}

/// A recipe as a run is started with it; `recipes` of `state/run.json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StoredRecipe {
    /// The file, with the texts of its prompts.
    pub file: File,
    /// Its weight.
    pub weight: f64,
}

/// The recipes of a job that names none: those that the budget rule chooses between.
pub fn usual_recipes() -> Vec<StoredRecipe> {
    let names = Strategy::ALL.map(Strategy::as_str);
    let recipes = names.into_iter().filter_map(built_in);
    recipes
        .map(|recipe| StoredRecipe {
            file: recipe.file().clone(),
            weight: 1.0,
        })
        .collect()
}

/// A candidate as far as the next prompt needs it.
pub(crate) struct Brief<'a> {
    pub(crate) recipe: &'a Recipe,
    /// The row that it may become.
    pub(crate) row: ContentId,
    /// What its replies filled so far.
    pub(crate) state: &'a State,
    pub(crate) seed: &'a Seed,
    pub(crate) teacher: usize,
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
    /// It measures the teacher: its judge is not shown the reference.
    pub(crate) measures: bool,
}

/// One call, as far as a task needs it.
struct Asked<'a> {
    prompt: &'a str,
    role: &'a Role,
    reply: Reply,
    /// It may bring an answer along.
    brings: bool,
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
    /// Its question, as far as there is one; the seed's before.
    fn question(&self) -> &str {
        let field = self.recipe.file().row.question.as_deref().unwrap_or("question");
        self.state.text(field)
    }

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

impl Setup {
    /// What a checked job asks. `user_prompts` are the texts of the files named in `generate.prompts`.
    ///
    /// # Errors
    /// A recipe or a prompt that cannot be used, and what no prompt would show.
    pub fn new(
        run: RunId,
        job: Job,
        recipes: &[StoredRecipe],
        user_prompts: &BTreeMap<String, String>,
        schemas: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let used = recipes.iter().map(|stored| {
            let name = stored.file.recipe.clone();
            let recipe = Recipe::new(stored.file.clone());
            let recipe = recipe.map_err(|problems| Error::Recipe {
                name,
                message: problems
                    .into_iter()
                    .map(|problem| problem.message)
                    .collect::<Vec<_>>()
                    .join("; "),
            })?;
            Ok(UsedRecipe {
                recipe,
                weight: stored.weight,
            })
        });
        let recipes = used.collect::<Result<Vec<_>, Error>>()?;
        let measuring = built_in(MEASURES_BY).ok_or(Error::NoRecipe)?;
        let weights = job.teacher.iter().map(|teacher| teacher.weight).collect();
        let mut setup = Self {
            run,
            job,
            schemas,
            recipes,
            measuring,
            templates: HashMap::new(),
            weights,
        };
        setup.check_needs()?;
        setup.read_templates(user_prompts)?;
        setup.check_roles()?;
        setup.check_mutators()?;
        Ok(setup)
    }

    /// Refuses recipes that need of the job what it does not have. Whether there are passages shows only with the seeds.
    fn check_needs(&self) -> Result<(), Error> {
        for UsedRecipe { recipe, .. } in &self.recipes {
            for need in &recipe.file().needs {
                let (there, missing) = match need {
                    Need::Passage => (true, ""),
                    Need::Agreement => (
                        self.votes(recipe),
                        "keeps only what several answers agree on, and answers of this job cannot be compared: set `filter.validator` or \
                         `generate.agreement.min_f1`",
                    ),
                    Need::Ranking => (
                        self.job.judge.is_some() || self.has_reference(recipe),
                        "ranks answers, and nothing of this job tells good ones from better ones: add a `judge`",
                    ),
                };
                if !there {
                    return Err(Error::Roles {
                        message: format!("the recipe `{}` {missing}", recipe.name()),
                    });
                }
            }
        }
        Ok(())
    }

    fn read_templates(&mut self, user_prompts: &BTreeMap<String, String>) -> Result<(), Error> {
        let tags = self.job.concepts.as_ref().is_some_and(Concepts::by_model);
        let mut templates = HashMap::new();
        let all = self.recipes.iter().map(|used| &used.recipe);
        for recipe in all.chain([&self.measuring]) {
            let fields = recipe.field_names();
            for name in recipe.prompts() {
                if name == CONCEPT_PROMPT && !tags {
                    continue;
                }
                let own = recipe.file().prompts.get(name);
                for form in [PromptForm::Chat, PromptForm::Raw] {
                    let key = (prompt_key(recipe, name), form);
                    let text = match own {
                        Some(text) => Some(text.as_str()),
                        None => user_prompts
                            .get(name)
                            .map(String::as_str)
                            .or_else(|| Template::built_in_text(name, form)),
                    };
                    let Some(text) = text.filter(|_| !templates.contains_key(&key)) else {
                        continue;
                    };
                    let fields = fields.iter().map(String::as_str);
                    let template = Template::parse(name, text, fields).map_err(|source| Error::Prompt {
                        prompt: name.to_owned(),
                        source,
                    })?;
                    templates.insert(key, template);
                }
            }
        }
        self.templates = templates;
        Ok(())
    }

    /// The recipes of the run.
    pub fn recipes(&self) -> &[UsedRecipe] {
        &self.recipes
    }

    /// A recipe by its number among those of the run; beyond them stands the one that measures the teacher.
    pub(crate) fn recipe(&self, number: usize) -> &Recipe {
        self.recipes
            .get(number)
            .map_or(&self.measuring, |used| &used.recipe)
    }

    /// The recipes whose rows are compared as those of a strategy, with their numbers.
    pub(crate) fn recipes_of(&self, strategy: Strategy) -> impl Iterator<Item = (usize, &UsedRecipe)> {
        let of = move |(_, used): &(usize, &UsedRecipe)| used.recipe.kind() == strategy;
        self.recipes.iter().enumerate().filter(of)
    }

    /// Versions of all recipes and prompts, for the run's identity.
    pub fn prompt_versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.templates.values().map(|t| t.version().to_owned()).collect();
        versions.extend(
            self.recipes
                .iter()
                .map(|used| format!("recipe/{} × {}", used.recipe.made(), used.weight)),
        );
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

    /// Whether answers that a recipe asks for can be compared with a reference.
    pub(crate) fn has_reference(&self, recipe: &Recipe) -> bool {
        let checked = self.job.filter.validator.compares_references();
        checked && self.job.seeds.fields.has_references() && answers_seeds(recipe)
    }

    /// True when several answers decide: there is nothing to compare them with, but they can be compared with each other. Where a judge or
    /// a passage is all that checks an open answer, the seed's own answer is shown to the judge, and nothing votes against it.
    pub(crate) fn votes(&self, recipe: &Recipe) -> bool {
        let open = !self.job.filter.validator.compares_references();
        let of_seed = answers_seeds(recipe) && self.job.seeds.fields.has_references();
        recipe.ballot().is_some()
            && self.job.answers_vote()
            && !self.has_reference(recipe)
            && !(open && of_seed)
    }

    /// Whether a recipe has answers that may vote, or that a reference may find wrong.
    pub(crate) fn has_ballots(&self) -> bool {
        self.recipes.iter().any(|used| used.recipe.ballot().is_some())
    }

    /// Whether new questions are decided by how their answers agree.
    pub fn new_questions_vote(&self) -> bool {
        self.recipes_of(Strategy::NewQuestion)
            .any(|(_, used)| self.votes(&used.recipe))
    }

    /// Whether seeds have answers by which the teacher can be measured before it answers questions that have none.
    pub(crate) fn measures(&self) -> bool {
        self.job.seeds.fields.has_references() && self.new_questions_vote()
    }

    /// Whether a call's reply brings an answer along, one of those that vote. It is read out of a JSON object, and a user's own prompt has to
    /// ask for it.
    fn answers_beside(&self, recipe: &Recipe, asked: &Asked<'_>, spec: &ModelSpec) -> bool {
        let template = self.template(recipe, asked.prompt, spec);
        asked.brings
            && self.votes(recipe)
            && spec.structured() != Structured::None
            && template.is_some_and(|template| template.uses("answered"))
    }

    /// Whether replies to a step of a recipe bring an answer along, whichever teacher is asked.
    pub(crate) fn always_brings(&self, recipe: &Recipe, step: Option<usize>) -> bool {
        let asked = step.and_then(|step| self.asked(recipe, step, None, &[]));
        asked.is_some_and(|asked| {
            let mut teachers = self.job.teacher.iter();
            teachers.all(|teacher| self.answers_beside(recipe, &asked, &teacher.spec))
        })
    }

    /// Whether a judge takes part where answers vote.
    pub(crate) fn judges_votes(&self) -> bool {
        judge_use(&self.job).is_some()
    }

    /// What a candidate is decided by.
    pub(crate) fn context<'a>(
        &'a self,
        recipe: &'a Recipe,
        rule: &'a Rule,
        teacher: usize,
        seed: &'a Seed,
        measures: bool,
    ) -> Context<'a> {
        let verdict = recipe.evidence().0;
        let asked = verdict.and_then(|step| self.asked(recipe, step, None, &[]));
        let teacher = self.job.teacher.get(teacher);
        Context {
            recipe,
            rule,
            votes: self.votes(recipe),
            reference: self.has_reference(recipe),
            meaning_f1: self.job.meaning_f1(),
            measures_meaning: !self.job.filter.validator.compares_references(),
            judge: self.job.judge.as_ref(),
            judges_votes: self.judges_votes(),
            verdict_answers: asked
                .zip(teacher)
                .is_some_and(|(asked, teacher)| self.answers_beside(recipe, &asked, &teacher.spec)),
            job: JobSays {
                verify: self.job.generate.verify,
            },
            seed,
            measures,
        }
    }

    fn template(&self, recipe: &Recipe, prompt: &str, spec: &ModelSpec) -> Option<&Template> {
        self.templates
            .get(&(prompt_key(recipe, prompt), spec.prompt_form()))
    }

    /// What a step asks; nothing where it makes no call. Of several prompts, the row draws one.
    fn asked<'a>(
        &self,
        recipe: &'a Recipe,
        step: usize,
        row: Option<ContentId>,
        choices: &[Arc<Concept>],
    ) -> Option<Asked<'a>> {
        let step = recipe.step(step)?;
        Some(match &step.does {
            Does::Ask(Ask {
                prompts,
                role,
                reply,
                brings,
                ..
            }) => Asked {
                prompt: prompts.get(row.map_or(0, |row| drawn(row, prompts.len())))?,
                role,
                reply: match self.job.generate.reasoning {
                    true => reply.clone(),
                    false => reply.clone().without_reasoning(),
                },
                brings: *brings,
            },
            Does::Judge(JudgeStep { role, own }) => Asked {
                prompt: own.as_ref().map_or(JUDGE_PROMPT, |own| &own.prompt),
                role,
                reply: own
                    .as_ref()
                    .map_or_else(|| Reply::judgement(&step.name), |own| own.reply.clone()),
                brings: false,
            },
            Does::TagConcept => Asked {
                prompt: CONCEPT_PROMPT,
                role: &Role::Judge,
                reply: Reply {
                    name: step.name.clone(),
                    members: vec![Member::new(
                        "concept",
                        Holds::OneOf {
                            names: choices.iter().map(|concept| concept.name.clone()).collect(),
                            or_none: true,
                        },
                    )],
                },
                brings: false,
            },
            Does::Check(_)
            | Does::Distinct { .. }
            | Does::Choose { .. }
            | Does::Repeat { .. }
            | Does::Again { .. } => return None,
        })
    }

    /// The model of a role, for a candidate of one of the teachers.
    pub(crate) fn model(&self, role: &Role, teacher: usize) -> Option<&ModelSpec> {
        let teacher = || self.job.teacher.get(teacher).map(|teacher| &teacher.spec);
        match role {
            Role::Teacher => teacher(),
            Role::Judge => self.job.judge.as_ref().map(|judge| &judge.spec).or_else(teacher),
            Role::Named(name) => {
                let model = self.job.generate.roles.get(name)?;
                crate::start::specs(&self.job).find(|spec| spec.name() == *model)
            }
        }
    }

    /// The prices that a step may be asked at, each with its weight; none where nobody is asked.
    pub(crate) fn prices(&self, recipe: &Recipe, step: usize) -> Vec<(f64, Price)> {
        let Some(Asked { role, .. }) = self.asked(recipe, step, None, &[]) else {
            return Vec::new();
        };
        let of = |teacher: usize| self.model(role, teacher).and_then(ModelSpec::price);
        (0..)
            .zip(&self.weights)
            .filter_map(|(teacher, weight)| Some((*weight, of(teacher)?)))
            .collect()
    }

    /// Refuses roles without a model, roles that no recipe names, and models without a prompt in their form.
    fn check_roles(&self) -> Result<(), Error> {
        let refused = |message: String| Err(Error::Roles { message });
        for role in self.job.generate.roles.keys() {
            let named =
                |used: &UsedRecipe| used.recipe.roles().iter().any(|other| other.to_string() == *role);
            if !self.recipes.iter().any(named) {
                return refused(format!(
                    "`generate.roles.{role}` does nothing: no recipe of this job names the role `{role}`"
                ));
            }
        }
        for used in &self.recipes {
            let recipe = &used.recipe;
            for step in 0..recipe.steps().len() {
                let Some(Asked { role, .. }) = self.asked(recipe, step, None, &[]) else {
                    continue;
                };
                for teacher in 0..self.job.teacher.len() {
                    let Some(spec) = self.model(role, teacher) else {
                        let names = crate::start::specs(&self.job).map(ModelSpec::name);
                        let models: Vec<String> = names.collect::<BTreeSet<_>>().into_iter().collect();
                        return refused(format!(
                            "the recipe `{}` asks a model of the role `{role}`, and the job has none: add `generate.roles: {{{role}: MODEL}}`, \
                             where MODEL is one of {}",
                            recipe.name(),
                            models.join(", ")
                        ));
                    };
                    self.check_prompts(recipe, step, spec)?;
                }
            }
        }
        Ok(())
    }

    fn check_prompts(&self, recipe: &Recipe, step: usize, spec: &ModelSpec) -> Result<(), Error> {
        let Some(Does::Ask(ask)) = recipe.step(step).map(|step| &step.does) else {
            return Ok(());
        };
        match ask
            .prompts
            .iter()
            .find(|prompt| self.template(recipe, prompt, spec).is_none())
        {
            None => Ok(()),
            Some(prompt) => Err(Error::Roles {
                message: format!(
                    "the recipe `{}` has no prompt `{prompt}` in the form that `{}` is asked in: name another model, or write the prompt as a file",
                    recipe.name(),
                    spec.name()
                ),
            }),
        }
    }

    /// Where a call of a candidate belongs.
    pub(crate) fn step(&self, recipe: &Recipe, call: Call) -> Step {
        Step {
            stage: recipe.stage(call.step),
            call,
        }
    }

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
        let answered = self.answers_beside(brief.recipe, &asked, spec);
        let decides = asked.reply.decides();
        let questions = asked.reply.question().is_some();
        let mut variables = self.variables(brief, call);
        variables.json = spec.structured() != Structured::None;
        variables.answered = answered;
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
        let alone = match short {
            true => short_reply_tokens(generate.max_tokens),
            false => generate.max_tokens,
        };
        let reply = match answered {
            true => asked.reply.with_answer(generate.reasoning),
            false => asked.reply,
        };
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

    fn variables(&self, brief: &Brief<'_>, call: Call) -> Variables {
        let validator = &self.job.filter.validator;
        let (kind, labels) = (validator.name(), validator.choices().to_vec());
        let form = validator.form().unwrap_or_default();
        let reference = if self.has_reference(brief.recipe) && !brief.measures {
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
    fn examples(
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
    fn subject(&self, brief: &Brief<'_>, asks: bool, seeds: &SeedStore) -> Subject {
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

/// The most tokens of a reply that says little: what a model thinks before it counts among them.
fn short_reply_tokens(max_tokens: u32) -> u32 {
    if max_tokens > THINKS_FROM_TOKENS {
        max_tokens / 2
    } else {
        SHORT_REPLY_TOKENS.min(max_tokens)
    }
}

/// True where a recipe's answers are answers to the seed's own question, in whatever words.
fn answers_seeds(recipe: &Recipe) -> bool {
    !recipe.asks_question() || recipe.rewords()
}

/// The name under which a prompt is kept: a recipe's own are its own.
fn prompt_key(recipe: &Recipe, prompt: &str) -> String {
    match recipe.file().prompts.contains_key(prompt) {
        true => format!("{}/{prompt}", recipe.name()),
        false => prompt.to_owned(),
    }
}

/// Which of so many things a row draws.
fn drawn(row: ContentId, of: usize) -> usize {
    let bytes = row.as_bytes();
    let draw = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    draw as usize % of.max(1)
}

/// True where candidates of a recipe are asked about the passages of the job's documents.
pub(crate) fn starts_from_passage(recipe: &Recipe) -> bool {
    recipe.file().starts_from == StartsFrom::Passage
}
