//! Where a model and an adapter are in the folders that people name.

use std::path::{Path, PathBuf};

use crate::Error;

const CONFIG: &str = "config.json";
const ADAPTER_CONFIG: &str = "adapter_config.json";
/// The parts of a student's folder.
const MODEL: &str = "model";
const ADAPTER: &str = "adapter";

/// The model of a path: a file itself, a folder in Hugging Face layout itself, and of a student's folder the model that was trained whole.
///
/// # Errors
/// [`Error::Model`] where there is none, with what to name instead.
pub fn base_at(path: &Path) -> Result<PathBuf, Error> {
    let wrong = |reason: &str| Err(Error::model(path, reason));
    let metadata = std::fs::metadata(path).map_err(|error| Error::model(path, error))?;
    if metadata.is_file() || path.join(CONFIG).is_file() {
        return Ok(path.to_owned());
    }
    let whole = path.join(MODEL);
    if whole.join(CONFIG).is_file() {
        return Ok(whole);
    }
    match adapter_in(path) {
        Some(_) => wrong(
            "it holds an adapter and no model: name its base in `local.name`, and this folder in `local.adapter`",
        ),
        None => wrong(
            "it holds no `config.json`: name a `.gguf` file, a folder in Hugging Face layout, or that of a student that was trained whole",
        ),
    }
}

/// The adapter of a folder: itself in the layout of PEFT, or the one in a student's folder.
///
/// # Errors
/// [`Error::Model`] where there is none, with what to name instead.
pub fn adapter_at(folder: &Path) -> Result<PathBuf, Error> {
    if let Some(found) = adapter_in(folder) {
        return Ok(found);
    }
    let wrong = |reason: &str| Err(Error::model(folder, reason));
    if !folder.is_dir() {
        return wrong("there is no such folder");
    }
    match folder.join(MODEL).join(CONFIG).is_file() {
        true => {
            wrong("this student was trained whole: name its folder in `local.name`, and no `local.adapter`")
        }
        false => wrong(
            "it holds no `adapter_config.json`: name a folder in the layout of PEFT, or one that `gristmill train` has written a student to",
        ),
    }
}

fn adapter_in(folder: &Path) -> Option<PathBuf> {
    let places = [folder.to_owned(), folder.join(ADAPTER)];
    places
        .into_iter()
        .find(|place| place.join(ADAPTER_CONFIG).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_students_folder_stands_for_what_was_trained() {
        let desk = tempfile::tempdir().unwrap();
        let folder = |name: &str, file: &str| {
            let path = desk.path().join(name);
            std::fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
            std::fs::write(path.join(file), "{}").unwrap();
            path
        };
        let adapted = folder("adapted", "adapter/adapter_config.json");
        let whole = folder("whole", "model/config.json");
        let other = folder("other", "readme.txt");
        assert_eq!(adapter_at(&adapted).unwrap(), adapted.join("adapter"));
        assert_eq!(
            adapter_at(&adapted.join("adapter")).unwrap(),
            adapted.join("adapter")
        );
        assert_eq!(base_at(&whole).unwrap(), whole.join("model"));
        assert_eq!(base_at(&whole.join("model")).unwrap(), whole.join("model"));
        let file = other.join("readme.txt");
        assert_eq!(base_at(&file).unwrap(), file);
        let told = |result: Result<PathBuf, Error>| result.unwrap_err().to_string();
        assert!(told(base_at(&adapted)).contains("`local.adapter`"));
        assert!(told(adapter_at(&whole)).contains("`local.name`"));
        assert!(told(base_at(&other)).contains("`config.json`"));
        assert!(told(adapter_at(&other)).contains("`adapter_config.json`"));
        assert!(told(adapter_at(&desk.path().join("none"))).contains("no such folder"));
    }
}
