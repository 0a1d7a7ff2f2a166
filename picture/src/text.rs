//! Texts that nobody vouches for, made safe to show.

use std::fmt::Write;

use serde_json::Value;

/// A text without what rewrites the line it stands in: control characters, but for line ends and tabs, and marks of direction.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|&c| {
            let harmless = !c.is_control() || matches!(c, '\n' | '\t');
            // Bidirectional controls (Unicode UAX #9), and characters that are not seen.
            let seen = !matches!(
                c,
                '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            );
            harmless && seen
        })
        .collect()
}

/// The beginning of a text, at most so many characters, clean, with an ellipsis where something is left out.
pub fn cut(text: &str, most: usize) -> String {
    // A text of a gigabyte is not walked through for its first line.
    let mut start: String = clean(
        &text
            .chars()
            .take(most.saturating_mul(2).max(most + 1))
            .collect::<String>(),
    );
    if start.chars().count() > most || text.chars().nth(most.saturating_mul(2)).is_some() {
        start = start.chars().take(most).collect();
        start.push('…');
    }
    start
}

/// A text inside of an element or of an attribute in quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Every text in a value, clean.
pub(crate) fn clean_all(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_all),
        Value::Object(members) => members.values_mut().for_each(clean_all),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A coordinate, short: one place behind the point.
pub(crate) fn push_number(text: &mut String, number: f64) {
    let rounded = (number * 10.0).round() / 10.0;
    // Writing to a text cannot fail. A negative zero would be written with its sign.
    let _written = write!(text, "{}", if rounded == 0.0 { 0.0 } else { rounded });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_acts() {
        let hostile = "<script>alert(1)</script>\u{202e}\"'&\u{0007}";
        assert_eq!(
            escape(hostile),
            "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"
        );
        assert_eq!(clean("a\u{2066}b\nc\u{200b}"), "ab\nc");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
    }

    #[test]
    fn long_texts_are_cut_and_short_ones_stay() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc…");
        assert_eq!(cut(&"ä".repeat(1_000), 4), "ääää…");
        assert_eq!(cut("", 3), "");
    }
}
