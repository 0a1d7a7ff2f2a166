//! Files of settings beside a job: how a student is trained, what a gate wants. Read and checked as a job is.

use std::path::Path;

use gristmill_domain::job::Problem;
use gristmill_domain::training::Training;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::{Code, Error, Errors, WayOn};
use crate::locate::{from_serde, place_of};
use crate::overrides;
use crate::place::{JOB, Kind, NO_FILE, Place, Source, Sources};
use crate::shape::Shape;
use crate::text::{decode, read_file};
use crate::walk::Walk;
use crate::yaml::{Data, Node, parse};

/// What a file of settings is.
#[derive(Debug, Clone, Copy)]
pub struct SettingsFile {
    /// What people call it: `training file`.
    pub name: &'static str,
    /// The command that reads it, without the program's name.
    pub command: &'static str,
    /// The option of that command which overrides a key.
    pub option: &'static str,
}

impl SettingsFile {
    /// How a student is trained, as `gristmill train` reads it.
    pub const TRAINING: Self = Self {
        name: "training file",
        command: "train",
        option: "--set",
    };
}

/// The settings of a training file with overrides; those of no file are the defaults. `file` is [`SettingsFile::TRAINING`], or the same for another
/// command that trains.
///
/// # Errors
/// Everything that is wrong with them, each at its line or its override.
pub fn training(file: SettingsFile, path: Option<&Path>, overrides: &[String]) -> Result<Training, Errors> {
    settings(file, path, overrides, |training: &Training| {
        let problems = training.problems().into_iter();
        problems
            .map(|problem| Problem {
                path: problem.at.into(),
                message: format!("`{}` {}", problem.at, problem.message),
                help: problem.help.into(),
            })
            .collect()
    })
}

/// Settings of any type, with overrides; those of no file are what an empty file holds. `wrong` says what no single value can show.
///
/// # Errors
/// As [`training`].
pub fn settings<T: DeserializeOwned + JsonSchema>(
    file: SettingsFile,
    path: Option<&Path>,
    overrides: &[String],
    wrong: impl Fn(&T) -> Vec<Problem>,
) -> Result<T, Errors> {
    let mut sources = Sources::default();
    sources.add(Source {
        name: path.map_or_else(|| NO_FILE.to_owned(), |path| path.display().to_string()),
        text: String::new(),
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    match read(file, path, overrides, &mut sources, &mut errors, wrong) {
        Some(settings) if errors.is_empty() => Ok(settings),
        _ => Err(Errors {
            errors,
            sources,
            way_on: WayOn::Again(file.command),
        }
        .sort()),
    }
}

fn read<T: DeserializeOwned + JsonSchema>(
    file: SettingsFile,
    path: Option<&Path>,
    overrides: &[String],
    sources: &mut Sources,
    errors: &mut Vec<Error>,
    wrong: impl Fn(&T) -> Vec<Problem>,
) -> Option<T> {
    if let Some(path) = path {
        let text = read_file(path, file.name).and_then(|bytes| decode(bytes, path));
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
    let schema = schemars::schema_for!(T).to_value();
    let shape = Shape::of(&schema);
    for text in overrides {
        if let Err(error) = overrides::apply(&mut tree, &shape, (file.option, text), sources) {
            errors.push(error);
        }
    }
    let called = format!("the {}", file.name);
    let mut walk = Walk::new(&shape, &called);
    let value = walk.run(&tree);
    errors.append(&mut walk.errors);
    if !errors.is_empty() {
        return None;
    }
    let settings: T = match serde_path_to_error::deserialize(value?) {
        Ok(settings) => settings,
        Err(error) => {
            errors.push(from_serde(&error, &tree));
            return None;
        }
    };
    for Problem { path, message, help } in wrong(&settings) {
        errors.push(Error::new(Code::Config, message, help).at(place_of(&tree, &path)));
    }
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(text: &str, overrides: &[&str]) -> Result<Training, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.yaml");
        std::fs::write(&path, text).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        training(SettingsFile::TRAINING, Some(&path), &overrides)
            .map_err(|errors| crate::render(&errors, false))
    }

    #[test]
    fn errors_name_the_command_and_the_option_that_were_called() {
        let file = SettingsFile {
            command: "loop",
            option: "--train",
            ..SettingsFile::TRAINING
        };
        for (wrong, way_out) in [
            ("epoch", "write `--train key.path=value`"),
            ("epoch=3", "did you mean `epochs`?"),
        ] {
            let told = training(file, None, &[wrong.to_owned()]).unwrap_err();
            let told = crate::render(&told, false);
            for part in [
                way_out,
                &format!("from `--train {wrong}`"),
                "call `gristmill loop` again",
            ] {
                assert!(told.contains(part), "{part} in {told}");
            }
            assert!(!told.contains("--set"), "{told}");
        }
    }

    #[test]
    fn settings_are_read_and_overridden() {
        let read = of_file("epochs: 3\nlora:\n  rank: 8\n", &["lora.alpha=16", "method=lora"]).unwrap();
        assert_eq!((read.epochs, read.lora.rank, read.lora.alpha), (3.0, 8, 16.0));
        assert_eq!(
            training(SettingsFile::TRAINING, None, &[]).unwrap(),
            Training::default()
        );
        assert_eq!(of_file("", &[]).unwrap(), Training::default());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line() {
        let told = of_file("epochs: 3\nlora:\n  rnak: 8\n", &[]).unwrap_err();
        assert!(
            told.contains("training.yaml:3:3") && told.contains("`rank`"),
            "{told}"
        );
        let told = of_file("lora:\n  rank: 0\n", &[]).unwrap_err();
        assert!(
            told.contains("training.yaml:2:") && told.contains("8 to 64"),
            "{told}"
        );
        let told = of_file("", &["backend=native", "objective=dpo"]).unwrap_err();
        assert!(
            told.contains("objective=dpo") && told.contains("backend: trl"),
            "{told}"
        );
    }

    #[test]
    fn what_is_wrong_with_an_item_is_told_at_its_line() {
        #[derive(serde::Deserialize, JsonSchema)]
        struct Parts {
            parts: Vec<String>,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts.yaml");
        std::fs::write(&path, "parts:\n  - tier\n  - teir\n").unwrap();
        let file = SettingsFile {
            name: "file of parts",
            command: "parts",
            option: "--set",
        };
        let wrong = |parts: &Parts| {
            let at = parts.parts.iter().position(|part| part == "teir").unwrap();
            vec![Problem {
                path: format!("parts.{at}"),
                message: "no such part".to_owned(),
                help: "there is tier".to_owned(),
            }]
        };
        let told = settings(file, Some(&path), &[], wrong).map(|_| ()).unwrap_err();
        let told = crate::render(&told, false);
        assert!(told.contains("parts.yaml:3:5"), "{told}");
    }
}
