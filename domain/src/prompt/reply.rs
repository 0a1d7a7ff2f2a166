//! Replies that are JSON objects: what they must look like, and how they are read.

use serde_json::{Map, Value, json};

use crate::chat::OutputSchema;
use crate::job::{NO_CONCEPT, PromptKind};
use crate::json;

/// The reply's JSON object, wherever it stands: the last one that has all the members that were asked for, or else the last with some of
/// them. A reply of several is one that corrected itself.
pub fn reply_object(text: &str, asked: Option<&OutputSchema>) -> Option<Map<String, Value>> {
    let names: Vec<&str> = asked.map(required).unwrap_or_default();
    let has = |object: &Map<String, Value>| names.iter().filter(|name| object.contains_key(**name)).count();
    json::objects(text)
        .map(|(_, object)| (has(&object), object))
        .max_by_key(|(found, _)| *found)
        .map(|(_, object)| object)
}

/// The members that a schema requires.
fn required(schema: &OutputSchema) -> Vec<&str> {
    schema
        .schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// The JSON Schema of a structured reply, strict as endpoints want it: every member required, none beside them. `names` are what a choice is
/// between; with `answered`, a new question or the verdict on one comes with an answer.
pub fn reply_schema(kind: PromptKind, reasoning: bool, answered: bool, names: &[String]) -> OutputSchema {
    let members: &[(&str, &str)] = match (kind, reasoning) {
        (PromptKind::NewQuestion, true) if answered => &[
            ("question", "string"),
            ("reasoning", "string"),
            ("answer", "string"),
        ],
        (PromptKind::NewQuestion, false) if answered => &[("question", "string"), ("answer", "string")],
        (PromptKind::Answer, true) => &[("reasoning", "string"), ("answer", "string")],
        (PromptKind::Answer, false) => &[("answer", "string")],
        (PromptKind::Rephrase | PromptKind::NewQuestion, _) => &[("question", "string")],
        (PromptKind::Verify, true) if answered => &[
            ("reasoning", "string"),
            ("answerable", "boolean"),
            ("reason", "string"),
            ("answer", "string"),
        ],
        (PromptKind::Verify, false) if answered => &[
            ("answerable", "boolean"),
            ("reason", "string"),
            ("answer", "string"),
        ],
        (PromptKind::Verify, _) => &[("answerable", "boolean"), ("reason", "string")],
        (PromptKind::Judge, _) => &[
            ("relevant", "boolean"),
            ("substantial", "boolean"),
            ("useful", "boolean"),
            ("clear", "boolean"),
            ("expert", "boolean"),
            ("correct", "boolean"),
            ("reason", "string"),
        ],
        (PromptKind::Assign, _) => &[("concept", "string")],
    };
    let mut properties: Map<_, _> = members
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind })))
        .collect();
    if kind == PromptKind::Assign {
        let all: Vec<&str> = names.iter().map(String::as_str).chain([NO_CONCEPT]).collect();
        properties["concept"]["enum"] = json!(all);
    }
    let required: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    let name = match kind {
        PromptKind::Answer => "answer",
        PromptKind::Rephrase | PromptKind::NewQuestion => "question",
        PromptKind::Verify => "verification",
        PromptKind::Judge => "judgement",
        PromptKind::Assign => "assignment",
    };
    OutputSchema {
        name: name.into(),
        schema: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_that_was_asked_for_is_found() {
        let asked = reply_schema(PromptKind::Answer, true, false, &[]);
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
        assert_eq!(read("{1, 2}"), None);
        assert_eq!(read("{\"answer\": \"4"), None, "cut short");
        assert_eq!(
            reply_object("{\"a\": 1}", None).map(Value::Object),
            Some(json!({"a": 1}))
        );
    }
}
