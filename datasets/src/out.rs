//! Files that appear whole or not at all.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use tempfile::NamedTempFile;

/// Bytes in which a page says what made it, and how it does.
const BEGINNING: u64 = 2_048;
const GENERATOR: &str = "<meta name=\"generator\" content=\"Gristmill\">";

/// A file could not be written: nothing is wrong with what was given.
#[derive(Debug)]
pub struct Unwritable(PathBuf);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be written", self.0.display())
    }
}

/// Refuses to write over a file that nobody said may go.
pub(crate) fn free(path: &Path, overwrite: bool) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("{} is a folder: name a file", path.display());
    }
    if path.exists() && !overwrite {
        bail!(
            "{} exists: name another file, or add `--overwrite`",
            path.display()
        );
    }
    Ok(())
}

/// Refuses a page's place that is not one: another name than a page's, or a file that is no page of ours.
///
/// # Errors
/// What is wrong with the place.
pub fn page_at(path: &Path) -> anyhow::Result<()> {
    if path.extension().is_none_or(|end| end != "html") {
        bail!(
            "{} is to hold a page: give it a name that ends in .html",
            path.display()
        );
    }
    let mut beginning = Vec::new();
    let read = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning)),
    };
    // What cannot be read is no page of ours either.
    if read.is_err() || !String::from_utf8_lossy(&beginning).contains(GENERATOR) {
        bail!(
            "{} is there, and no page of Gristmill's: name another file",
            path.display()
        );
    }
    Ok(())
}

/// The file of this kind beside another: `NAME.KIND.jsonl` beside `NAME.jsonl`.
pub(crate) fn beside(path: &Path, kind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(".jsonl").next().unwrap_or(&name);
    path.with_file_name(format!("{stem}.{kind}.jsonl"))
}

/// True for two spellings of one file, there or to be.
pub(crate) fn same(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| {
        path.canonicalize().ok().or_else(|| {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
            Some(parent.join(path.file_name()?))
        })
    };
    a == b || whole(a).is_some_and(|a| whole(b) == Some(a))
}

/// A file beside its place, until it is whole.
pub(crate) struct Staged {
    path: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.exists()) {
            bail!(
                "{}: the folder {} is not there: make it first",
                path.display(),
                parent.display()
            );
        }
        let file = tempfile::Builder::new()
            .prefix(".gristmill-")
            .suffix(".part")
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .with_context(|| Unwritable(path.to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    fn handle(&self) -> anyhow::Result<File> {
        self.file
            .as_file()
            .try_clone()
            .with_context(|| Unwritable(self.path.clone()))
    }

    /// Puts the file in its place.
    pub(crate) fn publish(self) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path;
        let place = || -> std::io::Result<()> {
            let file = self.file.as_file();
            // A temporary file is for its owner alone; a result is for whom other files are.
            file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
            file.sync_all()?;
            self.file.persist(&path)?;
            Ok(())
        };
        place().with_context(|| Unwritable(path.clone()))
    }
}

/// Writes a whole file.
///
/// # Errors
/// [`Unwritable`], and a folder that is not there.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut staged = Staged::create(path)?;
    let written = staged.file.write_all(bytes);
    written.with_context(|| Unwritable(path.to_owned()))?;
    staged.publish()
}

/// JSON lines, compressed where the name ends in `.zst`.
pub(crate) struct Lines {
    staged: Staged,
    writer: Writer,
    pub(crate) rows: u64,
}

enum Writer {
    Plain(BufWriter<File>),
    Zstd(BufWriter<zstd::Encoder<'static, File>>),
}

impl Lines {
    /// Begins a file; its name must say that it holds JSON lines.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".zst").unwrap_or(&name);
        if !(plain.ends_with(".jsonl") || plain.ends_with(".ndjson")) {
            bail!(
                "{} is to hold JSON lines: give it a name such as rows.jsonl or rows.jsonl.zst",
                path.display()
            );
        }
        let staged = Staged::create(path)?;
        let file = staged.handle()?;
        let writer = if name.ends_with(".zst") {
            let encoder = zstd::Encoder::new(file, 0).with_context(|| Unwritable(path.to_owned()))?;
            Writer::Zstd(BufWriter::new(encoder))
        } else {
            Writer::Plain(BufWriter::new(file))
        };
        Ok(Self {
            staged,
            writer,
            rows: 0,
        })
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, row: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let written = match &mut self.writer {
            Writer::Plain(writer) => writer.write_all(&line),
            Writer::Zstd(writer) => writer.write_all(&line),
        };
        written.with_context(|| Unwritable(self.staged.path.clone()))?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the file, which is not in its place yet.
    pub(crate) fn finish(self) -> anyhow::Result<Staged> {
        let flush = || -> std::io::Result<()> {
            match self.writer {
                Writer::Plain(mut writer) => writer.flush(),
                Writer::Zstd(writer) => {
                    let encoder = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                    encoder.finish().map(|_file| ())
                }
            }
        };
        flush().with_context(|| Unwritable(self.staged.path.clone()))?;
        Ok(self.staged)
    }
}
