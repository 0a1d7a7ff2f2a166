//! Truncation: answers that stop before their end.
//!
//! The provider's finish reason is the main evidence. Beside it stand structures that were opened and never closed, read so that
//! what people write on purpose passes: "a)", half-open intervals, smileys, `\left( … \right.`.

use super::Kind;
use crate::chat::Finish;

/// Why an answer counts as cut off; `None` when it seems whole.
pub fn truncated(finish: Finish, kind: Kind, text: &str) -> Option<String> {
    match finish {
        Finish::Length => return Some("the token limit was reached".into()),
        Finish::ContentFilter => return Some("the provider's filter cut the answer".into()),
        Finish::Stop | Finish::Other => {}
    }
    unclosed(kind, text).map(|structure| format!("{structure} is never closed"))
}

/// Names the structure that the text leaves open.
pub fn unclosed(kind: Kind, text: &str) -> Option<&'static str> {
    let text = text.trim();
    if fence_open(text) {
        return Some("a code block");
    }
    if text.starts_with(['{', '[']) {
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => return None,
            Err(error) if error.is_eof() => return Some("a JSON value"),
            Err(_) => {}
        }
    }
    match kind {
        Kind::Query => query_open(text),
        Kind::Open | Kind::Short | Kind::Number | Kind::Label => {
            latex_open(text).or_else(|| bracket_open(text).then_some("a bracket"))
        }
    }
}

fn fence_open(text: &str) -> bool {
    let mut open = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            open = !open;
        }
    }
    open
}

fn latex_open(text: &str) -> Option<&'static str> {
    if !text.contains(['\\', '$']) {
        return None;
    }
    let count = |mark: &str| text.matches(mark).count();
    // `\\[2pt]` ends a row of a table: it opens no formula.
    let display = text
        .match_indices("\\[")
        .filter(|&(at, _)| !text[..at].ends_with('\\'))
        .count();
    if count("$$") % 2 == 1 {
        Some("a formula `$$`")
    } else if count("\\begin{") > count("\\end{") {
        Some("a LaTeX environment")
    } else if count("\\(") > count("\\)") || display > count("\\]") {
        Some("a LaTeX formula")
    } else {
        None
    }
}

/// A bracket opened in the last paragraph stays open. Earlier paragraphs were finished by whoever went on writing.
///
/// Round and square brackets close each other, as in `[0, 1)`; code between backticks does not count.
fn bracket_open(text: &str) -> bool {
    let last = text.rfind("\n\n").map_or(text, |at| &text[at..]);
    if !last.contains(['(', '[', '{']) {
        return false;
    }
    let chars: Vec<char> = last.chars().collect();
    let (mut round, mut curly, mut reversed, mut code) = (0_i32, 0_i32, 0_u32, false);
    let mut i = 0;
    while i < chars.len() {
        let before = i.checked_sub(1).map_or(' ', |b| chars[b]);
        let after = chars.get(i + 1).copied().unwrap_or(' ');
        match chars[i] {
            '`' => code = !code,
            _ if code => {}
            '\\' => {
                // An escaped bracket, or the one-sided delimiter of \left and \right, pairs with nothing.
                i += 1 + delimiter_chars(&chars[i + 1..]);
                continue;
            }
            '(' | '[' if smiley(before) || quoted(before, after) => {}
            // French notation for open intervals: ]0, 1[
            '[' if reversed > 0 && !before.is_whitespace() => reversed -= 1,
            '(' | '[' => round += 1,
            ')' | ']' if round > 0 => round -= 1,
            ']' => reversed += 1,
            '{' if !quoted(before, after) => curly += 1,
            '}' => curly = (curly - 1).max(0),
            _ => {}
        }
        i += 1;
    }
    round > 0 || curly > 0
}

fn smiley(before: char) -> bool {
    matches!(before, ':' | ';' | '=')
}

fn quoted(before: char, after: char) -> bool {
    const QUOTES: [char; 6] = ['"', '\'', '“', '”', '‘', '’'];
    QUOTES.contains(&before) && QUOTES.contains(&after)
}

/// Characters after a backslash that belong to it: the escaped one, or a `left`/`right` with its delimiter.
fn delimiter_chars(rest: &[char]) -> usize {
    for word in ["left", "right"] {
        let length = word.len();
        if rest.len() > length && rest.iter().take(length).copied().eq(word.chars()) {
            let escaped = usize::from(rest[length] == '\\');
            let delimiter = rest.get(length + escaped).is_some_and(|c| !c.is_alphanumeric());
            return length + if delimiter { escaped + 1 } else { 0 };
        }
    }
    usize::from(!rest.is_empty())
}

/// A query that starts as one and leaves a text, a comment or a bracket open. Prose around a query is not read.
fn query_open(text: &str) -> Option<&'static str> {
    let first = text
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or_default();
    if !["select", "with", "insert", "update", "delete", "values"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
    {
        return None;
    }
    let bytes = text.as_bytes();
    let (mut depth, mut i) = (0_u32, 0);
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'\'' | b'"' | b'`') => match bytes[i + 1..].iter().position(|b| *b == quote) {
                // A doubled quote closes and opens again, which comes to the same.
                Some(length) => i += length + 1,
                None => return Some("a quoted text"),
            },
            b'-' if bytes.get(i + 1) == Some(&b'-') => {
                i += bytes[i..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .unwrap_or(bytes.len() - i);
                continue;
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => match text[i..].find("*/") {
                Some(length) => i += length + 1,
                None => return Some("a comment"),
            },
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            // What follows the statement is prose.
            b';' if depth == 0 => return None,
            _ => {}
        }
        i += 1;
    }
    (depth > 0).then_some("a bracket of the query")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_finish_reason_decides_first() {
        assert!(truncated(Finish::Length, Kind::Open, "All is well.").is_some());
        assert!(truncated(Finish::ContentFilter, Kind::Open, "All is well.").is_some());
        assert!(truncated(Finish::Stop, Kind::Open, "All is well.").is_none());
    }

    #[test]
    fn open_structures_are_named() {
        for (kind, text, structure) in [
            (Kind::Open, "Run:\n```sh\nmake all", "a code block"),
            (Kind::Open, r#"{"answer": "It is"#, "a JSON value"),
            (Kind::Open, r#"[{"a": 1}, {"a": "#, "a JSON value"),
            (Kind::Open, "The pump (see the diagram on", "a bracket"),
            (Kind::Number, r"So \boxed{12", "a bracket"),
            (Kind::Number, "We get $$x = 2", "a formula `$$`"),
            (Kind::Number, r"Thus \[ x^2 + 1", "a LaTeX formula"),
            (Kind::Number, r"\begin{align} x &= 1 \\", "a LaTeX environment"),
            (
                Kind::Query,
                "SELECT name FROM t WHERE id IN (SELECT id",
                "a bracket of the query",
            ),
            (Kind::Query, "select * from t where name = 'O", "a quoted text"),
            (Kind::Query, "WITH x AS (SELECT 1) /* all of", "a comment"),
        ] {
            assert_eq!(unclosed(kind, text), Some(structure), "{text}");
        }
    }

    #[test]
    fn what_people_write_on_purpose_passes() {
        for (kind, text) in [
            (Kind::Open, "a) first\nb) second"),
            (Kind::Open, "The value lies in [0, 1) or in (2, 3]."),
            (Kind::Open, "L'intervalle est ]0, 1[."),
            (Kind::Open, "That did not work :("),
            (Kind::Open, "Escape the '(' character, or `f(` in code."),
            (Kind::Open, "[1] The manual says so."),
            (Kind::Open, "It costs $5 and $7."),
            (Kind::Open, "First (an aside.\n\nThe rest is whole."),
            (
                Kind::Number,
                r"\left\{ x \right. and \left( y \right. so \{ is fine: 3",
            ),
            (Kind::Number, r"\begin{matrix} 1 \\[2pt] 2 \end{matrix} so 2"),
            (
                Kind::Query,
                "SELECT count(*) FROM t WHERE name = 'O''Brien' -- don't (ask\n",
            ),
            (Kind::Query, "SELECT 1; it's all (you need"),
            (
                Kind::Query,
                "Here's the query you asked for (see below:\n```sql\nSELECT 1\n```",
            ),
            (Kind::Open, r#"{"answer": "(open"}"#),
            (Kind::Open, ""),
        ] {
            assert_eq!(unclosed(kind, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn json_cut_anywhere_is_noticed(value in "[a-z (\\[{]{1,12}", number in 0_u32..9999, cut in 0.0..1.0_f64) {
            let json = serde_json::json!({"answer": value, "n": number, "list": [1, {"x": null}]}).to_string();
            let at = 1 + ((json.len() - 1) as f64 * cut) as usize;
            prop_assert_eq!(unclosed(Kind::Open, &json[..at]), Some("a JSON value"));
            prop_assert_eq!(unclosed(Kind::Open, &json), None);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\PC\\n\\\\(){}\\[\\]`$'\"*/;-]{0,60}") {
            for kind in [Kind::Open, Kind::Query] {
                let reason = unclosed(kind, &text);
                prop_assert!(reason.is_none_or(|name| name.starts_with("a ")));
            }
        }
    }
}
