//! Form: whether a text is what was asked for at all: something, readable, free of a chat template's marks, of its kind.

use std::sync::LazyLock;

use regex::Regex;

use super::Kind;
use super::facts::numerals::is_han_numeral;
use super::text::normalise;
use crate::prompt::{template, thinking};

/// Words that queries of the common languages start a clause with.
static QUERY_WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:select|with|values|insert|update|delete|match|ask|construct)\b").ok()
});

/// What is wrong with the form of an answer; `None` when nothing is.
pub(super) fn malformed(kind: Kind, question: Option<&str>, answer: &str) -> Option<String> {
    unreadable(answer)
        .or_else(|| match kind {
            Kind::Number => {
                let number = |c: char| c.is_numeric() || is_han_numeral(c);
                (!answer.contains(number)).then(|| "no number in it".into())
            }
            Kind::Query => QUERY_WORDS
                .as_ref()
                .is_some_and(|words| !words.is_match(answer))
                .then(|| "no query in it".into()),
            Kind::Open | Kind::Short | Kind::Label => {
                (!says_something(kind, answer)).then(|| "neither letters nor digits in it".into())
            }
        })
        .or_else(|| {
            // Long enough not to be "Paris?" answered by "Paris".
            let echo = question.is_some_and(|q| {
                q.len() > 20 && q.len().abs_diff(answer.len()) < 8 && normalise(q) == normalise(answer)
            });
            echo.then(|| "the answer is the question again".into())
        })
}

/// Letters or digits; a short answer may be a sign: `!=`, `[]`, an emoji. Points, dashes and quotes alone say nothing.
fn says_something(kind: Kind, answer: &str) -> bool {
    let sign = |c: char| !c.is_whitespace() && !".,;:!?…-–—_*#'\"`~“”‘’。、，！？".contains(c);
    let is_sign = kind == Kind::Short && answer.chars().count() <= 8 && answer.contains(sign);
    answer.contains(char::is_alphanumeric) || is_sign
}

/// What makes a text unusable whatever it says: nothing in it, broken characters, marks of a chat template or of a model's thinking.
pub(super) fn unreadable(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("empty".into());
    }
    if let Some(c) = broken(text) {
        return Some(format!("the character U+{:04X} in it", u32::from(c)));
    }
    if let Some(mark) = thinking::mark(text) {
        return Some(format!(
            "`{mark}` of a model's thinking in it: let its server hand thinking out apart, or turn it off"
        ));
    }
    let mark = template::mark(text)?;
    Some(format!("`{mark}` of a chat template in it: {}", template::HELP))
}

/// A character that no writer means: a control character (tabs and line ends are none), or the mark of a letter that was lost. The mark
/// alone, between spaces or signs, is the rest of an emoji that was cut in half, and harms no word.
fn broken(text: &str) -> Option<char> {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let wrong = match c {
            '\n' | '\t' => false,
            '\r' => after != '\n',
            '\u{FFFD}' => before.is_alphanumeric() || after.is_alphanumeric() || after == '\u{FFFD}',
            c => c.is_control(),
        };
        if wrong {
            return Some(c);
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_may_be_a_sign() {
        for answer in ["!=", "[]", "😀", "∅", "||"] {
            assert_eq!(malformed(Kind::Short, None, answer), None, "{answer}");
            assert!(malformed(Kind::Open, None, answer).is_some(), "{answer}");
        }
    }

    #[test]
    fn patterns_compile() {
        assert!(QUERY_WORDS.is_some());
    }

    #[test]
    fn what_was_not_asked_for_is_named() {
        let question = "How many litres does the tank hold?";
        for (kind, answer, part) in [
            (Kind::Open, " \n", "empty"),
            (Kind::Open, "caf\u{FFFD} au lait", "U+FFFD"),
            (Kind::Open, "a\u{0}b", "U+0000"),
            (Kind::Open, "$\u{c}rac{1}{2}$", "U+000C"),
            (Kind::Open, "one \right) two", "U+000D"),
            (Kind::Open, "lost: \u{FFFD}\u{FFFD}", "U+FFFD"),
            (Kind::Open, "<think>It may.</think> It holds much.", "thinking"),
            (Kind::Open, "It holds much.</reasoning>", "thinking"),
            (
                Kind::Open,
                "<think time=\"3s\">It may. It holds much.",
                "<think time=\"3s\">",
            ),
            (
                Kind::Open,
                "&lt;Think&gt;It may.&lt;/Think&gt; It holds much.",
                "&lt;Think&gt;",
            ),
            (Kind::Open, "It holds much.< / THINK >", "thinking"),
            (Kind::Open, "It holds much.<|im_end|>", "<|im_end|>"),
            (Kind::Open, "It holds much.&lt;|IM_END|&gt;", "|IM_END|"),
            (Kind::Open, "It holds much.<｜end▁of▁sentence｜>", "chat template"),
            (Kind::Open, "It holds much.</s>", "</s>"),
            (Kind::Open, "[INST] And now", "[INST]"),
            (Kind::Open, "…?!", "neither letters"),
            (Kind::Short, "…?!", "neither letters"),
            (
                Kind::Open,
                "how many litres does the tank hold?",
                "question again",
            ),
            (Kind::Number, "It holds many.", "no number"),
            (Kind::Query, "I would look in the table.", "no query"),
        ] {
            let wrong = malformed(kind, Some(question), answer).unwrap_or_default();
            assert!(wrong.contains(part), "{answer}: {wrong}");
        }
    }

    #[test]
    fn what_was_asked_for_passes() {
        for (kind, answer) in [
            (Kind::Number, "It holds 12."),
            (Kind::Label, "yes"),
            (Kind::Short, "#7"),
            (Kind::Query, "```sql\nSELECT 1\n```"),
            (
                Kind::Open,
                "Strike it: <s>old</s> new; compare a <| b |> c.\tDone\r\n",
            ),
            (Kind::Open, "Well done \u{FFFD} and on."),
        ] {
            assert_eq!(
                malformed(kind, Some("How many litres does the tank hold?"), answer),
                None,
                "{answer}"
            );
        }
    }
}
