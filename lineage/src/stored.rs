//! The JSON files that a lineage keeps.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::Error;

/// Reads a file of a format. Another format is told before anything else, since it may have another shape.
///
/// # Errors
/// [`Error::Io`], and [`Error::Damaged`] for what is not of that format.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, format: u32) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(Error::io(path))?;
    let damaged = |error: serde_json::Error| Error::damaged(path, error.to_string());
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(other) if other != u64::from(format) => Err(Error::damaged(
            path,
            format!(
                "it has format {other}, and this program reads format {format}: use the version that wrote it"
            ),
        )),
        _ => serde_json::from_value(value).map_err(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_told_before_its_other_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generation.json");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read::<Vec<u8>>(&path, 1).unwrap_err().to_string()
        };
        let newer = read(r#"{"format": 2}"#);
        assert!(
            newer.contains("it has format 2, and this program reads format 1"),
            "{newer}"
        );
        let damaged = read(r#"{"format": 1}"#);
        assert!(damaged.contains("invalid type: map"), "{damaged}");
    }
}
