//! `text`: a short text, compared as SQuAD does.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Comparison, Fault, Given, Validator, Verdict};
use crate::answer::text;
use crate::filter::Kind;
use crate::job::{Job, Report};

/// A short text, compared as SQuAD does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Text {
    /// Least token F1 with a reference.
    #[serde(default = "min_f1")]
    pub min_f1: f64,
}

fn min_f1() -> f64 {
    0.6
}

impl Validator for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn answers(&self) -> Kind {
        Kind::Short
    }

    fn comparison(&self) -> Comparison {
        Comparison::Meaning { min_f1: self.min_f1 }
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        report.share("filter.validator.min_f1", self.min_f1);
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Checker for Text {
    /// Any text is one.
    fn reference(&self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let score = text::score(asked.answer, asked.references);
        Ok(Verdict {
            canonical: text::normalize(asked.answer),
            correct: (!asked.references.is_empty()).then_some(score.f1 >= self.min_f1),
            detail: format!("F1 {:.2} with the reference", score.f1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, checked, opened};

    #[test]
    fn a_text_is_right_from_the_least_f1_on() {
        let checker = opened(r#"{"kind": "text", "min_f1": 0.5}"#);
        for (answer, references, correct) in [
            ("the U.S. of America", &["US"][..], Some(true)),
            ("in the year 1969", &["1966"], Some(false)),
            ("1969", &[], None),
        ] {
            let verdict = checked(&*checker, &asked(answer, references)).unwrap();
            assert_eq!(verdict.correct, correct, "{answer}");
        }
        assert_eq!(checker.reference(""), Ok(()));
    }
}
