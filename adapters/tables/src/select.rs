//! From patterns to files.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Folder entries looked at for a similar name: enough for a hint, bounded for huge folders.
const NEAREST_ENTRIES_MAX: usize = 10_000;

/// The files that the patterns name, in the order of the patterns and by name within one, each once.
///
/// A pattern that names an existing path is that path, even with `*` or `[` in its name. Hidden files are matched only by
/// patterns that begin with a dot. Relative patterns start at `base`, or at the current folder.
pub fn files<P: AsRef<str>>(patterns: &[P], base: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for pattern in patterns {
        for file in matches(pattern.as_ref(), base)? {
            // The same file by two patterns, or by a link, would be two equal rows for every one.
            let identity = file.canonicalize().map_err(|e| Error::from_io(&file, e))?;
            if seen.insert(identity) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        return Err(Error::Nothing);
    }
    Ok(files)
}

fn matches(pattern: &str, base: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    let literal = base.map_or_else(|| PathBuf::from(pattern), |base| base.join(pattern));
    match fs::metadata(&literal) {
        Ok(found) if found.is_dir() => return Err(Error::Directory { file: literal }),
        Ok(found) if !found.is_file() => return Err(Error::Special { file: literal }),
        Ok(_) => return Ok(vec![literal]),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Error::from_io(&literal, error));
        }
        Err(_) if !pattern.contains(['*', '?', '[']) => return Err(missing(literal)),
        Err(_) => {}
    }
    let root = match base {
        Some(base) if Path::new(pattern).is_relative() => {
            format!("{}/", glob::Pattern::escape(&base.to_string_lossy()))
        }
        _ => String::new(),
    };
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let paths = glob::glob_with(&format!("{root}{pattern}"), options).map_err(|error| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: format!(
            "{} at character {}",
            error.msg,
            (error.pos + 1).saturating_sub(root.chars().count())
        ),
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let folder = error.path().to_owned();
            Error::from_io(&folder, error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::NoMatch {
            pattern: pattern.to_owned(),
            folder: base.map_or_else(|| std::env::current_dir().unwrap_or_default(), Path::to_owned),
        });
    }
    Ok(files)
}

/// Says what is there instead of a file that is not.
fn missing(file: PathBuf) -> Error {
    let folder = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    };
    if !folder.is_dir() {
        let first_missing = folder
            .ancestors()
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
            .last()
            .unwrap_or(folder)
            .to_owned();
        return Error::MissingFolder {
            file,
            folder: first_missing,
        };
    }
    let nearest = nearest_name(folder, &file);
    Error::Missing { file, nearest }
}

fn nearest_name(folder: &Path, file: &Path) -> Option<String> {
    let wanted = file.file_name()?.to_string_lossy().to_lowercase();
    let likeness =
        |name: &String| (strsim::normalized_damerau_levenshtein(&wanted, &name.to_lowercase()) * 1e6) as u64;
    fs::read_dir(folder)
        .ok()?
        .take(NEAREST_ENTRIES_MAX)
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        // Hidden files are nobody's data.
        .filter(|name| !name.starts_with('.'))
        .max_by(|a, b| likeness(a).cmp(&likeness(b)).then_with(|| b.cmp(a)))
}
