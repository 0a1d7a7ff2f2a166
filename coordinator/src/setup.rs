//! What a run asks, frozen with it: its recipes, its prompts and its models. Turns a candidate's next call into a task: fills the prompt in,
//! names the model, says what the reply holds and what its answer is checked against.

mod ask;
mod check;
mod depth;
mod held_out;
mod vary;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gristmill_domain::chat::Price;
use gristmill_domain::evidence::{JudgeUse, Rule};
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{Concept, Job, JudgeWhen, ModelSpec, PromptForm, Structured};
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::RestsOn;
use gristmill_domain::plan::Spec;
use gristmill_domain::prompt::Template;
use gristmill_domain::recipe::machine::{Call, Context, State};
use gristmill_domain::recipe::{
    Ask, CONCEPT_PROMPT, Does, File, JUDGE_PROMPT, JudgeStep, QUESTION, Recipe, Role, Sees, StartsFrom,
    built_in,
};
use gristmill_domain::reply::{Holds, Member, Reply};
use gristmill_domain::seed::Seed;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::StageCall;

pub(crate) use held_out::HeldOutRequest;
pub use held_out::row_text;

use crate::Error;

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
    /// A judge is shown the seed's answers, whatever grades them elsewhere.
    pub(crate) shows_reference: bool,
    /// How many candidates share the reply to its first step, itself included.
    pub(crate) siblings: u32,
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

impl<'a> Brief<'a> {
    /// Its question, as far as there is one; the seed's before.
    fn question(&self) -> &str {
        let field = self.recipe.file().row.question.as_deref().unwrap_or(QUESTION);
        match self.state.text(field) {
            "" => self.state.text(QUESTION),
            asked => asked,
        }
    }

    fn rests_on(&self) -> RestsOn<'a> {
        let of_seed = || self.seed.context.as_deref().filter(|_| !self.borrowed);
        RestsOn {
            first: self.passage.or_else(of_seed),
            second: self.second,
        }
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
        setup.read_held_out_templates()?;
        setup.check_roles()?;
        setup.check_mutators()?;
        Ok(setup)
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

    /// The recipe by which teachers are measured.
    pub(crate) fn measuring(&self) -> &Recipe {
        &self.measuring
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
        self.drawn_teachers().last().unwrap_or_default()
    }

    /// Numbers of the teachers that rows are drawn for.
    pub(crate) fn drawn_teachers(&self) -> impl Iterator<Item = usize> {
        let weights = self.weights.iter().enumerate();
        weights
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(teacher, _)| teacher)
    }

    /// The name of a teacher, by its number.
    pub(crate) fn teacher_name(&self, teacher: usize) -> String {
        let teacher = self.job.teacher.get(teacher);
        teacher.map(|teacher| teacher.spec.name()).unwrap_or_default()
    }

    /// Whether a right answer is known to what a recipe asks: that of its seed.
    pub(crate) fn knows_reference(&self, recipe: &Recipe) -> bool {
        self.job.seeds.fields.has_references() && answers_seeds(recipe)
    }

    /// Whether answers that a recipe asks for can be compared with a reference.
    pub(crate) fn has_reference(&self, recipe: &Recipe) -> bool {
        self.job.filter.validator.compares_references() && self.knows_reference(recipe)
    }

    /// True when several answers decide: no right one is known, and they can be compared with each other. Where one is known that only a
    /// judge can compare them with, since they are in words, the judge is shown it.
    pub(crate) fn votes(&self, recipe: &Recipe) -> bool {
        recipe.ballot().is_some() && self.job.answers_vote() && !self.knows_reference(recipe)
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
    fn answers_beside(&self, recipe: &Recipe, prompt: &str, brings: bool, spec: &ModelSpec) -> bool {
        let template = || self.template(recipe, prompt, spec);
        brings
            && self.votes(recipe)
            && spec.structured() != Structured::None
            && template().is_some_and(|template| template.uses("answered"))
    }

    /// The same of a step, by the first of its prompts.
    fn step_answers_beside(&self, recipe: &Recipe, step: usize, spec: &ModelSpec) -> bool {
        recipe.ask(step).is_some_and(|ask| {
            let prompt = ask.prompts.first();
            prompt.is_some_and(|prompt| self.answers_beside(recipe, prompt, ask.brings, spec))
        })
    }

    /// Whether replies to a step of a recipe bring an answer along, whichever teacher is asked.
    pub(crate) fn always_brings(&self, recipe: &Recipe, step: Option<usize>) -> bool {
        let mut teachers = self
            .drawn_teachers()
            .filter_map(|teacher| self.job.teacher.get(teacher));
        step.is_some_and(|step| teachers.all(|teacher| self.step_answers_beside(recipe, step, &teacher.spec)))
    }

    /// Whether a judge takes part where answers vote.
    pub(crate) fn judges_votes(&self) -> bool {
        judge_use(&self.job).is_some()
    }

    /// What a candidate is decided by.
    pub(crate) fn context<'a>(&'a self, brief: &Brief<'a>, rule: &'a Rule, spec: &Spec) -> Context<'a> {
        let recipe = brief.recipe;
        let verdict = recipe.evidence().0;
        let teacher = self.job.teacher.get(brief.teacher);
        Context {
            recipe,
            rule,
            votes: self.votes(recipe),
            reference: self.has_reference(recipe),
            meaning_f1: self.job.meaning_f1(),
            measures_meaning: !self.job.filter.validator.compares_references(),
            judge: self.job.judge.as_ref(),
            judges_votes: self.judges_votes(),
            verdict_answers: verdict
                .zip(teacher)
                .is_some_and(|(step, teacher)| self.step_answers_beside(recipe, step, &teacher.spec)),
            sees: Sees {
                verify: self.job.generate.verify,
                context: brief.rests_on(),
            },
            seed: brief.seed,
            measures: brief.measures,
            place: spec.shared.map_or(0, |shared| shared.place),
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
                specs(&self.job).find(|spec| spec.name() == *model)
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

    /// Where a call of a candidate belongs.
    pub(crate) fn step(&self, recipe: &Recipe, call: Call) -> StageCall {
        StageCall {
            stage: recipe.stage(call.step),
            call,
        }
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

/// All models of a job, the judge among them.
pub fn specs(job: &Job) -> impl Iterator<Item = &ModelSpec> {
    job.models().map(|(_, spec)| spec)
}
