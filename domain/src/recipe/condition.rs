//! Conditions over the fields of a candidate: Jinja expressions such as `score >= 4` or `not acceptable`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::filter::copied;
use crate::passage::RestsOn;
use crate::reply::{Answer, Fields, Holds, Value};

/// What conditions may look at besides fields: `job.verify` and `context`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sees<'a> {
    /// New questions are to be verified (`generate.verify`).
    pub verify: bool,
    /// What the candidate rests on.
    pub context: RestsOn<'a>,
}

/// The name under which conditions see the job.
pub(super) const JOB: &str = "job";

/// The name under which conditions see the passage, as prompts do.
const CONTEXT: &str = "context";

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
    /// A condition over fields of these names and types.
    ///
    /// # Errors
    /// What is wrong, in words: it does not parse, it names a field that is not made before it, or a filter or a test that there is
    /// not, or that takes other arguments.
    pub(super) fn new(text: &str, fields: &[(String, Holds)]) -> Result<Self, String> {
        let expression = ENVIRONMENT
            .compile_expression(text)
            .map_err(|error| format!("`{text}` is not a condition: {error:#}"))?;
        let mut known: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        known.extend([JOB, CONTEXT]);
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
        if let Some(path) = other {
            return Err(format!(
                "`{text}` looks at `{path}`; of the job, a condition sees `job.verify`"
            ));
        }
        let condition = Self(text.to_owned());
        match condition.unknown(fields) {
            Some(error) => Err(format!("`{text}` cannot be evaluated: {error}")),
            None => Ok(condition),
        }
    }

    /// What is wrong with one of its filters or tests, if trying it out on example fields shows it.
    fn unknown(&self, fields: &[(String, Holds)]) -> Option<minijinja::Error> {
        let answer = Answer {
            reasoning: String::new(),
            answer: "12".into(),
            canonical: String::new(),
            correct: None,
            detail: String::new(),
        };
        [true, false].into_iter().find_map(|yes| {
            let example = |(name, holds): &(String, Holds)| {
                let value = match holds {
                    Holds::YesNo => Some(Value::YesNo(yes)),
                    holds => holds.example("How many are left?", &answer),
                };
                value.map(|value| (name.clone(), value))
            };
            let sees = Sees {
                verify: yes,
                ..Sees::default()
            };
            let error = self
                .value(&fields.iter().filter_map(example).collect(), sees)
                .err()?;
            // Others depend on the values.
            matches!(
                error.kind(),
                ErrorKind::UnknownFilter
                    | ErrorKind::UnknownTest
                    | ErrorKind::MissingArgument
                    | ErrorKind::TooManyArguments
            )
            .then_some(error)
        })
    }

    /// Whether it holds. One that cannot be evaluated, since a field is missing, does not.
    pub fn holds(&self, fields: &Fields, sees: Sees<'_>) -> bool {
        self.value(fields, sees).is_ok_and(|holds| holds)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// Why it cannot be evaluated: a field is missing, or a filter does not take its value.
    pub fn evaluate(&self, fields: &Fields, sees: Sees<'_>) -> Result<bool, String> {
        self.value(fields, sees).map_err(|error| error.to_string())
    }

    fn value(&self, fields: &Fields, sees: Sees<'_>) -> Result<bool, minijinja::Error> {
        let expression = ENVIRONMENT.compile_expression(&self.0)?;
        let mut values: BTreeMap<&str, minijinja::Value> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.in_conditions()))
            .collect();
        values.insert(JOB, minijinja::Value::from_pairs([("verify", sees.verify)]));
        let context = sees.context.text();
        values.insert(CONTEXT, minijinja::Value::from(context.as_ref()));
        let value = expression.eval(minijinja::Value::from_pairs(values))?;
        Ok(value.is_true())
    }
}

/// What conditions are compiled in: a field that is missing is an error, not false.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("copied_from", |text: &str, from: &str| copied(text, from));
    environment
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of these names and types.
    fn made<const N: usize>(fields: [(&str, Holds); N]) -> Vec<(String, Holds)> {
        fields.map(|(name, holds)| (name.to_owned(), holds)).into()
    }

    fn score() -> (&'static str, Holds) {
        ("score", Holds::Number { min: 1.0, max: 5.0 })
    }

    #[test]
    fn conditions_look_at_fields_and_at_the_job() {
        let fields = Fields::from([
            ("score".into(), Value::Number(4.0)),
            ("acceptable".into(), Value::YesNo(false)),
            ("kind".into(), Value::Choice(Some("cause".into()))),
        ]);
        let holds = |text: &str| {
            let kind = Holds::OneOf {
                names: vec!["cause".into(), "effect".into()],
                or_none: true,
            };
            let made = made([score(), ("acceptable", Holds::YesNo), ("kind", kind)]);
            let condition = Condition::new(text, &made).unwrap();
            condition.holds(
                &fields,
                Sees {
                    verify: true,
                    ..Sees::default()
                },
            )
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
        let missing = Condition::new("score >= 4", &made([score()])).unwrap();
        assert!(!missing.holds(&Fields::new(), Sees::default()));
        let why = missing.evaluate(&Fields::new(), Sees::default()).unwrap_err();
        assert!(why.contains("undefined"), "{why}");
    }

    #[test]
    fn conditions_see_how_much_is_copied_from_the_passage() {
        let passage = "A package waits in the queue until somebody has checked it.";
        let holds = |text: &str, first| {
            let fields = Fields::from([("text".into(), Value::text(text))]);
            let context = RestsOn { first, second: None };
            let sees = Sees {
                verify: false,
                context,
            };
            let condition = Condition::new(
                "text | copied_from(context) <= 0.5",
                &made([("text", Holds::Text)]),
            )
            .unwrap();
            condition.holds(&fields, sees)
        };
        assert!(!holds(passage, Some(passage)));
        assert!(holds(
            "Packages are checked before they leave the queue.",
            Some(passage)
        ));
        assert!(holds(passage, None), "there is nothing to copy from");
    }

    #[test]
    fn a_wrong_condition_says_what_is_wrong() {
        let made = made([score(), ("clear", Holds::YesNo)]);
        let refused = |text: &str| Condition::new(text, &made).unwrap_err();
        assert!(refused("scor >= 4").contains("`scor`, which no step before it makes"));
        assert!(refused("score >=").contains("is not a condition"));
        for unknown in ["score | rounded > 3", "not clear and score is high"] {
            let why = refused(unknown);
            assert!(why.contains("unknown"), "{why}");
        }
        assert!(
            refused("job.budget").contains("`job.verify`"),
            "{}",
            refused("job.budget")
        );
    }
}
