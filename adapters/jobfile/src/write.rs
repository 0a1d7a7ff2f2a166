//! A job as the text of a job file, in another folder than the one that it was read from.

use std::path::{Component, Path, PathBuf};

use gristmill_domain::job::{
    Anchor, Concepts, Embed, Fields, Filter, Generate, Holdout, Job, ModelSpec, Output,
};
use serde_json::{Map, Value};

use crate::yaml::is_plain_text;

/// The text of a job file in the folder `to` that says what a job says which was read in the folder `from`: settings that have their default
/// are left out, and relative paths lead from the new folder to the same files. Both folders must be absolute, without symbolic links.
///
/// Files that a validator's program reads must lie below the job's folder; their names are kept, and the caller copies them.
///
/// # Errors
/// A number that JSON cannot hold, or a path that is not Unicode.
pub fn write(job: &Job, from: &Path, to: &Path) -> Result<String, serde_json::Error> {
    let moved = |path: &str| moved(path, from, to);
    let mut job = job.clone();
    for (_, model) in job.models_mut() {
        move_model(model, &moved);
    }
    let mut value = serde_json::to_value(&job)?;
    without_defaults(&mut value)?;
    move_paths(&mut value, &moved);
    let mut text = String::new();
    if let Value::Object(members) = &value {
        map(&mut text, members, 0);
    }
    Ok(text)
}

fn without_defaults(job: &mut Value) -> Result<(), serde_json::Error> {
    let defaults = [
        ("/seeds/fields", serde_json::to_value(Fields::default())?),
        ("/holdout", serde_json::to_value(Holdout::default())?),
        ("/embed", serde_json::to_value(Embed::default())?),
        ("/concepts", serde_json::to_value(Concepts::default())?),
        ("/generate", serde_json::to_value(Generate::default())?),
        ("/filter", serde_json::to_value(Filter::default())?),
        ("/anchor", serde_json::to_value(Anchor::default())?),
        ("/output", serde_json::to_value(Output::default())?),
    ];
    for (place, default) in defaults {
        if let (Some(Value::Object(members)), Value::Object(default)) = (job.pointer_mut(place), default) {
            members.retain(|name, value| default.get(name) != Some(value));
        }
    }
    if let Some(Value::Object(validator)) = job.pointer_mut("/filter/validator") {
        // Computed as a job is read.
        validator.remove("pinned");
        if validator.contains_key("schema") {
            validator.remove("schema_file");
        }
    }
    if let Some(Value::Object(mutators)) = job.pointer_mut("/generate/mutators")
        && mutators.contains_key("personas")
    {
        mutators.remove("personas_file");
    }
    if let Value::Object(sections) = job {
        sections.retain(|_, section| !matches!(section, Value::Object(members) if members.is_empty()));
    }
    if let Some(Value::Object(seeds)) = job.pointer_mut("/seeds") {
        seeds.retain(|_, part| !matches!(part, Value::Object(members) if members.is_empty()));
    }
    Ok(())
}

/// The key, the file or folder, and the adapter of a model.
fn move_model(model: &mut ModelSpec, moved: &dyn Fn(&str) -> String) {
    let move_file = |path: &mut PathBuf| {
        // A path that is not Unicode is refused as the job is written.
        if let Some(text) = path.to_str() {
            *path = moved(text).into();
        }
    };
    if let Some(key) = &mut model.key_file {
        move_file(key);
    }
    let Some(local) = &mut model.local else {
        return;
    };
    if local.is_path() {
        local.name = moved(&local.name);
        // A folder beside the job file would be taken for a name of the catalogue.
        if !local.is_path() {
            local.name.insert_str(0, "./");
        }
    }
    if let Some(adapter) = &mut local.adapter {
        move_file(adapter);
    }
}

/// Every other setting that names a file, a folder or a pattern relative to the job file.
fn move_paths(job: &mut Value, moved: &dyn Fn(&str) -> String) {
    for place in [
        "/seeds/path",
        "/seeds/documents/path",
        "/evaluate/shots_path",
        "/budget/price_file",
        "/concepts/file",
        "/output/dir",
        "/generate/prompts",
        "/generate/mutators/personas_file",
        "/filter/existing",
        "/filter/validator/databases",
        "/filter/validator/schema_file",
    ] {
        if let Some(value) = job.pointer_mut(place) {
            each_text(value, &|text| Some(moved(text)));
        }
    }
    if let Value::Object(sections) = job {
        // Written out, so that where runs go does not change with the folder.
        let output = sections
            .entry("output")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(output) = output {
            let usual = Output::default().dir.display().to_string();
            output.entry("dir").or_insert_with(|| moved(&usual).into());
        }
    }
    let path_like = |text: &str| text.contains('/').then(|| moved(text));
    if let Some(model) = job.pointer_mut("/embed/model") {
        each_text(model, &path_like);
    }
    let file_like = |text: &str| {
        let file = text.contains('/') || text.ends_with(".yaml") || text.ends_with(".yml");
        file.then(|| moved(text))
    };
    if let Some(recipes) = job.pointer_mut("/generate/recipes") {
        each_text(recipes, &file_like);
    }
}

fn each_text(value: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = change(text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| each_text(member, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A path relative to one folder, relative to another.
fn moved(path: &str, from: &Path, to: &Path) -> String {
    if Path::new(path).is_absolute() || from == to {
        return path.to_owned();
    }
    let mut target = PathBuf::new();
    for part in from.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                target.pop();
            }
            other => target.push(other),
        }
    }
    path_from(to, &target)
}

/// The way from a folder to a file or a folder, as a relative path. Both are absolute, without `.`, `..` or symbolic links.
pub fn path_from(to: &Path, target: &Path) -> String {
    let shared = target
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let mut way: PathBuf = to
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir)
        .collect();
    way.extend(target.components().skip(shared));
    match way.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => way.display().to_string(),
    }
}

fn map(text: &mut String, members: &Map<String, Value>, depth: usize) {
    for (name, value) in members {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&scalar(name));
        text.push(':');
        nested(text, value, depth + 1);
    }
}

/// A value behind its key or its dash.
fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            map(text, members, depth);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                text.push_str(&"  ".repeat(depth));
                text.push('-');
                match item {
                    // The first member stands behind the dash.
                    Value::Object(members) if !members.is_empty() => {
                        let mut block = String::new();
                        map(&mut block, members, depth + 1);
                        text.push(' ');
                        text.push_str(block.trim_start());
                    }
                    other => nested(text, other, depth + 1),
                }
            }
        }
        Value::String(plain) => {
            text.push(' ');
            text.push_str(&scalar(plain));
            text.push('\n');
        }
        other => {
            text.push(' ');
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

/// A text as YAML reads it back: JSON's quotes are YAML's, too.
fn scalar(text: &str) -> String {
    let simple = text
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' '))
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '.')
        && !text.ends_with(' ');
    match simple && is_plain_text(text) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}
