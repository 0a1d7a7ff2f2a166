//! What questions are varied by.

use gristmill_domain::id::ContentId;
use gristmill_domain::mutation::{Mutation, Takes};
use gristmill_domain::recipe::{Does, Recipe};

use super::Setup;
use crate::Error;

impl Setup {
    /// What a row's question is varied by, as a function of the row's id; `second_passage` is whether it could draw on two.
    pub(crate) fn mutation(
        &self,
        row: ContentId,
        recipe: &Recipe,
        teacher: usize,
        second_passage: bool,
    ) -> Option<Mutation> {
        let mutators = self.job.generate.mutators.as_ref()?;
        mutators.draw(row, self.takes(recipe, teacher, second_passage))
    }

    /// What the prompt for a question has a place for. A rephrasing keeps its seed's answer, so nothing but its wording is varied.
    fn takes(&self, recipe: &Recipe, teacher: usize, second_passage: bool) -> Takes {
        let ask = recipe.steps().iter().find_map(|step| match &step.does {
            Does::Ask(ask) if ask.reply.question().is_some() => Some(ask),
            _ => None,
        });
        let Some(ask) = ask else {
            return Takes::default();
        };
        let template = self
            .model(&ask.role, teacher)
            .zip(ask.prompts.first())
            .and_then(|(spec, prompt)| self.template(recipe, prompt, spec));
        let shows = |variable| template.is_some_and(|template| template.uses(variable));
        let new = !recipe.rewords();
        Takes {
            evolution: new && shows("evolution"),
            second_passage,
            persona: new && shows("persona"),
            style: shows("style"),
        }
    }

    /// Refuses mutators that no question would show.
    pub(super) fn check_mutators(&self) -> Result<(), Error> {
        let Some(mutators) = &self.job.generate.mutators else {
            return Ok(());
        };
        let forced = self.job.generate.strategy.forced();
        let made = |recipe: &Recipe| forced.is_none_or(|strategy| recipe.kind() == strategy);
        let shown = |part: fn(Takes) -> bool| {
            let recipes = self.recipes().iter().map(|used| &used.recipe);
            recipes.filter(|recipe| made(recipe)).any(|recipe| {
                self.drawn_teachers()
                    .any(|teacher| part(self.takes(recipe, teacher, true)))
            })
        };
        for (kinds, variable, named, shown) in [
            (
                "evolutions",
                "evolution",
                !mutators.evolutions.is_empty(),
                shown(|takes| takes.evolution),
            ),
            (
                "personas",
                "persona",
                !mutators.personas.is_empty(),
                shown(|takes| takes.persona),
            ),
            (
                "styles",
                "style",
                !mutators.styles.is_empty(),
                shown(|takes| takes.style),
            ),
        ] {
            if named && !shown {
                return Err(Error::Mutators { kinds, variable });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gristmill_domain::id::RunId;
    use gristmill_domain::job::Job;
    use gristmill_domain::recipe::built_in;
    use serde_json::{Value, json};

    use super::*;

    /// A setup of a chat teacher and a raw one.
    fn setup(generate: Value, prompt: Option<&str>) -> Result<Setup, Error> {
        let job = json!({
            "seeds": {"path": "s.jsonl"},
            "teacher": [
                {"base_url": "http://h/v1", "model": "chat"},
                {"base_url": "http://h/v1", "model": "raw", "prompt_form": "raw"},
            ],
            "generate": generate,
            "budget": {"calls": 10},
        });
        let job: Job = serde_json::from_value(job).unwrap();
        let prompts: BTreeMap<_, _> = prompt
            .map(|text| ("new_question".to_owned(), text.to_owned()))
            .into_iter()
            .collect();
        Setup::new(
            RunId::of(&[]),
            job,
            &super::super::usual_recipes(),
            &prompts,
            BTreeMap::new(),
        )
    }

    fn all() -> Value {
        json!({"mutators": {"evolutions": ["breadth"], "personas": ["a miller"], "styles": ["plain"], "share": 1}})
    }

    #[test]
    fn a_question_is_varied_as_far_as_its_prompt_and_its_reference_allow() {
        let varied = setup(all(), None).unwrap();
        let names = |recipe: &str, teacher| {
            let recipe = built_in(recipe).unwrap();
            let mutation = varied.mutation(ContentId::of(&[b"row"]), &recipe, teacher, true);
            mutation.map(|mutation| mutation.names()).unwrap_or_default()
        };
        let whole = ["evolution:breadth", "persona:a miller", "style:plain"];
        assert_eq!(names("new_question", 0), whole);
        assert_eq!(names("rephrasing", 0), ["style:plain"]);
        assert_eq!(names("answer_augmentation", 0), [""; 0]);
        assert_eq!(
            names("new_question", 1),
            [""; 0],
            "raw prompts have no place for it"
        );
        let plain = setup(json!({}), None).unwrap();
        assert_eq!(
            plain.mutation(
                ContentId::of(&[b"row"]),
                &built_in("new_question").unwrap(),
                0,
                true
            ),
            None
        );
        let versions = |setup: &Setup| {
            let versions = setup.prompt_versions();
            versions
                .iter()
                .filter(|version| version.starts_with("mutators/"))
                .count()
        };
        assert_eq!((versions(&varied), versions(&plain)), (1, 0));
    }

    #[test]
    fn mutators_that_no_prompt_shows_are_refused() {
        let refused = |generate, prompt| match setup(generate, prompt) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        let own = "version: mine\n=== user\n{{ evolution }} {{ context }}";
        assert!(refused(all(), Some(own)).starts_with("`generate.mutators.personas` would do nothing"));
        assert!(refused(all(), Some(own)).contains("`{{ persona }}`"));
        let mut evolved = json!({"mutators": {"evolutions": ["breadth"]}});
        assert_eq!(refused(evolved.clone(), Some(own)), "");
        evolved["strategy"] = "new_question".into();
        assert_eq!(refused(evolved.clone(), None), "");
        let blind = "version: mine\n=== user\n{{ context }}";
        assert!(refused(evolved, Some(blind)).contains("mutators.evolutions"));
    }
}
