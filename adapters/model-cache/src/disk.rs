//! Free space and staged files.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;

/// How often a fetcher looks whether another one has finished.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// Bytes free for this user where `path` lies; `None` where the system does not say.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_path: &Path) -> Option<u64> {
    None
}

/// Makes a folder, and refuses a fetch into it that cannot fit, before it starts.
pub(crate) fn require_space(folder: &Path, needed: u64) -> Result<(), Error> {
    make_folder(folder)?;
    match free_bytes(folder) {
        Some(free) if free < needed => Err(Error::DiskFull {
            path: folder.to_owned(),
            needed_bytes: Some(needed),
            free_bytes: Some(free),
        }),
        _ => Ok(()),
    }
}

/// Makes a folder and its parents.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create the folder", path))
}

/// The right to fetch one model: an advisory lock that the system takes back from a dead process.
#[derive(Debug)]
pub(crate) struct FetchLock {
    _file: File,
}

impl FetchLock {
    /// Waits until no other process or task fetches the same thing.
    pub(crate) async fn acquire(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let mut waited = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    if !waited {
                        tracing::info!(lock = %path.display(), "another process fetches this model: waiting for it");
                        waited = true;
                    }
                    tokio::time::sleep(LOCK_POLL).await;
                }
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
            }
        }
    }
}

/// A scratch folder under the lock, emptied before and removed after.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    /// Held as long as anything may write here.
    _lock: FetchLock,
}

impl Staging {
    /// Opens the folder; what a killed fetch left there goes.
    pub(crate) fn open(path: PathBuf, lock: FetchLock) -> Result<Self, Error> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(Error::io("clear", &path))?;
        }
        make_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "scratch folder could not be removed");
        }
    }
}

/// Bytes of all regular files under a folder that another process writes to: what vanishes meanwhile counts nothing.
pub(crate) fn bytes_under(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_under(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Moves a finished file to its place in one step, on disk before it is named.
pub(crate) fn publish(staged: &Path, place: &Path) -> Result<(), Error> {
    if let Some(folder) = place.parent() {
        make_folder(folder)?;
    }
    File::open(staged)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("write", staged))?;
    fs::rename(staged, place).map_err(Error::io("move into place", place))
}
