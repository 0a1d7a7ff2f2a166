//! A lineage's folder: what lies where, who may write to it, and what is in it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::generation::Generation;
use crate::record::{Entry, LineageFile};

/// A lineage that is there.
#[derive(Debug, Clone)]
pub struct Lineage {
    folder: PathBuf,
    file: LineageFile,
}

/// The right to make a generation in a folder: as long as it is held, no other process may.
#[derive(Debug)]
pub(crate) struct Lock {
    _held: File,
}

impl Lineage {
    /// Opens a lineage.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a folder that is not one; [`Error::Damaged`] for a file that cannot be read or is newer than this program.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        match LineageFile::read(folder)? {
            Some(file) => Ok(Self {
                folder: folder.to_owned(),
                file,
            }),
            None if !published(folder)?.is_empty() => Err(lost(folder)),
            None => Err(Error::unusable(
                folder,
                format!(
                    "this is not a lineage, since it has no `{}`: `gristmill generation add LINEAGE DATASET` makes one",
                    LineageFile::NAME
                ),
            )),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its settings, its locked rows and its generations.
    pub fn file(&self) -> &LineageFile {
        &self.file
    }

    /// A generation by its number; the newest one where there is no number.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is no such generation.
    pub fn entry(&self, number: Option<u32>) -> Result<&Entry, Error> {
        let entries = &self.file.generations;
        let found = match number {
            Some(number) => entries.iter().find(|entry| entry.number == number),
            None => entries.last(),
        };
        found.ok_or_else(|| {
            let there = entries.len();
            let reason = match number {
                Some(number) => format!("there is no generation {number}; there are {there}, from 1"),
                None => "it has no generation".to_owned(),
            };
            Error::unusable(&self.folder, reason)
        })
    }

    /// What a generation is made of.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is no such generation; [`Error::Damaged`], [`Error::Io`].
    pub fn generation(&self, number: Option<u32>) -> Result<Generation, Error> {
        let entry = self.entry(number)?;
        Generation::read(&self.dataset(entry.number))
    }

    /// The folder of a generation's dataset.
    pub fn dataset(&self, number: u32) -> PathBuf {
        dataset(&self.folder, number)
    }
}

/// The folder of a generation's dataset.
pub(crate) fn dataset(lineage: &Path, number: u32) -> PathBuf {
    lineage.join("generations").join(number.to_string())
}

/// Names of the generations' folders that are there, whatever the lineage's file says.
fn published(lineage: &Path) -> Result<Vec<String>, Error> {
    let folder = lineage.join("generations");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
        let name = entry.map_err(Error::io(&folder))?.file_name();
        let name = name.to_string_lossy();
        // What is hidden was never put in its place.
        if !name.starts_with('.') {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// Generations are there, and the lineage's file is not.
pub(crate) fn lost(lineage: &Path) -> Error {
    Error::unusable(
        lineage,
        format!(
            "it holds generations and no `{}`, which says what they are and which rows they lock: put the file back from a copy, or move the folder \
             aside to begin a new lineage. Nothing was written",
            LineageFile::NAME
        ),
    )
}

/// Makes the folder of a lineage where it is not there, and takes the right to make a generation in it. The system gives it back when the
/// process ends, however it ends.
///
/// # Errors
/// [`Error::Unusable`] for a folder that holds other things, and for a lineage that lost its file; [`Error::Busy`] where another process makes a generation here.
pub(crate) fn take(folder: &Path) -> Result<Lock, Error> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    if !folder.join(LineageFile::NAME).exists() {
        const OWN: [&str; 3] = [".lock", "generations", ".lineage.json.part"];
        for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
            let name = entry.map_err(Error::io(folder))?.file_name();
            let name = name.to_string_lossy();
            if !OWN.contains(&name.as_ref()) {
                return Err(Error::unusable(
                    folder,
                    format!(
                        "a new lineage needs an empty folder, and this one holds `{name}`: name another folder"
                    ),
                ));
            }
        }
        // A first `add` that was killed leaves one generation at most, and never another.
        if published(folder)?.iter().any(|name| name != "1") {
            return Err(lost(folder));
        }
    }
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _held: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_makes_a_generation_and_never_beside_other_things() {
        let folder = tempfile::tempdir().unwrap();
        let lineage = folder.path().join("lineage");
        let held = take(&lineage).unwrap();
        assert!(matches!(take(&lineage), Err(Error::Busy(_))));
        drop(held);
        take(&lineage).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let told = take(folder.path()).unwrap_err().to_string();
        assert!(told.contains("needs an empty folder"), "{told}");
        let told = Lineage::open(&lineage).unwrap_err().to_string();
        assert!(told.contains("gristmill generation add"), "{told}");
    }
}
