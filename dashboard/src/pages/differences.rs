//! How the configurations of two runs differ: keys of the job file, and what was read beside it.

use std::collections::BTreeMap;

use gristmill_coordinator::Summary;
use gristmill_domain::words::thousands;
use gristmill_runs::Manifest;
use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 400;

/// One key that is not the same, with its value in each run; `None` where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) key: String,
    pub(super) values: [Option<String>; 2],
}

/// What differs, in the order of the keys. A key that the job leaves out has its default.
pub(super) fn differences(runs: [&Manifest; 2]) -> Vec<Difference> {
    let [a, b] = runs.map(settings);
    let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    differ
        .map(|key| Difference {
            key: key.clone(),
            values: [&a, &b].map(|values| values.get(key).map(|text| cut(text))),
        })
        .collect()
}

fn settings(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let job = serde_json::to_value(&manifest.job).unwrap_or_default();
    flatten(&mut all, String::new(), &job);
    seeds(&mut all, manifest);
    all.insert("prompts".to_owned(), manifest.prompts.join(", "));
    let recipes = manifest.by_recipe.iter().map(|recipe| recipe.made.to_string());
    all.insert(
        "recipes that made rows".to_owned(),
        recipes.collect::<Vec<_>>().join(", "),
    );
    all.insert("version of the program".to_owned(), manifest.gristmill.clone());
    all
}

/// The seeds as they were taken in: a line for each of their counts.
fn seeds(all: &mut BTreeMap<String, String>, manifest: &Manifest) {
    let Summary {
        rows,
        repeated,
        splits: _,
        groups,
        concepts,
        passages,
        documents,
        held_out_passages,
        existing,
    } = &manifest.seeds;
    let of = &manifest.rows;
    for (what, count) in [
        ("rows kept", *rows),
        ("rows left out, repeated", *repeated),
        ("rows to generate from", of.train_human),
        ("rows held out for validation", of.validation),
        ("rows held out for the test", of.test),
        ("groups that stay in one split", *groups),
        ("passages", *passages),
        ("documents", *documents),
        ("passages left out, of held-out rows", *held_out_passages),
        ("rows of earlier datasets", *existing),
    ] {
        if count > 0 {
            all.insert(format!("seeds, {what}"), thousands(count));
        }
    }
    let concepts = concepts
        .iter()
        .map(|(concept, rows)| format!("{concept} {}", thousands(*rows)));
    let concepts: Vec<String> = concepts.collect();
    if !concepts.is_empty() {
        all.insert("seeds, rows by concept".to_owned(), concepts.join(", "));
    }
}

/// Leaves of a value by their path: `teacher[0].model`. What is empty is not set.
fn flatten(all: &mut BTreeMap<String, String>, path: String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(all, path, value);
            }
        }
        Value::Array(items) => {
            // A list of words is read as a whole.
            if items.iter().all(|item| !item.is_object() && !item.is_array()) {
                let words: Vec<String> = items.iter().map(word).collect();
                if !words.is_empty() {
                    all.insert(path, words.join(", "));
                }
                return;
            }
            for (number, item) in items.iter().enumerate() {
                flatten(all, format!("{path}[{number}]"), item);
            }
        }
        leaf => {
            all.insert(path, word(leaf));
        }
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_named_by_their_path_and_lists_of_words_stay_whole() {
        let mut all = BTreeMap::new();
        let value = serde_json::json!({
            "generate": {"rows": 100, "languages": ["en", "de"], "reasoning": false, "none": null, "empty": []},
            "teacher": [{"model": "a"}, {"model": "b"}],
        });
        flatten(&mut all, String::new(), &value);
        let shown: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            shown,
            [
                "generate.languages=en, de",
                "generate.reasoning=no",
                "generate.rows=100",
                "teacher[0].model=a",
                "teacher[1].model=b"
            ]
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = "ä".repeat(500);
        assert_eq!(cut(&text).chars().count(), SHOWN_CHARS + 1);
    }
}
