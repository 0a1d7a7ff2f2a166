//! `regex`: the whole answer matches a pattern; the match, or one of its groups, is compared with the reference's.

use ::regex::Regex as Pattern;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Comparison, Fault, Given, Validator, Verdict, among};
use crate::filter::Kind;
use crate::job::{Job, Report};

/// Characters of an answer that are shown in a reason.
const SHOWN_CHARS: usize = 80;
/// Marks that models put around a short answer.
const AROUND: [char; 7] = ['*', '_', '`', '"', '\'', '“', '”'];

/// The whole answer matches a pattern, and what it matches is the reference's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Regex {
    /// The regular expression, in the syntax of Rust's `regex`. It must match the whole answer; `(?i)` in front ignores case.
    pub pattern: String,
    /// The named group that is the answer's canonical form; left out, the whole match is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The match must equal a reference's. With `false`, only the form of an answer is checked.
    #[serde(default = "super::yes", skip_serializing_if = "super::is_yes")]
    pub compare: bool,
}

impl Regex {
    /// The pattern, alone and anchored at both ends. The error names the key.
    fn compile(&self) -> Result<Pattern, (&'static str, String)> {
        let wrong = |error: ::regex::Error| {
            // The last line says what is wrong, below a drawing of where.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or(&text);
            let reason = reason.trim().trim_start_matches("error: ").to_owned();
            ("filter.validator.pattern", reason)
        };
        // By itself first: anchored, `a)|(b` would be a pattern as well.
        let alone = Pattern::new(&self.pattern).map_err(wrong)?;
        if let Some(group) = &self.group
            && !alone.capture_names().flatten().any(|name| name == group)
        {
            let reason =
                format!("the pattern has no group named `{group}`, which is written `(?<{group}>…)`");
            return Err(("filter.validator.group", reason));
        }
        // A pattern in extended mode may end in a comment, which only a line break ends.
        Pattern::new(&format!(r"\A(?:{})\z", self.pattern))
            .or_else(|_| Pattern::new(&format!("\\A(?:{}\n)\\z", self.pattern)))
            .map_err(wrong)
    }
}

impl Validator for Regex {
    fn name(&self) -> &'static str {
        "regex"
    }

    fn answers(&self) -> Kind {
        Kind::Short
    }

    fn form(&self) -> Option<String> {
        Some(format!(
            "The final answer matches this regular expression, with nothing before or after it: {}",
            self.pattern
        ))
    }

    fn compares_references(&self) -> bool {
        self.compare
    }

    fn comparison(&self) -> Comparison {
        match self.compare {
            true => Comparison::Canonical,
            false => Comparison::No,
        }
    }

    fn right_answers_repeat(&self) -> bool {
        self.compare
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        if let Err((key, reason)) = self.compile() {
            let help = "correct it, and try it on a few reference answers: it has to match the whole of each";
            report.when(true, key, format!("`{key}` cannot be used: {reason}"), help);
        }
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        let pattern = self
            .compile()
            .map_err(|(key, reason)| format!("`{key}` cannot be used: {reason}"))?;
        Ok(Box::new(Ready {
            pattern,
            settings: self.clone(),
        }))
    }
}

struct Ready {
    pattern: Pattern,
    settings: Regex,
}

impl Ready {
    /// The match in a text, or the group that counts. Marks around the text and a full stop after it are taken off only where it does not
    /// match with them.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let text = text.trim();
        let bare = text.trim_matches(AROUND);
        let unended = bare.strip_suffix('.').unwrap_or(bare).trim_matches(AROUND);
        [text, bare, unended].into_iter().find_map(|text| {
            let found = self.pattern.captures(text)?;
            let part = match &self.settings.group {
                Some(group) => found.name(group)?,
                None => found.get(0)?,
            };
            Some(part.as_str())
        })
    }
}

#[async_trait]
impl Checker for Ready {
    fn reference(&self, text: &str) -> Result<(), String> {
        if !self.settings.compare || self.find(text).is_some() {
            return Ok(());
        }
        Err(format!(
            "does not match `filter.validator.pattern` ({}): correct the pattern, name the column of the short answers in \
             `seeds.fields.references`, or set `compare: false` to check only the form of answers",
            self.settings.pattern
        ))
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let Some(found) = self.find(asked.answer) else {
            let shown: String = asked.answer.trim().chars().take(SHOWN_CHARS).collect();
            return Err(Fault::form(format!(
                "`{shown}` does not match the pattern {}",
                self.settings.pattern
            )));
        };
        let comparable = if self.settings.compare {
            asked.references
        } else {
            &[]
        };
        let golds: Vec<String> = comparable
            .iter()
            .filter_map(|text| self.find(text).map(str::to_owned))
            .collect();
        let (correct, detail) = among(found, &golds);
        Ok(Verdict {
            canonical: found.to_owned(),
            correct,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, checked, opened, rejected, settings};
    use super::super::{Comparison, Given};

    const CODE: &str =
        r#"{"kind": "regex", "pattern": "(?<code>[A-Z][0-9]{2})(\\.[0-9])?", "group": "code"}"#;

    #[test]
    fn the_group_of_the_whole_match_is_compared() {
        let checker = opened(CODE);
        for (answer, references, canonical, correct) in [
            ("J45.1", &["J45"][..], "J45", Some(true)),
            (" **J45**. ", &["J45.9"], "J45", Some(true)),
            ("J45", &["J46"], "J45", Some(false)),
            ("J45", &[], "J45", None),
            ("J45", &["asthma"], "J45", None),
        ] {
            let verdict = checked(&*checker, &asked(answer, references)).unwrap();
            assert_eq!(
                (verdict.canonical.as_str(), verdict.correct),
                (canonical, correct),
                "{answer}"
            );
        }
        for answer in ["It is J45", "J45 or J46", "j45", ""] {
            let why = rejected(&*checker, &asked(answer, &["J45"]));
            assert!(why.contains("does not match"), "{answer}: {why}");
        }
    }

    #[test]
    fn every_alternative_must_match_the_whole_answer() {
        for (pattern, answer, canonical) in [
            ("a|ab", "ab", "ab"),
            ("(?i)yes|no", "NO", "NO"),
            ("(?x) [0-9]+ # digits", "12", "12"),
            ("#[0-9]+", "#7", "#7"),
            ("", "", ""),
        ] {
            let json = serde_json::json!({"kind": "regex", "pattern": pattern}).to_string();
            let verdict = checked(&*opened(&json), &asked(answer, &[])).unwrap();
            assert_eq!(verdict.canonical, canonical, "{pattern}");
        }
    }

    #[test]
    fn references_that_do_not_match_are_refused() {
        let checker = opened(CODE);
        for refused in ["", "asthma", "J4", "J45 asthma", "see J45"] {
            let why = checker.reference(refused).unwrap_err();
            assert!(
                why.contains("`filter.validator.pattern`") && why.contains("`compare: false`"),
                "{why}"
            );
        }
        assert_eq!(checker.reference("J45.0"), Ok(()));
    }

    #[test]
    fn without_comparison_only_the_form_counts() {
        let json = r#"{"kind": "regex", "pattern": "[A-Z].*", "compare": false}"#;
        let checker = opened(json);
        assert_eq!(checker.reference("lower case"), Ok(()));
        let verdict = checked(&*checker, &asked("Upper case", &["lower case"])).unwrap();
        assert_eq!(verdict.correct, None);
        let settings = settings(json);
        assert_eq!(settings.comparison(), Comparison::No);
        assert!(!settings.compares_references() && settings.verifies());
    }

    #[test]
    fn patterns_that_cannot_be_used_are_named_with_the_reason() {
        for (json, key, reason) in [
            (
                r#"{"kind": "regex", "pattern": "(a"}"#,
                "pattern",
                "unclosed group",
            ),
            (
                r#"{"kind": "regex", "pattern": "a)|(b"}"#,
                "pattern",
                "unopened group",
            ),
            (
                r#"{"kind": "regex", "pattern": "a", "group": "b"}"#,
                "group",
                "no group named `b`",
            ),
        ] {
            let why = settings(json).open(Given::Nothing).err().unwrap();
            assert!(
                why.starts_with(&format!("`filter.validator.{key}` cannot be used")) && why.contains(reason),
                "{why}"
            );
        }
    }
}
