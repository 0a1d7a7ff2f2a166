//! Why a store fails, by what mends it.

use std::error::Error;
use std::io::{self, ErrorKind};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has no room: a full disk, a quota, a limit on the size of files.
    Full,
    /// It is mounted for reading only.
    ReadOnly,
    /// This process may not do that there.
    Denied,
    /// Its folder is not there, or is something else than a folder.
    Missing,
    /// It does not answer.
    Unreachable,
    /// Something else.
    Other,
}

impl Fault {
    /// The fault that an error and its causes tell of: the first of them that comes from the system.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let system = error.downcast_ref::<io::Error>();
            if let Some(fault) = system.and_then(|error| Self::of_kind(error.kind())) {
                return fault;
            }
            cause = error.source();
        }
        Self::Other
    }

    fn of_kind(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Some(Self::Full),
            ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnly),
            ErrorKind::PermissionDenied => Some(Self::Denied),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some(Self::Missing),
            ErrorKind::TimedOut
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::StaleNetworkFileHandle => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// Its name, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }

    /// What an operator does about it.
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Full => "give it more room, or delete runs that are not needed any more",
            Self::ReadOnly => "mount it for writing",
            Self::Denied => "let this process write there",
            Self::Missing => "mount it, or correct `--store`",
            Self::Unreachable => "see whether its server runs and can be reached from here",
            Self::Other => "see what the error says",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the segment was not written")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn a_full_disk_is_told_from_what_the_system_says_of_it() {
        // A device that is always full.
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = Wrapped(full.write_all(b"x").unwrap_err());
        assert_eq!(Fault::of(&error), Fault::Full, "{error:?}");
    }

    #[test]
    fn the_first_cause_that_says_something_counts() {
        let missing = std::fs::read("/nowhere/at/all").unwrap_err();
        assert_eq!(Fault::of(&Wrapped(missing)), Fault::Missing);
        let denied = io::Error::other(io::Error::from(ErrorKind::PermissionDenied));
        assert_eq!(Fault::of(&denied), Fault::Other, "an error of its own hides it");
        assert_eq!(
            Fault::of(&Wrapped(ErrorKind::PermissionDenied.into())),
            Fault::Denied
        );
        assert_eq!(Fault::of(&Wrapped(io::Error::other("?"))), Fault::Other);
    }
}
