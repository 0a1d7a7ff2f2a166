//! Hashes of files, and of lists of rows.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gristmill_domain::id::ContentId;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// SHA-256 of a file in lower-case hexadecimal, as the manifests of datasets state it.
pub(crate) fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(Error::io(path))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// BLAKE3 of a small file's bytes, which is how a student names its dataset's manifest.
pub(crate) fn blake3(text: &[u8]) -> String {
    blake3::hash(text).to_hex().to_string()
}

/// BLAKE3 of content hashes in their order, whatever order they come in.
pub(crate) fn of_rows(rows: impl IntoIterator<Item = ContentId>) -> String {
    let mut rows: Vec<ContentId> = rows.into_iter().collect();
    rows.sort_unstable();
    let mut hash = blake3::Hasher::new();
    for row in rows {
        hash.update(row.as_bytes());
    }
    hash.finalize().to_hex().to_string()
}
