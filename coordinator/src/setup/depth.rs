//! How far rows are from real ones.

use gristmill_domain::job::Teacher;
use gristmill_domain::recipe::{Ask, Does, Recipe, Role};

use super::Setup;

impl Setup {
    /// Synthetic ancestors of a recipe's rows, themselves included: those of the deepest teacher that writes a part of them.
    pub(crate) fn depth(&self, recipe: &Recipe, teacher: usize) -> u8 {
        let by_name = |name: &str| {
            let model = self.job.generate.roles.get(name)?;
            self.job
                .teacher
                .iter()
                .find(|teacher| teacher.spec.name() == *model)
        };
        let own = self.job.teacher.get(teacher);
        let steps = (0..).map_while(|step| recipe.step(step));
        let writers = steps.filter_map(|step| match &step.does {
            Does::Ask(Ask { role, .. }) => match role {
                Role::Teacher | Role::Judge => None,
                Role::Named(name) => by_name(name),
            },
            _ => None,
        });
        own.into_iter()
            .chain(writers)
            .map(Teacher::row_depth)
            .max()
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::recipe::built_in;
    use serde_json::json;

    use crate::scripted;
    use crate::setup::StoredRecipe;

    #[test]
    fn rows_are_one_deeper_than_the_deepest_teacher_that_writes_them() {
        let recipe = |name: &str, writer: Option<&str>| {
            let mut file = built_in(name).unwrap().file().clone();
            if let Some(writer) = writer {
                let mut stored = serde_json::to_value(&file).unwrap();
                stored["steps"][0]["model"] = json!(writer);
                file = serde_json::from_value(stored).unwrap();
            }
            StoredRecipe { file, weight: 1.0 }
        };
        let named =
            |name: &str, depth: u8| json!({"base_url": "http://h/v1", "model": name, "lineage_depth": depth});
        let job = json!({
            "teacher": [named("real", 0), named("student", 1), named("grandchild", 2)],
            "generate": {"roles": {"writer": "grandchild"}},
            "anchor": {"max_depth": 3},
        });
        let recipes = [recipe("rephrasing", None), recipe("new_question", Some("writer"))];
        let (setup, _) = scripted::setup_with(job, &recipes);
        let depth = |number: usize, teacher: usize| setup.depth(setup.recipe(number), teacher);
        assert_eq!([depth(0, 0), depth(0, 1), depth(0, 2)], [1, 2, 3]);
        assert_eq!(
            [depth(1, 0), depth(1, 1)],
            [3, 3],
            "another model asks the question"
        );
    }
}
