//! What a user's files come to: rows, bad rows with their places, and errors that say the way out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its files should fail"
)]

mod opening;
mod parquet_files;
mod text_files;

use std::fs;
use std::path::{Path, PathBuf};

use gristmill_tables::{BadRow, Error, Format, Options, Reader, Record};

/// A folder with the given files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
            fs::write(folder.path(name), bytes).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self) -> Options {
        Options {
            base: Some(self.0.path().to_owned()),
            ..Options::default()
        }
    }

    fn open(&self, patterns: &[&str], format: Format) -> Result<Reader, Error> {
        Reader::open_with(
            patterns,
            &Options {
                format,
                ..self.options()
            },
        )
    }

    fn rows(&self, name: &str) -> Vec<Result<Record, BadRow>> {
        self.open(&[name], Format::Auto).unwrap().collect()
    }

    /// Rows as `line: json` and bad rows as `line:column! reason`, to read at a glance.
    fn shown(&self, name: &str) -> Vec<String> {
        self.rows(name).into_iter().map(|row| show(&row)).collect()
    }
}

fn show(row: &Result<Record, BadRow>) -> String {
    match row {
        Ok(row) => format!("{}: {}", row.line, serde_json::Value::from(row.value.clone())),
        Err(bad) => {
            let text = bad.to_string();
            let file = bad.file.to_str().unwrap();
            format!("! {}", text.strip_prefix(file).unwrap().trim_start_matches(':'))
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
