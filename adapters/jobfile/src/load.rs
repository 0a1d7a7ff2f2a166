//! From a file and overrides to a job that can run.

use std::path::{Path, PathBuf};

use gristmill_domain::job::Job;

use crate::error::{Code, Error, Errors, quoted_path};
use crate::place::{JOB, Kind, Place, Source, Sources};
use crate::shape::Shape;
use crate::walk::Walk;
use crate::yaml::{Data, Key, Node, parse};
use crate::{concepts, files, overrides, personas, prices, schema, validator};

/// The longest file that is read as a job or as prices: far above any, far below what would hurt.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A job that can run.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The effective configuration: defaults filled in, overrides applied, prices taken from the price file.
    pub job: Job,
    /// Folder of the job file, where its relative paths start.
    pub base: PathBuf,
    /// BLAKE3 of the file's bytes, in lower-case hexadecimal; overrides and defaults are not part of it.
    pub text_hash: String,
}

/// Reads a job file, applies overrides (`key.path=value`) in their order, and checks everything that can be known before a first call:
/// keys and types, contradictions, prices, keys to endpoints, and the files that the job names.
///
/// # Errors
/// Everything that is wrong, in one go; only what keeps the rest from being understood (broken YAML, wrong types) is told by itself.
pub fn load(path: &Path, overrides: &[String], keys: Keys) -> Result<Loaded, Errors> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match keys {
        Keys::Here => load_with(path, overrides, Some(&is_set)),
        Keys::Elsewhere => load_with(path, overrides, None),
    }
}

/// Where the keys are that a job names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// This process asks the models: variables and files must be there.
    Here,
    /// Others ask them, or nobody does: no key is looked for.
    Elsewhere,
}

/// [`load`] with another view of the environment: whether a variable is set and not empty; `None` looks for no key.
pub(crate) fn load_with(
    path: &Path,
    overrides: &[String],
    is_set: Option<&dyn Fn(&str) -> bool>,
) -> Result<Loaded, Errors> {
    let mut sources = Sources::default();
    let name = path.display().to_string();
    sources.add(Source {
        name,
        text: String::new(),
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    let loaded = read_job(path, overrides, is_set, &mut sources, &mut errors);
    match loaded {
        Some(loaded) if errors.is_empty() => Ok(loaded),
        _ => Err(Errors {
            errors,
            sources,
            checked_by: "plan",
        }
        .sort()),
    }
}

fn read_job(
    path: &Path,
    texts: &[String],
    is_set: Option<&dyn Fn(&str) -> bool>,
    sources: &mut Sources,
    errors: &mut Vec<Error>,
) -> Option<Loaded> {
    let mut tell = |error: Error| errors.push(error);
    let bytes = read_file(path, "job file")
        .map_err(|error| tell(error.at(Place::Whole(JOB))))
        .ok()?;
    let text_hash = blake3::hash(&bytes).to_hex().to_string();
    let text = decode(bytes, path)
        .map_err(|error| tell(error.at(Place::Whole(JOB))))
        .ok()?;
    sources.set_text(JOB, text);
    let mut tree = parse(JOB, sources.text(JOB)).map_err(&mut tell).ok()?;
    if matches!(tree.data, Data::Null { .. }) && texts.is_empty() {
        tell(
            Error::new(
                Code::Config,
                "the job is empty",
                "`gristmill init SEEDS --teacher URL --budget 5usd` writes one",
            )
            .at(Place::Whole(JOB)),
        );
        return None;
    }
    let shape = Shape::of(schema::raw());
    for text in texts {
        if let Err(error) = overrides::apply(&mut tree, &shape, text, sources) {
            errors.push(error);
        }
    }
    let mut walk = Walk::new(&shape, "the job");
    let value = walk.run(&tree);
    errors.append(&mut walk.errors);
    if !errors.is_empty() {
        return None;
    }
    let mut job: Job = match serde_path_to_error::deserialize(value?) {
        Ok(job) => job,
        Err(error) => {
            errors.push(from_serde(&error, &tree));
            return None;
        }
    };
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    for problem in job.check() {
        errors
            .push(Error::new(Code::Config, problem.message, problem.help).at(place_of(&tree, &problem.path)));
    }
    prices::fill(&mut job, &base, &tree, sources, errors);
    concepts::fill(&mut job, &base, &tree, sources, errors);
    personas::fill(&mut job, &base, &tree, sources, errors);
    validator::fill(&mut job, &base, &tree, errors);
    files::check(&job, &base, &tree, is_set, errors);
    Some(Loaded { job, base, text_hash })
}

/// What the types refuse and a schema cannot say, such as a pattern that is no regular expression.
pub(crate) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>, tree: &Node) -> Error {
    let path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            serde_path_to_error::Segment::Map { key } => Some(key.clone()),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
        })
        .collect();
    let path = path.join(".");
    let reason = error.inner().to_string();
    let reason = reason
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Error::new(
        Code::Config,
        format!("`{path}` cannot be used: {reason}"),
        "correct it, or leave it out for its default",
    )
    .at(place_of(tree, &path))
}

/// Where a key path stands, or the nearest key above it.
pub(crate) fn place_of(tree: &Node, path: &str) -> Place {
    let mut node = tree;
    // The key that led to `node`; none for an item of a list, which is its own place.
    let mut key: Option<&Key> = None;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        // A list of one is checked as the one value that it stands for.
        if let Data::List(items) = &node.data
            && let Some(item) = part.parse::<usize>().ok().and_then(|index| items.get(index))
        {
            (node, key) = (item, None);
            continue;
        }
        // And one value stands for a list of one.
        if part == "0" && node.get(part).is_none() && !matches!(node.data, Data::List(_)) {
            continue;
        }
        if let Data::List(items) = &node.data
            && let [only] = items.as_slice()
        {
            node = only;
        }
        match node.get(part) {
            Some((found, child)) => (key, node) = (Some(found), child),
            None => {
                return key.map_or_else(
                    || {
                        if std::ptr::eq(node, tree) {
                            Place::Whole(tree.source)
                        } else {
                            node.place()
                        }
                    },
                    Key::place,
                );
            }
        }
    }
    match (&node.data, key) {
        (Data::Map(_) | Data::List(_) | Data::Null { .. }, Some(key)) => key.place(),
        _ => node.place(),
    }
}

/// Reads a file that should be short.
pub(crate) fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let fail = |message: String, help: String| Error::new(Code::File, message, help);
    let shown = quoted_path(path);
    let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            fail(format!("there is no {what} {shown}"), files::nearest_file(path))
        }
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
