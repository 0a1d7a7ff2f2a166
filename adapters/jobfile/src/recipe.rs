//! Recipe files: read, held against their shape, and checked, with everything that is wrong told at its line and column.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use gristmill_domain::job::PromptForm;
use gristmill_domain::prompt::Template;
use gristmill_domain::recipe::{File, Recipe, built_in, built_ins};
use serde_json::Value;

use crate::error::{Code, Error, Errors, WayOn};
use crate::locate::{from_serde, place_of};
use crate::near::nearest;
use crate::place::{JOB, Kind, Place, Source, Sources};
use crate::shape::Shape;
use crate::text::{decode, read_file};
use crate::walk::Walk;
use crate::yaml::{Node, parse};

/// The recipe of this name that ships with the program, or of this file, relative to `base`; with the texts of the prompts that it brings
/// along.
///
/// # Errors
/// There is no such recipe, or everything that is wrong with its file.
pub fn recipe(name: &str, base: &Path) -> Result<File, Errors> {
    match built_in(name) {
        Some(recipe) => Ok(recipe.file().clone()),
        None => recipe_file(&base.join(name)),
    }
}

/// The recipe of a file, with the texts of the prompts that it brings along.
///
/// # Errors
/// Everything that is wrong with it.
pub fn recipe_file(path: &Path) -> Result<File, Errors> {
    let mut sources = Sources::default();
    sources.add(Source {
        name: path.display().to_string(),
        text: String::new(),
        kind: Kind::File,
    });
    let mut errors = Vec::new();
    match read(path, &mut sources, &mut errors) {
        Some(file) if errors.is_empty() => Ok(file),
        _ => Err(Errors {
            errors,
            sources,
            way_on: WayOn::Check("recipe check"),
        }
        .sort()),
    }
}

fn read(path: &Path, sources: &mut Sources, errors: &mut Vec<Error>) -> Option<File> {
    let text = match read_file(path, "recipe").and_then(|bytes| decode(bytes, path)) {
        Ok(text) => text,
        Err(error) => {
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let names: Vec<&str> = built_ins().collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean the built-in recipe `{near}`?"),
                None => format!("built-in recipes: {}", names.join(", ")),
            };
            errors.push(Error::new(Code::File, error.message().to_owned(), help).at(Place::Whole(JOB)));
            return None;
        }
    };
    sources.set_text(JOB, text);
    let mut tell = |error: Error| errors.push(error);
    let tree = parse(JOB, sources.text(JOB)).map_err(&mut tell).ok()?;
    let shape = Shape::of(schema());
    let mut walk = Walk::new(&shape, "the recipe");
    let value = walk.run(&tree);
    errors.append(&mut walk.errors);
    if !errors.is_empty() {
        return None;
    }
    let mut file: File = match serde_path_to_error::deserialize(value?) {
        Ok(file) => file,
        Err(error) => {
            errors.push(from_serde(&error, &tree));
            return None;
        }
    };
    let recipe = match Recipe::new(file.clone()) {
        Ok(recipe) => recipe,
        Err(problems) => {
            for problem in problems {
                let error = Error::new(Code::Config, problem.message, problem.help);
                errors.push(error.at(place_of(&tree, &problem.path)));
            }
            return None;
        }
    };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    prompts(&recipe, &folder, &tree, errors, &mut file);
    Some(file)
}

/// Reads the prompts that a recipe brings along, and looks whether they show what is there.
fn prompts(recipe: &Recipe, folder: &Path, tree: &Node, errors: &mut Vec<Error>, file: &mut File) {
    let fields = recipe.field_names();
    for (path, name) in prompt_places(file) {
        let shown = |text: &str| Template::parse(&name, text, fields.iter().map(String::as_str)).err();
        if Template::built_in_text(&name, PromptForm::Chat).is_some() || file.prompts.contains_key(&name) {
            continue;
        }
        let place = || place_of(tree, &path);
        let at: PathBuf = folder.join(&name);
        match read_file(&at, "prompt").and_then(|bytes| decode(bytes, &at)) {
            Ok(text) => {
                if let Some(error) = shown(&text) {
                    let help = format!(
                        "a prompt shows the fields of its recipe ({}) and the variables of built-in prompts",
                        fields.join(", ")
                    );
                    errors.push(
                        Error::new(
                            Code::Config,
                            format!("the prompt `{name}` cannot be used: {}", first_line(&error)),
                            help,
                        )
                        .at(place()),
                    );
                }
                file.prompts.insert(name, text);
            }
            Err(error) => {
                let names = gristmill_domain::prompt::built_in_names();
                let help = match nearest(&name, names.iter().copied()) {
                    Some(near) => format!("did you mean the built-in prompt `{near}`?"),
                    None => format!(
                        "name a file beside the recipe, or a built-in prompt: {}",
                        names.join(", ")
                    ),
                };
                errors.push(Error::new(Code::File, error.message().to_owned(), help).at(place()));
            }
        }
    }
}

/// What a template's error says, without the listing that it shows below.
fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Every prompt that a recipe names, with the key path that names it.
fn prompt_places(file: &File) -> Vec<(String, String)> {
    let mut places = Vec::new();
    for (i, step) in file.steps.iter().enumerate() {
        let inner = step
            .repeat
            .iter()
            .flat_map(|repeat| repeat.steps.iter().enumerate());
        let inner = inner.map(|(j, step)| (format!("steps.{i}.repeat.steps.{j}.prompt"), step));
        for (path, step) in [(format!("steps.{i}.prompt"), step)].into_iter().chain(inner) {
            places.extend(step.prompt.0.iter().map(|name| (path.clone(), name.clone())));
        }
    }
    places
}

/// The shape of a recipe file, as it is derived from its type.
fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(File).to_value());
    &SCHEMA
}

/// The JSON Schema (draft 2020-12) of a recipe file, for editors.
pub fn recipe_schema() -> Value {
    let mut schema = schema().clone();
    crate::schema::finish(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "Gristmill recipe".into());
    }
    schema
}
