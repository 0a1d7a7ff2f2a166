//! Conditions over the fields of a candidate: Jinja expressions such as `score >= 4` or `not acceptable`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};

use crate::reply::Fields;

/// What conditions may look at besides fields: `job.verify`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobSays {
    /// New questions are to be verified (`generate.verify`).
    pub verify: bool,
}

/// The name under which conditions see the job.
pub(super) const JOB: &str = "job";

/// A condition, as it is written. It was compiled once when its recipe was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Condition(String);

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Condition {
    /// A condition over fields of these names.
    ///
    /// # Errors
    /// What is wrong, in words: it does not parse, or it names a field that is not made before it.
    pub(super) fn new<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let expression = ENVIRONMENT
            .compile_expression(text)
            .map_err(|error| format!("`{text}` is not a condition: {error:#}"))?;
        let known: Vec<&str> = known.into_iter().chain([JOB]).collect();
        for name in expression.undeclared_variables(false) {
            if !known.contains(&name.as_str()) {
                return Err(format!(
                    "`{text}` looks at `{name}`, which no step before it makes"
                ));
            }
        }
        let other = expression
            .undeclared_variables(true)
            .into_iter()
            .find(|path| path.strip_prefix("job.").is_some_and(|key| key != "verify") || path == JOB);
        match other {
            Some(path) => Err(format!(
                "`{text}` looks at `{path}`; of the job, a condition sees `job.verify`"
            )),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Whether it holds. One that cannot be evaluated, since a field is missing, does not.
    pub fn holds(&self, fields: &Fields, job: JobSays) -> bool {
        let Ok(expression) = ENVIRONMENT.compile_expression(&self.0) else {
            return false;
        };
        let mut values: BTreeMap<&str, minijinja::Value> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.in_conditions()))
            .collect();
        values.insert(JOB, minijinja::Value::from_pairs([("verify", job.verify)]));
        expression
            .eval(minijinja::Value::from_pairs(values))
            .is_ok_and(|value| value.is_true())
    }
}

/// What conditions are compiled in: a field that is missing is an error, not false.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Value;

    #[test]
    fn conditions_look_at_fields_and_at_the_job() {
        let fields = Fields::from([
            ("score".into(), Value::Number(4.0)),
            ("acceptable".into(), Value::YesNo(false)),
            ("kind".into(), Value::Choice(Some("cause".into()))),
        ]);
        let holds = |text: &str| {
            let condition = Condition::new(text, ["score", "acceptable", "kind"]).unwrap();
            condition.holds(&fields, JobSays { verify: true })
        };
        for text in [
            "score >= 4",
            "not acceptable",
            "kind == 'cause'",
            "job.verify",
            "score > 3 and job.verify",
        ] {
            assert!(holds(text), "{text}");
        }
        assert!(!holds("score > 4") && !holds("acceptable"));
        let missing = Condition::new("score >= 4", ["score"]).unwrap();
        assert!(!missing.holds(&Fields::new(), JobSays::default()));
    }

    #[test]
    fn a_wrong_condition_says_what_is_wrong() {
        let refused = |text: &str| Condition::new(text, ["score"]).unwrap_err();
        assert!(refused("scor >= 4").contains("`scor`, which no step before it makes"));
        assert!(refused("score >=").contains("is not a condition"));
        assert!(
            refused("job.budget").contains("`job.verify`"),
            "{}",
            refused("job.budget")
        );
    }
}
