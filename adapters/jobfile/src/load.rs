//! From a file and overrides to a job that can run.

use std::path::{Path, PathBuf};

use gristmill_domain::job::Job;

use crate::error::{Code, Error, Errors, WayOn};
use crate::locate::{from_serde, place_of};
use crate::place::{JOB, Kind, Place, Source, Sources};
use crate::shape::Shape;
use crate::text::{STANDARD_INPUT, decode, read_given_file, read_standard_input};
use crate::walk::Walk;
use crate::yaml::{Data, parse};
use crate::{concepts, files, overrides, personas, prices, schema, validator};

/// A job that can run.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The effective configuration: defaults filled in, overrides applied, prices taken from the price file.
    pub job: Job,
    /// What messages call the file: its path as it was given, or `standard input`.
    pub name: String,
    /// Folder of the job file, where its relative paths start; the current one for a job from standard input.
    pub base: PathBuf,
    /// BLAKE3 of the file's bytes, in lower-case hexadecimal; overrides and defaults are not part of it.
    pub text_hash: String,
}

/// Reads a job file, or standard input where the path is `-`, applies overrides (`key.path=value`) in their order, and checks everything that can be known before a first call:
/// keys and types, contradictions, prices, keys to endpoints, and the files that the job names.
///
/// # Errors
/// Everything that is wrong, in one go; only what keeps the rest from being understood (broken YAML, wrong types) is told by itself.
pub fn load(path: &Path, overrides: &[String], keys: Keys) -> Result<Loaded, Errors> {
    load_with(path, overrides, keys.is_set())
}

/// As [`load`], of a job that was written by a program: `name` is what messages call it, and `base` is where its relative paths start.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    text: &str,
    name: &str,
    base: &Path,
    overrides: &[String],
    keys: Keys,
) -> Result<Loaded, Errors> {
    let given = Given {
        name: name.to_owned(),
        base: base.to_owned(),
        path: PathBuf::from(name),
        bytes: Ok(text.as_bytes().to_owned()),
    };
    match read(given, overrides, keys.is_set()) {
        (Some(loaded), errors) if errors.errors.is_empty() => Ok(loaded),
        (_, errors) => Err(errors),
    }
}

/// As [`load`], but of a job that is wrong, what could be understood is returned beside everything that is wrong with it.
pub fn examine(path: &Path, overrides: &[String], keys: Keys) -> (Option<Loaded>, Option<Errors>) {
    let (loaded, errors) = read(Given::of(path), overrides, keys.is_set());
    (loaded, (!errors.is_empty()).then_some(errors))
}

/// Where the keys are that a job names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// This process asks the models: variables and files must be there.
    Here,
    /// Others ask them, or nobody does: no key is looked for.
    Elsewhere,
}

impl Keys {
    fn is_set(self) -> Option<&'static dyn Fn(&str) -> bool> {
        match self {
            Self::Here => Some(&|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())),
            Self::Elsewhere => None,
        }
    }
}

/// [`load`] with another view of the environment: whether a variable is set and not empty; `None` looks for no key.
pub(crate) fn load_with(
    path: &Path,
    overrides: &[String],
    is_set: Option<&dyn Fn(&str) -> bool>,
) -> Result<Loaded, Errors> {
    match read(Given::of(path), overrides, is_set) {
        (Some(loaded), errors) if errors.is_empty() => Ok(loaded),
        (_, errors) => Err(errors),
    }
}

/// A job's text, with what is known of where it is from.
struct Given {
    name: String,
    base: PathBuf,
    path: PathBuf,
    bytes: Result<Vec<u8>, Error>,
}

impl Given {
    fn of(path: &Path) -> Self {
        Self {
            name: name_of(path),
            base: match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            path: path.to_owned(),
            bytes: match is_standard_input(path) {
                true => read_standard_input("job"),
                false => read_given_file(path, "job file"),
            },
        }
    }
}

/// What could be understood, and what is wrong.
fn read(
    given: Given,
    overrides: &[String],
    is_set: Option<&dyn Fn(&str) -> bool>,
) -> (Option<Loaded>, Errors) {
    let mut sources = Sources::default();
    sources.add(Source {
        name: given.name.clone(),
        text: String::new(),
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    let loaded = read_job(given, overrides, is_set, &mut sources, &mut errors);
    let errors = Errors {
        errors,
        sources,
        way_on: WayOn::Check("plan"),
    };
    (loaded, errors.sort())
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

fn name_of(path: &Path) -> String {
    match is_standard_input(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

fn read_job(
    given: Given,
    texts: &[String],
    is_set: Option<&dyn Fn(&str) -> bool>,
    sources: &mut Sources,
    errors: &mut Vec<Error>,
) -> Option<Loaded> {
    let mut tell = |error: Error| errors.push(error);
    let Given {
        name,
        base,
        path,
        bytes,
    } = given;
    let bytes = bytes.map_err(|error| tell(error.at(Place::Whole(JOB)))).ok()?;
    let text_hash = blake3::hash(&bytes).to_hex().to_string();
    let text = decode(bytes, &path)
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
        if let Err(error) = overrides::apply(&mut tree, &shape, ("--set", text), sources) {
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
    for problem in job.check() {
        errors
            .push(Error::new(Code::Config, problem.message, problem.help).at(place_of(&tree, &problem.path)));
    }
    prices::fill(&mut job, &base, &tree, sources, errors);
    concepts::fill(&mut job, &base, &tree, sources, errors);
    personas::fill(&mut job, &base, &tree, sources, errors);
    validator::fill(&mut job, &base, &tree, errors);
    files::check(&job, &base, &tree, is_set, errors);
    Some(Loaded {
        job,
        name,
        base,
        text_hash,
    })
}
