//! Refusals: answers that decline instead of answering.
//!
//! Only the start of an answer is looked at. Lists of substrings that may stand anywhere ("illegal", a vendor's name) drop
//! answers that merely speak of such things. The starts are data: a job may replace them.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a text decides: refusals are recognised by their first sentence.
const HEAD_CHARS: usize = 240;

/// Starts of refusing answers, for text in lower case with plain apostrophes.
const ANSWER_STARTS: &[&str] = &[
    r"i(?:'m| am)(?: really| very| so| truly)? sorry\b",
    r"sorry,",
    r"i apologi[sz]e\b",
    r"my apologies\b",
    r"unfortunately,? i(?: can't| cannot| can not| am unable|'m unable|'m not able| am not able)\b",
    // "As an assistant professor" teaches.
    r"as an? (?:(?:ai|artificial intelligence|(?:large )?language model)\b|assistant(?:,| i\b))",
    r"i (?:can't|cannot|can not|won't|will not|am not able|am unable|(?:do not|don't) have (?:access|the ability|enough))\b",
    r"i'm (?:not able|unable)\b",
    r"i(?:'m| am)(?: just| only)? an? (?:ai|(?:large )?language model)\b",
];

/// Starts of a teacher that declines to write a question. Narrower, since people do ask "I cannot see my PIN".
const QUESTION_STARTS: &[&str] = &[
    r"(?:i(?:'m| am)(?: really| very| so)? sorry|sorry|my apologies|i apologi[sz]e|unfortunately),?(?: but)? (?:i(?:'m| am)? (?:can't|cannot|won't|unable|not able)\b|as an ai\b)",
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b",
    r"i (?:can't|cannot|won't|am unable to|am not able to) (?:create|generate|write|rephrase|rewrite|provide|assist|help with (?:that|this)|fulfil?l|comply)\b",
    r"i(?:'m| am)(?: just| only)? an? (?:ai|(?:large )?language model)\b",
];

/// Sympathy that opens real answers of a help desk ("I'm sorry to hear that. To reset …"), and what makes it a refusal after all.
static SYMPATHY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^i(?:'m| am)(?: really| very| so| truly)? sorry (?:to hear|for your|for the|that you|about your|about the)\b")
        .ok()
});
static DECLINES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bi(?: can't| cannot| won't| am unable| am not able|'m unable|'m not able)\b").ok()
});

static ANSWER: LazyLock<Option<Starts>> = LazyLock::new(|| Starts::compile(ANSWER_STARTS).ok());
static QUESTION: LazyLock<Option<Starts>> = LazyLock::new(|| Starts::compile(QUESTION_STARTS).ok());

/// A pattern is no regular expression.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("not a regular expression: {0}")]
pub struct Error(#[from] regex::Error);

/// Regular expressions that a refusal starts with: for lower-case text with plain apostrophes, anchored by themselves.
/// Stored and configured as a list of texts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Starts {
    sources: Vec<String>,
    set: RegexSet,
}

impl Starts {
    /// Compiles patterns, each of which matches at the start of a text.
    pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, Error> {
        let sources: Vec<String> = patterns.iter().map(|p| p.as_ref().to_owned()).collect();
        let set = RegexSetBuilder::new(sources.iter().map(|source| format!("^(?:{source})")))
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()?;
        Ok(Self { sources, set })
    }

    /// The starts of refusing answers that Gristmill knows.
    pub fn of_answers() -> Self {
        ANSWER.clone().unwrap_or_else(Self::none)
    }

    /// The starts by which a teacher declines to write a question.
    pub fn of_questions() -> Self {
        QUESTION.clone().unwrap_or_else(Self::none)
    }

    fn none() -> Self {
        Self {
            sources: vec![],
            set: RegexSet::empty(),
        }
    }

    /// The start of the text, when it declines.
    pub fn find(&self, text: &str) -> Option<String> {
        let head = head(text);
        if !self.set.is_match(&head) {
            return None;
        }
        let is = |pattern: &LazyLock<Option<Regex>>| pattern.as_ref().is_some_and(|p| p.is_match(&head));
        if is(&SYMPATHY) && !is(&DECLINES) {
            return None;
        }
        Some(head.chars().take(60).collect())
    }
}

impl PartialEq for Starts {
    fn eq(&self, other: &Self) -> bool {
        self.sources == other.sources
    }
}

impl TryFrom<Vec<String>> for Starts {
    type Error = Error;
    fn try_from(patterns: Vec<String>) -> Result<Self, Error> {
        Self::compile(&patterns)
    }
}

impl From<Starts> for Vec<String> {
    fn from(starts: Starts) -> Self {
        starts.sources
    }
}

/// True when the answer starts like a refusal, by the built-in starts.
pub fn refusal(answer: &str) -> bool {
    ANSWER
        .as_ref()
        .is_some_and(|starts| starts.find(answer).is_some())
}

/// The first characters without leading marks and labels, in lower case, with plain apostrophes and single spaces.
fn head(text: &str) -> String {
    let mut head = String::with_capacity(HEAD_CHARS + 8);
    for c in text
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .take(HEAD_CHARS)
    {
        match c {
            '’' | '‘' | 'ʼ' => head.push('\''),
            c if c.is_whitespace() => {
                if !head.ends_with(' ') {
                    head.push(' ');
                }
            }
            c => head.extend(c.to_lowercase()),
        }
    }
    for label in ["answer:", "response:", "assistant:"] {
        if let Some(rest) = head.strip_prefix(label) {
            return rest.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned();
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_starts_compile() {
        assert_eq!(Starts::of_answers().sources.len(), ANSWER_STARTS.len());
        assert_eq!(Starts::of_questions().sources.len(), QUESTION_STARTS.len());
        assert!(SYMPATHY.is_some() && DECLINES.is_some());
    }

    #[test]
    fn refusals_are_found_behind_marks_and_curly_apostrophes() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I’m really sorry, I cannot.",
            "Sorry, that is not something I do.",
            "I apologise for the confusion.",
            "I apologize, but this is out of scope.",
            "My apologies, I have no answer.",
            "Unfortunately, I am unable to determine this.",
            "As an AI language model, I have no opinions.",
            "As a large language model I …",
            "As an assistant, I should not guess.",
            "\"**I cannot** answer this.",
            "I won't do that.",
            "I do not have access to the passage.",
            "I don't have enough information.",
            "I am just an AI and cannot feel.",
            "Answer: I’m unable to answer.",
            "I'm sorry to hear that, but I can't help with it.",
        ] {
            assert!(refusal(text), "{text}");
        }
    }

    #[test]
    fn answers_that_only_sound_alike_pass() {
        for text in [
            "As an aircraft climbs",
            "Illegal parking is fined",
            "I do not agree with the tenant's claim because",
            "As an assistant professor, she teaches two courses.",
            "I'm sorry to hear that your card was lost. To block it, open the app.",
            "I can see two ways to solve it.",
            "It is sorry, said the clerk.",
            "I am an aide to the minister.",
            "",
        ] {
            assert!(!refusal(text), "{text}");
        }
    }

    #[test]
    fn people_may_ask_in_words_that_refuse_as_an_answer() {
        let questions = Starts::of_questions();
        assert!(questions.find("I cannot see my PIN in the app").is_none());
        assert!(
            questions
                .find("I'm sorry, but I can't write that question.")
                .is_some()
        );
        assert!(questions.find("I cannot rephrase this.").is_some());
    }

    #[test]
    fn a_job_may_replace_the_starts_and_is_told_of_a_wrong_one() {
        let own: Starts = serde_json::from_str(r#"["leider"]"#).unwrap();
        assert!(own.find("Leider kann ich das nicht.").is_some());
        assert!(own.find("I'm sorry, no.").is_none());
        assert_eq!(serde_json::to_string(&own).unwrap(), r#"["leider"]"#);
        let error = serde_json::from_str::<Starts>(r#"["(oops"]"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("(oops"), "{error}");
    }
}
