//! `label`: the answer ends in one of a set of labels, the reference's.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Fault, Given, Validator, Verdict, among};
use crate::answer::label::Labels;
use crate::filter::Kind;
use crate::job::{Job, Report};

/// The answer ends in one of a set of labels, the reference's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Label {
    /// The labels.
    pub labels: Vec<String>,
}

impl Validator for Label {
    fn name(&self) -> &'static str {
        "label"
    }

    fn answers(&self) -> Kind {
        Kind::Label
    }

    fn choices(&self) -> &[String] {
        &self.labels
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        report.when(
            self.labels.len() < 2,
            "filter.validator.labels",
            "fewer than two labels",
            "list every label that an answer may have",
        );
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        let labels = Labels::new(&self.labels)
            .map_err(|error| format!("`filter.validator.labels` cannot be used: {error}"))?;
        Ok(Box::new(labels))
    }
}

#[async_trait]
impl Checker for Labels {
    fn reference(&self, text: &str) -> Result<(), String> {
        match self.exact(text) {
            Some(_) => Ok(()),
            None => Err(format!(
                "is none of `filter.validator.labels` ({})",
                self.names().collect::<Vec<_>>().join(", ")
            )),
        }
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let found = self.find(asked.answer)?.to_owned();
        let golds: Vec<String> = asked
            .references
            .iter()
            .filter_map(|text| self.exact(text).map(str::to_owned))
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
    use super::super::tests::{asked, checked, opened, rejected, settings};
    use super::super::{Given, Validator};
    use super::Label;

    const SETTINGS: &str = r#"{"kind": "label", "labels": ["yes", "no", "not sure"]}"#;

    #[test]
    fn the_final_label_is_compared_with_the_reference() {
        let checker = opened(SETTINGS);
        for (answer, references, canonical, correct) in [
            ("Answer: Yes", &["yes"][..], "yes", Some(true)),
            ("Not-sure", &["no", "NOT SURE"], "not sure", Some(true)),
            ("no", &["yes"], "no", Some(false)),
            ("no", &[], "no", None),
        ] {
            let verdict = checked(&*checker, &asked(answer, references)).unwrap();
            assert_eq!(
                (verdict.canonical.as_str(), verdict.correct),
                (canonical, correct),
                "{answer}"
            );
        }
        assert!(rejected(&*checker, &asked("Perhaps.", &["yes"])).contains("no final label"));
        assert_eq!(settings(SETTINGS).choices().len(), 3);
    }

    #[test]
    fn references_that_are_no_labels_are_refused() {
        let checker = opened(SETTINGS);
        for refused in ["", "maybe", "yes and no", "the answer is yes"] {
            let why = checker.reference(refused).unwrap_err();
            assert!(
                why.contains("none of `filter.validator.labels` (yes, no, not sure)"),
                "{why}"
            );
        }
        assert_eq!(checker.reference("Not_Sure"), Ok(()));
    }

    #[test]
    fn sets_that_decide_nothing_cannot_be_opened() {
        for labels in [&["yes"][..], &["yes", "YES"], &["yes", "!"]] {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            let why = Label { labels }.open(Given::Nothing).err().unwrap();
            assert!(
                why.starts_with("`filter.validator.labels` cannot be used"),
                "{why}"
            );
        }
    }
}
