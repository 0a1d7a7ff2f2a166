//! Where databases come from, and what makes a file fit to be opened read-only and unlocked.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A database's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// SQL text that creates and fills the database.
    Dump(PathBuf),
    /// A SQLite file; it must not change while the sandbox is open.
    File(PathBuf),
}

impl Source {
    /// By the file's ending.
    pub fn from_path(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("sql") => Ok(Self::Dump(path.to_owned())),
            Some("sqlite" | "sqlite3" | "db") => Ok(Self::File(path.to_owned())),
            _ => Err(Error::Kind {
                path: path.to_owned(),
            }),
        }
    }

    /// The file as it was given.
    pub fn path(&self) -> &Path {
        match self {
            Self::Dump(path) | Self::File(path) => path,
        }
    }
}

/// A database file that a child can open, or what is needed to make it.
#[derive(Debug)]
pub(crate) enum Prepared {
    Ready(PathBuf),
    ToLoad { dump: PathBuf, target: PathBuf },
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File {
        what,
        path: path.to_owned(),
        source,
    }
}

/// Every database file of a folder by its stem; other files are left alone.
pub(crate) fn in_folder(folder: &Path) -> Result<BTreeMap<String, Source>, Error> {
    let mut found: BTreeMap<String, Source> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(file_error("list", folder))? {
        let path = entry.map_err(file_error("list", folder))?.path();
        let (Ok(source), Some(stem)) = (Source::from_path(&path), path.file_stem()) else {
            continue;
        };
        let name = stem.to_string_lossy().into_owned();
        if let Some(first) = found.insert(name.clone(), source) {
            return Err(Error::Twice {
                name,
                first: first.path().to_owned(),
                second: path,
            });
        }
    }
    if found.is_empty() {
        let place = format!("looked in {}", folder.display());
        return Err(Error::NoDatabase { place });
    }
    Ok(found)
}

/// Checks a source; a dump's database is named by its content within the cache, so that it is made once.
pub(crate) fn prepare(name: &str, source: &Source, cache: &Path) -> Result<Prepared, Error> {
    let path = fs::canonicalize(source.path()).map_err(file_error("open", source.path()))?;
    match source {
        Source::File(_) => {
            let mut log = path.clone().into_os_string();
            log.push("-wal");
            if fs::metadata(&log).is_ok_and(|meta| meta.len() > 0) {
                return Err(Error::Unmerged { path });
            }
            Ok(Prepared::Ready(path))
        }
        Source::Dump(_) => {
            let text = fs::read(&path).map_err(file_error("read", &path))?;
            let hash = blake3::hash(&text).to_hex();
            // The name is for people; the hash alone tells databases apart.
            let plain: String = name
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
                .take(40)
                .collect();
            let target = cache.join(format!("{plain}-{}.sqlite", &hash[..32]));
            Ok(if target.exists() {
                Prepared::Ready(target)
            } else {
                Prepared::ToLoad { dump: path, target }
            })
        }
    }
}

/// Creates the cache folder and names it absolutely: children run elsewhere.
pub(crate) fn cache_folder(cache: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(cache).map_err(file_error("create", cache))?;
    fs::canonicalize(cache).map_err(file_error("open", cache))
}

/// Puts a database that is whole in its place, read-only. Until then no one takes it for one.
pub(crate) fn publish(made: &Path, target: &Path) -> Result<(), Error> {
    let mut permissions = fs::metadata(made)
        .map_err(file_error("read", made))?
        .permissions();
    permissions.set_readonly(true);
    fs::set_permissions(made, permissions).map_err(file_error("protect", made))?;
    let file = fs::File::open(made).map_err(file_error("open", made))?;
    file.sync_all().map_err(file_error("write", made))?;
    fs::rename(made, target).map_err(file_error("create", target))
}

pub(crate) fn utf8(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::Path {
        path: path.to_owned(),
    })
}
