//! Whether an answer has the form that its prompt asked for, whatever it says.
//!
//! Form and facts are lost apart: a model that loses knowledge often keeps its form ("confidently wrong", arXiv 2509.04796), and one that
//! loses its form may know as much as before.

use gristmill_domain::answer::label::Labels;
use gristmill_domain::answer::number::{Number, strict};
use gristmill_domain::filter::repetition::{Limits, looping};
use gristmill_domain::filter::text::count_words;
use gristmill_domain::json;
use serde::{Deserialize, Serialize};

/// The form that a prompt format asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// Any text.
    Free,
    /// A text of at most so many words, on one line.
    Short {
        /// The most words.
        words_max: usize,
    },
    /// A number and nothing else.
    Number,
    /// A text that ends in `#### 42`.
    MarkedNumber,
    /// A label of the set and nothing else.
    Label(Labels),
    /// A JSON object with these members, alone or in a code block.
    Json {
        /// Names of the members.
        members: Vec<String>,
    },
}

/// Whether an answer has the form that was asked for, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormCheck {
    /// True where it has.
    pub kept: bool,
    /// Words of the answer; in scripts without spaces two characters count as one.
    pub words: u64,
    /// What is wrong with it; empty where nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fault: String,
}

impl FormCheck {
    /// The check of an answer of so many words that has its form.
    pub fn kept(words: u64) -> Self {
        Self {
            kept: true,
            words,
            fault: String::new(),
        }
    }
}

impl FormCheck {
    /// The same of an answer that was cut off before its end: whatever form it began in, it did not keep it.
    #[must_use]
    pub fn cut_off(self) -> Self {
        Self {
            kept: false,
            fault: match self.fault.is_empty() {
                true => "it was cut off at the most tokens allowed".to_owned(),
                false => self.fault,
            },
            ..self
        }
    }
}

impl AnswerForm {
    /// Checks an answer. Whatever the form, an empty answer and one that is caught in a loop do not have it.
    pub fn check(&self, answer: &str) -> FormCheck {
        let words = count_words(answer, usize::MAX) as u64;
        let fault = general_fault(answer).or_else(|| self.fault(answer.trim()));
        FormCheck {
            kept: fault.is_none(),
            words,
            fault: fault.unwrap_or_default(),
        }
    }

    fn fault(&self, answer: &str) -> Option<String> {
        match self {
            Self::Free => None,
            Self::Short { words_max } => {
                let words = count_words(answer, usize::MAX);
                let lines = answer.lines().count();
                if lines > 1 {
                    Some(format!("{lines} lines, where one was asked for"))
                } else {
                    (words > *words_max)
                        .then(|| format!("{words} words, where at most {words_max} were asked for"))
                }
            }
            Self::Number => Number::parse(answer)
                .is_none()
                .then(|| "more than a number, or none".to_owned()),
            Self::MarkedNumber => {
                let last = answer.lines().next_back().unwrap_or_default();
                strict(last)
                    .is_none()
                    .then(|| "the last line has no `#### ` with a number".to_owned())
            }
            Self::Label(labels) => labels.exact(answer).is_none().then(|| {
                let names: Vec<&str> = labels.names().collect();
                format!("not one of {}, or more than that", names.join(", "))
            }),
            Self::Json { members } => json_fault(answer, members),
        }
    }
}

fn general_fault(answer: &str) -> Option<String> {
    if answer.trim().is_empty() {
        return Some("empty".to_owned());
    }
    looping(answer, &Limits::default())
}

/// The object is the whole answer, or the whole of its code block, and has all members.
fn json_fault(answer: &str, members: &[String]) -> Option<String> {
    let bare = match answer.strip_prefix("```") {
        Some(fenced) => {
            let inside = fenced.strip_suffix("```").unwrap_or(fenced);
            inside.strip_prefix("json").unwrap_or(inside).trim()
        }
        None => answer,
    };
    if !(bare.starts_with('{') && bare.ends_with('}')) {
        return Some("text around the JSON object, or no object".to_owned());
    }
    let parsed = json::parse(bare).ok();
    let Some(object) = parsed.as_ref().and_then(|value| value.as_object()) else {
        return Some("not a JSON object".to_owned());
    };
    let missing = members.iter().find(|name| !object.contains_key(*name))?;
    Some(format!("the JSON object has no member `{missing}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_from_what_only_holds_the_answer() {
        let labels = || AnswerForm::Label(Labels::new(&["yes", "no"]).unwrap());
        let json = || AnswerForm::Json {
            members: vec!["answer".to_owned(), "why".to_owned()],
        };
        for (form, kept, broken) in [
            (AnswerForm::Free, "Anything at all.", "  "),
            (
                AnswerForm::Short { words_max: 3 },
                "July 1969",
                "It was in July 1969.",
            ),
            (AnswerForm::Short { words_max: 3 }, "July 1969\n", "July\n1969"),
            (AnswerForm::Number, " $1,234.0 ", "It is 1234 dollars in all."),
            (
                AnswerForm::MarkedNumber,
                "3 + 4 = 7\n#### 7",
                "#### 7\nThat is the sum.",
            ),
            (labels(), "Yes", "Yes, since it lowers it."),
            (json(), r#"{"answer": "7", "why": "sum"}"#, r#"{"answer": "7"}"#),
            (
                json(),
                "```json\n{\"answer\": \"7\", \"why\": \"sum\"}\n```",
                "Here it is: {\"answer\": \"7\", \"why\": \"sum\"}",
            ),
            (json(), r#"{"why": "sum", "answer": ""}"#, "{answer: 7}"),
        ] {
            let check = form.check(kept);
            assert!(
                check.kept && check.fault.is_empty(),
                "{form:?} / {kept}: {}",
                check.fault
            );
            let check = form.check(broken);
            assert!(!check.kept && !check.fault.is_empty(), "{form:?} / {broken}");
        }
    }

    #[test]
    fn a_loop_has_no_form() {
        let check = AnswerForm::Free.check(&"the answer is the ".repeat(20));
        assert!(!check.kept, "{check:?}");
        assert_eq!(check.words, 80);
    }
}
