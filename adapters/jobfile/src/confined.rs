//! Files that came from elsewhere: whether a YAML file, a job or a recipe, names paths that lead out of the folder that it stands in.
//!
//! It is asked of all files of an upload before any of them is used. Which settings name files is not asked: a setting that is added later would be
//! forgotten here.

use std::path::{Component, Path};

use crate::error::{Code, Error, Errors, WayOn, quoted};
use crate::place::{JOB, Kind, Place, Source, Sources};
use crate::text::{decode, read_file};
use crate::yaml::{Data, Node, parse};

/// Refuses a file with a value that, read as a path, leads out of its folder: an absolute path, or one with `..`. What is no YAML passes: no reader of
/// jobs or recipes can use it.
///
/// # Errors
/// Every such value, at its line and column.
pub fn stays_within(path: &Path) -> Result<(), Errors> {
    let Ok(text) = read_file(path, "file").and_then(|bytes| decode(bytes, path)) else {
        return Ok(());
    };
    let mut sources = Sources::default();
    sources.add(Source {
        name: path.display().to_string(),
        text,
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    if let Ok(tree) = parse(JOB, sources.text(JOB)) {
        look(&tree, &mut errors);
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Errors {
            errors,
            sources,
            way_on: WayOn::Check("plan"),
        }
        .sort()),
    }
}

fn look(node: &Node, errors: &mut Vec<Error>) {
    match &node.data {
        Data::Text(text) if leads_out(text) => errors.push(outside(text, node.place())),
        Data::Text(_) | Data::Null { .. } | Data::Bool(_) | Data::Int(_) | Data::Float(_) => {}
        Data::List(items) => items.iter().for_each(|item| look(item, errors)),
        Data::Map(entries) => {
            for (key, value) in entries {
                // Names of files are keys in some settings.
                if leads_out(&key.name) {
                    errors.push(outside(&key.name, Place::at(key.source, key.span.clone())));
                }
                look(value, errors);
            }
        }
    }
}

fn leads_out(text: &str) -> bool {
    // A text of several lines is no path.
    !text.contains('\n')
        && Path::new(text).components().any(|part| {
            matches!(
                part,
                Component::RootDir | Component::ParentDir | Component::Prefix(_)
            )
        })
}

fn outside(text: &str, place: Place) -> Error {
    Error::new(
        Code::File,
        format!("{} may name a file outside of what was uploaded", quoted(text)),
        "upload the file with the job, and name it as it is named there",
    )
    .at(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.yaml");
        std::fs::write(&path, text).unwrap();
        match stays_within(&path) {
            Ok(()) => Vec::new(),
            Err(errors) => errors
                .errors
                .iter()
                .map(|error| error.message().to_owned())
                .collect(),
        }
    }

    #[test]
    fn paths_out_of_the_folder_are_refused_wherever_they_stand() {
        let job = "seeds: {path: [seeds.jsonl, ../other.jsonl]}\nteacher: {key_file: /etc/passwd, base_url: https://host/v1}\n\
                   generate: {recipes: [a/../../b.yaml], prompts: {../x: y.txt}}\n";
        let told = refused(job);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told.iter()
                .all(|text| text.contains("outside of what was uploaded")),
            "{told:?}"
        );
        assert!(refused("seeds: {path: data/seeds.jsonl}\nnote: \"/a\\nb\"\n").is_empty());
    }

    #[test]
    fn what_no_reader_of_jobs_can_use_passes() {
        assert!(refused("{\"question\": \"/a\"}\n{\"question\": \"/b\"}\n").is_empty());
        assert!(refused("question,answer\n/etc/passwd,b\n").is_empty());
        assert_eq!(
            refused("{\"question\": \"/a\"}\n").len(),
            1,
            "one line is YAML too"
        );
    }
}
