//! A student's folder.
//!
//! ```text
//! training.json        what it was trained with: settings, dataset and base, by hash
//! rows.jsonl           the rows in the order in which they were trained on; validation.jsonl beside it
//! events.jsonl         what happened, one event a line, over all starts
//! checkpoints/         what a start that was cut off resumes from
//! adapter/ or model/   what was made
//! curves.svg README.md what people look at
//! ```

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use gristmill_domain::training::Training;
use gristmill_ports::trainer::Request;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::source::Source;

/// A student's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// The right to train in a folder: as long as it is held, no other process may.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

/// What a student was trained with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of this format.
    pub format: u32,
    /// The settings, defaults filled in.
    pub training: Training,
    /// The base model, as it was named.
    pub base: String,
    /// Hash of the base model's weights.
    pub base_hash: String,
    /// The dataset.
    pub source: Source,
    /// What the trainer was asked.
    pub request: Request,
}

impl Settings {
    /// The format that this program writes.
    pub(crate) const FORMAT: u32 = 1;

    /// Hash of all that decides what the student becomes.
    pub fn hash(&self) -> String {
        identity(&self.training, &self.base_hash, &self.source.dataset_hash)
    }
}

/// Hash of the settings, the base model's weights and the dataset. What the training may cost is not a part of it: a training that ran out of
/// money resumes with more.
pub(crate) fn identity(training: &Training, base_hash: &str, dataset_hash: &str) -> String {
    let training = Training {
        usd_per_hour: 0.0,
        max_usd: None,
        ..training.clone()
    };
    let decisive = serde_json::json!([training, base_hash, dataset_hash]);
    blake3::hash(decisive.to_string().as_bytes()).to_hex().to_string()
}

impl Folder {
    /// The folder of a student, made where it is not there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(Error::io(path))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder of the student whose weights lie at a path: that folder itself, or the one around it for its `adapter/` and `model/`. `None`
    /// where neither is a student's.
    pub fn holding(weights: &Path) -> Option<Self> {
        let around = weights.parent();
        let mut near = [Some(weights), around].into_iter().flatten().map(Self::named);
        near.find(|folder| folder.settings_file().is_file())
    }

    /// The folder of a student, there or not.
    pub(crate) fn named(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Takes the right to train here. The system gives it back when the process ends, however it ends.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process trains here; [`Error::Io`].
    pub fn lock(&self) -> Result<Lock, Error> {
        let path = self.0.join(".lock");
        let file = File::create(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _held: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The rows that it is trained on.
    pub fn rows(&self) -> PathBuf {
        self.0.join("rows.jsonl")
    }

    /// The rows that it is measured on while it is trained.
    pub fn validation(&self) -> PathBuf {
        self.0.join("validation.jsonl")
    }

    /// What happened.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// The adapter that was trained.
    pub fn adapter(&self) -> PathBuf {
        self.0.join("adapter")
    }

    fn settings_file(&self) -> PathBuf {
        self.0.join("training.json")
    }

    /// What the student in this folder was trained with; `None` for a new folder.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a file that cannot be read or is newer than this program.
    pub fn settings(&self) -> Result<Option<Settings>, Error> {
        let path = self.settings_file();
        let damaged = |reason: String| Error::Damaged {
            path: path.clone(),
            reason,
        };
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(Error::io(&path))?;
        let settings: Settings = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        match settings.format {
            Settings::FORMAT => Ok(Some(settings)),
            newer => Err(damaged(format!(
                "it has format {newer}, and this program reads format {}: use the version that wrote it",
                Settings::FORMAT
            ))),
        }
    }

    /// Makes sure that the folder is free, or holds the training of this hash.
    ///
    /// # Errors
    /// [`Error::Taken`] where another training is here.
    pub(crate) fn claim(&self, hash: &str) -> Result<(), Error> {
        match self.settings()? {
            // What was only prepared is not begun.
            Some(there) if there.hash() != hash && self.events().exists() => Err(Error::Taken {
                path: self.0.clone(),
                reason: format!(
                    "another student is trained here, from {} on {}: name another folder with `--out`",
                    there.base,
                    there.source.dataset.display()
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Enters what the student is trained with.
    pub(crate) fn enter(&self, settings: &Settings) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(settings)
            .map_err(|error| Error::io(&self.settings_file())(error.into()))?;
        self.write("training.json", &text)
    }

    /// Writes a file so that it is whole or as it was.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, name: &str, text: &[u8]) -> Result<(), Error> {
        let path = self.0.join(name);
        let part = self.0.join(format!(".{name}.part"));
        std::fs::write(&part, text).map_err(Error::io(&part))?;
        std::fs::rename(&part, &path).map_err(Error::io(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_trains_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        let held = folder.lock().unwrap();
        let told = folder.lock().unwrap_err().to_string();
        assert!(
            told.contains("another process") && told.contains("--out"),
            "{told}"
        );
        drop(held);
        folder.lock().unwrap();
    }
}
