//! The file of personas that a job names: one a line, filled into the job so that the effective configuration holds them all.

use std::ops::Range;
use std::path::Path;

use gristmill_domain::job::{Job, wrong_personas};

use crate::error::{Code, Error, quoted_path};
use crate::locate::place_of;
use crate::place::{Kind, Place, Source, Sources};
use crate::text::{decode, read_file};
use crate::yaml::Node;

/// Fills in the personas of the file that the job names. Empty lines, and those that start with `#`, are left out.
pub(crate) fn fill(job: &mut Job, base: &Path, tree: &Node, sources: &mut Sources, errors: &mut Vec<Error>) {
    let Some(mutators) = &mut job.generate.mutators else {
        return;
    };
    let Some(file) = mutators.personas_file.clone() else {
        return;
    };
    let path = base.join(&file);
    let place = place_of(tree, "generate.mutators.personas_file");
    let text = match read_file(&path, "file of personas").and_then(|bytes| decode(bytes, &path)) {
        Ok(text) => text,
        Err(error) => return errors.push(error.at(place)),
    };
    let (found, places): (Vec<String>, Vec<Range<usize>>) = lines(&text).unzip();
    if found.is_empty() {
        let message = format!("the file of personas {} holds none", quoted_path(&file));
        let error = Error::new(
            Code::Config,
            message,
            "write one a line, such as `a nurse on the night shift`",
        );
        return errors.push(error.at(place));
    }
    let source = sources.add(Source {
        name: path.display().to_string(),
        text,
        kind: Kind::File,
    });
    for wrong in wrong_personas(&found) {
        let place = places
            .get(wrong.at)
            .map_or(Place::Whole(source), |line| Place::at(source, line.clone()));
        errors.push(Error::new(Code::Config, wrong.message, wrong.help).at(place));
    }
    // The list stands for the file from here on.
    (mutators.personas, mutators.personas_file) = (found, None);
}

/// What stands on each line that is no comment, and where.
fn lines(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let said = line.trim();
        (!said.is_empty() && !said.starts_with('#')).then(|| (said.to_owned(), start..start + said.len()))
    })
}
