//! What a reference resolves to.

use std::path::{Path, PathBuf};

use crate::{Digest, Error};

/// One file of a model, present and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Name within the model.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of what lies there, computed when it was resolved.
    pub sha256: Digest,
}

/// A model's files on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The model's name for people: catalogue name, hub repository or file name.
    pub name: String,
    /// SPDX identifier of the model's licence, where it is known.
    pub license: Option<String>,
    /// The files, the main one first; never empty.
    pub files: Vec<ModelFile>,
}

impl Artifact {
    /// Path of a file by its name within the model.
    ///
    /// Errors with [`Error::NoSuchFile`] naming what there is.
    pub fn file(&self, name: &str) -> Result<&Path, Error> {
        let found = self.files.iter().find(|file| file.name == name);
        found
            .map(|file| file.path.as_path())
            .ok_or_else(|| Error::NoSuchFile {
                model: self.name.clone(),
                file: name.to_owned(),
                present: self.files.iter().map(|file| file.name.clone()).collect(),
            })
    }

    /// The model's only or main file, such as its GGUF.
    pub fn main(&self) -> Option<&Path> {
        self.files.first().map(|file| file.path.as_path())
    }

    /// Name and content in one: `name@` and the first 12 digits of the main file's hash. Equal versions are equal weights.
    pub fn version(&self) -> String {
        match self.files.first() {
            Some(file) => format!("{}@{}", self.name, file.sha256.short()),
            None => self.name.clone(),
        }
    }
}
