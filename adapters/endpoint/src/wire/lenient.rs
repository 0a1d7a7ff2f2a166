//! Reading members that servers write in several ways. Nothing here fails: what cannot be read counts as not sent.

use gristmill_domain::json;
use serde_json::Value;

/// Largest count that is believed to be one; beyond it only sums would overflow.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// A number of tokens: an integer, a float (rounded up), or either as text.
pub(super) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| rounded_up(number.as_f64()?))
            .map(|count| count.min(COUNT_MAX)),
        Value::String(text) => {
            let text = text.trim().replace(['_', ','], "");
            rounded_up(text.parse().ok()?)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn rounded_up(number: f64) -> Option<u64> {
    (number.is_finite() && number >= 0.0).then(|| number.ceil().min(COUNT_MAX as f64) as u64)
}

/// The largest count among members, each named by its path.
pub(super) fn largest(object: &Value, paths: &[&str]) -> Option<u64> {
    paths
        .iter()
        .filter_map(|path| object.pointer(path).and_then(count))
        .max()
}

/// A text and the thinking that came with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) thinking: String,
}

/// What a `content` holds: a text, a list of parts, one part, or an object that is itself the answer.
pub(super) fn content(value: &Value) -> Content {
    let mut content = Content::default();
    content.add(value);
    content
}

impl Content {
    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
                let inner = ["text", "content", "thinking", "reasoning", "refusal"]
                    .iter()
                    .find_map(|name| part.get(*name).filter(|inner| !inner.is_null()));
                match inner {
                    Some(inner) if kind.contains("thinking") || kind.contains("reasoning") => {
                        self.thinking.push_str(&self::content(inner).text);
                    }
                    Some(inner) if !kind.is_empty() || part.len() == 1 => self.add(inner),
                    // No part at all: the answer as an object instead of its text.
                    _ if kind.is_empty() => self.text.push_str(&value.to_string()),
                    _ => {}
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The arguments of a tool: a text of JSON, or the object itself.
pub(super) fn arguments(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(_) => Some(value.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// A body's JSON. Bytes that are not UTF-8 are replaced, and what is almost JSON is read.
pub(super) fn body(bytes: &[u8]) -> Result<Value, String> {
    json::parse(&String::from_utf8_lossy(bytes)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_in_every_form() {
        for (value, wanted) in [
            (json!(223), Some(223)),
            (json!(223.0), Some(223)),
            (json!(222.5), Some(223)),
            (json!("223"), Some(223)),
            (json!(" 1,223.0 "), Some(1223)),
            (json!(1e300), Some(COUNT_MAX)),
            (json!(-5), None),
            (json!(null), None),
            (json!(true), None),
            (json!("many"), None),
            (json!([223]), None),
        ] {
            assert_eq!(count(&value), wanted, "{value}");
        }
    }

    #[test]
    fn content_is_read_in_every_form() {
        let read = |value: Value| {
            let content = content(&value);
            (content.text, content.thinking)
        };
        let both = |text: &str, thinking: &str| (text.to_owned(), thinking.to_owned());
        assert_eq!(read(json!("four")), both("four", ""));
        assert_eq!(read(json!(null)), both("", ""));
        assert_eq!(
            read(json!([{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}])),
            both("four", "")
        );
        assert_eq!(read(json!(["fo", "ur"])), both("four", ""));
        assert_eq!(read(json!({"type": "text", "text": "four"})), both("four", ""));
        assert_eq!(
            read(json!({"answer": "4", "reasoning": "2+2"})),
            both(r#"{"answer":"4","reasoning":"2+2"}"#, "")
        );
        assert_eq!(
            read(json!([
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": true},
                {"type": "reasoning", "text": null},
                {"type": "output_text", "text": "four", "annotations": []},
                {"type": "image_url", "image_url": {"url": "x"}},
            ])),
            both("four", "hm")
        );
    }
}
