//! Texts of files: read whole, short ones only, and as UTF-8.

use std::path::Path;

use crate::error::{Code, Error, quoted_path};
use crate::near::nearest;

/// Folder entries looked at for a similar name: enough for a hint, bounded for huge folders.
pub(crate) const ENTRIES_MAX: usize = 10_000;

/// The longest file that is read as a job or as prices: far above any, far below what would hurt.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The path of a job that comes by standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// Reads what should be short from standard input.
pub(crate) fn read_standard_input(what: &str) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let fail = |message: String, help: &str| Err(Error::new(Code::File, message, help));
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes);
    if let Err(error) = read {
        return fail(
            format!("the {what} cannot be read from standard input: {error}"),
            "",
        );
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return fail(
            format!(
                "the {what} on standard input is longer than {} KiB",
                FILE_BYTES_MAX / 1024
            ),
            "is it a job? Data belongs in files that a job names",
        );
    }
    Ok(bytes)
}

/// Reads a file that should be short and that a job names.
pub(crate) fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    read_or_help(path, what, nearest_file)
}

/// Reads a file that should be short and was named by hand.
pub(crate) fn read_given_file(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    read_or_help(path, what, |path| {
        missing_folder(path)
            .or_else(|| similar_name(path))
            .unwrap_or_default()
    })
}

/// Reads a file that should be short; where there is none, `nearest` says what might be meant.
fn read_or_help(path: &Path, what: &str, nearest: impl Fn(&Path) -> String) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let fail = |message: String, help: String| Error::new(Code::File, message, help);
    let shown = quoted_path(path);
    let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fail(format!("there is no {what} {shown}"), nearest(path)),
        _ => fail(
            format!("the {what} {shown} cannot be read: {error}"),
            String::new(),
        ),
    })?;
    if meta.is_dir() {
        return Err(fail(
            format!("the {what} {shown} is a folder"),
            "name a file in it".into(),
        ));
    }
    let too_long = || {
        fail(
            format!("the {what} {shown} is longer than {} KiB", FILE_BYTES_MAX / 1024),
            "is it the right file? Data belongs in files that a job names".into(),
        )
    };
    if !meta.is_file() {
        return Err(fail(
            format!("the {what} {shown} is no regular file"),
            "write it to a file first".into(),
        ));
    }
    if meta.len() > FILE_BYTES_MAX {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let file =
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    file.map_err(|error| {
        fail(
            format!("the {what} {shown} cannot be read: {error}"),
            "make it readable for this user".into(),
        )
    })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_long());
    }
    Ok(bytes)
}

/// UTF-8, with or without a byte-order mark.
pub(crate) fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, Error> {
    let shown = path.display();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Error::new(
            Code::Yaml,
            format!("{shown} is written in UTF-16"),
            "save it as UTF-8",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        Error::new(
            Code::Yaml,
            format!("{shown} is not UTF-8: byte {at}, in line {line}"),
            "save it as UTF-8",
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What might be meant by a missing file that a job names.
pub(crate) fn nearest_file(path: &Path) -> String {
    let relative = "paths are relative to the job file";
    match missing_folder(path) {
        Some(missing) => format!("{missing}; {relative}"),
        None => similar_name(path).unwrap_or_else(|| relative.to_owned()),
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The first folder on the way to a missing file that does not exist; `None` where all are there.
fn missing_folder(path: &Path) -> Option<String> {
    let missing = folder_of(path)
        .ancestors()
        .take_while(|folder| !folder.is_dir() && !folder.as_os_str().is_empty())
        .last()?;
    Some(format!("there is no folder `{}`", missing.display()))
}

/// The most similar name beside a missing file; `None` where none is near.
fn similar_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let names: Vec<String> = std::fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten()
        .take(ENTRIES_MAX)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let near = nearest(&name, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", path.with_file_name(near).display()))
}
