//! What a job must have for its recipes, told before anything is spent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill_domain::job::{Concepts, ModelSpec, PromptForm};
use gristmill_domain::prompt::Template;
use gristmill_domain::recipe::{CONCEPT_PROMPT, Does, Need, Recipe};

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
                for teacher in 0..self.job.teacher.len() {
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
            }
        }
        Ok(())
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
