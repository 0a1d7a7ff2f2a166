//! The files of a submission while they come in: in a temporary folder, until it is known what run they make up.
//!
//! Nothing of a submission that breaks off, or that is not what it says, reaches the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gristmill_ports::blob::{Blobs, Create, Error, check_name};
use tempfile::TempDir;

/// Files by name, each in a file of a temporary folder.
pub(super) struct Spool {
    folder: TempDir,
    files: BTreeMap<String, PathBuf>,
}

fn failed(name: &str, doing: &'static str, source: std::io::Error) -> Error {
    Error::Store {
        place: "the temporary folder".to_owned(),
        doing,
        name: name.to_owned(),
        source: Box::new(source),
    }
}

impl Spool {
    /// An empty one.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            files: BTreeMap::new(),
        })
    }

    /// Keeps a file.
    pub(super) async fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        check_name(name)?;
        let path = self.folder.path().join(self.files.len().to_string());
        let written = tokio::fs::write(&path, bytes).await;
        written.map_err(|source| failed(name, "writing", source))?;
        self.files.insert(name.to_owned(), path);
        Ok(())
    }

    /// Files whose names begin so, with their paths.
    pub(super) fn files(&self, prefix: &str) -> impl Iterator<Item = (&str, &Path)> {
        self.files
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, path)| (name.as_str(), path.as_path()))
    }
}

/// Read like a store; it is filled by [`Spool::add`] alone.
#[async_trait]
impl Blobs for Spool {
    async fn create(&self, name: &str, _: Vec<u8>) -> Result<Create, Error> {
        Err(read_only(name))
    }

    async fn put_file(&self, name: &str, _: &Path) -> Result<(), Error> {
        Err(read_only(name))
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.files.get(name).ok_or_else(|| Error::Missing {
            name: name.to_owned(),
            place: "the submission".to_owned(),
        })?;
        let read = tokio::fs::read(path).await;
        read.map_err(|source| failed(name, "reading", source))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.files(prefix).map(|(name, _)| name.to_owned()).collect())
    }

    async fn folders(&self) -> Result<Vec<String>, Error> {
        let mut folders: Vec<String> = self
            .files
            .keys()
            .filter_map(|name| Some(name.split_once('/')?.0.to_owned()))
            .collect();
        folders.dedup();
        Ok(folders)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        Err(read_only(name))
    }
}

fn read_only(name: &str) -> Error {
    failed(name, "writing", std::io::ErrorKind::ReadOnlyFilesystem.into())
}
