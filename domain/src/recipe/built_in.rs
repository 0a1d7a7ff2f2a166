//! The recipes that ship with the program.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::{File, Recipe};

/// Each by its name, as it is written.
const FILES: &[(&str, &str)] = &[
    (
        "answer_augmentation",
        include_str!("../../recipes/answer_augmentation.yaml"),
    ),
    ("rephrasing", include_str!("../../recipes/rephrasing.yaml")),
    ("new_question", include_str!("../../recipes/new_question.yaml")),
    ("grounded_qa", include_str!("../../recipes/grounded_qa.yaml")),
    ("knowledge", include_str!("../../recipes/knowledge.yaml")),
    (
        "evolve_question",
        include_str!("../../recipes/evolve_question.yaml"),
    ),
    (
        "critique_revise",
        include_str!("../../recipes/critique_revise.yaml"),
    ),
    (
        "rejection_sampling",
        include_str!("../../recipes/rejection_sampling.yaml"),
    ),
    ("self_play", include_str!("../../recipes/self_play.yaml")),
    (
        "preference_pairs",
        include_str!("../../recipes/preference_pairs.yaml"),
    ),
    (
        "diverse_questions",
        include_str!("../../recipes/diverse_questions.yaml"),
    ),
    (
        "revision_pairs",
        include_str!("../../recipes/revision_pairs.yaml"),
    ),
    ("own_words", include_str!("../../recipes/own_words.yaml")),
];

/// Names of the recipes that ship with the program; the first three are those of a job that names none.
pub fn built_ins() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The file of a recipe that ships with the program, as it is written.
pub fn built_in_text(name: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, text)| *text)
}

/// A recipe that ships with the program.
pub fn built_in(name: &str) -> Option<Recipe> {
    let file: File = serde_json::from_value(read(built_in_text(name)?)?).ok()?;
    Recipe::new(file).ok()
}

/// A text of YAML that ships with the program; `None` where it is none. Tests read every file.
fn read(text: &str) -> Option<Value> {
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let whole = match event.ok()?.0 {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop()?.0,
            Event::Alias(_) => return None,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            None => return Some(whole),
            Some((Value::Array(items), _)) => items.push(whole),
            Some((Value::Object(members), key)) => match key.take() {
                Some(name) => {
                    members.insert(name, whole);
                }
                None => *key = Some(whole.as_str()?.to_owned()),
            },
            Some(_) => return None,
        }
    }
    None
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text
            .parse::<Number>()
            .map_or_else(|_| Value::String(text.to_owned()), Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_that_ships_can_be_used() {
        for name in built_ins() {
            let file = read(built_in_text(name).unwrap()).unwrap();
            let file: File = serde_json::from_value(file).unwrap_or_else(|e| panic!("{name}: {e}"));
            let recipe = Recipe::new(file.clone()).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            assert_eq!(recipe.name(), name);
            assert!(file.version >= 1 && file.about.ends_with('.'), "{name}");
            let stored = serde_json::to_string(&file).unwrap();
            assert_eq!(serde_json::from_str::<File>(&stored).unwrap(), file, "{name}");
        }
        assert_eq!(built_in("answers"), None);
    }
}
