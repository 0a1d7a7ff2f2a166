//! Room in the file system of a store that is a folder.

use std::path::{Path, PathBuf};

use url::Url;

/// How much a file system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub available: u64,
    /// Bytes in all.
    pub size: u64,
}

/// Room in the file system that a store's folder is in, or will be in; `None` for object storage, and where it cannot be told. It may wait
/// for a disk.
pub fn space(url: &str) -> Option<Space> {
    let folder = folder(url)?;
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|path| path.exists())?;
    let told = rustix::fs::statvfs(there).ok()?;
    Some(Space {
        available: told.f_bavail * told.f_frsize,
        size: told.f_blocks * told.f_frsize,
    })
}

/// The folder that a URL names.
pub(crate) fn folder(url: &str) -> Option<PathBuf> {
    if !url.contains("://") {
        return Some(Path::new(url).to_owned());
    }
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_before_it_is_made_and_a_bucket_has_none() {
        let there = tempfile::tempdir().unwrap();
        let store = there.path().join("not/made/yet");
        let path = store.display().to_string();
        let found = space(&path).unwrap();
        assert!(found.size > 0 && found.available <= found.size, "{found:?}");
        assert_eq!(space(&format!("file://{path}")).unwrap().size, found.size);
        assert_eq!(space("s3://bucket/folder"), None);
    }
}
