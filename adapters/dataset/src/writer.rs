//! The writer of a whole dataset.

use std::fs;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::card::{About, front_matter};
use crate::error::Error;
use crate::file::{JsonlFile, ParquetFile, Written, write_bytes};
use crate::layout::Layout;
use crate::row::{DatasetRow, Rejected, Split};
use crate::staging::Staging;

/// Top-level names that every dataset may have.
const OWN_NAMES: [&str; 5] = ["data", "jsonl", "rejected.parquet", "README.md", "manifest.json"];

/// How a dataset is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// Columns for trainers.
    pub layout: Layout,
    /// Rows in one Parquet file at most.
    pub shard_rows: u64,
    /// Whether the splits are also written as `jsonl/*.jsonl`.
    pub jsonl: bool,
    /// Further top-level names (files or folders) that the caller adds before publishing, beside `README.md` and
    /// `manifest.json`. A folder that holds anything else is never replaced.
    pub extra_names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            layout: Layout::Messages,
            shard_rows: 100_000,
            jsonl: true,
            extra_names: Vec::new(),
        }
    }
}

/// A file of the dataset, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    /// Path in the dataset, with `/`.
    pub path: String,
    /// The split it belongs to, if it does.
    pub split: Option<Split>,
    /// Rows in it; 0 for files that hold none.
    pub rows: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the contents, in lower-case hexadecimal.
    pub sha256: String,
}

impl FileInfo {
    pub(crate) fn new(path: String, split: Option<Split>, written: Written) -> Self {
        let Written { rows, bytes, sha256 } = written;
        Self {
            path,
            split,
            rows,
            bytes,
            sha256,
        }
    }
}

/// Writes a dataset beside its place. Dropped unfinished, it leaves nothing.
///
/// Memory: for each split written to and for the rejected rows, at most about 1 MiB of waiting text, one row, and one row
/// group of 16 MiB.
pub struct Writer {
    staging: Staging,
    options: Options,
    splits: [SplitFiles; Split::ALL.len()],
    rejected: Option<ParquetFile<Rejected>>,
    files: Vec<FileInfo>,
    broken: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shape = f.debug_struct("Writer");
        shape
            .field("target", &self.staging.target())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The files of one split while they grow.
#[derive(Default)]
struct SplitFiles {
    open: Option<ParquetFile<DatasetRow>>,
    shards: Vec<Written>,
    jsonl: Option<JsonlFile>,
}

impl Writer {
    /// Begins a dataset that will replace the folder `target`, or be it.
    ///
    /// # Errors
    /// A target that cannot be replaced ([`Error::Target`], [`Error::Occupied`]), one that another process writes
    /// ([`Error::Busy`]), options without sense, and what the operating system refuses.
    pub fn create(target: &Path, options: Options) -> Result<Self, Error> {
        if options.shard_rows == 0 {
            return Err(Error::Options(
                "a Parquet file needs room for at least one row".to_owned(),
            ));
        }
        let owned = OWN_NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .chain(options.extra_names.clone());
        let staging = Staging::create(target, owned.collect())?;
        let folders: &[&str] = if options.jsonl {
            &["data", "jsonl"]
        } else {
            &["data"]
        };
        for name in folders {
            let folder = staging.path().join(name);
            fs::create_dir(&folder).map_err(Error::at(&folder, "create the folder"))?;
        }
        Ok(Self {
            staging,
            options,
            splits: Default::default(),
            rejected: None,
            files: Vec::new(),
            broken: false,
        })
    }

    /// Adds a row to a split, behind those before it.
    ///
    /// # Errors
    /// [`Error::Row`] when the layout cannot hold the row: nothing was written, and the next row may follow. Any other
    /// error ends the dataset.
    pub fn push(&mut self, split: Split, mut row: DatasetRow) -> Result<(), Error> {
        let layout = split.layout(self.options.layout);
        layout.cells(&row)?;
        row.provenance.passage_chars += layout.chars_before(&row);
        self.guarded(|writer| writer.write(split, row))
    }

    /// Adds a row that was not taken.
    ///
    /// # Errors
    /// As [`Writer::push`].
    pub fn reject(&mut self, row: Rejected) -> Result<(), Error> {
        crate::columns::Columns::check(&row, ())?;
        self.guarded(|writer| {
            let path = writer.staging.path().join("rejected.parquet");
            let file = match &mut writer.rejected {
                Some(file) => file,
                none => none.insert(ParquetFile::create(path, ())?),
            };
            file.push(row)
        })
    }

    fn guarded(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.check_whole()?;
        write(self).inspect_err(|_| self.broken = true)
    }

    fn check_whole(&self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken {
                file: self.staging.target().to_owned(),
            });
        }
        Ok(())
    }

    fn write(&mut self, split: Split, row: DatasetRow) -> Result<(), Error> {
        let folder = self.staging.path();
        let layout = split.layout(self.options.layout);
        let files = &mut self.splits[split as usize];
        if self.options.jsonl {
            let file = match &mut files.jsonl {
                Some(file) => file,
                none => none.insert(JsonlFile::create(folder.join(format!("jsonl/{split}.jsonl")))?),
            };
            file.push(&row, layout)?;
        }
        let shard = match &mut files.open {
            Some(shard) => shard,
            none => {
                let path = folder.join(unnumbered(split, files.shards.len()));
                none.insert(ParquetFile::create(path, layout)?)
            }
        };
        shard.push(row)?;
        if shard.rows() >= self.options.shard_rows
            && let Some(full) = files.open.take()
        {
            files.shards.push(full.finish()?);
        }
        Ok(())
    }

    /// Ends all files and gives them their final names. The dataset is not in its place yet: see [`Finished::publish`].
    ///
    /// # Errors
    /// What the operating system refuses; [`Error::Broken`] when an earlier call failed.
    pub fn finish(mut self) -> Result<Finished, Error> {
        self.check_whole()?;
        let folder = self.staging.path();
        for split in Split::ALL {
            let SplitFiles {
                open,
                mut shards,
                jsonl,
            } = std::mem::take(&mut self.splits[split as usize]);
            if let Some(last) = open {
                shards.push(last.finish()?);
            }
            let count = shards.len();
            for (at, written) in shards.into_iter().enumerate() {
                let path = format!("data/{split}-{at:05}-of-{count:05}.parquet");
                let from = folder.join(unnumbered(split, at));
                fs::rename(&from, folder.join(&path)).map_err(Error::at(&from, "rename it"))?;
                self.files.push(FileInfo::new(path, Some(split), written));
            }
            if let Some(file) = jsonl {
                self.files.push(FileInfo::new(
                    format!("jsonl/{split}.jsonl"),
                    Some(split),
                    file.finish()?,
                ));
            }
        }
        if let Some(file) = self.rejected {
            self.files
                .push(FileInfo::new("rejected.parquet".to_owned(), None, file.finish()?));
        }
        Ok(Finished {
            staging: self.staging,
            files: self.files,
        })
    }
}

/// A shard's name until it is known how many there are.
fn unnumbered(split: Split, at: usize) -> String {
    format!("data/{split}-{at:05}.part")
}

/// A dataset whose rows are all written, waiting for its card and manifest. Dropped unpublished, it leaves nothing.
pub struct Finished {
    staging: Staging,
    files: Vec<FileInfo>,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Finished {
    /// The files so far, in the order of splits, Parquet before JSON Lines.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// Rows of one split.
    pub fn rows(&self, split: Split) -> u64 {
        let parquet = self
            .files
            .iter()
            .filter(|file| file.split == Some(split) && file.path.starts_with("data/"));
        parquet.map(|file| file.rows).sum()
    }

    /// The head of the card: what makes the folder load with its splits and nothing else.
    pub fn front_matter(&self, about: &About) -> String {
        let splits = Split::ALL.map(|split| (split, self.rows(split)));
        let mut digest = Sha256::new();
        for file in self.files.iter().filter(|file| file.path.starts_with("data/")) {
            digest.update(&file.sha256);
        }
        let hash: String = digest
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        front_matter(about, &hash, &splits)
    }

    /// Adds a file, such as `README.md`, `manifest.json` or `pictures/funnel.svg`.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that leaves the folder, exists already, or begins with a top-level name that is neither
    /// one of these two nor among [`Options::extra_names`]; and what the operating system refuses.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<&FileInfo, Error> {
        let refuse = |reason| Error::Name {
            name: name.to_owned(),
            reason,
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts
            .iter()
            .any(|part| matches!(*part, "" | "." | "..") || part.contains(['\0', '\\']))
        {
            return Err(refuse("it is no plain path inside the dataset"));
        }
        if !self.staging.owns(parts[0]) || matches!(parts[0], "data" | "jsonl" | "rejected.parquet") {
            return Err(refuse(
                "its first part is not among the names set aside for further files",
            ));
        }
        let path = self.staging.path().join(name);
        if path.exists() {
            return Err(refuse("it exists already"));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::at(folder, "create the folder"))?;
        }
        let written = write_bytes(&path, bytes)?;
        self.files.push(FileInfo::new(name.to_owned(), None, written));
        Ok(&self.files[self.files.len() - 1])
    }

    /// Puts the dataset in its place, in one step and safe against a power cut. Without a card it gets a bare one, since
    /// a folder without would load its rejected rows as training data.
    ///
    /// # Errors
    /// What the operating system refuses, or the target changed meanwhile: the place is then as it was.
    pub fn publish(mut self) -> Result<Vec<FileInfo>, Error> {
        if !self.files.iter().any(|file| file.path == "README.md") {
            let card = self.front_matter(&About::default());
            self.add("README.md", card.as_bytes())?;
        }
        self.staging.publish()?;
        Ok(self.files)
    }
}
