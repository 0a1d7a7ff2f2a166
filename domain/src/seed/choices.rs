//! Multiple choice: options in a row, and the answer's place among them.

use serde_json::{Map, Value};

use crate::json;

/// An option: its label, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// `A`, `B` … or the row's own label.
    pub label: String,
    /// What it says.
    pub text: String,
}

/// The options of a value: a list of texts; an object of texts by label; an object with the lists `text` and `label`; a list of objects with
/// these members; or any of them written as JSON or as Python's list in a text.
pub fn choices(value: &Value) -> Option<Vec<Choice>> {
    let found = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| match item {
                Value::Object(option) => {
                    let text = option.get("text").or_else(|| option.get("content"))?;
                    let label = option.get("label").or_else(|| option.get("key")).and_then(plain);
                    Some(Choice {
                        label: label.unwrap_or_else(|| letter(at)),
                        text: plain(text)?,
                    })
                }
                item => Some(Choice {
                    label: letter(at),
                    text: plain(item)?,
                }),
            })
            .collect::<Option<Vec<_>>>()?,
        Value::Object(options) => of_object(options)?,
        Value::String(text) => match text.trim_start().chars().next()? {
            '[' | '{' => choices(&json::parse(text).ok().or_else(|| python_list(text))?)?,
            _ => return None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    (found.len() >= 2).then(|| without_labels(found))
}

/// Options whose texts carry their labels, such as `B. tin`, without them in the texts.
fn without_labels(found: Vec<Choice>) -> Vec<Choice> {
    let parted: Option<Vec<Choice>> = found
        .iter()
        .enumerate()
        .map(|(at, choice)| {
            let (label, text) = label_of(&choice.text)?;
            let in_place = label.eq_ignore_ascii_case(&letter(at)) || label == (at + 1).to_string();
            in_place.then(|| Choice {
                label: label.to_owned(),
                text: text.to_owned(),
            })
        })
        .collect();
    parted.unwrap_or(found)
}

/// The label and the rest of a text that begins with one: `B. tin`, `(B) tin`, `2: tin`.
fn label_of(text: &str) -> Option<(&str, &str)> {
    let open = text.strip_prefix('(').unwrap_or(text);
    let end = open.find(['.', ')', ':'])?;
    let (label, rest) = (&open[..end], open[end..].get(1..)?);
    let is_label = label.len() == 1 && label.bytes().all(|b| b.is_ascii_alphanumeric());
    let text = rest.trim_start();
    (is_label && text.len() < rest.len() && !text.is_empty()).then_some((label, text))
}

fn of_object(options: &Map<String, Value>) -> Option<Vec<Choice>> {
    let list = |name: &str| options.get(name).and_then(Value::as_array);
    if let Some(texts) = list("text") {
        let labels = list("label");
        return texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let label = labels.and_then(|labels| labels.get(at)).and_then(plain);
                Some(Choice {
                    label: label.unwrap_or_else(|| letter(at)),
                    text: plain(text)?,
                })
            })
            .collect();
    }
    options
        .iter()
        // Tables of one schema hold the options of longer rows as nulls.
        .filter(|(_, text)| !text.is_null())
        .map(|(label, text)| {
            Some(Choice {
                label: label.clone(),
                text: plain(text)?,
            })
        })
        .collect()
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `['a', "b's"]`, as Python writes a list of texts.
fn python_list(text: &str) -> Option<Value> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let end = rest[1..].find(quote)? + 1;
        items.push(Value::from(&rest[1..end]));
        rest = rest[end + 1..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(Value::Array(items))
}

/// `A` for 0.
fn letter(at: usize) -> String {
    u8::try_from(at)
        .ok()
        .filter(|at| *at < 26)
        .map_or_else(|| (at + 1).to_string(), |at| char::from(b'A' + at).to_string())
}

/// Which option an answer means: by its label, by its text, or by its number, counted from `first`.
pub fn chosen(choices: &[Choice], answer: &Value, first: u64) -> Option<usize> {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let by_number = |number: u64| {
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        (at < choices.len()).then_some(at)
    };
    match answer {
        Value::Number(number) => {
            let number = number.as_u64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float >= 0.0).then_some(float as u64)
            })?;
            by_number(number)
        }
        Value::String(text) => {
            let text = text.trim();
            let label = text.trim_start_matches('(').trim_end_matches(['.', ')', ':']);
            let found = choices
                .iter()
                .position(|choice| choice.text == text)
                .or_else(|| choices.iter().position(|choice| same(&choice.label, label)))
                .or_else(|| choices.iter().position(|choice| same(&choice.text, text)))
                .or_else(|| {
                    let (_, text) = label_of(text)?;
                    choices.iter().position(|choice| same(&choice.text, text))
                });
            found
                .or_else(|| by_letter(choices, label))
                .or_else(|| by_number(text.parse().ok()?))
        }
        Value::Array(items) => match items.as_slice() {
            [single] => chosen(choices, single, first),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// `B` for the second option, whatever the row's labels are.
fn by_letter(choices: &[Choice], label: &str) -> Option<usize> {
    let [letter] = label.as_bytes() else { return None };
    letter
        .is_ascii_alphabetic()
        .then(|| usize::from(letter.to_ascii_uppercase() - b'A'))
        .filter(|at| *at < choices.len())
}

/// The question with its options below it, unless it lists them itself.
pub fn shown(question: &str, choices: &[Choice]) -> String {
    let mut text = question.trim().to_owned();
    let lists = |choice: &Choice| {
        let mut lines = text.lines().skip(1);
        lines.any(|line| {
            line.trim() == choice.text
                || label_of(line.trim()).is_some_and(|(_, listed)| listed == choice.text)
        })
    };
    if choices.iter().all(lists) {
        return text;
    }
    for choice in choices {
        text.push_str(&format!("\n{}) {}", choice.label, choice.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_in_every_form() {
        let wanted = |labels: [&str; 3]| {
            let texts = ["iron", "tin's", "lead"];
            let choices = labels.iter().zip(texts).map(|(label, text)| Choice {
                label: (*label).into(),
                text: text.into(),
            });
            Some(choices.collect::<Vec<_>>())
        };
        let letters = ["A", "B", "C"];
        for (value, labels) in [
            (json!(["iron", "tin's", "lead"]), letters),
            (
                json!({"text": ["iron", "tin's", "lead"], "label": ["1", "2", "3"]}),
                ["1", "2", "3"],
            ),
            (json!({"text": ["iron", "tin's", "lead"]}), letters),
            (
                json!({"a": "iron", "b": "tin's", "c": "lead", "d": null}),
                ["a", "b", "c"],
            ),
            (
                json!([{"label": "A", "text": "iron"}, {"text": "tin's"}, {"key": "C", "text": "lead"}]),
                letters,
            ),
            (json!("[\"iron\", \"tin's\", \"lead\"]"), letters),
            (json!("['iron', \"tin's\", 'lead']"), letters),
        ] {
            assert_eq!(choices(&value), wanted(labels), "{value}");
        }
        for other in [
            json!(["one"]),
            json!("iron or tin"),
            json!(null),
            json!([["a"], ["b"]]),
            json!(3),
        ] {
            assert_eq!(choices(&other), None, "{other}");
        }
    }

    #[test]
    fn labels_that_options_carry_are_labels() {
        let plain = choices(&json!(["iron", "tin"]));
        for carried in [
            json!(["A. iron", "B. tin"]),
            json!(["(a) iron", "(b) tin"]),
            json!(["1) iron", "2) tin"]),
        ] {
            let found = choices(&carried).unwrap();
            let texts: Vec<&str> = found.iter().map(|choice| choice.text.as_str()).collect();
            assert_eq!(texts, ["iron", "tin"], "{carried}");
        }
        let found = choices(&json!(["A. iron", "B. tin"]));
        assert_eq!(found, plain);
        let found = found.unwrap();
        assert_eq!(chosen(&found, &json!("B. tin"), 0), Some(1));
        assert_eq!(
            shown("Which?\nA. iron\nB. tin", &found),
            "Which?\nA. iron\nB. tin"
        );
        assert_eq!(shown("Which?", &found), "Which?\nA) iron\nB) tin");
        // Texts of their own.
        for own in [
            json!(["3.5", "4.5"]),
            json!(["A. Smith", "C. Jones"]),
            json!(["e.g. iron", "i.e. tin"]),
        ] {
            let texts: Vec<String> = choices(&own)
                .unwrap()
                .into_iter()
                .map(|choice| choice.text)
                .collect();
            assert_eq!(json!(texts), own);
        }
    }

    #[test]
    fn answers_name_options_in_every_form() {
        let metals = choices(&json!(["iron", "tin", "lead"])).unwrap();
        for (answer, first, at) in [
            (json!(1), 0, Some(1)),
            (json!(1), 1, Some(0)),
            (json!(3), 1, Some(2)),
            (json!(3), 0, None),
            (json!(1.0), 0, Some(1)),
            (json!("1"), 0, Some(1)),
            (json!("B"), 0, Some(1)),
            (json!("(b)"), 0, Some(1)),
            (json!("c."), 0, Some(2)),
            (json!("Tin"), 0, Some(1)),
            (json!(["lead"]), 0, Some(2)),
            (json!("gold"), 0, None),
            (json!(null), 0, None),
        ] {
            assert_eq!(chosen(&metals, &answer, first), at, "{answer} from {first}");
        }
        let numbers = choices(&json!(["3", "1", "2"])).unwrap();
        assert_eq!(
            chosen(&numbers, &json!("1"), 0),
            Some(1),
            "a text is a text first"
        );
        assert_eq!(chosen(&numbers, &json!(2), 0), Some(2), "a number is a place");
        let labelled = choices(&json!({"text": ["x", "y"], "label": ["1", "2"]})).unwrap();
        assert_eq!(chosen(&labelled, &json!("2"), 0), Some(1));
        assert_eq!(chosen(&labelled, &json!("A"), 0), Some(0));
        assert_eq!(shown("Which? ", &metals), "Which?\nA) iron\nB) tin\nC) lead");
    }
}
