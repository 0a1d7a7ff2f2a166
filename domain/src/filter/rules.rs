//! The rules on the text of an answer, and of a question that a teacher wrote: one set of settings, one check, cheapest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::Starts;
use super::text::count_words;
use super::{Kind, Reason, Rejection, form, language, prose, repetition, truncation};
use crate::chat::Finish;

/// What a generated text must satisfy. The defaults are those of FACTS and of the papers named at each rule's module.
///
/// A clone shares its compiled patterns; reading one from a job file compiles them once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Regular expressions that a refusing answer starts with.
    #[serde(default = "Starts::of_answers")]
    pub refusals: Starts,
    /// Regular expressions that a teacher starts with when it declines to write a question.
    #[serde(default = "Starts::of_questions")]
    pub question_refusals: Starts,
    /// Reject answers with a structure left open (code block, JSON, bracket, formula, query), besides those cut by a limit.
    pub unclosed: bool,
    /// Words of a generated question. A text that is to be labelled has no least length. In scripts without spaces two characters
    /// count as a word.
    pub question_words: Words,
    /// Words of an open answer, counted likewise.
    pub answer_words: Words,
    /// Limits on repetition: all of them for open answers, loops and repeated lines for the rest, none for queries.
    pub repetition: repetition::Limits,
    /// Limits on open text; not for other kinds.
    pub prose: prose::Limits,
    /// Languages let through; not for queries.
    pub language: language::Settings,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            refusals: Starts::of_answers(),
            question_refusals: Starts::of_questions(),
            unclosed: true,
            // Self-Instruct (Wang et al. 2023, arXiv 2212.10560) drops instructions of more than 150 words. It also drops those of 3
            // words or fewer, and with them "Who wrote Hamlet?".
            question_words: Words {
                min: 2,
                max: Some(150),
            },
            // A short right answer is an answer.
            answer_words: Words { min: 1, max: None },
            repetition: repetition::Limits::default(),
            prose: prose::Limits::default(),
            language: language::Settings::default(),
        }
    }
}

/// How many words a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Fewest words.
    #[serde(default)]
    pub min: usize,
    /// Most words; left out, there is no limit.
    #[serde(default)]
    pub max: Option<usize>,
}

/// A generated text as it came from the teacher.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Text<'a> {
    /// The question, where the teacher wrote it; `None` for a seed's own, which no rule may reject.
    pub question: Option<&'a str>,
    /// The answer, with its reasoning where both are one text.
    pub answer: &'a str,
    /// Why the completion with the answer ended.
    pub finish: Finish,
    /// What sort of answer it is.
    pub kind: Kind,
}

impl Rules {
    /// Checks question and answer; the first rule that fails is the row's reason.
    pub fn check(&self, text: &Text<'_>) -> Result<(), Rejection> {
        if let Some(question) = text.question {
            self.check_question(question, Finish::Stop, text.kind)?;
        }
        self.check_answer(text)
    }

    /// Checks a question by itself, as soon as the teacher has written it and before an answer is paid for.
    /// `finish` is that of the completion with the question.
    pub fn check_question(&self, question: &str, finish: Finish, kind: Kind) -> Result<(), Rejection> {
        reject(Reason::Refusal, self.question_refusals.find(question))?;
        // A question is prose, whatever kind its answer is.
        reject(Reason::Truncated, self.cut(finish, Kind::Open, question))?;
        reject(Reason::Format, form::unreadable(question))?;
        reject(
            Reason::Repetition,
            repetition::looping(question, &self.repetition),
        )?;
        let limits = match kind {
            Kind::Label => Words {
                min: 0,
                ..self.question_words
            },
            Kind::Open | Kind::Short | Kind::Number | Kind::Query => self.question_words,
        };
        reject(Reason::Length, wrong_length(question, limits))?;
        reject(
            Reason::Language,
            language::wrong_language(question, &self.language),
        )
    }

    fn check_answer(&self, text: &Text<'_>) -> Result<(), Rejection> {
        let Text {
            question,
            answer,
            finish,
            kind,
        } = *text;
        reject(Reason::Refusal, self.refusals.find(answer))?;
        reject(Reason::Truncated, self.cut(finish, kind, answer))?;
        reject(Reason::Format, form::malformed(kind, question, answer))?;
        match kind {
            // Queries repeat themselves by nature and are in no language.
            Kind::Query => return Ok(()),
            Kind::Short | Kind::Number | Kind::Label => {
                reject(Reason::Repetition, repetition::looping(answer, &self.repetition))?;
            }
            Kind::Open => {
                reject(
                    Reason::Repetition,
                    repetition::repetition(answer, &self.repetition),
                )?;
                reject(Reason::Length, wrong_length(answer, self.answer_words))?;
                reject(Reason::Quality, prose::gopher_quality(answer, &self.prose))?;
            }
        }
        reject(Reason::Language, language::wrong_language(answer, &self.language))
    }

    fn cut(&self, finish: Finish, kind: Kind, text: &str) -> Option<String> {
        if self.unclosed || matches!(finish, Finish::Length | Finish::ContentFilter) {
            truncation::truncated(finish, kind, text)
        } else {
            None
        }
    }
}

fn reject(reason: Reason, detail: Option<String>) -> Result<(), Rejection> {
    detail.map_or(Ok(()), |detail| Err(Rejection { reason, detail }))
}

fn wrong_length(text: &str, limits: Words) -> Option<String> {
    // Counting stops where the verdict is clear.
    let enough = limits.max.unwrap_or(limits.min).max(limits.min).saturating_add(1);
    let count = count_words(text, enough);
    match limits.max {
        Some(max) if count > max => Some(format!("more than {max} words")),
        _ if count < limits.min => Some(format!("{count} words (at least {})", limits.min)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: Text<'_>) -> Option<Reason> {
        Rules::default()
            .check(&text)
            .err()
            .map(|rejection| rejection.reason)
    }

    const OPEN: Text<'_> = Text {
        question: Some("How does the water get into the tank above the house?"),
        answer: "The pump draws it from the well and pushes it through the filter into the tank.",
        finish: Finish::Stop,
        kind: Kind::Open,
    };

    #[test]
    fn each_rule_gives_its_reason() {
        assert_eq!(reason(OPEN), None);
        let looped = "the pump then the filter ".repeat(8);
        let long: String = (0..160).map(|i| format!("why{i} ")).collect();
        let table: String = (0..16).map(|i| format!("| pump{i} {i}2.5 {i}7.1 ")).collect();
        for (text, wanted) in [
            (
                Text {
                    answer: "I'm sorry, but I can't help with that.",
                    ..OPEN
                },
                Reason::Refusal,
            ),
            (
                Text {
                    question: Some("I'm sorry, but I can't create a question."),
                    ..OPEN
                },
                Reason::Refusal,
            ),
            (
                Text {
                    finish: Finish::Length,
                    ..OPEN
                },
                Reason::Truncated,
            ),
            (
                Text {
                    answer: "It is pumped (through the",
                    ..OPEN
                },
                Reason::Truncated,
            ),
            (Text { answer: "", ..OPEN }, Reason::Format),
            (
                Text {
                    answer: "Many.",
                    kind: Kind::Number,
                    ..OPEN
                },
                Reason::Format,
            ),
            (
                Text {
                    answer: &looped,
                    ..OPEN
                },
                Reason::Repetition,
            ),
            (
                Text {
                    question: Some("Pump?"),
                    ..OPEN
                },
                Reason::Length,
            ),
            (
                Text {
                    question: Some(&long),
                    ..OPEN
                },
                Reason::Length,
            ),
            (
                Text {
                    answer: &table,
                    ..OPEN
                },
                Reason::Quality,
            ),
        ] {
            assert_eq!(reason(text), Some(wanted), "{text:?}");
        }
    }

    #[test]
    fn rules_for_prose_leave_other_kinds_alone() {
        for (kind, answer) in [
            (Kind::Label, "yes"),
            (Kind::Short, "Paris"),
            (Kind::Number, "42"),
            (Kind::Number, "3 + 4 = 7\n7 * 6 = 42\n#### 42"),
            (
                Kind::Query,
                "SELECT a FROM t WHERE a = 1 OR a = 2 OR a = 3 OR a = 4 OR a = 5 OR a = 6 OR a = 7",
            ),
        ] {
            assert_eq!(reason(Text { answer, kind, ..OPEN }), None, "{answer}");
        }
        assert_eq!(
            reason(Text {
                question: Some("Card arrival"),
                answer: "card_arrival",
                kind: Kind::Label,
                ..OPEN
            }),
            None
        );
        assert_eq!(
            reason(Text {
                question: None,
                ..OPEN
            }),
            None
        );
    }

    #[test]
    fn short_right_answers_and_questions_pass_in_any_script() {
        for (question, answer) in [
            ("What is the past tense of go?", "Went."),
            ("How do you greet friends in French?", "Bonjour, chers amis."),
            ("Who wrote Hamlet?", "Shakespeare."),
            ("谁写了红楼梦？", "曹雪芹。"),
            ("Did anybody see it?", "I'm sorry to say nobody did."),
        ] {
            assert_eq!(
                reason(Text {
                    question: Some(question),
                    answer,
                    ..OPEN
                }),
                None,
                "{answer}"
            );
        }
        let english = Rules {
            language: language::Settings {
                allowed: vec!["en".parse().unwrap()],
                ..language::Settings::default()
            },
            ..Rules::default()
        };
        for answer in [
            "Bonjour, chers amis.",
            "Guten Tag, liebe Freunde!",
            "你好，朋友们！",
            "Здравствуйте, друзья!",
        ] {
            assert_eq!(english.check(&Text { answer, ..OPEN }), Ok(()), "{answer}");
        }
        // 150 words are about 300 characters of Chinese.
        let long = "小明在商店里买了三个苹果和五个梨然后他又去了公园".repeat(8);
        let rules = Rules {
            repetition: repetition::Limits {
                loop_repeats: 0,
                ..repetition::Limits::default()
            },
            ..Rules::default()
        };
        assert_eq!(
            rules.check_question(&format!("{long}？"), Finish::Stop, Kind::Number),
            Ok(())
        );
        assert_eq!(
            reason(Text {
                answer: "一共有三十七个。",
                kind: Kind::Number,
                ..OPEN
            }),
            None,
            "numbers in Chinese numerals"
        );
    }

    #[test]
    fn settings_are_read_with_defaults_and_unknown_ones_refused() {
        let rules: Rules = serde_json::from_str(
            r#"{"answer_words": {"min": 1, "max": 5}, "language": {"allowed": ["en"]}, "unclosed": false}"#,
        )
        .unwrap();
        assert_eq!(rules.question_words, Rules::default().question_words);
        assert_eq!(rules.check(&OPEN).unwrap_err().reason, Reason::Length);
        assert_eq!(
            rules.check(&Text {
                answer: "Up (by pump",
                ..OPEN
            }),
            Ok(())
        );
        assert_eq!(
            rules
                .check(&Text {
                    finish: Finish::Length,
                    ..OPEN
                })
                .unwrap_err()
                .reason,
            Reason::Truncated
        );
        assert!(serde_json::from_str::<Rules>(r#"{"answr_words": {}}"#).is_err());
        let stored = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&stored).unwrap(), rules);
    }
}
