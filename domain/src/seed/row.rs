//! A row of a table as a seed: which of its columns hold what, in every layout that is in use.
//!
//! A field names a column, or a path of names joined by dots: into objects (`answers.text`), into lists by number (`answers.0`), and into
//! conversations by who speaks (`messages.user`, `messages.assistant`).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::choices::{self, Choice};
use super::conversation::{self, exchange, turns};
use crate::chat::Role;
use crate::job::Fields;

/// Columns that are named in a message at most.
const NAMED: usize = 12;
/// Characters of a value that a message shows at most.
const SHOWN_CHARS: usize = 60;

/// What a row says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedRow {
    /// The question, with its input and its options.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Reasoning that stands apart.
    pub reasoning: Option<String>,
    /// References; empty only where the job says that there are none.
    pub references: Vec<String>,
    /// The passage.
    pub context: Option<String>,
    /// Concept labels.
    pub concepts: Vec<String>,
    /// Source document.
    pub source: Option<String>,
    /// Database.
    pub database: Option<String>,
}

/// The value that a path leads to; `None` where it leads nowhere.
pub fn value<'a>(row: &'a Map<String, Value>, path: &str) -> Option<Cow<'a, Value>> {
    if let Some(value) = row.get(path) {
        return Some(Cow::Borrowed(value));
    }
    let (first, rest) = path.split_once('.')?;
    step(row.get(first)?, rest)
}

fn step<'a>(from: &'a Value, path: &str) -> Option<Cow<'a, Value>> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let further = |value: &'a Value| match rest {
        Some(rest) => step(value, rest),
        None => Some(Cow::Borrowed(value)),
    };
    if let (Some(role), None) = (conversation::role(first), rest)
        && let Some(turns) = turns(from)
    {
        let said = exchange(&turns);
        return Some(Cow::Owned(Value::String(match role {
            Role::User => said.question,
            Role::Assistant => said.answer,
            Role::System => said.system,
        })));
    }
    match from {
        Value::Object(members) => match members.get(path) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => further(members.get(first)?),
        },
        Value::Array(items) => match first.parse::<usize>() {
            Ok(at) => further(items.get(at)?),
            // A member of every object in a list.
            Err(_) => {
                let found: Vec<Value> = items
                    .iter()
                    .filter_map(|item| step(item, path).map(Cow::into_owned))
                    .collect();
                (!found.is_empty()).then_some(Cow::Owned(Value::Array(found)))
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Columns that together are found in a run's `rejected.parquet` alone.
const OF_REJECTED: [&str; 5] = ["reason", "stage", "seed_id", "cost_usd_micros", "task_ids"];

/// True for a row of our own datasets that a model wrote, rejected ones included. Such a row is no real example, whatever file it stands in.
pub fn is_synthetic(row: &Map<String, Value>) -> bool {
    let written = value(row, "provenance.origin").is_some_and(|origin| origin.as_str() == Some("synthetic"));
    written || OF_REJECTED.iter().all(|column| row.contains_key(*column))
}

/// The columns that a job names and that a row need not have, with the field that names each.
pub fn optional(fields: &Fields) -> Vec<(&'static str, &str)> {
    let all = [
        ("input", fields.input.as_deref()),
        ("reasoning", fields.reasoning.as_deref()),
        ("context", fields.context.as_deref()),
        ("concept", fields.concept.as_deref()),
        ("source", fields.source.as_deref()),
        ("database", fields.database.as_deref()),
    ];
    all.into_iter()
        .filter_map(|(field, column)| Some((field, column?)))
        .collect()
}

/// Reads a row.
///
/// # Errors
/// What is missing or cannot be read, naming the column.
pub fn read(row: &Map<String, Value>, fields: &Fields) -> Result<SeedRow, String> {
    let mut question = required(row, &fields.question, "question")?;
    let mut context = optional_texts(row, fields.context.as_deref())?;
    if let Some(passage) = cut_passage(row, &mut question)
        && fields.context.is_none()
    {
        context.push(passage);
    }
    let input = optional_texts(row, fields.input.as_deref())?.join("\n\n");
    if !input.is_empty() {
        question = format!("{question}\n\n{input}");
    }
    let reasoning = optional_texts(row, fields.reasoning.as_deref())?.join("\n");
    let answer = if fields.choices.is_empty() {
        let answer = required(row, &fields.answer, "answer")?;
        without_reasoning(answer, &reasoning)
    } else {
        let choices = options(row, &fields.choices)?;
        let chosen = chosen(row, fields, &choices)?;
        question = choices::shown(&question, &choices);
        choices[chosen].text.clone()
    };
    let references = match fields.references.as_deref() {
        _ if !fields.has_references() => Vec::new(),
        None => vec![answer.clone()],
        Some(column) => {
            let found = texts(column, present(row, column)?.as_ref())?;
            if found.is_empty() {
                return Err(format!("`{column}` is empty"));
            }
            found
        }
    };
    let first = |column: Option<&str>| -> Result<Option<String>, String> {
        Ok(optional_texts(row, column)?.into_iter().next())
    };
    Ok(SeedRow {
        question,
        answer,
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        references,
        context: (!context.is_empty()).then(|| context.join("\n\n")),
        concepts: optional_texts(row, fields.concept.as_deref())?,
        source: first(fields.source.as_deref())?,
        database: first(fields.database.as_deref())?,
    })
}

/// The value of a column that a row must have.
fn present<'a>(row: &'a Map<String, Value>, column: &str) -> Result<Cow<'a, Value>, String> {
    value(row, column).ok_or_else(|| {
        let names: Vec<&str> = row.keys().map(String::as_str).take(NAMED).collect();
        format!("there is no column `{column}`; the row has {}", names.join(", "))
    })
}

/// The first text of a column that must be there and must not be empty.
fn required(row: &Map<String, Value>, column: &str, what: &str) -> Result<String, String> {
    let first = texts(column, present(row, column)?.as_ref())?
        .into_iter()
        .next()
        .unwrap_or_default();
    if first.is_empty() {
        return Err(format!("the {what} in column `{column}` is empty"));
    }
    Ok(first)
}

/// The texts of a column that a row may lack.
fn optional_texts(row: &Map<String, Value>, column: Option<&str>) -> Result<Vec<String>, String> {
    match column.and_then(|column| Some((column, value(row, column)?))) {
        Some((column, value)) => texts(column, &value),
        None => Ok(Vec::new()),
    }
}

/// The texts of a value, those left out that are empty.
fn texts(column: &str, value: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(Some(text.trim().to_owned())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::Null => Ok(None),
        Value::Array(_) => Err(format!("column `{column}` holds lists within a list")),
        Value::Object(members) => Err(of_object(column, members)),
    };
    if turns(value).is_some() {
        return Err(format!(
            "column `{column}` holds a conversation: its first question is `{column}.user`, the answer `{column}.assistant`"
        ));
    }
    let found: Vec<Option<String>> = match value {
        Value::Array(items) => items.iter().map(one).collect::<Result<_, _>>()?,
        single => vec![one(single)?],
    };
    Ok(found
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect())
}

fn of_object(column: &str, members: &Map<String, Value>) -> String {
    let names: Vec<String> = members
        .keys()
        .take(NAMED)
        .map(|name| format!("`{column}.{name}`"))
        .collect();
    format!(
        "column `{column}` holds neither a text nor a list of texts but an object; name one of its members: {}",
        names.join(", ")
    )
}

/// Cuts off the passage that stands before the question in a row of our own datasets, and returns it.
fn cut_passage(row: &Map<String, Value>, question: &mut String) -> Option<String> {
    let chars = value(row, "provenance.passage_chars")?.as_u64()?;
    let (start, _) = question
        .char_indices()
        .nth(usize::try_from(chars).ok().filter(|chars| *chars > 0)?)?;
    let rest = question.split_off(start);
    let passage = std::mem::replace(question, rest).trim().to_owned();
    (!passage.is_empty()).then_some(passage)
}

/// The answer alone, where its text begins with the reasoning that another column holds.
fn without_reasoning(answer: String, reasoning: &str) -> String {
    match answer.strip_prefix(reasoning).map(str::trim) {
        Some(rest) if !rest.is_empty() && !reasoning.is_empty() => rest.to_owned(),
        _ => answer,
    }
}

/// A value as a message shows it: a text without its quotes, a long one cut.
pub fn shown(value: &Value) -> String {
    let whole = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = whole.replace(['\n', '\r'], " ");
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The options of a row: those of one column, or one of each column.
pub fn options(row: &Map<String, Value>, columns: &[String]) -> Result<Vec<Choice>, String> {
    if let [column] = columns {
        let value = present(row, column)?;
        return choices::choices(&value).ok_or_else(|| {
            format!(
                "column `{column}` holds `{}`, and options are a list of texts, or an object of texts by label",
                shown(&value)
            )
        });
    }
    let mut found = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let Some(text) = texts(column, present(row, column)?.as_ref())?.into_iter().next() else {
            continue;
        };
        // Columns that are called by a letter have it as their label.
        let label = match column.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => column.clone(),
            _ => char::from(b'A' + u8::try_from(at.min(25)).unwrap_or(25)).to_string(),
        };
        found.push(Choice { label, text });
    }
    if found.len() < 2 {
        return Err(format!(
            "fewer than two of the options in `{}` hold a text",
            columns.join("`, `")
        ));
    }
    Ok(found)
}

fn chosen(row: &Map<String, Value>, fields: &Fields, choices: &[Choice]) -> Result<usize, String> {
    let answer = present(row, &fields.answer)?;
    choices::chosen(choices, &answer, fields.choices_from.into()).ok_or_else(|| {
        format!(
            "the answer {answer} in column `{}` names none of the {} options, which are counted from {}",
            fields.answer,
            choices.len(),
            fields.choices_from
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn fields(value: Value) -> Fields {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn paths_lead_into_objects_lists_and_conversations() {
        let row = row(json!({
            "a.b": 1, "a": {"c": {"d": "deep"}, "e.f": "dotted"}, "answers": {"text": ["x", "y"]},
            "list": [{"t": "one"}, {"t": "two"}],
            "chat": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}],
        }));
        let read = |path: &str| value(&row, path).map(Cow::into_owned);
        assert_eq!(read("a.b"), Some(json!(1)), "the whole name first");
        assert_eq!(read("a.c.d"), Some(json!("deep")));
        assert_eq!(read("a.e.f"), Some(json!("dotted")));
        assert_eq!(read("answers.text"), Some(json!(["x", "y"])));
        assert_eq!(read("answers.text.1"), Some(json!("y")));
        assert_eq!(read("list.t"), Some(json!(["one", "two"])));
        assert_eq!(read("list.0.t"), Some(json!("one")));
        assert_eq!(read("chat.user"), Some(json!("Why?")));
        assert_eq!(read("chat.assistant"), Some(json!("So.")));
        for nowhere in ["z", "a.z", "a.c.d.e", "list.5", "answers.text.9", "a.user"] {
            assert_eq!(read(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn an_input_belongs_to_its_instruction() {
        let fields = fields(json!({"question": "instruction", "input": "input", "answer": "output"}));
        let read = |value| read(&row(value), &fields).unwrap().question;
        let instruction = "Name the first noun.";
        assert_eq!(
            read(json!({"instruction": instruction, "input": "The kettle boiled.", "output": "kettle"})),
            "Name the first noun.\n\nThe kettle boiled."
        );
        for none in [json!(""), json!(null), json!("  ")] {
            assert_eq!(
                read(json!({"instruction": instruction, "input": none, "output": "x"})),
                instruction
            );
        }
        assert_eq!(
            read(json!({"instruction": instruction, "output": "x"})),
            instruction
        );
    }

    #[test]
    fn a_choice_is_asked_with_its_options_and_answered_by_its_text() {
        let listed = json!({"question": "Which floats?", "choices": ["iron", "cork"], "answer": 1});
        let asked = fields(json!({"question": "question", "answer": "answer", "choices": "choices"}));
        let seed = read(&row(listed.clone()), &asked).unwrap();
        assert_eq!(seed.question, "Which floats?\nA) iron\nB) cork");
        assert_eq!(
            (seed.answer.as_str(), seed.references.as_slice()),
            ("cork", &["cork".to_owned()][..])
        );
        let from_one = Fields {
            choices_from: 1,
            ..asked.clone()
        };
        assert_eq!(read(&row(listed), &from_one).unwrap().answer, "iron");
        let wrong = read(
            &row(json!({"question": "q", "choices": ["a", "b"], "answer": 7})),
            &asked,
        )
        .unwrap_err();
        assert!(
            wrong.contains("the answer 7") && wrong.contains("counted from 0"),
            "{wrong}"
        );
        let columns = fields(json!({"question": "q", "answer": "key", "choices": ["A", "B", "C"]}));
        let seed = read(
            &row(json!({"q": "Which floats?", "A": "iron", "B": "cork", "C": "", "key": "B"})),
            &columns,
        )
        .unwrap();
        assert_eq!(
            (seed.question.as_str(), seed.answer.as_str()),
            ("Which floats?\nA) iron\nB) cork", "cork")
        );
    }

    #[test]
    fn rows_that_a_model_wrote_are_told_by_their_origin() {
        for (origin, synthetic) in [
            (json!({"provenance": {"origin": "synthetic"}}), true),
            (json!({"provenance": {"origin": "human"}}), false),
            (json!({"provenance": {"strategy": "rephrasing"}}), false),
            (json!({"provenance": "synthetic"}), false),
            (json!({"origin": "synthetic"}), false),
        ] {
            assert_eq!(is_synthetic(&row(origin.clone())), synthetic, "{origin}");
        }
        let rejected = json!({
            "id": "1", "reason": "refusal", "stage": "rules", "detail": null, "question": "Why?", "answer": "No.", "seed_id": "2",
            "cost_usd_micros": 5, "calls": 1, "task_ids": [],
        });
        assert!(is_synthetic(&row(rejected)), "a rejected row of a run");
        assert!(!is_synthetic(&row(
            json!({"question": "Why?", "reason": "r", "stage": "s"})
        )));
    }

    #[test]
    fn a_row_of_our_own_dataset_is_a_seed_again() {
        let own = json!({
            "id": "1", "reasoning": "Two and two.",
            "messages": [{"role": "user", "content": "The passage.\n\nHow many?"}, {"role": "assistant", "content": "Two and two.\n\n4"}],
            "provenance": {"concepts": ["sums"], "passage_chars": 14},
        });
        let fields = fields(json!({
            "question": "messages.user", "answer": "messages.assistant", "reasoning": "reasoning", "concept": "provenance.concepts",
        }));
        assert_eq!(
            read(&row(own), &fields).unwrap(),
            SeedRow {
                question: "How many?".into(),
                answer: "4".into(),
                reasoning: Some("Two and two.".into()),
                references: vec!["4".into()],
                context: Some("The passage.".into()),
                concepts: vec!["sums".into()],
                ..SeedRow::default()
            }
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_out() {
        let plain = Fields::default();
        let wrong = |value| read(&row(value), &plain).unwrap_err();
        assert!(wrong(json!({"q": "x"})).contains("no column `question`; the row has q"));
        assert!(wrong(json!({"question": " ", "answer": "x"})).contains("is empty"));
        assert!(wrong(json!({"question": {"en": "x"}, "answer": "x"})).contains("`question.en`"));
        assert!(
            wrong(json!({"question": [{"role": "user", "content": "x"}], "answer": "x"}))
                .contains("`question.user`")
        );
        let context = Fields {
            context: Some("context".into()),
            ..Fields::default()
        };
        for none in [
            json!({"question": "q", "answer": "a"}),
            json!({"question": "q", "answer": "a", "context": null}),
        ] {
            assert_eq!(read(&row(none), &context).unwrap().context, None);
        }
    }
}
