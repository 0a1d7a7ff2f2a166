//! Parts of a ZIP archive, unpacked within bounds.

use std::io::{self, Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::options::Limits;
use crate::skip::Reason;

/// Unpacked bytes that no ratio is asked of: a page of blanks is no bomb.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// An archive of which only named parts are read: nothing is unpacked to disk, and archives inside are not opened.
pub(super) struct Archive {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    limits: Limits,
}

impl Archive {
    pub(super) fn open(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Reason> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
        if zip.len() > limits.entries_max {
            let what = format!(
                "an archive of {} parts, more than {}",
                zip.len(),
                limits.entries_max
            );
            return Err(Reason::too_large(what));
        }
        Ok(Self { zip, limits: *limits })
    }

    /// A part by its name; `None` when there is none.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<impl Read + '_>, Reason> {
        let limits = self.limits;
        match self.zip.by_name(name) {
            Ok(part) if part.encrypted() => Err(Reason::Encrypted),
            Ok(part) => Ok(Some(Bounded {
                most: limits.unpacked_bytes_max.min(
                    part.compressed_size()
                        .saturating_mul(limits.ratio_max)
                        .max(RATIO_FREE_BYTES),
                ),
                read: 0,
                inner: part,
            })),
            Err(ZipError::FileNotFound) => Ok(None),
            Err(ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                Err(Reason::Encrypted)
            }
            Err(error) => Err(damaged(&error)),
        }
    }
}

fn damaged(error: &ZipError) -> Reason {
    Reason::damaged(format!("as a ZIP archive: {error}"))
}

/// The mark of an error that means a bomb.
#[derive(Debug, thiserror::Error)]
#[error("a part of the archive unpacks to more than {most} bytes")]
struct Bomb {
    most: u64,
}

/// What an error of reading a part means for the document.
pub(super) fn reason(error: &io::Error) -> Reason {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Bomb>()) {
        Some(bomb) => Reason::TooLarge {
            what: bomb.to_string(),
            way_out: "do not trust it; if it is yours, save it again as text".into(),
        },
        None => Reason::damaged(error),
    }
}

/// Counts what comes out; the sizes that an archive states about itself are not trusted.
struct Bounded<R> {
    inner: R,
    read: u64,
    most: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if self.read > self.most {
            return Err(io::Error::other(Bomb { most: self.most }));
        }
        Ok(count)
    }
}
