//! Single files, written once from the first byte to the last, hashed on the way and forced to disk at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use sha2::{Digest, Sha256};

use crate::columns::Columns;
use crate::error::Error;
use crate::layout::{Cells, Layout};
use crate::row::{DatasetRow, Provenance};

/// Text held before it becomes a batch.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_ROWS: usize = 1_000;
/// Memory of one open row group: when it is reached, the group is written out.
const GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Text in one row group: repetitive text takes little memory here, and all of its length where a group is read at once.
const GROUP_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// What a finished file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// A file that knows its length and hash.
pub(crate) struct Sink {
    file: File,
    hash: Sha256,
    bytes: u64,
    /// The system's number for the first failure, 0 for none: the Parquet library passes some failures on as text only.
    failure: Arc<AtomicI32>,
}

impl Sink {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.map(Self::over).map_err(Error::at(path, "create it"))
    }

    fn over(file: File) -> Self {
        Self {
            file,
            hash: Sha256::new(),
            bytes: 0,
            failure: Arc::default(),
        }
    }

    /// Forces the contents to disk: only then is a following rename safe against a power cut.
    fn finish(self, rows: u64) -> io::Result<Written> {
        self.file.sync_all()?;
        let digest = self.hash.finalize();
        Ok(Written {
            rows,
            bytes: self.bytes,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).inspect_err(|error| {
            // An interrupted call is made again by the caller.
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure
                    .store(error.raw_os_error().unwrap_or(0), Ordering::Relaxed);
            }
        })?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes given bytes as a whole file.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<Written, Error> {
    let mut sink = Sink::create(path)?;
    let written = sink.write_all(bytes).and_then(|()| sink.finish(0));
    written.map_err(Error::at(path, "write it"))
}

/// A Parquet file; holds one batch of rows and one row group.
pub(crate) struct ParquetFile<T: Columns> {
    path: PathBuf,
    shape: T::Shape,
    writer: ArrowWriter<Sink>,
    failure: Arc<AtomicI32>,
    held: Vec<T>,
    held_bytes: usize,
    group_text_bytes: usize,
    rows: u64,
}

impl<T: Columns> ParquetFile<T> {
    pub(crate) fn create(path: PathBuf, shape: T::Shape) -> Result<Self, Error> {
        let sink = Sink::create(&path)?;
        Self::over(sink, path, shape)
    }

    fn over(sink: Sink, path: PathBuf, shape: T::Shape) -> Result<Self, Error> {
        let level = ZstdLevel::default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .build();
        let failure = Arc::clone(&sink.failure);
        let schema = T::schema(shape).map_err(|e| Error::parquet(&path, e.into()))?;
        let writer =
            ArrowWriter::try_new(sink, schema, Some(properties)).map_err(|e| Error::parquet(&path, e))?;
        Ok(Self {
            path,
            shape,
            writer,
            failure,
            held: Vec::new(),
            held_bytes: 0,
            group_text_bytes: 0,
            rows: 0,
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes a row that was checked.
    pub(crate) fn push(&mut self, row: T) -> Result<(), Error> {
        self.held_bytes += row.text_bytes();
        self.held.push(row);
        self.rows += 1;
        if self.held_bytes >= BATCH_BYTES || self.held.len() >= BATCH_ROWS {
            self.write_held()?;
        }
        Ok(())
    }

    fn write_held(&mut self) -> Result<(), Error> {
        let fail = |error| fault(&self.path, &self.failure, error);
        let batch = T::batch(self.shape, &self.held).map_err(|e| fail(e.into()))?;
        self.writer.write(&batch).map_err(fail)?;
        self.held.clear();
        self.group_text_bytes += std::mem::take(&mut self.held_bytes);
        if self.writer.memory_size() >= GROUP_BYTES || self.group_text_bytes >= GROUP_TEXT_BYTES {
            self.writer.flush().map_err(fail)?;
            self.group_text_bytes = 0;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Written, Error> {
        if !self.held.is_empty() {
            self.write_held()?;
        }
        let sink = self.writer.into_inner();
        let sink = sink.map_err(|error| fault(&self.path, &self.failure, error))?;
        sink.finish(self.rows)
            .map_err(Error::at(&self.path, "force it to disk"))
    }
}

/// What stopped a Parquet writer: the system, where it noted a failure, and the library otherwise.
fn fault(path: &Path, failure: &AtomicI32, error: ParquetError) -> Error {
    match failure.load(Ordering::Relaxed) {
        0 => Error::parquet(path, error),
        number => Error::io(path, "write it", io::Error::from_raw_os_error(number)),
    }
}

/// A JSON Lines file of rows.
pub(crate) struct JsonlFile {
    path: PathBuf,
    writer: BufWriter<Sink>,
    rows: u64,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(flatten)]
    cells: Cells<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    provenance: &'a Provenance,
}

impl JsonlFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, Error> {
        let writer = BufWriter::new(Sink::create(&path)?);
        Ok(Self {
            path,
            writer,
            rows: 0,
        })
    }

    pub(crate) fn push(&mut self, row: &DatasetRow, layout: Layout) -> Result<(), Error> {
        let line = Line {
            id: &row.id,
            cells: layout.cells(row)?,
            reasoning: row.reasoning.as_deref(),
            provenance: &row.provenance,
        };
        let mut serializer = Serializer::with_formatter(&mut self.writer, OneLine);
        let written = line.serialize(&mut serializer).map_err(io::Error::from);
        let written = written.and_then(|()| self.writer.write_all(b"\n"));
        self.rows += 1;
        written.map_err(Error::at(&self.path, "write it"))
    }

    pub(crate) fn finish(self) -> Result<Written, Error> {
        let fail = Error::at(&self.path, "write it");
        let sink = self.writer.into_inner().map_err(io::IntoInnerError::into_error);
        sink.and_then(|sink| sink.finish(self.rows)).map_err(fail)
    }
}

/// JSON without any character that some reader takes for a line end: JSON itself leaves three of them bare.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            let (plain, from_end) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, plain)?;
            let mut chars = from_end.chars();
            if let Some(end) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(end))?;
            }
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use gristmill_domain::dialogue::{Speaker, Turn};

    use super::*;

    /// A device that has never any space left.
    fn full() -> Sink {
        Sink::over(OpenOptions::new().write(true).open("/dev/full").unwrap())
    }

    fn row(text: String) -> DatasetRow {
        DatasetRow {
            id: "r".to_owned(),
            messages: vec![Turn::new(Speaker::User, "q"), Turn::new(Speaker::Assistant, text)],
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn a_full_disk_is_told_with_the_file_by_both_formats() {
        let path = PathBuf::from("data/train.parquet");
        let mut parquet = ParquetFile::over(full(), path.clone(), Layout::Messages).unwrap();
        parquet.push(row("a".to_owned())).unwrap();
        let error = parquet.finish().unwrap_err();
        assert!(
            matches!(&error, Error::DiskFull { file } if *file == path),
            "{error:?}"
        );

        let writer = BufWriter::new(full());
        let mut jsonl = JsonlFile {
            path: path.clone(),
            writer,
            rows: 0,
        };
        let error = jsonl
            .push(&row("a".repeat(100_000)), Layout::Messages)
            .unwrap_err();
        assert!(
            matches!(&error, Error::DiskFull { file } if *file == path),
            "{error:?}"
        );
    }
}
