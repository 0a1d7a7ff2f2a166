//! Replies that are JSON objects: what they must look like, and how they are read.

use serde_json::{Map, Value, json};

use crate::chat::OutputSchema;
use crate::job::{NO_CONCEPT, PromptKind};

/// The reply's JSON object: the whole text, or what stands between its first and last brace.
pub fn reply_object(text: &str) -> Option<Map<String, Value>> {
    let whole = serde_json::from_str(text.trim()).ok();
    let braces = || serde_json::from_str(text.get(text.find('{')?..=text.rfind('}')?)?).ok();
    match whole.or_else(braces)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The JSON Schema of a structured reply, strict as endpoints want it: every member required, none beside them. `names` are what a choice is
/// between.
pub fn reply_schema(kind: PromptKind, reasoning: bool, names: &[String]) -> OutputSchema {
    let members: &[(&str, &str)] = match (kind, reasoning) {
        (PromptKind::Answer, true) => &[("reasoning", "string"), ("answer", "string")],
        (PromptKind::Answer, false) => &[("answer", "string")],
        (PromptKind::Rephrase | PromptKind::NewQuestion, _) => &[("question", "string")],
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
