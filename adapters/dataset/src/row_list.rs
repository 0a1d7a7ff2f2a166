//! Files that name rows.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Rows by their ids, as a file names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowList {
    file: PathBuf,
    ids: HashSet<String>,
}

impl RowList {
    /// Reads a file that names rows: an id a line, or JSON lines with an `id` each, such as rows of a dataset.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::RowList`] for a file that is not there, a line that names no row and for a file that names none.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::RowList {
            file: file.to_owned(),
            reason,
        };
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(unusable(
                    "there is no such file of rows. `gristmill mend` writes none where it finds no row to take out: then leave it out".to_owned(),
                ));
            }
            read => read.map_err(Error::at(file, "read it"))?,
        };
        let mut ids = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let id = match line.starts_with('{') {
                false => Some(line.to_owned()),
                true => serde_json::from_str::<serde_json::Value>(line)
                    .ok()
                    .and_then(|row| Some(row.get("id")?.as_str()?.to_owned())),
            };
            let id = id.ok_or_else(|| {
                unusable(format!(
                    "line {} names no row: write an id a line, or JSON lines with an `id` each",
                    number + 1
                ))
            })?;
            ids.insert(id);
        }
        if ids.is_empty() {
            return Err(unusable("it names no row".to_owned()));
        }
        Ok(Self {
            file: file.to_owned(),
            ids,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The ids that it names, each once, in no order.
    pub fn ids(&self) -> &HashSet<String> {
        &self.ids
    }

    /// Whether it names a row.
    pub fn names(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_rows_by_lines_or_by_json() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.jsonl");
        std::fs::write(&file, "r1\n\n{\"id\": \"r2\", \"messages\": []}\n").unwrap();
        let rows = RowList::read(&file).unwrap();
        assert!(rows.names("r1") && rows.names("r2") && !rows.names("r3"));
        std::fs::write(&file, "{\"row\": 1}\n").unwrap();
        let told = RowList::read(&file).unwrap_err().to_string();
        assert!(told.contains("line 1 names no row"), "{told}");
        std::fs::write(&file, "\n").unwrap();
        assert!(RowList::read(&file).unwrap_err().to_string().contains("no row"));
    }
}
