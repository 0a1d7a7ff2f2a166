//! The files of a job's validator: one that holds a part of its settings is taken into the job, others are pinned by their hash, so that
//! the effective configuration says all that decides a verdict.

use std::collections::BTreeMap;
use std::path::Path;

use gristmill_domain::job::Job;

use crate::error::{Code, Error, quoted_path};
use crate::files::missing_file;
use crate::locate::place_of;
use crate::text::{decode, read_file};
use crate::yaml::Node;

/// Takes in the files that the validator's settings name.
pub(crate) fn fill(job: &mut Job, base: &Path, tree: &Node, errors: &mut Vec<Error>) {
    take_in(job, base, tree, errors);
    pin(job, base, tree, errors);
}

fn pin(job: &mut Job, base: &Path, tree: &Node, errors: &mut Vec<Error>) {
    let mut hashes = BTreeMap::new();
    for file in job.filter.validator.files() {
        let path = base.join(&file.name);
        let hash = missing_file(&path, "file").map_or_else(|| hash(&path), Err);
        match hash {
            Ok(hash) => {
                hashes.insert(file.name, hash);
            }
            Err(error) => errors.push(error.at(place_of(tree, &file.key))),
        }
    }
    for argument in job.filter.validator.arguments() {
        let here = base.join(&argument.name);
        if here.is_file() && !hashes.contains_key(&argument.name) {
            let error = Error::new(
                Code::Config,
                format!(
                    "{} stands beside the job, and `files` does not list it",
                    quoted_path(Path::new(&argument.name))
                ),
                format!(
                    "add it, so that a changed one makes another run and a cluster gets it: `files: [{}]`",
                    argument.name
                ),
            );
            errors.push(error.at(place_of(tree, &argument.key)));
        }
    }
    job.filter.validator.pin(hashes);
}

fn hash(path: &Path) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let read = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
    match read {
        Ok(()) => Ok(hasher.finalize().to_hex().to_string()),
        Err(error) => Err(Error::new(
            Code::File,
            format!("the file {} cannot be read: {error}", quoted_path(path)),
            "make it readable for this user",
        )),
    }
}

fn take_in(job: &mut Job, base: &Path, tree: &Node, errors: &mut Vec<Error>) {
    let Some(file) = job.filter.validator.settings_file() else {
        return;
    };
    let (key, what, path) = (file.key, file.what, base.join(file.path));
    let shown = quoted_path(file.path);
    let taken = read_file(&path, what)
        .and_then(|bytes| decode(bytes, &path))
        .and_then(|text| {
            job.filter.validator.take_in(&text).map_err(|reason| {
                let message = format!("the {what} {shown} cannot be used: {reason}");
                Error::new(
                    Code::Config,
                    message,
                    "correct the file; paths are relative to the job file",
                )
            })
        });
    if let Err(error) = taken {
        errors.push(error.at(place_of(tree, key)));
    }
}
