//! The cache folder and what resolves against it.
//!
//! ```text
//! packages/NAME-VERSION/FILE      files taken out of packages
//! hub/REPO-ID/FILE                files of hubs; ID is a hash of (address, repository, revision)
//! hub/REPO-ID/FILE.sha256         digest seen at the first fetch, where the user gave none
//! partial/…  staging/…  locks/…   fetches under way
//! ```

use std::io;
use std::path::{Path, PathBuf};

use crate::artifact::{Artifact, ModelFile};
use crate::blocking::digest;
use crate::disk::{FetchLock, Staging};
use crate::progress::Progress;
use crate::{Digest, Error, Hub, catalogue, hub, package};

/// How a model is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A file, or a folder of files, that the user keeps; never copied or changed.
    Path {
        /// Where it lies.
        path: PathBuf,
        /// Expected digest of the file (for a folder: of no use, and refused); without it the digest is only reported.
        sha256: Option<Digest>,
    },
    /// A [`catalogue`] entry by name.
    Package(String),
    /// Files of a hub.
    Hub(Hub),
}

/// The model cache of this user.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    python: PathBuf,
}

impl Cache {
    /// The cache where the environment puts it: `GRISTMILL_CACHE`, else `XDG_CACHE_HOME`/gristmill, else
    /// `HOME`/.cache/gristmill. `GRISTMILL_PYTHON` names the interpreter whose pip fetches packages, else `python3`.
    ///
    /// Errors with [`Error::NoCacheFolder`] when none is set to an absolute path (a relative one would move with the
    /// working directory).
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(|name| std::env::var_os(name).map(PathBuf::from))
    }

    fn from_vars(var: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, Error> {
        let absolute = |name: &str| var(name).filter(|path| path.is_absolute());
        let root = absolute("GRISTMILL_CACHE")
            .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("gristmill")))
            .or_else(|| absolute("HOME").map(|path| path.join(".cache").join("gristmill")))
            .ok_or(Error::NoCacheFolder)?;
        let cache = Self::at(root);
        Ok(
            match var("GRISTMILL_PYTHON").filter(|path| !path.as_os_str().is_empty()) {
                Some(python) => cache.with_python(python),
                None => cache,
            },
        )
    }

    /// A cache in a given folder, made when it is first needed.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            python: PathBuf::from("python3"),
        }
    }

    /// Sets the interpreter whose pip fetches packages.
    #[must_use]
    pub fn with_python(self, python: impl Into<PathBuf>) -> Self {
        Self {
            python: python.into(),
            ..self
        }
    }

    /// The interpreter whose pip fetches packages.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// What the cache holds of a catalogue entry.
    pub(crate) async fn held(&self, entry: &'static catalogue::Entry) -> Result<Held, Error> {
        held(entry, &self.place(entry)).await
    }

    fn place(&self, entry: &catalogue::Entry) -> PathBuf {
        self.root.join("packages").join(key(entry))
    }

    /// The cache folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Turns a reference into files on this machine, each hashed in this call, fetching what is absent or damaged.
    ///
    /// What is there already needs no network. May be dropped at any time. Errors: see [`Error`].
    pub async fn resolve(
        &self,
        reference: &Reference,
        progress: &mut Progress<'_>,
    ) -> Result<Artifact, Error> {
        match reference {
            Reference::Path { path, sha256 } => resolve_path(path, *sha256).await,
            Reference::Package(name) => self.resolve_package(catalogue::find(name)?, progress).await,
            Reference::Hub(hub) => hub::resolve(&self.root, hub, progress).await,
        }
    }

    /// Resolves a catalogue entry; see [`Cache::resolve`].
    pub async fn resolve_package(
        &self,
        entry: &'static catalogue::Entry,
        progress: &mut Progress<'_>,
    ) -> Result<Artifact, Error> {
        let (key, place) = (key(entry), self.place(entry));
        if let Some(files) = present(entry, &place).await? {
            return Ok(artifact(entry, files));
        }
        let lock = FetchLock::acquire(&self.root.join("locks").join(format!("{key}.lock"))).await?;
        // Another process may have brought it while this one waited.
        if let Some(files) = present(entry, &place).await? {
            return Ok(artifact(entry, files));
        }
        let staging = Staging::open(self.root.join("staging").join(&key), lock)?;
        package::fetch(entry, &self.python, staging, &place, progress).await?;
        let files = entry.members.iter().map(|member| ModelFile {
            name: member.name.to_owned(),
            path: place.join(member.name),
            sha256: member.sha256,
        });
        Ok(artifact(entry, files.collect()))
    }
}

fn artifact(entry: &catalogue::Entry, files: Vec<ModelFile>) -> Artifact {
    Artifact {
        name: entry.model.to_owned(),
        license: Some(entry.license.to_owned()),
        files,
    }
}

/// The name of an entry's folder.
fn key(entry: &catalogue::Entry) -> String {
    format!("{}-{}", entry.package, entry.version)
}

/// What there is of an entry.
pub(crate) enum Held {
    /// All of its files, with the right hashes.
    Whole(Vec<ModelFile>),
    /// A file has another hash.
    Damaged {
        path: PathBuf,
        expected: Digest,
        found: Digest,
    },
    /// A file is not there.
    Absent,
}

/// The entry's files when all are there and right; a damaged one counts as absent and is fetched again.
async fn present(entry: &'static catalogue::Entry, place: &Path) -> Result<Option<Vec<ModelFile>>, Error> {
    match held(entry, place).await? {
        Held::Whole(files) => Ok(Some(files)),
        Held::Damaged {
            path,
            expected,
            found,
        } => {
            tracing::warn!(file = %path.display(), %expected, %found, "cached file is damaged: fetching it again");
            Ok(None)
        }
        Held::Absent => Ok(None),
    }
}

async fn held(entry: &'static catalogue::Entry, place: &Path) -> Result<Held, Error> {
    let mut files = Vec::with_capacity(entry.members.len());
    for member in entry.members {
        let path = place.join(member.name);
        match digest(&path).await? {
            Some(found) if found == member.sha256 => files.push(ModelFile {
                name: member.name.to_owned(),
                path,
                sha256: found,
            }),
            Some(found) => {
                return Ok(Held::Damaged {
                    path,
                    expected: member.sha256,
                    found,
                });
            }
            None => return Ok(Held::Absent),
        }
    }
    Ok(Held::Whole(files))
}

async fn resolve_path(path: &Path, expected: Option<Digest>) -> Result<Artifact, Error> {
    let meta = std::fs::metadata(path).map_err(Error::io("open the model", path))?;
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    );
    let mut paths = vec![path.to_owned()];
    if meta.is_dir() {
        if expected.is_some() {
            return Err(Error::BadReference {
                text: path.display().to_string(),
                what: "a model with a SHA-256",
                reason: "it is a folder; name the file itself".to_owned(),
            });
        }
        paths = files_of(path)?;
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let not_there = || Error::io("read", &path)(io::ErrorKind::NotFound.into());
        let found = digest(&path).await?.ok_or_else(not_there)?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::Hash {
                path,
                expected,
                found,
                advice: "copy the right file there, or correct the SHA-256 in the job",
            });
        }
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        files.push(ModelFile {
            name,
            path,
            sha256: found,
        });
    }
    Ok(Artifact {
        name,
        license: None,
        files,
    })
}

/// A folder's regular files, largest first so that the weights lead; hidden ones and subfolders are no part of a model.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::io("list", folder)(error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let meta = std::fs::metadata(entry.path()).map_err(failed)?;
        if meta.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
            files.push((std::cmp::Reverse(meta.len()), entry.path()));
        }
    }
    if files.is_empty() {
        return Err(Error::BadReference {
            text: folder.display().to_string(),
            what: "a model",
            reason: "the folder holds no file".to_owned(),
        });
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(vars: &[(&str, &str)]) -> Result<PathBuf, Error> {
        let find = |name: &str| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| PathBuf::from(value))
        };
        Cache::from_vars(find).map(|cache| cache.root)
    }

    #[test]
    fn the_environment_decides_the_folder() {
        let home = ("HOME", "/home/a");
        assert_eq!(place(&[home]).unwrap(), Path::new("/home/a/.cache/gristmill"));
        assert_eq!(
            place(&[home, ("XDG_CACHE_HOME", "/x")]).unwrap(),
            Path::new("/x/gristmill")
        );
        assert_eq!(
            place(&[home, ("XDG_CACHE_HOME", "rel")]).unwrap(),
            Path::new("/home/a/.cache/gristmill")
        );
        assert_eq!(
            place(&[home, ("GRISTMILL_CACHE", "/g")]).unwrap(),
            Path::new("/g")
        );
        assert!(matches!(place(&[("HOME", "")]), Err(Error::NoCacheFolder)));
    }

    #[tokio::test]
    async fn a_path_is_checked_against_the_users_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        std::fs::write(&path, b"weights").unwrap();
        let cache = Cache::at(folder.path().join("cache"));
        let right = Reference::Path {
            path: path.clone(),
            sha256: Some(Digest::of(b"weights")),
        };
        let found = cache.resolve(&right, &mut |_, _| {}).await.unwrap();
        assert_eq!(found.main(), Some(path.as_path()));
        assert_eq!(
            found.version(),
            format!("m.gguf@{}", Digest::of(b"weights").short())
        );

        let wrong = Reference::Path {
            path: path.clone(),
            sha256: Some(Digest::of(b"other")),
        };
        let told = cache
            .resolve(&wrong, &mut |_, _| {})
            .await
            .unwrap_err()
            .to_string();
        for part in [
            path.display().to_string(),
            Digest::of(b"other").to_string(),
            Digest::of(b"weights").to_string(),
        ] {
            assert!(told.contains(&part), "{told}");
        }
    }

    #[tokio::test]
    async fn a_folder_gives_its_files_and_names_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("unused"));
        let reference = Reference::Path {
            path: folder.path().to_owned(),
            sha256: None,
        };
        assert!(matches!(
            cache.resolve(&reference, &mut |_, _| {}).await,
            Err(Error::BadReference { .. })
        ));
        std::fs::write(folder.path().join("config.json"), b"{}").unwrap();
        std::fs::write(folder.path().join("model.safetensors"), b"weights").unwrap();
        let found = cache.resolve(&reference, &mut |_, _| {}).await.unwrap();
        assert_eq!(
            found.main(),
            Some(folder.path().join("model.safetensors").as_path())
        );
        assert!(found.file("config.json").is_ok());
        let told = found.file("tokenizer.json").unwrap_err().to_string();
        assert!(
            told.contains("tokenizer.json") && told.contains("config.json"),
            "{told}"
        );
    }
}
