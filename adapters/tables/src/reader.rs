//! The reader over all files that the patterns name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::row::{BadRow, Reason, Record};
use crate::{columns, delimited, json, select};

/// How a table is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By each file's extension: `.jsonl`, `.ndjson` and `.json`, `.csv`, `.tsv`, `.parquet`; the text formats optionally followed
    /// by `.gz` or `.zst`.
    #[default]
    Auto,
    /// One JSON object a line; or a list of objects, also as the member `data` or the like of a single object.
    Jsonl,
    /// Separated by commas, or by semicolons, tabs or bars where header and rows show it; with a header line.
    Csv,
    /// Separated by tabs, or as above; with a header line.
    Tsv,
    /// Apache Parquet, with any codec but LZO.
    Parquet,
}

impl Format {
    /// The format of one file; `self` unless that is [`Format::Auto`].
    fn of(self, file: &Path) -> Result<Self, Error> {
        if self != Self::Auto {
            return Ok(self);
        }
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let plain = [".gz", ".zst", ".zstd"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let extension = Path::new(plain.unwrap_or(&name))
            .extension()
            .and_then(|e| e.to_str());
        match extension {
            Some("jsonl" | "ndjson" | "json") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::Extension {
                file: file.to_owned(),
                extension: Path::new(&name)
                    .extension()
                    .map(|e| e.to_string_lossy().into_owned()),
            }),
        }
    }
}

/// What to read and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the files are written.
    pub format: Format,
    /// Where relative patterns start; the current folder when `None`.
    pub base: Option<PathBuf>,
    /// Longest row in bytes that is read (JSON Lines and CSV); longer ones are skipped without being held.
    pub row_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            base: None,
            row_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// Rows of all files, in the order of the patterns and by name within one.
///
/// A bad row does not end the iteration, nor does a file that cannot be read to its end: the next file follows.
pub struct Reader {
    files: Vec<(Arc<Path>, Format)>,
    row_bytes_max: usize,
    next_file: usize,
    current: Option<Rows>,
    items_in_file: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shape = f.debug_struct("Reader");
        shape
            .field("files", &self.files)
            .field("next_file", &self.next_file)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens files and patterns (`*`, `?`, `[a-z]`, `**`) of one format, with default options.
    ///
    /// # Errors
    /// Whatever makes the input as a whole unusable, see [`Error`]: every file is opened and its first bytes, header or
    /// footer are checked before this returns.
    pub fn open<P: AsRef<str>>(patterns: &[P], format: Format) -> Result<Self, Error> {
        let options = Options {
            format,
            ..Options::default()
        };
        Self::open_with(patterns, &options)
    }

    /// Opens files and patterns with the given options.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_with<P: AsRef<str>>(patterns: &[P], options: &Options) -> Result<Self, Error> {
        let files = select::files(patterns, options.base.as_deref())?;
        let files: Result<Vec<(Arc<Path>, Format)>, Error> = files
            .into_iter()
            .map(|file| {
                let format = options.format.of(&file)?;
                let file: Arc<Path> = file.into();
                Rows::open(&file, format, options.row_bytes_max)?;
                Ok((file, format))
            })
            .collect();
        Ok(Self {
            files: files?,
            row_bytes_max: options.row_bytes_max,
            next_file: 0,
            current: None,
            items_in_file: 0,
        })
    }

    /// The files in the order they are read.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|(file, _)| file.as_ref())
    }

    /// Opens the next file; `None` behind the last.
    fn advance(&mut self) -> Option<Result<(), BadRow>> {
        let (file, format) = self.files.get(self.next_file)?;
        self.next_file += 1;
        self.items_in_file = 0;
        // It opened a moment ago; if not now, somebody changed it in between.
        Some(match Rows::open(file, *format, self.row_bytes_max) {
            Ok(rows) => {
                self.current = Some(rows);
                Ok(())
            }
            Err(error) => {
                let mut reason = error.to_string();
                if let Some(source) = std::error::Error::source(&error) {
                    reason = format!("{reason}: {source}");
                }
                Err(whole_file(file, Reason::Unreadable(reason)))
            }
        })
    }
}

impl Iterator for Reader {
    type Item = Result<Record, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(rows) = &mut self.current else {
                match self.advance()? {
                    Ok(()) => continue,
                    Err(bad) => return Some(Err(bad)),
                }
            };
            let item = rows.next();
            if item.is_none() && self.items_in_file == 0 {
                let reason = Reason::Empty(rows.emptiness());
                self.current = None;
                let (file, _) = &self.files[self.next_file - 1];
                return Some(Err(whole_file(file, reason)));
            }
            self.items_in_file += 1;
            if item
                .as_ref()
                .is_none_or(|row| row.as_ref().is_err_and(BadRow::ends_file))
            {
                self.current = None;
            }
            if item.is_some() {
                return item;
            }
        }
    }
}

fn whole_file(file: &Arc<Path>, reason: Reason) -> BadRow {
    BadRow {
        file: Arc::clone(file),
        line: 0,
        column: None,
        reason,
    }
}

/// Rows of one file of any format.
enum Rows {
    Json(json::Rows),
    Delimited(Box<delimited::Rows>),
    Columns(Box<columns::Rows>),
}

impl Rows {
    fn open(file: &Arc<Path>, format: Format, row_bytes_max: usize) -> Result<Self, Error> {
        let file = Arc::clone(file);
        Ok(match format {
            Format::Auto | Format::Jsonl => Self::Json(json::Rows::open(file, row_bytes_max)?),
            Format::Csv => Self::Delimited(Box::new(delimited::Rows::open(file, b',', row_bytes_max)?)),
            Format::Tsv => Self::Delimited(Box::new(delimited::Rows::open(file, b'\t', row_bytes_max)?)),
            Format::Parquet => Self::Columns(Box::new(columns::Rows::open(file)?)),
        })
    }

    fn next(&mut self) -> Option<Result<Record, BadRow>> {
        match self {
            Self::Json(rows) => rows.next(),
            Self::Delimited(rows) => rows.next(),
            Self::Columns(rows) => rows.next(),
        }
    }

    /// In what way a file without rows is empty.
    fn emptiness(&self) -> &'static str {
        match self {
            Self::Json(rows) => rows.emptiness(),
            Self::Delimited(rows) if rows.has_header() => "it has a header and no rows",
            Self::Delimited(_) => "it has neither a header nor rows",
            Self::Columns(_) => "it has columns and no rows",
        }
    }
}
