//! Whether a row's answer says what a reference says.

use gristmill_domain::answer::text;
use gristmill_domain::validator::{Asked, Checker, Given, Settings};
use tokio::runtime::Handle;

use crate::Error;

/// Token F1 from which two answers say the same where no validator compares them.
const SAME_F1: f64 = 0.6;
/// Token F1 up to which they say different things. Between the two, words do not tell.
const OTHER_F1: f64 = 0.2;

/// Compares answers by the dataset's validator, or by their words where that one compares nothing, or needs databases or a program.
pub(crate) struct Comparison {
    checker: Option<Box<dyn Checker>>,
    labels: bool,
    runtime: Handle,
}

impl Comparison {
    pub(crate) fn new(validator: &Settings, runtime: Handle) -> Result<Self, Error> {
        let by_itself = validator.compares_references() && validator.need().is_none();
        let checker = match by_itself {
            true => Some(validator.open(Given::Nothing).map_err(Error::Validator)?),
            false => None,
        };
        Ok(Self {
            labels: checker.is_some() && !validator.choices().is_empty(),
            checker,
            runtime,
        })
    }

    /// True where answers are chosen from a list, so that answers to different questions about one thing can be held against each other.
    pub(crate) fn labels(&self) -> bool {
        self.labels
    }

    /// The answer in its canonical form; `None` where it cannot be read or no validator reads it.
    pub(crate) fn canonical(&self, question: &str, answer: &str) -> Option<String> {
        let asked = Asked {
            question,
            answer,
            ..Asked::default()
        };
        let checked = self.runtime.block_on(self.checker.as_ref()?.check(&asked));
        checked.ok().map(|verdict| verdict.canonical)
    }

    /// Whether an answer says what one of the references says; `None` where that cannot be told.
    pub(crate) fn same(&self, question: &str, answer: &str, references: &[String]) -> Option<bool> {
        let Some(checker) = &self.checker else {
            return by_words(answer, references);
        };
        let asked = Asked {
            question,
            answer,
            references,
            ..Asked::default()
        };
        self.runtime.block_on(checker.check(&asked)).ok()?.correct
    }
}

fn by_words(answer: &str, references: &[String]) -> Option<bool> {
    let padded = |text: &str| format!(" {} ", text::normalize(text));
    let said = padded(answer);
    let contains = |reference: &String| {
        let reference = padded(reference);
        reference.trim().len() > 2 && said.contains(&reference)
    };
    match text::score(answer, references).f1 {
        _ if references.is_empty() => None,
        f1 if f1 >= SAME_F1 || references.iter().any(contains) => Some(true),
        f1 if f1 <= OTHER_F1 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_compare_and_words_where_there_are_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let of = |settings: &str| {
            let settings: Settings = serde_json::from_str(settings).unwrap();
            Comparison::new(&settings, runtime.handle().clone()).unwrap()
        };
        let truths = |text: &str| vec![text.to_owned()];
        let labels = of(r#"{"kind":"label","labels":["yes","no"]}"#);
        assert!(labels.labels());
        assert_eq!(labels.same("q", "So.\nAnswer: Yes", &truths("yes")), Some(true));
        assert_eq!(labels.same("q", "Answer: no", &truths("yes")), Some(false));
        assert_eq!(labels.same("q", "Perhaps.", &truths("yes")), None);
        assert_eq!(labels.canonical("q", "Answer: NO").as_deref(), Some("no"));
        let numbers = of(r#"{"kind":"number"}"#);
        assert!(!numbers.labels());
        assert_eq!(numbers.same("q", "It is 1,200.", &truths("1200")), Some(true));
        for by_words in [
            r#"{"kind":"none"}"#,
            r#"{"kind":"sql","databases":"dbs","timeout_s":5}"#,
        ] {
            let words = of(by_words);
            assert_eq!(
                words.same("q", "It was Ada Lovelace, in 1843.", &truths("Ada Lovelace")),
                Some(true)
            );
            assert_eq!(
                words.same("q", "Nobody knows.", &truths("Ada Lovelace")),
                Some(false)
            );
            assert_eq!(words.same("q", "Nobody knows.", &[]), None);
            assert_eq!(words.canonical("q", "x"), None);
        }
    }
}
