//! The same rows in another layout or format.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::file::JsonlFile;
use crate::layout::Layout;
use crate::read::{read_rejected, read_rows};
use crate::row::{DatasetRow, Split};
use crate::writer::{FileInfo, Finished, Options, Writer};

/// Writes the dataset in `source` again with other options. The card and the manifest are the caller's to add before
/// [`Finished::publish`]; `target` may be `source`.
///
/// # Errors
/// As [`read_rows`], [`Writer::create`] and [`Writer::push`]: a row that the layout cannot hold stops the conversion.
pub fn convert(source: &Path, target: &Path, options: Options) -> Result<Finished, Error> {
    let mut writer = Writer::create(target, options)?;
    for split in Split::ALL {
        each_row(source, split, |row| writer.push(split, row))?;
    }
    let rejected = source.join("rejected.parquet");
    if rejected.exists() {
        for row in read_rejected(&rejected)? {
            writer.reject(row?)?;
        }
    }
    writer.finish()
}

/// The dataset of a run's folder, or the folder itself.
pub fn dataset_folder(named: &Path) -> PathBuf {
    let inside = named.join("dataset");
    match inside.join("data").is_dir() {
        true => inside,
        false => named.to_owned(),
    }
}

/// The Parquet files of one split, in order; none where the split has no rows.
///
/// # Errors
/// When the folder `data` cannot be listed.
pub fn split_files(dataset: &Path, split: Split) -> Result<Vec<PathBuf>, Error> {
    let folder = dataset.join("data");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Error::at(&folder, "list the folder"))? {
        let path = entry.map_err(Error::at(&folder, "list the folder"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&format!("{split}-")) && name.ends_with(".parquet") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Calls `take` with each row of one split, in order, and ends at the first error.
///
/// # Errors
/// As [`split_files`] and [`read_rows`], and those of `take`.
pub fn each_row<E: From<Error>>(
    dataset: &Path,
    split: Split,
    mut take: impl FnMut(DatasetRow) -> Result<(), E>,
) -> Result<(), E> {
    for file in split_files(dataset, split)? {
        for row in read_rows(&file)? {
            take(row?)?;
        }
    }
    Ok(())
}

/// The rows of some splits, one split after the other. A file is opened when its first row is wanted.
///
/// # Errors
/// As [`split_files`]; the iterator's are those of [`read_rows`].
pub fn rows_of(
    dataset: &Path,
    splits: &[Split],
) -> Result<impl Iterator<Item = Result<(Split, DatasetRow), Error>> + use<>, Error> {
    let mut files = Vec::new();
    for split in splits {
        let of_split = split_files(dataset, *split)?;
        files.extend(of_split.into_iter().map(|file| (*split, file)));
    }
    Ok(files.into_iter().flat_map(|(split, file)| {
        let (rows, refused) = match read_rows(&file) {
            Ok(rows) => (Some(rows), None),
            Err(error) => (None, Some(Err(error))),
        };
        let rows = rows.into_iter().flatten();
        refused
            .into_iter()
            .chain(rows.map(move |row| row.map(|row| (split, row))))
    }))
}

/// Writes rows to one JSON Lines file, which takes the place of an existing one only when it is whole.
///
/// # Errors
/// The first error among the rows, [`Error::Row`] for one that the layout cannot hold, and what the operating system
/// refuses; an existing file is then as it was.
pub fn export_jsonl(
    rows: impl IntoIterator<Item = Result<DatasetRow, Error>>,
    layout: Layout,
    target: &Path,
) -> Result<FileInfo, Error> {
    let Some(name) = target.file_name() else {
        return Err(Error::Target {
            folder: target.to_owned(),
            reason: "it has no file name",
        });
    };
    let part = target.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = JsonlFile::create(part.clone())?;
        for row in rows {
            file.push(&row?, layout)?;
        }
        let written = file.finish()?;
        fs::rename(&part, target).map_err(Error::at(target, "put the finished file in its place"))?;
        Ok(written)
    })();
    if written.is_err() {
        // Whatever stopped it is the error to tell; a left-over is hidden and harmless.
        let _ = fs::remove_file(&part);
    }
    written.map(|written| FileInfo::new(target.display().to_string(), None, written))
}
