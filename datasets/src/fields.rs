//! Finding things in a row of any table: a field by its name, and the texts that fields hold.

use std::borrow::Cow;

use gristmill_domain::chat::Role;
use gristmill_domain::seed::conversation::turns;
use gristmill_domain::seed::row;
use serde_json::{Map, Value};

/// A row of a table.
pub(crate) type Object = Map<String, Value>;

/// Columns that hold conversations, in this order.
pub(super) const CONVERSATIONS: [&str; 6] = [
    "messages",
    "conversations",
    "conversation",
    "chat",
    "dialogue",
    "turns",
];
/// Where the provenance of our own datasets stands.
const PROVENANCE: &str = "provenance";

/// A text that tables name in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usual {
    /// What is asked.
    Question,
    /// What is answered.
    Answer,
}

impl Usual {
    /// Fields that it is looked for in, in this order.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Question => &["question", "prompt", "instruction", "problem", "query", "text"],
            Self::Answer => &["answer", "completion", "output", "response", "solution"],
        }
    }

    /// Whose part of a conversation it is.
    fn role(self) -> Role {
        match self {
            Self::Question => Role::User,
            Self::Answer => Role::Assistant,
        }
    }

    /// The field of a row that holds it: `prefer`, or one of its usual names.
    pub(crate) fn find(self, row: &Object, prefer: Option<&str>) -> Option<String> {
        let names = prefer
            .into_iter()
            .chain(self.names().iter().copied())
            .chain(CONVERSATIONS);
        // A job may name a path.
        let mut found = names.filter(|name| value(row, name).is_some());
        found.next().map(str::to_owned)
    }

    /// The field that a row's question goes on in, where `found` holds an instruction alone: without it, instructions for different texts
    /// would be taken for the same.
    pub(crate) fn input(self, row: &Object, found: &str) -> Option<String> {
        let belongs = self == Self::Question && matches!(found, "instruction" | "prompt" | "question");
        ["input", "inputs"]
            .into_iter()
            .find(|name| belongs && matches!(row.get(*name), Some(Value::String(_) | Value::Null)))
            .map(str::to_owned)
    }

    /// What a user can do when no field holds it.
    pub(crate) fn missing(self, row: &Object) -> String {
        format!(
            "none of the fields `{}`, `{}` is there, and the row has {}",
            self.names().join("`, `"),
            CONVERSATIONS.join("`, `"),
            names(row)
        )
    }
}

/// The value of a field: by its whole name, or by a path as in `seeds.fields`.
pub(crate) fn value<'a>(row: &'a Object, field: &str) -> Option<Cow<'a, Value>> {
    row::value(row, field)
}

/// The text of a field: texts of a list are joined, and of a conversation `role`'s parts are taken.
pub(crate) fn text(row: &Object, field: &str, usual: Usual) -> Result<String, String> {
    let found = value(row, field)
        .ok_or_else(|| format!("there is no field `{field}`; the row has {}", names(row)))?;
    text_of(&found, Some(usual.role()))
        .ok_or_else(|| format!("field `{field}` holds neither a text nor a list of texts or messages"))
}

fn text_of(value: &Value, role: Option<Role>) -> Option<String> {
    if let Some(turns) = role.and_then(|_| turns(value)) {
        let said = turns.into_iter().filter(|turn| turn.role == role);
        return Some(said.map(|turn| turn.text).collect::<Vec<_>>().join("\n"));
    }
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(items) => {
            let nested = |item: &&Value| matches!(item, Value::Array(_) | Value::Object(_));
            if items.iter().any(|item| nested(&item)) {
                return None;
            }
            let parts: Option<Vec<String>> = items.iter().map(|item| text_of(item, role)).collect();
            Some(parts?.join("\n"))
        }
        Value::Object(_) => None,
    }
}

/// Cuts off the passage that stands before a question in a message of ours; true if there was one.
pub(crate) fn cut_passage(row: &Object, text: &mut String) -> bool {
    let chars = value(row, "provenance.passage_chars")
        .and_then(|chars| chars.as_u64())
        .unwrap_or(0);
    let start = text.char_indices().nth(chars as usize).map(|(at, _)| at);
    match start {
        Some(start) if chars > 0 => {
            text.drain(..start);
            true
        }
        Some(_) | None => false,
    }
}

/// The values that a row is counted under: those of a field, or of the field of that name in the provenance. `concept` is found as
/// `concepts`, too. Empty where there is none.
pub(crate) fn labels(row: &Object, field: &str) -> Vec<String> {
    let plural = format!("{field}s");
    let places = [
        field.to_owned(),
        plural.clone(),
        format!("{PROVENANCE}.{field}"),
        format!("{PROVENANCE}.{plural}"),
    ];
    let found = places
        .iter()
        .filter_map(|place| value(row, place))
        .find(|value| !value.is_null());
    let one = |value: &Value| text_of(value, None).filter(|text| !text.is_empty());
    match found.as_deref() {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(single) => one(single).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The vector of a field.
pub(crate) fn vector(row: &Object, field: &str) -> Result<Vec<f32>, String> {
    let found = value(row, field)
        .ok_or_else(|| format!("there is no field `{field}`; the row has {}", names(row)))?;
    let items = found
        .as_array()
        .ok_or_else(|| format!("field `{field}` holds no list of numbers"))?;
    items
        .iter()
        .map(|item| item.as_f64().map(|number| number as f32))
        .collect::<Option<Vec<f32>>>()
        .filter(|vector| !vector.is_empty() && vector.iter().all(|x| x.is_finite()))
        .ok_or_else(|| format!("field `{field}` holds something other than finite numbers"))
}

fn names(row: &Object) -> String {
    let names: Vec<String> = row.keys().take(12).map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Object {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn usual_fields_are_found_and_others_named() {
        let ours = row(
            r#"{"messages": [{"role": "user", "content": " Why? "}, {"role": "assistant", "content": "So."}],
                "provenance": {"strategy": "rephrasing", "concepts": ["a", "b"], "mutators": ["style:plain"], "seed_id": null}}"#,
        );
        let field = Usual::Question.find(&ours, None).unwrap();
        assert_eq!(text(&ours, &field, Usual::Question).unwrap(), "Why?");
        assert_eq!(text(&ours, "messages", Usual::Answer).unwrap(), "So.");
        assert_eq!(labels(&ours, "strategy"), ["rephrasing"]);
        assert_eq!(labels(&ours, "concept"), ["a", "b"]);
        assert_eq!(labels(&ours, "mutator"), ["style:plain"]);
        assert_eq!(labels(&ours, "seed_id"), [""; 0]);
        let other = row(r#"{"a.b": 1, "a": {"c": {"d": ["x", "y"]}}}"#);
        assert_eq!(text(&other, "a.b", Usual::Question).unwrap(), "1");
        assert_eq!(text(&other, "a.c.d", Usual::Question).unwrap(), "x\ny");
        assert!(text(&other, "a.c", Usual::Question).is_err());
        assert!(Usual::Question.find(&other, None).is_none());
        assert!(text(&other, "z", Usual::Question).unwrap_err().contains("`a`"));
    }

    #[test]
    fn conversations_of_other_tools_and_inputs_are_read() {
        let sharegpt = row(
            r#"{"id": 1, "conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}"#,
        );
        let field = Usual::Question.find(&sharegpt, None).unwrap();
        assert_eq!(text(&sharegpt, &field, Usual::Question).unwrap(), "Why?");
        assert_eq!(text(&sharegpt, &field, Usual::Answer).unwrap(), "So.");
        assert_eq!(
            text(&sharegpt, "conversations.assistant", Usual::Question).unwrap(),
            "So."
        );
        let alpaca = row(r#"{"instruction": "Name the noun.", "input": "It boils.", "output": "none"}"#);
        let field = Usual::Question.find(&alpaca, None).unwrap();
        assert_eq!(Usual::Question.input(&alpaca, &field).as_deref(), Some("input"));
        assert_eq!(Usual::Answer.input(&alpaca, "output"), None);
        assert_eq!(Usual::Question.input(&sharegpt, "conversations"), None);
    }

    #[test]
    fn vectors_are_lists_of_finite_numbers() {
        assert_eq!(vector(&row(r#"{"v": [1, 0.5]}"#), "v").unwrap(), [1.0, 0.5]);
        for wrong in [
            r#"{"v": []}"#,
            r#"{"v": [1, null]}"#,
            r#"{"v": "1,2"}"#,
            r#"{"v": [1e300]}"#,
            "{}",
        ] {
            assert!(vector(&row(wrong), "v").is_err(), "{wrong}");
        }
    }
}
