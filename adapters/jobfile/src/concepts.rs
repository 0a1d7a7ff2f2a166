//! The concept file of a job: a YAML or CSV list, filled into the job so that the effective configuration holds it whole.

use std::path::Path;

use gristmill_domain::job::{Concept, Job, Listed, wrong};
use gristmill_tables::{Format, Options, Reader, Record};
use serde_json::{Map, Value};

use crate::error::{Code, Error, quoted, quoted_path};
use crate::locate::place_of;
use crate::near::{list, nearest};
use crate::place::{Kind, Place, Source, SourceId, Sources};
use crate::shape::Shape;
use crate::text::{decode, read_file};
use crate::walk::Walk;
use crate::yaml::{Node, parse};

/// Columns of a CSV file of concepts.
const COLUMNS: [&str; 6] = ["name", "description", "examples", "labels", "target", "parent"];
/// Parts several texts in one field of a CSV file.
const SEPARATOR: char = '|';

/// Fills in the concepts of the file that the job names.
pub(crate) fn fill(job: &mut Job, base: &Path, tree: &Node, sources: &mut Sources, errors: &mut Vec<Error>) {
    let Some(concepts) = &mut job.concepts else { return };
    let Some(file) = concepts.file.clone() else { return };
    let path = base.join(&file);
    let place = place_of(tree, "concepts.file");
    let table = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("csv") || end.eq_ignore_ascii_case("tsv"));
    let text = match read_file(&path, "concept file").and_then(|bytes| decode(bytes, &path)) {
        Ok(text) => text,
        Err(error) => return errors.push(error.at(place)),
    };
    let source = sources.add(Source {
        name: path.display().to_string(),
        text,
        kind: Kind::File,
    });
    let before = errors.len();
    let (found, places) = if table {
        from_table(&path, source, sources, errors)
    } else {
        from_yaml(source, sources, errors)
    };
    if errors.len() > before {
        return;
    }
    if found.is_empty() {
        let message = format!("the concept file {} holds no concept", quoted_path(&file));
        let error = Error::new(Code::Config, message, "list at least one, such as `- asthma`");
        return errors.push(error.at(place));
    }
    for wrong in wrong(&found) {
        let place = places.at(wrong.at, wrong.key, source);
        errors.push(Error::new(Code::Config, wrong.message, wrong.help).at(place));
    }
    // The list stands for the file from here on, so that the effective configuration is whole by itself.
    (concepts.list, concepts.file) = (found, None);
}

/// Where the concepts of a file stand in it.
enum Places {
    Tree(Node),
    /// Bytes of each row's first line.
    Lines(Vec<std::ops::Range<usize>>),
}

impl Places {
    fn at(&self, concept: usize, key: &str, source: SourceId) -> Place {
        match self {
            Self::Tree(tree) => place_of(tree, &format!("{concept}.{key}")),
            Self::Lines(lines) => lines
                .get(concept)
                .map_or(Place::Whole(source), |line| Place::at(source, line.clone())),
        }
    }
}

fn from_yaml(source: SourceId, sources: &Sources, errors: &mut Vec<Error>) -> (Vec<Concept>, Places) {
    let nothing = (Vec::new(), Places::Lines(Vec::new()));
    let node = match parse(source, sources.text(source)) {
        Ok(node) => node,
        Err(error) => {
            errors.push(error);
            return nothing;
        }
    };
    let one = schemars::schema_for!(Vec<Listed>).to_value();
    let shape = Shape::of(&one);
    let mut walk = Walk::new(&shape, "the concept file");
    let value = walk.run(&node);
    let bad = !walk.errors.is_empty();
    errors.append(&mut walk.errors);
    let Some(value) = value.filter(|_| !bad) else {
        return nothing;
    };
    match serde_json::from_value::<Vec<Listed>>(value) {
        Ok(listed) => (
            listed.into_iter().map(Concept::from).collect(),
            Places::Tree(node),
        ),
        Err(error) => {
            let message = format!("the concept file cannot be used: {error}");
            errors.push(Error::new(Code::Config, message, "").at(Place::Whole(source)));
            nothing
        }
    }
}

fn from_table(
    path: &Path,
    source: SourceId,
    sources: &Sources,
    errors: &mut Vec<Error>,
) -> (Vec<Concept>, Places) {
    let lines = line_ranges(sources.text(source));
    let line_of = |line: u64| {
        line.checked_sub(1)
            .and_then(|at| lines.get(at as usize).cloned())
            .unwrap_or(0..0)
    };
    let mut tell = |message: String, help: &str, line: u64| {
        errors.push(Error::new(Code::Config, message, help).at(Place::at(source, line_of(line))));
    };
    let options = Options {
        format: Format::Csv,
        ..Options::default()
    };
    let mut found = Vec::new();
    let mut places = Vec::new();
    let rows = match Reader::open_with(&[path.display().to_string()], &options) {
        Ok(rows) => rows,
        Err(error) => {
            tell(
                format!("the concept file cannot be read: {error}"),
                "save it as CSV with a header",
                1,
            );
            return (found, Places::Lines(places));
        }
    };
    for row in rows {
        match row {
            Err(bad) => tell(format!("a row cannot be read: {}", bad.reason), "", bad.line),
            Ok(record) => {
                if found.is_empty()
                    && let Some((message, help)) = unknown_column(&record.value)
                {
                    tell(message, &help, 1);
                    break;
                }
                match concept(&record) {
                    Ok(concept) => {
                        found.push(concept);
                        places.push(line_of(record.line));
                    }
                    Err((message, help)) => tell(message, help, record.line),
                }
            }
        }
    }
    (found, Places::Lines(places))
}

/// What is wrong with the header.
fn unknown_column(row: &Map<String, Value>) -> Option<(String, String)> {
    if !row.contains_key("name") {
        return Some((
            "there is no column `name`".into(),
            "name the column of the concepts' names `name`".into(),
        ));
    }
    let unknown = row.keys().find(|key| !COLUMNS.contains(&key.as_str()))?;
    let help = match nearest(unknown, COLUMNS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are {}", list(COLUMNS, "and")),
    };
    Some((format!("unknown column {}", quoted(unknown)), help))
}

fn concept(record: &Record) -> Result<Concept, (String, &'static str)> {
    let field = |name: &str| {
        let text = record.value.get(name).and_then(Value::as_str).unwrap_or_default();
        text.trim().to_owned()
    };
    let several = |name: &str| {
        let text = field(name);
        let parts = text
            .split(SEPARATOR)
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let target = field("target");
    Ok(Concept {
        name: field("name"),
        description: field("description"),
        examples: several("examples"),
        labels: several("labels"),
        target: match target.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                (
                    format!("a target of {}", quoted(text)),
                    "give a whole number of rows, or nothing",
                )
            })?),
        },
        parent: Some(field("parent")).filter(|parent| !parent.is_empty()),
    })
}

/// Bytes of each line, without its end.
fn line_ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let start = at;
            at += line.len();
            start..start + line.trim_end_matches(['\n', '\r']).len().max(1)
        })
        .collect()
}
