//! `number`: the final number equals the reference's.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Fault, Given, Validator, Verdict, among};
use crate::answer::number;
use crate::filter::Kind;

/// The final number equals the reference's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Number {}

impl Validator for Number {
    fn name(&self) -> &'static str {
        "number"
    }

    fn answers(&self) -> Kind {
        Kind::Number
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        Ok(Box::new(Self {}))
    }
}

#[async_trait]
impl Checker for Number {
    fn reference(&self, text: &str) -> Result<(), String> {
        match number::reference(text) {
            Some(_) => Ok(()),
            None => Err(
                "is no number, as `filter.validator` wants: name a column of numbers in `seeds.fields.references`, or end answers \
                 with `#### 42`"
                    .to_owned(),
            ),
        }
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let found = number::extract(asked.answer)?.to_string();
        let golds: Vec<String> = asked
            .references
            .iter()
            .filter_map(|text| number::reference(text))
            .map(|gold| gold.to_string())
            .collect();
        let (correct, detail) = among(&found, &golds);
        Ok(Verdict {
            canonical: found,
            correct,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, checked, opened, rejected};

    const SETTINGS: &str = r#"{"kind": "number"}"#;

    #[test]
    fn the_final_number_is_compared_with_the_reference() {
        let checker = opened(SETTINGS);
        for (answer, references, canonical, correct) in [
            ("It is $1,234.0", &["so 1234\n#### 1234"][..], "1234", Some(true)),
            ("#### 0.5", &["1/2"], "0.5", Some(true)),
            ("12", &["13", "12.0"], "12", Some(true)),
            ("12", &["13"], "12", Some(false)),
            ("12", &[], "12", None),
            ("12", &["twelve or so"], "12", None),
        ] {
            let verdict = checked(&*checker, &asked(answer, references)).unwrap();
            assert_eq!(
                (verdict.canonical.as_str(), verdict.correct),
                (canonical, correct),
                "{answer}"
            );
        }
        let detail = checked(&*checker, &asked("12", &["13"])).unwrap().detail;
        assert_eq!(detail, "12, reference 13");
        assert!(rejected(&*checker, &asked("It holds many.", &["3"])).contains("no final number"));
    }

    #[test]
    fn references_that_are_no_numbers_are_refused() {
        let checker = opened(SETTINGS);
        for refused in ["", "about 3 or 4", "yes", "3,0"] {
            let why = checker.reference(refused).unwrap_err();
            assert!(why.contains("is no number") && why.contains("#### 42"), "{why}");
        }
        for taken in ["3", "1,000.5", "so\n#### 7", "$4"] {
            assert_eq!(checker.reference(taken), Ok(()), "{taken}");
        }
    }
}
