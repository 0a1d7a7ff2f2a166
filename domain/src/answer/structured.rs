//! Finding the machine-readable part of a completion: a JSON object's field, or fenced code.

use serde_json::Value;

/// One fenced block of Markdown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fence<'a> {
    /// The word after the opening fence, lower-cased; empty when there is none.
    pub(super) language: String,
    /// What stands between the fences.
    pub(super) body: &'a str,
}

/// All closed fences, and a last unclosed one, in order.
pub(super) fn fences(text: &str) -> Vec<Fence<'_>> {
    const MARK: &str = "```";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(MARK) {
        let inside = &rest[open + MARK.len()..];
        let close = inside.find(MARK).unwrap_or(inside.len());
        let block = &inside[..close];
        let word = block
            .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
            .unwrap_or(block.len());
        // A language stands alone on the opening line; otherwise the word is already code.
        let alone = block[word..].lines().next().is_some_and(|l| l.trim().is_empty());
        let (language, body) = if alone { block.split_at(word) } else { ("", block) };
        found.push(Fence {
            language: language.to_lowercase(),
            body: body.trim(),
        });
        rest = inside.get(close + MARK.len()..).unwrap_or("");
    }
    found
}

/// The first of the keys (case-insensitive, in the given order) that a JSON object in the text has, as text.
///
/// The object may be the whole text, stand in a fence, or reach from the first `{` to the last `}`.
pub(super) fn field(text: &str, keys: &[&str]) -> Option<String> {
    let braces = text
        .find('{')
        .zip(text.rfind('}'))
        .and_then(|(open, close)| text.get(open..=close));
    let fenced = fences(text);
    std::iter::once(text.trim())
        .chain(fenced.iter().rev().map(|fence| fence.body))
        .chain(braces)
        .filter(|candidate| candidate.starts_with('{'))
        .filter_map(|candidate| serde_json::from_str::<Value>(candidate).ok())
        .find_map(|value| pick(&value, keys))
}

/// The JSON value of a text: the whole of it, or of its last fence that holds one, or what reaches from the first bracket to the last.
pub(crate) fn json(text: &str) -> Option<Value> {
    let between = |open: char, close: char| {
        let (start, end) = text.find(open).zip(text.rfind(close))?;
        text.get(start..=end)
    };
    let fenced = fences(text);
    // Whichever bracket opens first holds the other.
    let mut bracketed = [between('{', '}'), between('[', ']')];
    bracketed.sort_by_key(|part| std::cmp::Reverse(part.map(str::len)));
    std::iter::once(text.trim())
        .chain(fenced.iter().rev().map(|fence| fence.body))
        .chain(bracketed.into_iter().flatten())
        .find_map(|candidate| serde_json::from_str(candidate).ok())
}

fn pick(value: &Value, keys: &[&str]) -> Option<String> {
    let object = value.as_object()?;
    keys.iter().find_map(|key| {
        let (_, value) = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_keep_order_language_and_an_unclosed_tail() {
        let found = fences("a ```sql\nSELECT 1\n``` b ```x = 1``` c ```\nlast");
        let seen: Vec<_> = found.iter().map(|f| (f.language.as_str(), f.body)).collect();
        assert_eq!(seen, [("sql", "SELECT 1"), ("", "x = 1"), ("", "last")]);
    }

    #[test]
    fn a_value_is_found_bare_fenced_and_in_prose() {
        for (text, value) in [
            (" [1, 2] ", Some("[1,2]")),
            ("42", Some("42")),
            ("Say:\n```json\n{\"a\": [1]}\n```\nDone.", Some("{\"a\":[1]}")),
            ("It is {\"a\": [1]}.", Some("{\"a\":[1]}")),
            ("It is [{\"a\": 1}, {}].", Some("[{\"a\":1},{}]")),
            ("It is {a}.", None),
            ("", None),
        ] {
            let found = json(text).map(|value| value.to_string());
            assert_eq!(found.as_deref(), value, "{text}");
        }
    }

    #[test]
    fn fields_are_found_bare_fenced_and_in_prose() {
        for text in [
            r#"{"Answer": 42, "why": "x"}"#,
            "Sure:\n```json\n{\"answer\": \"42\"}\n```",
            "I conclude {\"answer\": \"42\"} as asked.",
        ] {
            assert_eq!(field(text, &["label", "answer"]).as_deref(), Some("42"), "{text}");
        }
        assert_eq!(field(r#"{"answer": null}"#, &["answer"]), None);
        assert_eq!(field("{not json}", &["answer"]), None);
    }
}
