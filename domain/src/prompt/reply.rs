//! Replies that are JSON objects: what they must look like, and how they are read.

use std::cmp::Reverse;

use serde_json::{Map, Value};

use crate::chat::OutputSchema;
use crate::json;

/// Texts that hold JSON, within each other, that are looked into.
const TEXTS_MAX: usize = 3;

/// The reply's JSON object, wherever it stands: the one with the most of the members that were asked for; of several, the outermost; of
/// those, the last, for a reply of several is one that corrected itself.
///
/// Models wrap it (`{"response": {…}}`), call a tool with it, and write it as a JSON text. Texts are looked into only where no object outside
/// of them has any of the members: what an answer quotes is never taken for the answer.
pub fn reply_object(text: &str, asked: Option<&OutputSchema>) -> Option<Map<String, Value>> {
    let members = asked.map(required).unwrap_or_default();
    let mut objects = objects(text);
    if members.is_empty() {
        return objects.pop();
    }
    within(text, &objects, &members, TEXTS_MAX).or_else(|| objects.pop())
}

/// The same for a reply whose members only the prompt named; all of them are texts, numbers or truth values. `None` where none has any.
pub fn object_with(text: &str, names: &[&str]) -> Option<Map<String, Value>> {
    let members: Vec<Member> = names.iter().map(|name| Member { name, is_plain: true }).collect();
    within(text, &objects(text), &members, TEXTS_MAX)
}

fn objects(text: &str) -> Vec<Map<String, Value>> {
    json::objects(text).map(|(_, object)| object).collect()
}

/// A member that was asked for.
struct Member<'a> {
    name: &'a str,
    /// It is neither an object nor a list.
    is_plain: bool,
}

impl Member<'_> {
    /// Whether an object has a member that can be this one: a wrapper may have its name, too.
    fn is_given(&self, object: &Map<String, Value>) -> bool {
        object
            .get(self.name)
            .is_some_and(|value| !(self.is_plain && matches!(value, Value::Object(_) | Value::Array(_))))
    }
}

/// The best object that has any of the members, among these of a text, in them, or in the texts.
fn within(
    text: &str,
    objects: &[Map<String, Value>],
    members: &[Member<'_>],
    texts: usize,
) -> Option<Map<String, Value>> {
    let mut found = Vec::new();
    for object in objects {
        nested(object, 0, &mut found);
    }
    let best = found
        .into_iter()
        .map(|(depth, object)| {
            let has = members.iter().filter(|member| member.is_given(object)).count();
            ((has, Reverse(depth)), object)
        })
        .max_by_key(|(rank, _)| *rank)
        .filter(|((has, _), _)| *has > 0);
    if let Some((_, object)) = best {
        return Some(object.clone());
    }
    let texts = texts.checked_sub(1)?;
    let quoted: Vec<String> = json::quoted_objects(text).collect();
    quoted
        .iter()
        .rev()
        .find_map(|text| within(text, &self::objects(text), members, texts))
}

/// An object and those within it, with their depth.
fn nested<'a>(
    object: &'a Map<String, Value>,
    depth: usize,
    found: &mut Vec<(usize, &'a Map<String, Value>)>,
) {
    found.push((depth, object));
    let mut inside: Vec<&Value> = object.values().collect();
    while let Some(value) = inside.pop() {
        match value {
            Value::Object(object) => nested(object, depth + 1, found),
            Value::Array(items) => inside.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The members that a schema requires.
fn required(schema: &OutputSchema) -> Vec<Member<'_>> {
    let names = schema.schema.get("required").and_then(Value::as_array);
    let member = |name| Member {
        name,
        is_plain: matches!(
            schema.schema["properties"][name]["type"].as_str(),
            Some("string" | "boolean" | "number" | "integer")
        ),
    };
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(member)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reply::Reply;

    fn asked(reasoning: bool) -> OutputSchema {
        Reply::default().with_answer(reasoning).schema()
    }

    #[test]
    fn the_object_that_was_asked_for_is_found() {
        let asked = asked(true);
        let read = |text: &str| reply_object(text, Some(&asked)).map(Value::Object);
        let wanted = json!({"reasoning": "sum", "answer": "4"});
        for text in [
            r#"{"reasoning": "sum", "answer": "4"}"#,
            r#"I use {"type": "object"}. {"reasoning": "sum", "answer": "4"} and {"note": 1}"#,
            r#"{"reasoning": "?", "answer": "5"} No: {"reasoning": "sum", "answer": "4"}"#,
            "The set {1, 2}.\n```json\n{\"reasoning\": \"sum\", \"answer\": \"4\"}\n```\nHere {braces} are a note.",
        ] {
            assert_eq!(read(text), Some(wanted.clone()), "{text}");
        }
        for text in [
            r#"{"response": {"reasoning": "sum", "answer": "4"}}"#,
            r#"{"answer": {"reasoning": "sum", "answer": "4"}}"#,
            r#"{"data": [{"result": {"reasoning": "sum", "answer": "4"}}]}"#,
            r#"{"reasoning": "I wrap it", "response": {"reasoning": "sum", "answer": "4"}}"#,
            r#"<tool_call>{"name": "answer", "arguments": {"reasoning": "sum", "answer": "4"}}</tool_call>"#,
            r#"<tool_call>{"name": "answer", "arguments": "{\"reasoning\": \"sum\", \"answer\": \"4\"}"}</tool_call>"#,
            r#""{\"reasoning\": \"sum\", \"answer\": \"4\"}""#,
            "```json\n\"{\\n  \\\"reasoning\\\": \\\"sum\\\",\\n  \\\"answer\\\": \\\"4\\\"\\n}\"\n```",
            r#"{"content": "```json\n{\"reasoning\": \"sum\", \"answer\": \"4\"}\n```"}"#,
            r#"{"call": "{\"arguments\": \"{\\\"reasoning\\\": \\\"sum\\\", \\\"answer\\\": \\\"4\\\"}\"}"}"#,
            r#"{"reasoning": "sum", "answer": "4"} as in {"note": {"reasoning": "?", "answer": "5"}}"#,
        ] {
            assert_eq!(read(text), Some(wanted.clone()), "{text}");
            let named = object_with(text, &["reasoning", "answer"]).map(Value::Object);
            assert_eq!(named, Some(wanted.clone()), "{text}");
        }
        assert_eq!(read("{1, 2}"), None);
        assert_eq!(read("{\"answer\": \"4"), None, "cut short");
        assert_eq!(
            reply_object("{\"a\": 1}", None).map(Value::Object),
            Some(json!({"a": 1}))
        );
    }

    #[test]
    fn what_an_answer_quotes_is_never_taken_for_it() {
        let asked = asked(true);
        let read = |text: &str| reply_object(text, Some(&asked)).map(Value::Object);
        let decoy = r#"{"reasoning": "?", "answer": "5"}"#;
        for object in [
            json!({"reasoning": decoy, "answer": "4"}),
            json!({"answer": decoy}),
            json!({"reasoning": "sum", "answer": "4", "example": {"reasoning": "?", "answer": "5"}}),
        ] {
            assert_eq!(read(&object.to_string()), Some(object.clone()));
            let wrapped = json!({"response": object, "note": decoy});
            assert_eq!(read(&wrapped.to_string()), Some(object.clone()), "{wrapped}");
            let call = json!({"name": "answer", "arguments": object.to_string()});
            assert_eq!(read(&call.to_string()), Some(object), "{call}");
        }
        assert_eq!(object_with(decoy, &["concept"]), None);
        let none = json!({"note": format!("It might be {decoy}")});
        assert_eq!(read(&none.to_string()), Some(none), "prose holds no reply");
    }

    #[test]
    fn latex_comes_out_of_a_text_in_a_text() {
        let asked = asked(false);
        let wanted = json!({"answer": r"$\frac{1}{2} \times \beta$"});
        for text in [
            json!({"arguments": wanted.to_string()}).to_string(),
            r#""{\"answer\": \"$\frac{1}{2} \times \beta$\"}""#.to_owned(),
            r#""{\"answer\": \"$\\frac{1}{2} \\times \\beta$\"}""#.to_owned(),
        ] {
            assert_eq!(
                reply_object(&text, Some(&asked)).map(Value::Object),
                Some(wanted.clone()),
                "{text}"
            );
        }
    }
}
