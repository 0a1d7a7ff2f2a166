//! What a job must have for its recipes, told before anything is spent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill_domain::job::{Concepts, ModelSpec, PromptForm, Teacher};
use gristmill_domain::prompt::Template;
use gristmill_domain::recipe::{CONCEPT_PROMPT, Does, KeepsFacts, Need, Recipe, Role};

use super::{Asked, Setup, UsedRecipe, prompt_key};
use crate::Error;

impl Setup {
    /// Refuses recipes that need of the job what it does not have. Whether there are passages shows only with the seeds.
    pub(super) fn check_needs(&self) -> Result<(), Error> {
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

    /// Refuses roles without a model, roles that no recipe names, and models without a prompt in their form.
    pub(super) fn check_roles(&self) -> Result<(), Error> {
        let refused = |message: String| Err(Error::Roles { message });
        for role in self.job.generate.roles.keys() {
            let named = |used: &UsedRecipe| used.recipe.roles().iter().any(|other| other.name() == role);
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
                for teacher in self.drawn_teachers() {
                    let Some(spec) = self.model(role, teacher) else {
                        let names = super::specs(&self.job).map(ModelSpec::name);
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
                self.check_relative(recipe, step, role)?;
            }
        }
        Ok(())
    }

    /// Refuses a model that is related to the student, and that nobody measures, where it would write a part of the row that no text
    /// vouches for.
    fn check_relative(&self, recipe: &Recipe, step: usize, role: &Role) -> Result<(), Error> {
        let (Role::Named(name), Some(ask)) = (role, recipe.ask(step)) else {
            return Ok(());
        };
        let Some(model) = self.job.generate.roles.get(name) else {
            return Ok(());
        };
        let of_role = |teacher: &&Teacher| teacher.spec.name() == *model && !teacher.makes_rows();
        let related = self
            .job
            .teacher
            .iter()
            .find(of_role)
            .is_some_and(|teacher| self.job.relation(teacher).is_some());
        let rewords = matches!(ask.keeps_facts, Some(KeepsFacts::OfField { .. }));
        if !related || rewords || !recipe.writes_row(ask) {
            return Ok(());
        }
        Err(Error::Roles {
            message: format!(
                "the step `{}` of the recipe `{}` has `{model}` write a part of the row, and `{model}` is related to the student: a model that \
                 is trained on its own output repeats its own errors. Have it say in other words what another model wrote (`keeps_facts: FIELD`), \
                 give it a weight above 0 so that it is measured first, or, if it only has a similar name, set `related_to_student: false`",
                recipe.step(step).map_or("", |step| step.name.as_str()),
                recipe.name(),
            ),
        })
    }

    pub(super) fn check_prompts(&self, recipe: &Recipe, step: usize, spec: &ModelSpec) -> Result<(), Error> {
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

    pub(super) fn read_templates(&mut self, user_prompts: &BTreeMap<String, String>) -> Result<(), Error> {
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
}
