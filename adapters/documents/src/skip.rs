//! Why a file was skipped, and what to do about it.

use std::path::PathBuf;

use gristmill_domain::passage::Media;
use serde::{Deserialize, Serialize};

/// A file that gave no passages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub file: PathBuf,
    /// Why, with the way out.
    pub reason: Reason,
}

/// Why a file was skipped. The text names the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Reason {
    /// Named, and not there.
    #[error("no such file; correct its name, or leave it out")]
    Missing,
    /// A pattern that matches nothing.
    #[error("no document matches this pattern; patterns are matched from {base}")]
    NoMatch {
        /// Where relative patterns start.
        base: String,
    },
    /// A symbolic link to nothing, or to itself.
    #[error("a link that leads nowhere; remove it or restore what it points to")]
    BrokenLink,
    /// The user may not read it.
    #[error("permission denied; make it readable for this user")]
    Denied,
    /// A pipe, socket or device.
    #[error("no regular file; write its contents to a file first")]
    Special,
    /// The system's own reason.
    #[error("cannot be read: {why}")]
    Io {
        /// As the system says it.
        why: String,
    },
    /// The same file under another name.
    #[error("the same file as one before it, by a link or another pattern")]
    Again,
    /// An ending that stands for no kind of document.
    #[error(
        "its ending names no kind of document that is read; convert it to one of .md .html .pdf .docx .txt"
    )]
    UnknownKind,
    /// This build lacks the reader.
    #[error("this program was built without its {} reader; build it with the feature `{feature}`", media.name())]
    NotBuilt {
        /// The kind of document.
        media: Media,
        /// The feature.
        feature: String,
    },
    /// Nothing in it.
    #[error("empty")]
    Empty,
    /// Nothing readable in it.
    #[error("{what}; {way_out}")]
    NoText {
        /// What is there instead.
        what: String,
        /// The way out.
        way_out: String,
    },
    /// The content is of another kind than the name says.
    #[error("named as {}, but this is {found}", media.name())]
    WrongKind {
        /// What the name says.
        media: Media,
        /// What it is, with the way out.
        found: String,
    },
    /// Locked with a password or a certificate.
    #[error("encrypted; save a copy without a password")]
    Encrypted,
    /// Damaged.
    #[error("damaged: {what}; save it anew with the program that wrote it, or leave it out")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// Over a limit.
    #[error("{what}; {way_out}")]
    TooLarge {
        /// What is too large, with the limit.
        what: String,
        /// The way out.
        way_out: String,
    },
    /// Over the time.
    #[error("it was not read within {seconds} s; split it")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// Over the memory.
    #[error("reading it took more than {mib} MiB of memory; split it")]
    TooMuchMemory {
        /// The limit.
        mib: u64,
    },
    /// The reader itself failed on it.
    #[error("its reader crashed on it ({how}); save it anew with the program that wrote it, and report it")]
    Crashed {
        /// How.
        how: String,
    },
}

impl Reason {
    pub(crate) fn damaged(what: impl ToString) -> Self {
        Self::Damaged {
            what: what.to_string(),
        }
    }

    pub(crate) fn no_text(what: &str, way_out: &str) -> Self {
        Self::NoText {
            what: what.into(),
            way_out: way_out.into(),
        }
    }

    /// The limits are fixed: only a smaller file helps.
    pub(crate) fn too_large(what: String) -> Self {
        Self::TooLarge {
            what,
            way_out: "split it".to_owned(),
        }
    }

    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Denied,
            std::io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Io {
                why: error.to_string(),
            },
        }
    }
}
