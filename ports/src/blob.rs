//! Blobs: whole objects by name, on a disk or in object storage.
//!
//! A name is one or more parts joined by `/`. A part has letters and digits of ASCII and `-_.=+@,`, and does not start with a dot:
//! so no name leads out of its store, and each means the same on every disk and at every provider. No name is a folder of another
//! (`a` beside `a/b`): disks cannot hold both.

mod fault;

use std::path::Path;

use async_trait::async_trait;

pub use fault::Fault;

/// Longest name in bytes, below the least that object stores allow (1,024), so that a scope fits before it.
pub const NAME_BYTES_MAX: usize = 700;
/// Longest part of a name in bytes, as on most disks.
const PART_BYTES_MAX: usize = 255;

/// A blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none by that name.
    #[error("`{name}` does not exist in {place}")]
    Missing {
        /// Name of the blob.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// No blob can have such a name.
    #[error("`{name}` is no name for a blob: {wrong}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The store failed.
    #[error("{place} failed while {doing} `{name}`")]
    Store {
        /// Where.
        place: String,
        /// What it was doing: "writing", "reading", "listing", "removing".
        doing: &'static str,
        /// Name of the blob.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Whether a conditional create made the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// It was made, and is durable.
    Created,
    /// One by that name was there before; it is unchanged.
    Exists,
}

/// A store of blobs.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Makes a blob unless one by that name exists. Nobody ever sees a part of it, and it is durable when this returns.
    /// After an error it may or may not be there.
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error>;

    /// Stores a file of any size under a name, in place of what was there, reading it in pieces. Nobody ever sees a part of it,
    /// and it is durable when this returns.
    async fn put_file(&self, name: &str, file: &Path) -> Result<(), Error>;

    /// Reads a blob whole.
    async fn read(&self, name: &str) -> Result<Vec<u8>, Error>;

    /// Names that start with the prefix, at any depth, in the order of their bytes. The prefix need not end at a `/`.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// The first parts of names that have several, each once, in the order of their bytes: the folders at the root of the store. Costs
    /// as many requests as there are folders, not names.
    async fn folders(&self) -> Result<Vec<String>, Error>;

    /// Removes a blob; one that is not there is removed.
    async fn remove(&self, name: &str) -> Result<(), Error>;
}

/// Refuses what is no name.
pub fn check_name(name: &str) -> Result<(), Error> {
    match wrong(name) {
        None => Ok(()),
        Some(wrong) => Err(Error::Name {
            name: name.to_owned(),
            wrong,
        }),
    }
}

/// Refuses what no name starts with. An empty prefix is that of all.
pub fn check_prefix(prefix: &str) -> Result<(), Error> {
    let folders = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        Ok(())
    } else {
        check_name(folders)
    }
}

fn wrong(name: &str) -> Option<&'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+@,".contains(&byte);
    if name.len() > NAME_BYTES_MAX {
        return Some("it is too long");
    }
    name.split('/').find_map(|part| {
        if part.is_empty() {
            Some("a part between two `/` is empty")
        } else if part.starts_with('.') {
            Some("a part starts with a dot")
        } else if part.len() > PART_BYTES_MAX {
            Some("a part is too long")
        } else if !part.bytes().all(letter) {
            Some("only letters and digits of ASCII and `-_.=+@,` are allowed")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_and_mean_the_same_everywhere() {
        let long = "x".repeat(256);
        for name in ["rows/00000001-2.seg", "a", "a/b/c=1/d.parquet", "@x,y+z"] {
            check_name(name).unwrap();
        }
        for name in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            ".part-x",
            "a/.b",
            "a\\b",
            "a b",
            "ü",
            "a%2fb",
            "a\0",
            "c:x",
            &long,
        ] {
            assert!(matches!(check_name(name), Err(Error::Name { .. })), "{name}");
        }
        for prefix in ["", "rows/", "rows/0", "row"] {
            check_prefix(prefix).unwrap();
        }
        for prefix in ["/", "../", "rows//", "a/../"] {
            assert!(check_prefix(prefix).is_err(), "{prefix}");
        }
    }
}
