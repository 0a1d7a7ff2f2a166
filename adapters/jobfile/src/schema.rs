//! The JSON Schema of a job.

use std::sync::LazyLock;

use gristmill_domain::job::Job;
use serde_json::{Value, json};

/// As it is derived from the types.
pub(crate) fn raw() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Job).to_value());
    &SCHEMA
}

/// The JSON Schema (draft 2020-12) of a job file, for editors: titles, descriptions, defaults, and an example.
///
/// It refuses unknown keys, as [`load`](crate::load()) does; `load` also takes a section with nothing under it for its defaults.
pub fn schema() -> Value {
    let mut schema = raw().clone();
    finish(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "Gristmill job".into());
        root.insert(
            "description".into(),
            "Real seeds and a hard budget in; a filtered, traceable dataset out.".into(),
        );
        root.insert("examples".into(), json!([example()]));
    }
    schema
}

/// The short job that the defaults complete.
fn example() -> Value {
    json!({
        "seeds": {"path": "seeds.jsonl"},
        "teacher": {"base_url": "https://api.example.com/v1", "model": "teacher-large", "key_env": "TEACHER_KEY", "price": {"input": 0.5, "output": 1.5}},
        "filter": {"validator": {"kind": "number"}},
        "budget": {"usd": 5},
    })
}

/// Closes objects with named keys (flattened parts leave them open), turns line breaks of doc comments into spaces and their links into
/// names, and writes single-precision defaults as short as they were meant.
pub(crate) fn finish(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let named = members.get("properties").is_some_and(Value::is_object);
            if named
                && !members.contains_key("additionalProperties")
                && members.get("type") == Some(&json!("object"))
            {
                members.remove("unevaluatedProperties");
                members.insert("additionalProperties".into(), false.into());
            }
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            members.values_mut().for_each(finish);
        }
        Value::Array(items) => items.iter_mut().for_each(finish),
        Value::Number(number) => {
            let short = number.as_f64().map(|wide| (wide, wide as f32));
            if let Some((wide, narrow)) = short
                && f64::from(narrow).to_bits() == wide.to_bits()
                && let Ok(written) = narrow.to_string().parse::<f64>()
                && let Some(shorter) = serde_json::Number::from_f64(written)
                && !number.is_i64()
                && !number.is_u64()
            {
                *number = shorter;
            }
        }
        _ => {}
    }
}
