//! `none`: nothing is verified.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Comparison, Fault, Given, Validator, Verdict};
use crate::answer::text;
use crate::filter::Kind;
use crate::job::{Job, Report};

/// Nothing is verified; a judge is then the only check of what an answer says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Open {}

impl Validator for Open {
    fn name(&self) -> &'static str {
        // What prompts call it; a job says `none`.
        "open"
    }

    fn answers(&self) -> Kind {
        Kind::Open
    }

    fn verifies(&self) -> bool {
        false
    }

    fn compares_references(&self) -> bool {
        false
    }

    fn comparison(&self) -> Comparison {
        Comparison::No
    }

    fn right_answers_repeat(&self) -> bool {
        // Open answers differ in more than their words.
        false
    }

    fn check_settings(&self, job: &Job, report: &mut Report) {
        report.when(
            job.judge.is_none() && job.filter.grounding.is_none(),
            "filter.validator",
            "nothing checks what an answer says: there is no validator, no judge and no grounding",
            "set `filter.validator`, `filter.grounding` or `judge`",
        );
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        Ok(Box::new(Self {}))
    }
}

#[async_trait]
impl Checker for Open {
    fn reference(&self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict {
            canonical: text::normalize(asked.answer),
            correct: None,
            detail: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, checked, opened};

    #[test]
    fn an_open_answer_is_neither_right_nor_wrong() {
        let checker = opened(r#"{"kind": "none"}"#);
        let verdict = checked(&*checker, &asked("The U.S.!", &["us"])).unwrap();
        assert_eq!((verdict.canonical.as_str(), verdict.correct), ("us", None));
        assert_eq!(checker.reference("anything"), Ok(()));
    }
}
