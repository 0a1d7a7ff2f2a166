//! Blobs in a folder of the local disk.
//!
//! A blob is written to a temporary file, synced, then linked to its name: the link fails when the name is taken, so creation is
//! conditional, and a name never leads to a part of a blob. The folder is synced after, so that the name survives a power cut.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gristmill_ports::blob::{Blobs, Create, Error, check_name, check_prefix};
use tempfile::NamedTempFile;

/// What the names of unfinished files start with; no blob's name does.
const PART: &str = ".part-";

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
            Ok(Err(source)) => Err(self.failed(doing, name, source)),
            Err(source) => Err(self.failed(doing, name, source)),
        }
    }
}

/// No such file, or a folder where the file would be, or a file where a folder would be.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | IsADirectory | NotADirectory)
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        check_name(name)?;
        let file_name = name.to_owned();
        self.blocking("writing", name, move |root| create(&root.join(file_name), &bytes))
            .await
    }

    async fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        check_name(name)?;
        let (file_name, from) = (name.to_owned(), file.to_owned());
        self.blocking("writing", name, move |root| {
            put_file(&root.join(file_name), &from)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        check_name(name)?;
        let file_name = name.to_owned();
        let read = move |root: &Path| match std::fs::read(root.join(file_name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        };
        let found = self.blocking("reading", name, read).await?;
        found.ok_or_else(|| Error::Missing {
            name: name.to_owned(),
            place: self.root.display().to_string(),
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        check_prefix(prefix)?;
        let wanted = prefix.to_owned();
        self.blocking("listing", prefix, move |root| list(root, &wanted))
            .await
    }

    async fn folders(&self) -> Result<Vec<String>, Error> {
        self.blocking("listing", "", folders).await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        let file_name = name.to_owned();
        self.blocking("removing", name, move |root| remove(&root.join(file_name)))
            .await
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<Create> {
    let folder = folder_of(path)?;
    let mut file = part(folder)?;
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

fn put_file(path: &Path, from: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let folder = folder_of(path)?;
    let mut file = part(folder)?;
    io::copy(&mut source, file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// A temporary file that others may read once it has its name, as far as the process's mask allows.
fn part(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(PART)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// The folder that the file goes to, made durably where it is missing.
fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|at| !at.as_os_str().is_empty() && !at.exists())
        .collect();
    std::fs::create_dir_all(folder)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(folder)
}

/// Folders at the root in the order of their bytes.
fn folders(root: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
            && check_name(&name).is_ok()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all(),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Names below the root in the order of their bytes; parts of blobs that a crash left behind are not among them.
fn list(root: &Path, prefix: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![
        prefix
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned(),
    ];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(file) = entry.file_name().into_string() else {
                continue;
            };
            let name = if folder.is_empty() {
                file
            } else {
                format!("{folder}/{file}")
            };
            let kind = entry.file_type()?;
            // What has no name that a blob could have was put there by others, or is unfinished.
            if !name.starts_with(prefix) && !prefix.starts_with(&name) || check_name(&name).is_err() {
                continue;
            }
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() && name.starts_with(prefix) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_crash_or_a_stranger_left_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::new(folder.path().join("made/later"));
        blobs.create("rows/1", b"a".to_vec()).await.unwrap();
        let rows = folder.path().join("made/later/rows");
        std::fs::write(rows.join(".part-x"), b"torn").unwrap();
        std::fs::write(rows.join("not a blob"), b"").unwrap();
        std::fs::create_dir(rows.join(".hidden")).unwrap();
        std::fs::write(rows.join(".hidden/x"), b"").unwrap();
        assert_eq!(blobs.list("rows/").await.unwrap(), ["rows/1"]);
        assert_eq!(
            std::fs::metadata(rows.join("1")).unwrap().permissions().mode() & 0o600,
            0o600
        );
    }
}
