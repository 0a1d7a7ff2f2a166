//! Files, folders and environment variables that a job names: all are looked for before anything is spent.

use std::path::Path;

use gristmill_domain::job::{EmbedSource, Engine, Job, LocalModel, ModelSpec, TableFormat};
use gristmill_domain::validator::Need;
use gristmill_tables::{Format, Options, Reader};

use crate::error::{Code, Error, quoted, quoted_path};
use crate::locate::place_of;
use crate::secret::looks_like_key;
use crate::text::{ENTRIES_MAX, nearest_file};
use crate::yaml::Node;

/// Tells every file and variable that the job names and that is not there.
pub(crate) fn check(
    job: &Job,
    base: &Path,
    tree: &Node,
    is_set: Option<&dyn Fn(&str) -> bool>,
    errors: &mut Vec<Error>,
) {
    let mut tell = |path: &str, error: Error| errors.push(error.at(place_of(tree, path)));
    let format = match job.seeds.format {
        None => Format::Auto,
        Some(TableFormat::Jsonl) => Format::Jsonl,
        Some(TableFormat::Csv) => Format::Csv,
        Some(TableFormat::Parquet) => Format::Parquet,
    };
    let shots: &[String] = job.evaluate.as_ref().map_or(&[], |evaluate| &evaluate.shots_path);
    for (key, patterns) in [
        ("seeds.path", &job.seeds.path[..]),
        ("evaluate.shots_path", shots),
    ] {
        for (i, pattern) in patterns.iter().enumerate() {
            let path = match patterns.len() {
                1 => key.to_owned(),
                _ => format!("{key}.{i}"),
            };
            let options = Options {
                format,
                base: Some(base.to_owned()),
                ..Options::default()
            };
            if let Err(error) = Reader::open_with(&[pattern], &options) {
                tell(&path, seeds_error(&error));
            }
        }
    }
    for (path, spec) in job.models() {
        model(&path, spec, base, is_set, &mut tell);
    }
    for (kind, file) in &job.generate.prompts {
        let name = serde_json::to_value(kind)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default();
        if let Some(error) = missing_file(&base.join(file), "prompt template") {
            tell(&format!("generate.prompts.{name}"), error);
        }
    }
    match job.filter.validator.need() {
        // The program's own files are read, and their errors told, where they are pinned.
        None | Some(Need::Program(_)) => {}
        Some(Need::Databases { folder, key, .. }) => {
            if let Some(error) = missing_databases(&base.join(folder)) {
                tell(key, error);
            }
        }
    }
    if let EmbedSource::Local(name) = job.embed.source()
        && name.contains('/')
        && !base.join(name).is_dir()
    {
        let help = nearest_file(&base.join(name));
        tell(
            "embed.model",
            Error::new(Code::File, format!("there is no folder {}", quoted(name)), help),
        );
    }
}

/// What is wrong with a variable that holds a secret; `None` looks for no value.
fn wrong_variable(name: &str, key: &str, is_set: Option<&dyn Fn(&str) -> bool>) -> Option<Error> {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if looks_like_key(name) {
        return Some(Error::new(
            Code::Key,
            format!("`{key}` holds what looks like the key itself"),
            "put the key into a variable of the environment, and that variable's name here",
        ));
    }
    if name.is_empty() || !is_name {
        // What is no name may be a secret in the wrong place: it is not repeated.
        let said = if key == "key_env" {
            quoted(name)
        } else {
            "this".to_owned()
        };
        return Some(Error::new(
            Code::Key,
            format!("{said} is no name of an environment variable"),
            "give a name such as OPENAI_API_KEY",
        ));
    }
    let is_missing = is_set.is_some_and(|is_set| !is_set(name));
    let help = match key {
        "key_env" => format!("set it (`export {name}=…`), or name a file in `key_file`"),
        _ => format!("set it (`export {name}=…`)"),
    };
    is_missing.then(|| {
        Error::new(
            Code::Key,
            format!("the environment variable `{name}` is not set"),
            help,
        )
    })
}

fn model(
    path: &str,
    spec: &ModelSpec,
    base: &Path,
    is_set: Option<&dyn Fn(&str) -> bool>,
    tell: &mut impl FnMut(&str, Error),
) {
    if let Some(name) = &spec.key_env {
        let path = format!("{path}.key_env");
        if let Some(error) = wrong_variable(name, "key_env", is_set) {
            tell(&path, error);
        }
    }
    for (header, name) in &spec.header_env {
        let path = format!("{path}.header_env.{header}");
        if let Some(error) = wrong_variable(name, "header_env", is_set) {
            tell(&path, error);
        }
    }
    if let Some(file) = &spec.key_file
        && is_set.is_some()
    {
        let full = base.join(file);
        let error = missing_file(&full, "key file").or_else(|| {
            let empty = std::fs::read(&full).map(|bytes| bytes.trim_ascii().is_empty());
            match empty {
                Ok(false) => None,
                Ok(true) => Some(Error::new(
                    Code::Key,
                    format!("the key file {} is empty", quoted_path(file)),
                    "write the key into it",
                )),
                Err(error) => Some(Error::new(
                    Code::Key,
                    format!("the key file {} cannot be read: {error}", quoted_path(file)),
                    "make it readable for this user",
                )),
            }
        });
        if let Some(error) = error {
            tell(
                &format!("{path}.key_file"),
                Error {
                    code: Code::Key,
                    ..error
                },
            );
        }
    }
    if let Some(local) = &spec.local {
        local_model(path, local, base, tell);
    }
}

/// The files of a model in this process. What is in them is looked at where they are read.
fn local_model(path: &str, local: &LocalModel, base: &Path, tell: &mut impl FnMut(&str, Error)) {
    let full = base.join(&local.name);
    let wrong = match (local.is_path(), local.engine()) {
        (false, _) => None,
        (true, Engine::Native) if full.is_dir() => None,
        (true, Engine::Native) if full.is_file() && local.engine.is_none() && !is_gguf(&local.name) => {
            Some(Error::new(
                Code::File,
                format!(
                    "the model {} is a file, and not called as GGUF files are",
                    quoted(&local.name)
                ),
                "let its name end in `.gguf`, or say `engine: native` or `engine: llama_cpp`",
            ))
        }
        (true, Engine::Native | Engine::LlamaCpp) => missing_file(&full, "model file"),
    };
    if let Some(error) = wrong {
        tell(&format!("{path}.local"), error);
    }
    if let Some(adapter) = &local.adapter
        && !base.join(adapter).is_dir()
    {
        let error = Error::new(
            Code::File,
            format!("there is no folder {} with an adapter", quoted_path(adapter)),
            nearest_file(&base.join(adapter)),
        );
        tell(&format!("{path}.local.adapter"), error);
    }
}

fn is_gguf(name: &str) -> bool {
    name.ends_with(".gguf")
}

fn seeds_error(error: &gristmill_tables::Error) -> Error {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Error::new(Code::File, message, "paths are relative to the job file")
}

pub(crate) fn missing_file(path: &Path, what: &str) -> Option<Error> {
    let shown = quoted_path(path);
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => None,
        Ok(_) => Some(Error::new(
            Code::File,
            format!("the {what} {shown} is a folder"),
            "name a file in it",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Error::new(
            Code::File,
            format!("there is no {what} {shown}"),
            nearest_file(path),
        )),
        Err(error) => Some(Error::new(
            Code::File,
            format!("the {what} {shown} cannot be read: {error}"),
            "make it readable for this user",
        )),
    }
}

fn missing_databases(folder: &Path) -> Option<Error> {
    let shown = quoted_path(folder);
    let Ok(entries) = std::fs::read_dir(folder) else {
        let help = if folder.is_file() {
            "name the folder that holds it".to_owned()
        } else {
            nearest_file(folder)
        };
        return Some(Error::new(
            Code::File,
            format!("there is no folder of databases {shown}"),
            help,
        ));
    };
    let is_database = |name: &Path| {
        name.extension()
            .is_some_and(|end| end == "sql" || end == "sqlite")
    };
    let any = entries
        .flatten()
        .take(ENTRIES_MAX)
        .any(|entry| is_database(Path::new(&entry.file_name())));
    (!any).then(|| {
        Error::new(
            Code::File,
            format!("the folder {shown} holds no database"),
            "put `NAME.sql` dumps or `NAME.sqlite` files into it",
        )
    })
}
