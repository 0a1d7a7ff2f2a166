//! Blobs in a folder of the local disk.
//!
//! A blob is written to a temporary file, synced, then linked to its name: the link fails when the name is taken, so creation is
//! conditional, and a name never leads to a part of a blob. The folder is synced after, so that the name survives a power cut.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gristmill_ports::blob::{Blobs, Create, Error};

/// Blobs in a folder.
#[derive(Debug, Clone)]
pub struct LocalBlobs {
    root: PathBuf,
}

impl LocalBlobs {
    /// Uses the folder, which is made when the first blob is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn failed(
        &self,
        doing: &'static str,
        name: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Store {
            place: self.root.display().to_string(),
            doing,
            name: name.to_owned(),
            source: source.into(),
        }
    }

    /// Runs file work where waiting for a disk holds nobody up.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || work(&root)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) if source.kind() == io::ErrorKind::NotFound && doing == "reading" => {
                Err(Error::Missing {
                    name: name.to_owned(),
                    place: self.root.display().to_string(),
                })
            }
            Ok(Err(source)) => Err(self.failed(doing, name, source)),
            Err(source) => Err(self.failed(doing, name, source)),
        }
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        let file_name = name.to_owned();
        self.blocking("writing", name, move |root| create(&root.join(file_name), &bytes))
            .await
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let file_name = name.to_owned();
        self.blocking("reading", name, move |root| std::fs::read(root.join(file_name)))
            .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let wanted = prefix.to_owned();
        self.blocking("listing", prefix, move |root| list(root, &wanted))
            .await
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<Create> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            File::open(folder)?.sync_all()?;
            Ok(Create::Created)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Create::Exists),
        Err(error) => Err(error.error),
    }
}

/// Names below the root in lexical order; parts of blobs that a crash left behind are not among them.
fn list(root: &Path, prefix: &str) -> io::Result<Vec<String>> {
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let entries = match std::fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = if folder.is_empty() {
            file.clone()
        } else {
            format!("{folder}/{file}")
        };
        if !file.starts_with(".part-") && name.starts_with(prefix) && entry.file_type()?.is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_create_wins_and_names_are_listed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::new(folder.path());
        assert_eq!(blobs.list("rows/").await.unwrap(), Vec::<String>::new());
        assert_eq!(
            blobs.create("rows/2", b"b".to_vec()).await.unwrap(),
            Create::Created
        );
        assert_eq!(
            blobs.create("rows/1", b"a".to_vec()).await.unwrap(),
            Create::Created
        );
        assert_eq!(
            blobs.create("rows/1", b"other".to_vec()).await.unwrap(),
            Create::Exists
        );
        assert_eq!(blobs.read("rows/1").await.unwrap(), b"a");
        std::fs::write(folder.path().join("rows/.part-x"), b"torn").unwrap();
        assert_eq!(blobs.list("rows/").await.unwrap(), ["rows/1", "rows/2"]);
        assert!(matches!(blobs.read("rows/3").await, Err(Error::Missing { .. })));
    }
}
