//! The file that holds a part of the validator's settings: taken into the job so that the effective configuration holds it.

use std::path::Path;

use gristmill_domain::job::Job;

use crate::error::{Code, Error, quoted_path};
use crate::load::{decode, place_of, read_file};
use crate::yaml::Node;

/// Takes in the file that the validator's settings name, if they name one.
pub(crate) fn fill(job: &mut Job, base: &Path, tree: &Node, errors: &mut Vec<Error>) {
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
