//! Training files: settings by which a student is trained, read and checked as a job is.

use std::path::Path;
use std::sync::LazyLock;

use gristmill_domain::training::Training;
use serde_json::Value;

use crate::error::{Code, Error, Errors};
use crate::locate::{from_serde, place_of};
use crate::overrides;
use crate::place::{JOB, Kind, Place, Source, Sources};
use crate::shape::Shape;
use crate::text::{decode, read_file};
use crate::walk::Walk;
use crate::yaml::{Data, Node, parse};

/// The settings of a training file with overrides (`--set`); those of no file are the defaults.
///
/// # Errors
/// Everything that is wrong with them, each at its line or its override.
pub fn training(path: Option<&Path>, overrides: &[String]) -> Result<Training, Errors> {
    let mut sources = Sources::default();
    sources.add(Source {
        name: path.map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string()),
        text: String::new(),
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    match read(path, overrides, &mut sources, &mut errors) {
        Some(training) if errors.is_empty() => Ok(training),
        _ => Err(Errors {
            errors,
            sources,
            checked_by: "train --dry-run",
        }
        .sort()),
    }
}

fn read(
    path: Option<&Path>,
    overrides: &[String],
    sources: &mut Sources,
    errors: &mut Vec<Error>,
) -> Option<Training> {
    if let Some(path) = path {
        let text = read_file(path, "training file").and_then(|bytes| decode(bytes, path));
        let text = text
            .map_err(|error| errors.push(error.at(Place::Whole(JOB))))
            .ok()?;
        sources.set_text(JOB, text);
    }
    let mut tree: Node = parse(JOB, sources.text(JOB))
        .map_err(|error| errors.push(error))
        .ok()?;
    if matches!(tree.data, Data::Null { .. }) {
        tree.data = Data::Map(Vec::new());
    }
    let shape = Shape::of(schema());
    for text in overrides {
        if let Err(error) = overrides::apply(&mut tree, &shape, text, sources) {
            errors.push(error);
        }
    }
    let mut walk = Walk::new(&shape, "the training file");
    let value = walk.run(&tree);
    errors.append(&mut walk.errors);
    if !errors.is_empty() {
        return None;
    }
    let training: Training = match serde_path_to_error::deserialize(value?) {
        Ok(training) => training,
        Err(error) => {
            errors.push(from_serde(&error, &tree));
            return None;
        }
    };
    for problem in training.problems() {
        let error = Error::new(
            Code::Config,
            format!("`{}` {}", problem.at, problem.message),
            problem.help,
        );
        errors.push(error.at(place_of(&tree, problem.at)));
    }
    Some(training)
}

/// The shape of a training file, as it is derived from its type.
fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Training).to_value());
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, overrides: &[&str]) -> Result<Training, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.yaml");
        std::fs::write(&path, text).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        training(Some(&path), &overrides).map_err(|errors| crate::render(&errors, false))
    }

    #[test]
    fn settings_are_read_and_overridden() {
        let read = read("epochs: 3\nlora:\n  rank: 8\n", &["lora.alpha=16", "method=lora"]).unwrap();
        assert_eq!((read.epochs, read.lora.rank, read.lora.alpha), (3.0, 8, 16.0));
        assert_eq!(training(None, &[]).unwrap(), Training::default());
        assert_eq!(self::read("", &[]).unwrap(), Training::default());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line() {
        let told = read("epochs: 3\nlora:\n  rnak: 8\n", &[]).unwrap_err();
        assert!(
            told.contains("training.yaml:3:3") && told.contains("`rank`"),
            "{told}"
        );
        let told = read("lora:\n  rank: 0\n", &[]).unwrap_err();
        assert!(
            told.contains("training.yaml:2:") && told.contains("8 to 64"),
            "{told}"
        );
        let told = read("", &["backend=native", "objective=dpo"]).unwrap_err();
        assert!(
            told.contains("objective=dpo") && told.contains("backend: trl"),
            "{told}"
        );
    }
}
