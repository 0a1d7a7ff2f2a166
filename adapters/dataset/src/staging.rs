//! The folder in which a dataset comes to be, and the one step by which it takes its place.
//!
//! `NAME` is built in `.NAME.gristmill-new` beside it, so on the same disk. Publishing exchanges the two in one system
//! call where there is one (Linux, macOS), so that at every moment `NAME` is one whole dataset. Where there is none (some
//! network disks) the old folder first steps aside to `.NAME.gristmill-old`; a crash between the two renames is repaired
//! when the next writer opens the same place.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;

/// A locked, empty folder that will become the dataset. Removed when dropped before that.
pub(crate) struct Staging {
    target: PathBuf,
    path: PathBuf,
    /// What the dataset may consist of: the folder to be replaced holds nothing else.
    owned: Vec<String>,
    /// Held as long as this lives: the lock that keeps a second writer out.
    _lock: File,
    published: bool,
}

impl Staging {
    /// Opens the place beside `target`, after what a killed writer left there is cleared away.
    pub(crate) fn create(target: &Path, owned: Vec<String>) -> Result<Self, Error> {
        let target = resolve(target)?;
        let parent = parent(&target);
        fs::create_dir_all(parent).map_err(Error::at(parent, "create the folder"))?;
        let path = sibling(&target, "new");
        let lock = lock(&path, &target)?;
        // From here on this process is alone, so that it may repair and clear.
        let old = sibling(&target, "old");
        if old.exists() && !target.exists() {
            fs::rename(&old, &target).map_err(Error::at(&old, "move it back to its place"))?;
        }
        let staging = Self {
            target,
            path,
            owned,
            _lock: lock,
            published: false,
        };
        staging.check_target()?;
        for entry in fs::read_dir(&staging.path).map_err(Error::at(&staging.path, "list the folder"))? {
            let entry = entry.map_err(Error::at(&staging.path, "list the folder"))?.path();
            remove(&entry).map_err(Error::at(&entry, "remove what an earlier try left"))?;
        }
        Ok(staging)
    }

    /// Where the files are written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where they will be.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Whether a top-level name may be part of the dataset.
    pub(crate) fn owns(&self, name: &str) -> bool {
        self.owned.iter().any(|owned| owned == name)
    }

    /// A folder of the user's with other things in it is never replaced.
    fn check_target(&self) -> Result<(), Error> {
        let refuse = |reason| Error::Target {
            folder: self.target.clone(),
            reason,
        };
        let found = match fs::symlink_metadata(&self.target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(Error::at(&self.target, "look at it"))?,
        };
        if !found.is_dir() {
            return Err(refuse("a file of that name exists; name another folder"));
        }
        let above = parent(&self.target);
        let above = fs::metadata(above).map_err(Error::at(above, "look at it"))?;
        if above.dev() != found.dev() {
            return Err(refuse(
                "it is a mount point, which cannot be replaced in one step; name a folder inside it",
            ));
        }
        for entry in fs::read_dir(&self.target).map_err(Error::at(&self.target, "list the folder"))? {
            let name = entry
                .map_err(Error::at(&self.target, "list the folder"))?
                .file_name();
            let name = name.to_string_lossy();
            if !self.owns(&name) {
                return Err(Error::Occupied {
                    folder: self.target.clone(),
                    entry: name.into_owned(),
                });
            }
        }
        Ok(())
    }

    /// Puts the folder in its place. On an error the place is as it was.
    pub(crate) fn publish(mut self) -> Result<(), Error> {
        self.check_target()?;
        sync_folders(&self.path)?;
        let above = parent(&self.target).to_owned();
        // The old folder takes the staging name for a moment: locked, it is not taken for a free one.
        let old_lock = self
            .target
            .exists()
            .then(|| lock(&self.target, &self.target))
            .transpose()?;
        let moved = if old_lock.is_none() {
            fs::rename(&self.path, &self.target)
        } else {
            exchange(&self.path, &self.target).or_else(|error| match error.kind() {
                io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => self.step_aside(),
                _ => Err(error),
            })
        };
        moved.map_err(Error::at(&self.target, "put the finished dataset in its place"))?;
        self.published = true;
        sync(&above).map_err(Error::at(&above, "force the folder to disk"))?;
        // What was there before now stands where the new one was. If it cannot be removed, the next writer clears it.
        let _ = remove(&self.path);
        let _ = remove(&sibling(&self.target, "old"));
        drop(old_lock);
        Ok(())
    }

    /// Two renames, for disks that cannot exchange. A failed second one is taken back.
    fn step_aside(&self) -> io::Result<()> {
        let old = sibling(&self.target, "old");
        if old.exists() {
            remove(&old)?;
        }
        fs::rename(&self.target, &old)?;
        fs::rename(&self.path, &self.target).inspect_err(|_| {
            // Were this to fail too, the next writer still finds the old dataset and moves it back.
            let _ = fs::rename(&old, &self.target);
        })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            // Nothing is lost if this fails: the next writer clears it.
            let _ = remove(&self.path);
        }
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The target without links and relative parts, since a rename would replace the link instead of what it names.
fn resolve(target: &Path) -> Result<PathBuf, Error> {
    let absolute = fs::canonicalize(target).or_else(|_| std::path::absolute(target));
    let absolute = absolute.map_err(Error::at(target, "find the folder"))?;
    if absolute.file_name().is_none() {
        return Err(Error::Target {
            folder: target.to_owned(),
            reason: "it has no name of its own; name a folder inside it",
        });
    }
    Ok(absolute)
}

fn parent(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

fn sibling(target: &Path, role: &str) -> PathBuf {
    let name = target.file_name().unwrap_or(OsStr::new("dataset"));
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".gristmill-{role}"));
    target.with_file_name(hidden)
}

/// Creates the folder if need be and locks it for as long as the handle lives.
fn lock(path: &Path, target: &Path) -> Result<File, Error> {
    let busy = || Error::Busy {
        folder: target.to_owned(),
    };
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io(path, "create the folder", error));
        }
        _ => {}
    }
    let handle = File::open(path).map_err(Error::at(path, "open the folder"))?;
    match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(error) if error == rustix::io::Errno::WOULDBLOCK => return Err(busy()),
        Err(error) => return Err(Error::io(path, "lock the folder", error.into())),
    }
    // Another writer may have published or cleared the folder between opening and locking it.
    let held = handle.metadata().map_err(Error::at(path, "look at it"))?;
    match fs::metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => Ok(handle),
        _ => Err(busy()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Forces the names in a folder and in the folders below it to disk; the files did it when they were finished.
fn sync_folders(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::at(folder, "list the folder"))? {
        let entry = entry.map_err(Error::at(folder, "list the folder"))?.path();
        if entry.is_dir() {
            sync_folders(&entry)?;
        }
    }
    sync(folder).map_err(Error::at(folder, "force the folder to disk"))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
